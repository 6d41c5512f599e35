"""The vocabulary of what else arrives at a listener: texts, calls and campaigns, as CallFire 1.1 tells of them.

None of it is signed. Take it as a hint, and ask the provider before you act on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from callfire_async.orders import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    """What texts and calls share (schema, Action)."""

    #: CallFire's id of the text or call.
    id: str
    #: The subscription it was sent for, where it says so.
    subscription_id: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    #: READY, SELECTED, FINISHED, DNC, … (schema, ActionState), as it came.
    state: str | None = None
    #: True for what came to you; nothing else tells the event that sent this.
    inbound: bool | None = None
    #: Aware, UTC.
    created: datetime | None = None
    modified: datetime | None = None
    #: RECEIVED, SENT, LA, AM, BUSY, … (schema, Result), as it came.
    final_result: str | None = None
    contact_id: str | None = None
    batch_id: str | None = None
    broadcast_id: str | None = None
    #: Everything it holds, under CallFire's own names; attributes begin with "@".
    raw: Mapping[str, JSON] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNotification(_Action):
    """A text was received or sent: INBOUND_TEXT_FINISHED, OUTBOUND_TEXT_FINISHED."""

    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(_Action):
    """A call has ended: INBOUND_CALL_FINISHED, OUTBOUND_CALL_FINISHED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignNotification:
    """A campaign was started, stopped or has finished. Which of them only `status` tells; the schema calls it a broadcast."""

    id: str
    subscription_id: str | None = None
    name: str | None = None
    #: START_PENDING, RUNNING, STOPPED, FINISHED, … (schema, BroadcastStatus), as it came.
    status: str | None = None
    #: VOICE, IVR, TEXT or CCC (schema, BroadcastType).
    type: str | None = None
    last_modified: datetime | None = None
    raw: Mapping[str, JSON] = field(repr=False)


Notification: TypeAlias = TextNotification | CallFinished | CampaignNotification

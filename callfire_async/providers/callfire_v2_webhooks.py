"""CallFire API v2: webhooks, and the signature on what they post. Sources are named as in callfire_v2_envelope.py.

The definition at hand ends before the webhooks' own paths: their members are those of the SDK and the guide.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypedDict

from callfire_async.errors import ConfigurationError, InvalidOrderError, ProtocolError
from callfire_async.orders import distinct
from callfire_async.providers import Request, jsondoc
from callfire_async.providers.callfire_v2_envelope import (
    MOST_ON_PAGE,
    checked_id,
    decoded,
    get,
    identifier,
    milliseconds,
    page,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from callfire_async.orders import JSON
    from callfire_async.providers import Page, Reply
    from callfire_async.providers.jsondoc import Value

SIGNATURE: Final = "x-callfire-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that CallFire posts events of one resource to. No resource that is documented tells of orders."""

    id: str
    name: str | None = None
    #: Such as InboundText or CallBroadcast; `webhook_resources()` lists them.
    resource: str | None = None
    #: Such as Finished. The spelling varies in CallFire's own documents ("Finished", "finished", "stop"), and is kept as it came.
    events: tuple[str, ...] = ()
    #: Not shown: it may hold the listener's token.
    callback: str | None = field(default=None, repr=False)
    #: What posts are signed with; CallFire may keep it to itself. Not shown.
    secret: str | None = field(default=None, repr=False)
    enabled: bool | None = None
    #: Whether any certificate of the callback's server will do.
    non_strict_ssl: bool | None = None
    #: The members of the resource that are sent, such as "id,fromNumber"; None for all.
    fields: str | None = None
    #: Whether it ends with its first event.
    single_use: bool | None = None
    #: Aware, UTC, as the two below.
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Signature:
    """Checks X-CallFire-Signature: the base64 of the HMAC-SHA1 of the body as it came (guide). The secret is shown nowhere."""

    def __init__(self, secret: str) -> None:
        try:
            self._secret = secret.encode()
        except UnicodeEncodeError:
            self._secret = b""
        if not self._secret:
            # Not `from` the cause, which quotes it. An empty one, from a variable that was not set, would let every forger in.
            raise ConfigurationError(
                "webhook_secret= must be a text that is not empty; leave it out where nothing is signed."
            ) from None

    def of(self, body: bytes) -> str:
        """What CallFire would send along with this body."""
        return base64.b64encode(hmac.digest(self._secret, body, "sha1")).decode()

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """ProtocolError where the signature is missing or wrong. `headers` have their names in lower case."""
        signature = headers.get(SIGNATURE)
        if signature is None:
            raise ProtocolError(
                "The postback is not signed, and webhook_secret= demands it. It was not looked at.", body=body
            )
        if not hmac.compare_digest(signature.strip().encode(errors="replace"), self.of(body).encode()):
            raise ProtocolError(
                "The postback's signature is not the one webhook_secret= makes: it is forged, or the webhook has another secret. "
                "It was not looked at.",
                body=body,
            )


class WebhookOptions(TypedDict, total=False):
    """What a webhook may have; the meanings stand at Webhook."""

    secret: str | None
    enabled: bool | None
    non_strict_ssl: bool | None
    fields: str | None
    single_use: bool | None
    expires_at: datetime | None


class WebhookChanges(WebhookOptions, total=False):
    """What can be changed of a webhook."""

    name: str
    resource: str
    events: Iterable[str]
    callback: str


def members(changes: WebhookChanges) -> Mapping[str, JSON]:
    """The members of a webhook that were given, under their names in v2. InvalidOrderError, which quotes no secret, where one cannot be."""
    if unknown := changes.keys() - WebhookChanges.__annotations__.keys():
        raise InvalidOrderError(f"A webhook has no {', '.join(sorted(unknown))}; nothing was sent.")
    for name in ("name", "resource", "secret", "fields"):
        text = changes.get(name)
        if text is not None and not (isinstance(text, str) and text.strip() and text.isprintable()):
            raise InvalidOrderError(f"{name}= must be a text that is not empty; nothing was sent.")
    callback, events = changes.get("callback"), changes.get("events")
    if callback is not None and not (isinstance(callback, str) and re.fullmatch(r"https?://[^/?#\s][^\s]*", callback)):
        raise InvalidOrderError("callback= must be an address that begins with https:// or http://; nothing was sent.")
    words = None if events is None else distinct("events", events, _event)
    if words == []:
        raise InvalidOrderError("events= must name at least one event, such as 'Finished'; nothing was sent.")
    given: dict[str, JSON] = {
        "name": changes.get("name"),
        "resource": changes.get("resource"),
        "events": words,
        "callback": callback,
        "secret": changes.get("secret"),
        "enabled": changes.get("enabled"),
        "nonStrictSsl": changes.get("non_strict_ssl"),
        "fields": changes.get("fields"),
        "singleUse": changes.get("single_use"),
        "expiresAt": milliseconds(
            "expires_at", changes.get("expires_at")
        ),  # newer than the SDK; milliseconds are inferred
    }
    return MappingProxyType({member: value for member, value in given.items() if value is not None})


def create_webhook_request(given: Mapping[str, JSON]) -> Request:
    """POST /webhooks."""
    return send("POST", "/webhooks", given)


def update_webhook_request(webhook_id: str | int, given: Mapping[str, JSON]) -> Request:
    """PUT /webhooks/{id} with what changes alone; that the rest stays as it is, is inferred."""
    if not given:
        raise InvalidOrderError("Nothing to change was given; nothing was sent.")
    return send("PUT", f"/webhooks/{checked_id(webhook_id, 'webhook')}", given)


def webhook_request(webhook_id: str | int) -> Request:
    """GET /webhooks/{id}."""
    return get(f"/webhooks/{checked_id(webhook_id, 'webhook')}")


def delete_webhook_request(webhook_id: str | int) -> Request:
    """DELETE /webhooks/{id}."""
    return Request(method="DELETE", path=webhook_request(webhook_id).path)


def webhooks_request(*, first: int = 0, most: int = MOST_ON_PAGE) -> Request:
    """GET /webhooks: a page of them."""
    return get("/webhooks", {"limit": most, "offset": first})


def resources_request() -> Request:
    """GET /webhooks/resources."""
    return get("/webhooks/resources")


def resource_request(name: str) -> Request:
    """GET /webhooks/resources/{resource}: "text-broadcast" in the example, where the list has "TextBroadcast"."""
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z-]{1,64}", name):
        raise InvalidOrderError(
            f"{str(name)[:40]!r} is no resource: those are words such as 'CallBroadcast'; nothing was sent."
        )
    return get(f"/webhooks/resources/{name}")


def decode_webhook(reply: Reply) -> Webhook:
    """One webhook."""
    return decoded(reply, "webhook", _webhook)


def decode_webhooks(reply: Reply) -> Page[Webhook]:
    """A page of webhooks."""
    return page(reply, "webhook", _webhook)


def decode_resources(reply: Reply) -> Mapping[str, tuple[str, ...]]:
    """Resources and their events."""
    return MappingProxyType(dict(page(reply, "webhook resource", _resource).items))


def decode_resource(reply: Reply) -> tuple[str, ...]:
    """The events of one resource."""
    return decoded(reply, "webhook resource", lambda document: _resource(document)[1])


def _resource(document: Value) -> tuple[str, tuple[str, ...]]:
    """The events are "events" in the examples, and "supportedEvents" in the definition and the SDK."""
    node = jsondoc.mapping(document, "the resource")
    name = jsondoc.must(jsondoc.text(node, "resource"), "resource")
    return name, jsondoc.texts(node, "supportedEvents") or jsondoc.texts(node, "events")


def _webhook(document: Value) -> Webhook:
    node = jsondoc.mapping(document, "the webhook")
    return Webhook(
        id=identifier(node),
        name=jsondoc.text(node, "name"),
        resource=jsondoc.text(node, "resource"),
        events=jsondoc.texts(node, "events"),
        callback=jsondoc.text(node, "callback"),
        secret=jsondoc.text(node, "secret"),
        enabled=jsondoc.flag(node, "enabled"),
        non_strict_ssl=jsondoc.flag(node, "nonStrictSsl"),
        fields=jsondoc.text(node, "fields"),
        single_use=jsondoc.flag(node, "singleUse"),
        expires_at=jsondoc.moment(node, "expiresAt"),
        created_at=jsondoc.moment(node, "createdAt"),
        updated_at=jsondoc.moment(node, "updatedAt"),
    )


def _event(word: str) -> str:
    if not isinstance(word, str) or not re.fullmatch("[A-Za-z]{1,64}", word):
        raise InvalidOrderError(
            f"{str(word)[:40]!r} is no event: those are words such as 'Finished'; nothing was sent."
        )
    return word

"""A fourth provider, as a user would write one: a shop that speaks JSON. It knows the Provider protocol and nothing else of the library."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from callfire_async import InvalidOrderError, Outcome, ProtocolError, Reconciliation
from callfire_async.providers import Investigation, Postback, Receipt, Reply, Request, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from callfire_async.orders import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeOrder:
    id: str
    status: str
    count: int
    numbers: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return {"ready": Outcome.FINISHED, "failed": Outcome.FAILED}.get(self.status, Outcome.PENDING)

    @property
    def shortfall(self) -> int:
        return self.count - len(self.numbers)


class Acme:
    name = "acme"
    calls_back = False

    def encode_order(self, content: Content, callback_url: str | None = None) -> Request:  # noqa: ARG002
        return Request(method="POST", path="/orders", body=json.dumps(content).encode())

    def decode_receipt(self, reply: Reply) -> Receipt[AcmeOrder]:
        state = self.decode_status(reply)
        return Receipt(order_id=state.id, state=state)

    def encode_status(self, order_id: str) -> Request:
        if not order_id.isalnum():
            raise InvalidOrderError(f"{order_id!r} is no order of Acme's; nothing was sent.")
        return Request(method="GET", path=f"/orders/{order_id}")

    def decode_status(self, reply: Reply) -> AcmeOrder:
        if reply.status >= 300:
            raise refusal(reply, "Acme said no")
        return self.load(reply.body.decode())

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[AcmeOrder]:  # noqa: ARG002
        state = self.load(body.decode())
        return Postback(order_id=state.id, state=state)

    def matches(self, state: AcmeOrder, content: Content, submitted_at: datetime) -> bool:  # noqa: ARG002
        return state.count == content["count"]

    def investigate(self, content: Content, submitted_at: datetime, now: datetime) -> Investigation:  # noqa: ARG002
        listed = json.loads((yield Request(method="GET", path="/orders")).body)
        fitting = tuple(order["id"] for order in listed if order["count"] == content["count"])
        evidence = f"{len(fitting)} of Acme's {len(listed)} orders fit."
        return Reconciliation(verdict="unknown", evidence=(evidence,), candidates=fitting)

    def dump(self, state: AcmeOrder) -> str:
        return json.dumps(asdict(state))

    def load(self, text: str) -> AcmeOrder:
        try:
            document = json.loads(text)
            return AcmeOrder(**{**document, "numbers": tuple(document["numbers"])})
        except (ValueError, TypeError, LookupError) as exc:
            raise ProtocolError(f"This is no order of Acme's: {exc}", body=text.encode()) from exc

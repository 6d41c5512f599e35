"""CM.com Voice: number requests to bytes and back. *Documented* is what CM.com's public pages say; most names are inferred, see cm_names.py."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from callfire_async.errors import InvalidOrderError, ProtocolError
from callfire_async.providers import SUCCESS, Page, Postback, Receipt, Reply, Request, cm_traces, jsondoc, refusal
from callfire_async.providers.cm_documents import ID, Documents, complaint, read, without_addresses
from callfire_async.providers.cm_names import CMNames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from callfire_async.orders import Content, NumberRequest
    from callfire_async.providers import Investigation

ACCEPT: Final = MappingProxyType({"Accept": "application/json"})
JSON_HEADERS: Final = MappingProxyType({**ACCEPT, "Content-Type": "application/json"})


class CMProvider:
    """The codec for one account."""

    name = "cm"
    calls_back = True

    def __init__(self, account: str, names: CMNames | None = None) -> None:
        self._account = account
        self._names = names or CMNames()
        self._documents = Documents(self._names)

    def encode_order(self, content: Content, callback_url: str | None = None) -> Request:
        """POST …/numberrequests. What was not given is left out."""
        body = {getattr(self._names, name): value for name, value in content.items()}
        if callback_url is not None:
            body[self._names.callback_url] = callback_url
        path = self._names.requests_path.format(account=self._account)
        return Request(method="POST", path=path, headers=JSON_HEADERS, body=json.dumps(body).encode())

    def decode_receipt(self, reply: Reply) -> Receipt[NumberRequest]:
        """Any 2xx. It may be final already: numbers that are available are assigned at once (documented)."""
        try:
            document = _read(reply)
        except ProtocolError:
            document = None
        order_id = self._documents.order_id(document)
        if order_id is None:
            raise ProtocolError(
                f"CM.com answered with HTTP {reply.status}, and with no id that can be read.",
                body=without_addresses(reply.body),
            )
        try:
            return Receipt(order_id=order_id, state=self._documents.number_request(document))
        except ValueError:
            return Receipt(order_id=order_id)  # it is placed; how it stands can be asked

    def encode_status(self, order_id: str) -> Request:
        """GET …/numberrequests/{id}."""
        return Request(method="GET", path=self._path(self._names.request_path, order_id), headers=ACCEPT)

    def decode_status(self, reply: Reply) -> NumberRequest:
        """A number request."""
        document = _read(reply)
        try:
            return self._documents.number_request(document)
        except ValueError as exc:
            raise ProtocolError(
                f"CM.com's answer holds no number request that can be read: {exc}. If CM.com calls it by another name, "
                "pass CMVoice(names=CMNames(…)).",
                body=without_addresses(reply.body),
            ) from exc

    def encode_cancel(self, order_id: str) -> Request:
        """POST …/numberrequests/{id}/cancel, without a body (inferred)."""
        return Request(method="POST", path=self._path(self._names.cancel_path, order_id), headers=ACCEPT)

    def encode_list(self, *, skip: int, take: int) -> Request:
        """GET …/numberrequests?skip=&take=."""
        query = urlencode({self._names.skip: skip, self._names.take: take})
        path = self._names.requests_path.format(account=self._account)
        return Request(method="GET", path=f"{path}?{query}", headers=ACCEPT)

    def decode_list(self, reply: Reply) -> Page[NumberRequest | None]:
        """A part of the list; None stands for each number request that cannot be read."""
        total = reply.headers.get(self._names.page_total.lower(), "")
        known = total.isascii() and total.isdecimal() and len(total) <= 18
        return Page(list(self._documents.listed(_read(reply))), int(total) if known else None)

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[NumberRequest]:
        """The number request just as a GET would bring it (documented). One without an id is news too: its address says whose it is."""
        del headers  # no signature is documented
        document = read(body)
        try:
            state = self._documents.number_request(document, believed=False)
        except ValueError:
            return Postback(order_id=self._documents.order_id(document))
        return Postback(order_id=state.id, state=state)

    def matches(self, state: NumberRequest, content: Content, submitted_at: datetime) -> bool:
        """Whether it was created since the submission, and asks for the same in all that it tells of itself."""
        return cm_traces.matches(self._names, state, content, submitted_at)

    def investigate(self, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
        """List the account's number requests, and name those that fit."""
        return cm_traces.investigate(self, content, submitted_at, now)

    def dump(self, state: NumberRequest) -> str:
        """JSON, with times as text."""
        return self._documents.dump(state)

    def load(self, text: str) -> NumberRequest:
        """The state that `dump` wrote, whatever the names were then."""
        return self._documents.load(text)

    def _path(self, template: str, order_id: str) -> str:
        if not ID.fullmatch(order_id):
            raise InvalidOrderError(
                f"{order_id[:80]!r} is no id of a number request: those are letters, digits and '-'; nothing was sent."
            )
        return template.format(account=self._account, id=order_id)


def _read(reply: Reply) -> jsondoc.Value:
    if reply.status not in SUCCESS:
        raise refusal(reply, complaint(reply.body) or "CM.com refused without a message that can be read")
    return read(reply.body)

"""CM.com Voice over HTTP: the number requests of one account."""

import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from .cm_requests import STATUSES, NumberRequest, check, timeline
from .forms import RefusedError
from .ledger import Step

if TYPE_CHECKING:
    from .cm_callbacks import Callbacks
    from .door import Door
    from .ledger import Ledger
    from .life import Life

#: Where the API stands on its server. Of the letters' case CM.com's pages say nothing.
ROOT: Final = "/voice-phonenumberrequestapi/v1"

#: The most entries of a page, and how many there are where nobody asks: invented.
_MOST_TAKEN: Final = 50


class CM:
    """The handlers, to be mounted under /voice-phonenumberrequestapi/v1."""

    def __init__(
        self,
        door: Callable[..., "Door[NumberRequest]"],
        *,
        ledger: "Ledger",
        callbacks: "Callbacks",
        credentials: Callable[[], tuple[str, str]],
        seed: int | None,
    ) -> None:
        # The base URL of its clients has no path.
        self._door = door(root="", admit=self._admit, refuse=_problem, describe=_document, courier=callbacks)
        self._ledger = ledger
        self._callbacks = callbacks
        self._credentials = credentials
        self._ids = random.Random(None if seed is None else f"{seed}:cm")
        self._next_number = 999_000_000_000 + self._ids.randrange(10**8)
        self._orders: list[NumberRequest] = []

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._door.converse])
        requests = "/{account}/numberrequests"
        app.router.add_post(requests, self._create)
        app.router.add_get(requests, self._list, allow_head=False)
        app.router.add_get(f"{requests}/statuses", self._tell_statuses, allow_head=False)
        app.router.add_get(f"{requests}/restrictions", self._tell_restrictions, allow_head=False)
        app.router.add_get(f"{requests}/{{order_id}}", self._get, allow_head=False)
        app.router.add_post(f"{requests}/{{order_id}}/cancel", self._cancel)
        return app

    def _admit(self, request: web.Request) -> None:
        token, account = self._credentials()
        if request.headers.get("X-CM-PRODUCTTOKEN") != token:
            raise RefusedError(401, "Unauthorized")
        if request.match_info.get("account", account) != account:
            raise RefusedError(404, "The account does not exist.")

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            raise RefusedError(400, "The body is no JSON.") from None
        return await self._door.sell(partial(self._accept, check(body)), _receipt)

    def _accept(self, wanted: dict[str, Any], life: "Life") -> NumberRequest:
        processing, postback = self._ledger.terms(life)
        now = time.monotonic()
        order = NumberRequest(
            id=str(uuid.UUID(int=self._ids.getrandbits(128), version=4)),
            form=wanted,
            life=life,
            processing=processing,
            postback=postback,
            accepted_at=now,
            created=datetime.now(UTC),
            goods=(),
            steps=[Step(now + seconds, status) for seconds, status in timeline(life, processing)],
            faults=deque(life.polls),
            first=self._next_number,
        )
        self._next_number += wanted["quantity"]
        self._ledger.enter(order)
        self._orders.append(order)
        return order

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return await self._door.tell(self._find(request))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        order, now = self._find(request), time.monotonic()
        if order.is_final(now):
            # "possible until finalised" is documented, and not what happens afterwards: 409 is inferred.
            raise RefusedError(409, f"Number request {order.id} is {order.status(now)} and cannot be cancelled.")
        dropped, added = order.cancel(now)
        self._callbacks.unschedule(dropped)
        self._callbacks.schedule(order, added)
        return web.json_response(order.document("CANCELLED"))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        skip, take = (_whole(request, name, usual) for name, usual in (("skip", 0), ("take", _MOST_TAKEN)))
        now = time.monotonic()
        listed = self._orders[skip : skip + min(take, _MOST_TAKEN)]
        headers = {"Skip": skip, "Take": min(take, _MOST_TAKEN), "Total": len(self._orders)}
        return web.json_response(
            [order.document(order.status(now)) for order in listed],
            headers={f"X-Cm-Pagination-{name}": str(value) for name, value in headers.items()},
        )

    async def _tell_statuses(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(STATUSES)

    async def _tell_restrictions(self, _request: web.Request) -> web.StreamResponse:
        # Documented is that it tells how many numbers and which range sizes; the names are invented.
        return web.json_response({"quantity": {"minimum": 1, "maximum": 1000}, "rangeSizes": [1, 10, 100, 1000]})

    def _find(self, request: web.Request) -> NumberRequest:
        order = self._ledger.order(request.match_info["order_id"], NumberRequest.service)
        if not isinstance(order, NumberRequest):
            raise RefusedError(404, f"Number request {request.match_info['order_id']} does not exist.")
        return order


def _whole(request: web.Request, name: str, usual: int) -> int:
    text = request.query.get(name, str(usual))
    if not text.isdecimal() or len(text) > 9:
        raise RefusedError(400, f"{name}: must be a whole number.")
    return int(text)


def _document(order: NumberRequest, status: int = 200) -> web.Response:
    return web.json_response(order.document(order.status(time.monotonic())), status=status)


def _receipt(order: NumberRequest) -> web.Response:
    return _document(order, status=201)  # any 2xx (documented)


def _problem(refused: RefusedError) -> web.Response:
    """Refuse: 401 in one word (documented), all else in the manner of RFC 7807 (inferred)."""
    if refused.status == 401:
        return web.Response(status=401, text=refused.message)
    name, _, wrong = refused.message.partition(": ")
    problem: dict[str, Any] = {"type": "about:blank", "title": refused.message, "status": refused.status}
    if wrong:
        problem |= {"title": "One or more validation errors occurred.", "errors": {name: [wrong]}}
    return web.json_response(
        problem, status=refused.status, headers=refused.headers, content_type="application/problem+json"
    )

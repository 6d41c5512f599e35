"""CM.com Voice over HTTP: the number requests of one account."""

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from .cm_requests import STATUSES, NumberRequest, check, timeline
from .faults import ConnectionCutError, Faults, page, suffer
from .forms import RefusedError
from .ledger import Step

if TYPE_CHECKING:
    from .cm_callbacks import Callbacks
    from .ledger import Ledger

#: Where the API stands on its server. Of the letters' case CM.com's pages say nothing.
ROOT: Final = "/voice-phonenumberrequestapi/v1"

#: The most entries of a page, and how many there are where nobody asks: invented.
_MOST_TAKEN: Final = 50

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CM:
    """The handlers, to be mounted under /voice-phonenumberrequestapi/v1."""

    def __init__(
        self,
        *,
        ledger: "Ledger",
        callbacks: "Callbacks",
        faults: Faults,
        credentials: Callable[[], tuple[str, str]],
        latency: tuple[float, float],
        seed: int | None,
    ) -> None:
        self._ledger = ledger
        self._callbacks = callbacks
        self._faults = faults
        self._credentials = credentials
        self._latency = latency
        self._random = random.Random(None if seed is None else f"{seed}:cm latency")
        self._ids = random.Random(None if seed is None else f"{seed}:cm")
        self._next_number = 999_000_000_000 + self._ids.randrange(10**8)
        self._orders: list[NumberRequest] = []

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._converse])
        requests = "/{account}/numberrequests"
        app.router.add_post(requests, self._create)
        app.router.add_get(requests, self._list, allow_head=False)
        app.router.add_get(f"{requests}/statuses", self._tell_statuses, allow_head=False)
        app.router.add_get(f"{requests}/restrictions", self._tell_restrictions, allow_head=False)
        app.router.add_get(f"{requests}/{{order_id}}", self._get, allow_head=False)
        app.router.add_post(f"{requests}/{{order_id}}/cancel", self._cancel)
        return app

    @web.middleware
    async def _converse(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Log the call on arrival, see to pace and token, and turn every refusal into a problem document."""
        order_id = request.match_info.get("order_id")
        place, too_soon = self._ledger.arrive(request.method, request.path, order_id)
        try:
            if order_id is not None:
                await asyncio.sleep(self._random.uniform(*self._latency))
            self._check_credentials(request)
            if too_soon:
                # CM.com documents no such rule: the sandbox holds its clients to the one of CallFire.
                raise RefusedError(429, f"Number request {order_id} was called about less than a second ago.")  # noqa: TRY301  # one place answers all refusals
            response = await suffer(self._faults.next(request.path), partial(handler, request))
        except RefusedError as refused:
            response = _problem(refused.status, refused.message, refused.headers)
        except web.HTTPException as unserved:
            response = _problem(unserved.status, unserved.reason)
        except ConnectionCutError:
            if request.transport is not None:
                request.transport.close()
            return web.Response()  # aiohttp wants one; it goes nowhere
        self._ledger.answer(place, response.status)
        return response

    def _check_credentials(self, request: web.Request) -> None:
        token, account = self._credentials()
        if request.headers.get("X-CM-PRODUCTTOKEN") != token:
            raise RefusedError(401, "Unauthorized")
        if request.match_info.get("account", account) != account:
            raise RefusedError(404, "The account does not exist.")

    async def _create(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            raise RefusedError(400, "The body is no JSON.") from None
        wanted = check(body)
        life = self._ledger.next_life()
        match life.reply:
            case "lost_before_accepting":
                raise ConnectionCutError
            case "error_before_accepting":
                raise RefusedError(503, "The service is temporarily unavailable.")
            case "html":
                return page(502)
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
        answer = web.json_response(order.document(order.status(time.monotonic())), status=201)  # any 2xx (documented)
        await self._callbacks.announce(order)
        match life.reply:
            case "slow":
                await asyncio.sleep(life.reply_after)
            case "lost_after_accepting":
                raise ConnectionCutError
            case "error_after_accepting":
                raise RefusedError(500, "An unexpected error occurred.")
            case "html_after_accepting":
                return page(200)
            case "empty_after_accepting":
                return web.Response(status=201)
        return answer

    async def _get(self, request: web.Request) -> web.StreamResponse:
        order = self._find(request)

        async def tell() -> web.Response:
            return web.json_response(order.document(order.status(time.monotonic())))

        fault = order.faults.popleft() if order.faults else "ok"
        return await suffer(fault, tell, silent_for=order.life.silent_for, retry_after=order.life.retry_after)

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


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Refuse: 401 in one word (documented), all else in the manner of RFC 7807 (inferred)."""
    if status == 401:
        return web.Response(status=401, text=message)
    name, _, wrong = message.partition(": ")
    problem: dict[str, Any] = {"type": "about:blank", "title": message, "status": status}
    if wrong:
        problem |= {"title": "One or more validation errors occurred.", "errors": {name: [wrong]}}
    return web.json_response(problem, status=status, headers=headers, content_type="application/problem+json")

"""CallFire API 1.1 over HTTP: the door with its rules, and the orders of the number service."""

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from aiohttp import web

from . import documents
from .forms import RefusedError, check, read_form, read_order, read_query
from .subscriptions import Subscriptions, xml

if TYPE_CHECKING:
    from .ledger import Ledger, Order
    from .life import Poll
    from .postbacks import Courier

#: Faults that are plain refusals.
_REFUSALS: Final[dict["Poll", tuple[int, str]]] = {
    "error500": (500, "An unexpected error occurred."),
    "not_found": (404, "number order does not exist"),
    "unauthorized": (401, "UNAUTHORIZED"),
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ConnectionCutError(Exception):
    """Ends a call without a byte of an answer."""


class CallFire:
    """The handlers, to be mounted under /api/1.1/rest."""

    def __init__(
        self,
        *,
        ledger: "Ledger",
        courier: "Courier",
        subscriptions: Subscriptions,
        credentials: Callable[[], tuple[str, str]],
        latency: tuple[float, float],
        seed: int | None,
    ) -> None:
        self._ledger = ledger
        self._courier = courier
        self._subscriptions = subscriptions
        self._credentials = credentials
        self._latency = latency
        self._random = random.Random(None if seed is None else f"{seed}:latency")

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._converse])
        app.router.add_post("/number/order", self._create_order)
        app.router.add_get("/number/order/{order_id}", self._get_order, allow_head=False)
        self._subscriptions.add_routes(app.router)
        return app

    @web.middleware
    async def _converse(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Log the call on arrival, see to pace and credentials, and turn every refusal into a ResourceException."""
        order_id = request.match_info.get("order_id")
        place, too_soon = self._ledger.arrive(request.method, request.path, order_id)
        try:
            if order_id is not None:
                await asyncio.sleep(self._random.uniform(*self._latency))
            self._check_credentials(request)
            if too_soon:
                # CallFire documents the rule and not what breaking it brings: 429 is inferred.
                raise RefusedError(429, f"Order {order_id} was asked about less than a second ago.")  # noqa: TRY301  # one place answers all refusals
            response = await handler(request)
        except RefusedError as refused:
            response = xml(
                documents.exception(refused.status, refused.message), status=refused.status, headers=refused.headers
            )
        except web.HTTPException as unserved:  # no such path, no such verb, too large a body
            response = xml(documents.exception(unserved.status, unserved.reason), status=unserved.status)
        except ConnectionCutError:
            if request.transport is not None:
                request.transport.close()
            return web.Response()  # aiohttp wants one; it goes nowhere
        self._ledger.answer(place, response.status)
        return response

    def _check_credentials(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        expected = base64.b64encode(":".join(self._credentials()).encode()).decode()
        if scheme.lower() != "basic" or token != expected:
            raise RefusedError(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="CallFire"'})

    async def _create_order(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        wanted = read_order(form)
        life = self._ledger.next_life()
        match life.reply:
            case "lost_before_accepting":
                raise ConnectionCutError
            case "error_before_accepting":
                raise RefusedError(503, "The service is temporarily unavailable.")
            case "html":
                return _page(502)
        order = self._ledger.accept(form, wanted, life)
        await self._courier.announce(order)
        match life.reply:
            case "slow":
                await asyncio.sleep(life.reply_after)
            case "lost_after_accepting":
                raise ConnectionCutError
            case "error_after_accepting":
                raise RefusedError(500, "An unexpected error occurred.")
            case "html_after_accepting":
                return _page(200)
            case "empty_after_accepting":
                return web.Response(status=201)
        # 201 is documented for other creates and inferred for this one.
        return xml(documents.reference(f"number/order/{order.id}"), status=201)

    async def _get_order(self, request: web.Request) -> web.Response:
        check(read_query(request), {})
        order_id = request.match_info["order_id"]
        order = self._ledger.order(order_id)
        if order is None:
            raise RefusedError(404, f"number order {order_id} does not exist")
        answer = await self._suffer(order)
        return answer or xml(documents.order_resource(order, order.status(time.monotonic())))

    async def _suffer(self, order: "Order") -> web.Response | None:
        """Apply the next fault of the order's life; None if the call is to be answered after all."""
        fault = order.faults.popleft() if order.faults else "ok"
        match fault:
            case "ok":
                return None
            case "silent":
                await asyncio.sleep(order.life.silent_for)
                return None
            case "drop":
                raise ConnectionCutError
            case "html":
                return _page(502)
            case "html_with_200":
                return _page(200)
            case "malformed":
                document = documents.order_resource(order, order.status(time.monotonic()))
                return xml(document[: len(document) // 2])
            case "rate_limited":
                # Neither 429 nor Retry-After is documented for 1.1; any gateway may send them.
                raise RefusedError(429, "Too many requests.", {"Retry-After": str(order.life.retry_after)})
        raise RefusedError(*_REFUSALS[fault])


def _page(status: int) -> web.Response:
    return web.Response(text=documents.PAGE, status=status, content_type="text/html")

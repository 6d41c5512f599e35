"""CallFire API 1.1 over HTTP: the door with its rules, and the orders of the number service."""

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from . import documents
from .faults import ConnectionCutError, Faults, page, suffer
from .forms import RefusedError, read_form, read_order, read_query
from .subscriptions import Subscriptions, xml

if TYPE_CHECKING:
    from .account import Account
    from .ledger import Ledger
    from .numbers import Numbers
    from .postbacks import Courier

#: Where the API stands on its server.
ROOT = "/api/1.1/rest"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CallFire:
    """The handlers, to be mounted under /api/1.1/rest."""

    def __init__(
        self,
        *,
        ledger: "Ledger",
        courier: "Courier",
        subscriptions: Subscriptions,
        numbers: "Numbers",
        account: "Account",
        faults: Faults,
        credentials: Callable[[], tuple[str, str]],
        latency: tuple[float, float],
        seed: int | None,
    ) -> None:
        self._ledger = ledger
        self._courier = courier
        self._subscriptions = subscriptions
        self._numbers = numbers
        self._account = account
        self._faults = faults
        self._credentials = credentials
        self._latency = latency
        self._random = random.Random(None if seed is None else f"{seed}:latency")

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._converse])
        app.router.add_post("/number/order", self._create_order)
        app.router.add_get("/number/order/{order_id}", self._get_order, allow_head=False)
        self._numbers.add_routes(app.router)
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
            await self._account.catch_up()
            fault = self._faults.next(request.path.removeprefix(ROOT))
            response = await suffer(fault, partial(handler, request))
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
        self._ledger.remember(wanted)
        life = self._ledger.next_life()
        match life.reply:
            case "lost_before_accepting":
                raise ConnectionCutError
            case "refused":
                # The vendor's own tests expect an error, and do not say which, where what is named cannot be had.
                raise RefusedError(400, "One or more of the numbers or keywords are not available.")
            case "error_before_accepting":
                raise RefusedError(503, "The service is temporarily unavailable.")
            case "html":
                return page(502)
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
                return page(200)
            case "empty_after_accepting":
                return web.Response(status=201)
        # 201 is documented for other creates and inferred for this one.
        return xml(documents.reference(f"number/order/{order.id}"), status=201)

    async def _get_order(self, request: web.Request) -> web.StreamResponse:
        read_query(request, {})
        order_id = request.match_info["order_id"]
        order = self._ledger.order(order_id)
        if order is None:
            raise RefusedError(404, f"number order {order_id} does not exist")

        async def tell() -> web.Response:
            return xml(documents.order_resource(order, order.status(time.monotonic())))

        fault = order.faults.popleft() if order.faults else "ok"
        return await suffer(fault, tell, silent_for=order.life.silent_for, retry_after=order.life.retry_after)

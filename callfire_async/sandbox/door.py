"""The door that all three APIs share: the log, the pace, the credentials, the faults, and what becomes of a purchase."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from aiohttp import web

from .faults import ConnectionCutError, Faults, page, suffer
from .forms import RefusedError
from .ledger import Order

if TYPE_CHECKING:
    from .account import Account
    from .ledger import Ledger
    from .life import Life
    from .postbacks import Courier

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

O = TypeVar("O", bound=Order)  # noqa: E741  # the kind of order that the API sells


class Door(Generic[O]):
    """Stands before one API, whose client's base URL ends in `root`.

    `admit` raises RefusedError for wrong credentials. `refuse` and `describe` write that API's own documents: of a refusal, and of an order.
    """

    def __init__(
        self,
        *,
        root: str,
        admit: Callable[[web.Request], None],
        refuse: Callable[[RefusedError], web.Response],
        describe: Callable[[O], web.Response],
        ledger: "Ledger",
        courier: "Courier",
        account: "Account",
        faults: Faults,
        latency: tuple[float, float],
        seed: int | None,
    ) -> None:
        self._root = root
        self._admit = admit
        self._refuse = refuse
        self._describe = describe
        self._ledger = ledger
        self._courier = courier
        self._account = account
        self._faults = faults
        self._latency = latency
        self._random = random.Random(None if seed is None else f"{seed}:latency")

    @web.middleware
    async def converse(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Log the call on arrival, see to pace and credentials, and turn every refusal into the API's own document."""
        order_id = request.match_info.get("order_id")
        place, too_soon = self._ledger.arrive(request.method, request.path, order_id)
        try:
            if order_id is not None:
                await asyncio.sleep(self._random.uniform(*self._latency))
            self._admit(request)
            if too_soon:
                # CallFire documents the rule and not what breaking it brings: 429 is inferred. CM.com has no such rule, and its clients are held to it.
                raise RefusedError(429, f"Order {order_id} was called about less than a second ago.")  # noqa: TRY301  # one place answers all refusals
            await self._account.catch_up()
            fault = self._faults.next(request.path.removeprefix(self._root))
            response = await suffer(fault, partial(handler, request))
        except RefusedError as refused:
            response = self._refuse(refused)
        except web.HTTPException as unserved:  # no such path, no such verb, too large a body
            response = self._refuse(RefusedError(unserved.status, unserved.reason))
        except ConnectionCutError:
            if request.transport is not None:
                request.transport.close()
            return web.Response()  # aiohttp wants one; it goes nowhere
        self._ledger.answer(place, response.status)
        return response

    async def sell(self, accept: Callable[["Life"], O], receipt: Callable[[O], web.Response]) -> web.Response:
        """Accept an order of sound parameters, or what its life has in mind instead."""
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
        order = accept(life)
        answer = receipt(order)
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
        return answer

    async def tell(self, order: O) -> web.StreamResponse:
        """Describe an order, with the fault that its life has for this call."""

        async def answer() -> web.Response:
            return self._describe(order)

        fault = order.faults.popleft() if order.faults else "ok"
        return await suffer(fault, answer, silent_for=order.life.silent_for, retry_after=order.life.retry_after)


def basic(credentials: Callable[[], tuple[str, str]]) -> Callable[[web.Request], None]:
    """What admits to CallFire: a login and password."""

    def admit(request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        expected = base64.b64encode(":".join(credentials()).encode()).decode()
        if scheme.lower() != "basic" or token != expected:
            raise RefusedError(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="CallFire"'})

    return admit

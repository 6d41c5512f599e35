"""CallFire API 1.1 over HTTP: the orders of the number service."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from . import documents
from .forms import RefusedError, read_form, read_order, read_query
from .subscriptions import Subscriptions, xml

if TYPE_CHECKING:
    from .door import Door
    from .ledger import Ledger, Order
    from .numbers import Numbers

#: Where the API stands on its server.
ROOT = "/api/1.1/rest"


class CallFire:
    """The handlers, to be mounted under /api/1.1/rest."""

    def __init__(
        self,
        door: Callable[..., "Door[Order]"],
        *,
        ledger: "Ledger",
        numbers: "Numbers",
        subscriptions: Subscriptions,
    ) -> None:
        self._door = door(root=ROOT, refuse=_refusal, describe=_order)
        self._ledger = ledger
        self._numbers = numbers
        self._subscriptions = subscriptions

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._door.converse])
        app.router.add_post("/number/order", self._create_order)
        app.router.add_get("/number/order/{order_id}", self._get_order, allow_head=False)
        self._numbers.add_routes(app.router)
        self._subscriptions.add_routes(app.router)
        return app

    async def _create_order(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        return await self._door.sell(self._ledger.prepare(form, read_order(form)), _receipt)

    async def _get_order(self, request: web.Request) -> web.StreamResponse:
        read_query(request, {})
        return await self._door.tell(self._ledger.find(request.match_info["order_id"]))


def _refusal(refused: RefusedError) -> web.Response:
    return xml(documents.exception(refused.status, refused.message), status=refused.status, headers=refused.headers)


def _receipt(order: "Order") -> web.Response:
    # 201 is documented for other creates and inferred for this one.
    return xml(documents.reference(f"number/order/{order.id}"), status=201)


def _order(order: "Order") -> web.Response:
    return xml(documents.order_resource(order, order.status(time.monotonic())))

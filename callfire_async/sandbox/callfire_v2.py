"""CallFire API v2 over HTTP: orders of numbers and of keywords. It is the same account as API 1.1's, with the same orders."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import callfire_v2_documents as documents
from .callfire_v2_forms import KEYWORD_ORDER, NUMBER_ORDER, ORDERS, read_object, read_page, read_wanted
from .forms import RefusedError, read_query

if TYPE_CHECKING:
    from .callfire_v2_numbers import NumbersV2
    from .callfire_v2_webhooks import Webhooks
    from .door import Door
    from .ledger import Ledger, Order

#: Where the API stands on its server.
ROOT = "/v2"


class CallFireV2:
    """The handlers, to be mounted under /v2."""

    def __init__(
        self, door: Callable[..., "Door[Order]"], *, ledger: "Ledger", numbers: "NumbersV2", webhooks: "Webhooks"
    ) -> None:
        self._door = door(root=ROOT, refuse=_refusal, describe=_order)
        self._ledger = ledger
        self._numbers = numbers
        self._webhooks = webhooks

    def application(self) -> web.Application:
        """Build the application of this API alone."""
        app = web.Application(middlewares=[self._door.converse])
        app.router.add_post("/orders/numbers", self._order_numbers)
        app.router.add_post("/orders/keywords", self._order_keywords)
        app.router.add_get("/orders", self._find_orders, allow_head=False)
        app.router.add_get("/orders/{order_id}", self._get_order, allow_head=False)
        self._numbers.add_routes(app.router)
        self._webhooks.add_routes(app.router)
        return app

    async def _order_numbers(self, request: web.Request) -> web.Response:
        return await self._sell(await read_object(request, NUMBER_ORDER))

    async def _order_keywords(self, request: web.Request) -> web.Response:
        return await self._sell(await read_object(request, KEYWORD_ORDER))

    async def _sell(self, body: Mapping[str, Any]) -> web.Response:
        return await self._door.sell(self._ledger.prepare(body, read_wanted(body)), _receipt)

    async def _get_order(self, request: web.Request) -> web.StreamResponse:
        read_query(request, {})
        return await self._door.tell(self._ledger.find(request.match_info["order_id"]))

    async def _find_orders(self, request: web.Request) -> web.Response:
        """List the newest first, as the vendor's fixture does."""
        query = read_query(request, ORDERS)
        now = time.monotonic()
        orders = [order for order_id in reversed(list(self._ledger)) if (order := self._ledger.order(order_id))]
        found = [
            documents.order_in_list(order, order.status(now))
            for order in orders
            if query.get("status", order.status(now)) == order.status(now)
            and int(query.get("intervalBegin", 0))
            <= order.created.timestamp() * 1000
            <= int(query.get("intervalEnd", 10**15))
        ]
        return documents.reply(documents.listed(found, read_page(query)))


def _refusal(refused: RefusedError) -> web.Response:
    document = documents.error(refused.status, refused.message)
    return documents.reply(document, status=refused.status, headers=refused.headers)


def _receipt(order: "Order") -> web.Response:
    return documents.reply({"id": int(order.id)})  # 200 (definition); later documents have 201


def _order(order: "Order") -> web.Response:
    return documents.reply(documents.number_order(order, order.status(time.monotonic())))

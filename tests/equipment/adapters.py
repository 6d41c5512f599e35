"""The three providers as the promise suite sees them: how to make a client, what to order, and what a Life means there."""

# ruff: noqa: ARG002 - an adapter takes what another one needs

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from callfire_async import CallFire, CallFireV2, CMVoice, Listener, Order, Outcome, PollPolicy
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

LOGIN, PASSWORD = "sandbox-login", "sandbox-password"

#: Whoever follows it never asks by itself in the time of a test: each question was caused by something else.
PATIENT = PollPolicy(grace=600.0)


class Adapter(ABC):
    """One provider. The words are those of CallFire; CM.com has its own."""

    name: ClassVar[str]
    #: How the path of a purchase begins.
    purchases: ClassVar[str]
    #: What the sandbox calls each end of an order; see Life.result.
    words: ClassVar[Mapping[str, str]] = {
        "finished": "FINISHED",
        "partial": "FINISHED",
        "errored": "ERRORED",
        "rejected": "REJECTED",
        "void": "VOID",
        "parked": "WAIT_FOR_PAYMENT",
    }
    #: What the last of them means.
    parked: ClassVar[Outcome] = Outcome.PARKED
    #: Whether the answer to a purchase may be the final word, and each order has a callback address of its own.
    tells_at_once: ClassVar[bool] = False
    own_addresses: ClassVar[bool] = False
    #: Whether the provider can be asked for a list of orders, in which a lost one is found.
    lists_orders: ClassVar[bool] = True
    #: What stands in no log. The sandbox's account has no other.
    secrets: ClassVar[tuple[str, ...]] = (PASSWORD, "c2FuZGJveC1sb2dpbjpzYW5kYm94LXBhc3N3b3Jk")
    #: Arguments of `order()` that can be no order.
    impossible: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"local": 0},
        {"local": -1},
        {"local": True},
        {"local": 1.5},
        {"numbers": ["12"]},
        {"numbers": "12065550101"},
        {"numbers": ["12065550101", "+1 (206) 555-0101"]},
        {"keywords": ["two words"]},
        {"keywords": ["<x/>"]},
        {"local": 1, "key": ""},
        {"local": 1, "key": "a\r\nb"},
    )
    impossible_ids: ClassVar[tuple[str, ...]] = (
        "",
        "../7",
        "7/8",
        "7?x=1",
        "7#",
        " 7",
        "7\r\nX: y",
        "\u0667",
        "7" * 400,
    )

    @abstractmethod
    def url(self, sandbox: Sandbox) -> str:
        """Where the sandbox speaks for this provider."""

    @abstractmethod
    def at(self, url: str, **options: Any) -> Any:
        """A client of the sandbox's account at an address."""

    def client(self, sandbox: Sandbox, **options: Any) -> Any:
        """A client of the sandbox."""
        return self.at(self.url(sandbox), **options)

    def content(self, quantity: int) -> Mapping[str, Any]:
        """The arguments of `order()` for so many numbers."""
        return {"local": quantity}

    async def order(self, client: Any, quantity: int = 2, key: str | None = None) -> Order[Any]:
        """Buy so many numbers."""
        order: Order[Any] = await client.order(**self.content(quantity), key=key)
        return order

    async def subscribe(self, sandbox: Sandbox, client: Any, listener: Listener) -> None:
        """Have the postbacks of all orders sent to a listener."""
        sandbox.subscribe(listener.url)

    @asynccontextmanager
    async def listening(self, sandbox: Sandbox, **options: Any) -> AsyncIterator[tuple[Any, Listener]]:
        """An open client of the sandbox that hears its postbacks."""
        listener = Listener()
        async with self.client(sandbox, listener=listener, **options) as client:
            await self.subscribe(sandbox, client, listener)
            yield client, listener

    def address(self, sandbox: Sandbox, order: Order[Any], listener: Listener) -> str:
        """Where the postbacks of an order go."""
        return listener.url

    def body(self, order_id: str, status: str) -> bytes:
        """A postback that says so of an order."""
        return (
            f'<n:NumberOrder xmlns:n="http://api.callfire.com/data" id="{order_id}"><n:Status>{status}</n:Status>'
            "<n:Created>2026-11-21T10:00:00.000Z</n:Created><n:TotalCost>0</n:TotalCost></n:NumberOrder>"
        ).encode()


class OfCallFire(Adapter):
    """API 1.1."""

    name = "callfire"
    purchases = "/number/order"
    lists_orders = False

    def url(self, sandbox: Sandbox) -> str:
        return sandbox.callfire_url

    def at(self, url: str, **options: Any) -> CallFire:
        return CallFire(LOGIN, PASSWORD, base_url=url, **options)


class OfCallFireV2(Adapter):
    """API v2, its webhooks unsigned: that is the harder case."""

    name = "callfire-v2"
    purchases = "/orders"

    def url(self, sandbox: Sandbox) -> str:
        return sandbox.callfire_v2_url

    def at(self, url: str, **options: Any) -> CallFireV2:
        return CallFireV2(LOGIN, PASSWORD, base_url=url, **options)

    async def subscribe(self, sandbox: Sandbox, client: CallFireV2, listener: Listener) -> None:
        await client.create_webhook("orders", resource="CallBroadcast", events=["Finished"], callback=listener.url)

    def body(self, order_id: str, status: str) -> bytes:
        return f'{{"resourceType": "NumberOrder", "resource": {{"id": {order_id}, "status": "{status}"}}}}'.encode()


class OfCM(Adapter):
    """CM.com Voice."""

    name = "cm"
    purchases = "/voice"
    words: ClassVar[Mapping[str, str]] = {
        "finished": "COMPLETED",
        "partial": "COMPLETED",
        "errored": "FAILED",
        "rejected": "REJECTED",
        "void": "CANCELLED",
        "parked": "PENDING",
    }
    parked = Outcome.PENDING
    tells_at_once = True
    own_addresses = True
    secrets = (Sandbox.cm_token,)
    impossible = tuple(
        {"company_profile": Sandbox.cm_company_profile, "quantity": 1, **arguments}
        for arguments in (
            {},
            {"city": "Breda", "quantity": 0},
            {"city": "Breda", "quantity": 1001},
            {"city": "Breda", "quantity": True},
            {"city": "Breda", "quantity": 1.5},
            {"city": "Breda", "range_size": 0},
            {"city": "Breda", "company_profile": "x"},
            {"city": "Bre\r\nda"},
            {"area_code": "076", "region": "NY"},
            {"city": "Breda", "key": ""},
            {"city": "Breda", "key": "a\r\nb"},
        )
    )

    def url(self, sandbox: Sandbox) -> str:
        return sandbox.cm_url

    def at(self, url: str, **options: Any) -> CMVoice:
        return CMVoice(Sandbox.cm_token, account=Sandbox.cm_account, base_url=url, **options)

    def content(self, quantity: int) -> Mapping[str, Any]:
        return {"company_profile": Sandbox.cm_company_profile, "quantity": quantity, "city": "Breda"}

    async def subscribe(self, sandbox: Sandbox, client: CMVoice, listener: Listener) -> None:
        """Each order brings its own address."""

    def address(self, sandbox: Sandbox, order: Order[Any], listener: Listener) -> str:
        return str(sandbox.orders[order.id].form["callbackUrl"])

    def body(self, order_id: str, status: str) -> bytes:
        return f'{{"guid": "{order_id}", "status": "{status}", "quantity": 2}}'.encode()


ADAPTERS = (OfCallFire(), OfCallFireV2(), OfCM())

#: Everything a notification can go through, by its word.
POSTBACKS: dict[str, Life] = {
    word: Life(postback=word, processing=0.2, late_by=1.0)
    for word in ("delivered", "lost", "twice", "late", "early", "out_of_order", "malformed", "forged")
}

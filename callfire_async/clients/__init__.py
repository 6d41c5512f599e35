"""What a user holds: a client, which wires transport, store, registry, listener and poller together. The orders it hands out are in order.py."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from callfire_async._version import __version__
from callfire_async.calls import Calls
from callfire_async.clients.order import Order
from callfire_async.errors import ClosedError, ConfigurationError
from callfire_async.poller import Poller
from callfire_async.poller.policy import PollPolicy
from callfire_async.providers import S
from callfire_async.registry import Registry, Stats
from callfire_async.stores import Phase, Record, Scope, open_store
from callfire_async.submission import Submissions
from callfire_async.submission.doubt import Doubts, InDoubt
from callfire_async.submission.unwritten import Unwritten
from callfire_async.transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Mapping
    from types import TracebackType

    import httpx

    from callfire_async.listener import Listener
    from callfire_async.orders import Content
    from callfire_async.providers import Page, Provider, Reconciliation, Reply, Request
    from callfire_async.registry import Tracked
    from callfire_async.stores import Store

__all__ = ["Order", "OrderClient"]

T = TypeVar("T")

CLOSING: float = 10.0
"""Seconds that closing waits for purchases under way; one that is not answered by then is in doubt."""

CLOSING_POLLS: float = 0.2
"""Seconds that closing waits for questions under way. Their answers would only be news."""


class OrderClient(Generic[S]):
    """What the clients of all providers share. Use it by `async with`, which starts and stops everything.

    `store` is an address such as "memory:", opened and closed here, or a Store that you opened. A `listener` is started and stopped with the
    client and may serve several. Postbacks are unsigned, so each is only a reason to ask; with `trust_postbacks` its body is the answer.
    `timeout` counts seconds. `max_retries` is how often a request is sent again that surely never arrived (connection refused, 429); a purchase
    whose fate is unknown is never sent again. With `http`, a client of yours carries the requests, stays open, and its pool decides
    which connection a purchase rides on; without, each purchase opens its own.
    """

    def __init__(
        self,
        provider: Provider[S],
        account: str,
        *,
        base_url: str,
        headers: Mapping[str, str],
        store: Store | str = "memory:",
        listener: Listener | None = None,
        trust_postbacks: bool = False,
        poll: PollPolicy | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if not isinstance(timeout, int | float) or not 0 < timeout <= 3600:
            raise ConfigurationError(f"timeout={timeout!r} must be a number of seconds above 0 and up to an hour.")
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
            raise ConfigurationError(f"max_retries={max_retries!r} must be a whole number of at least 0.")
        policy = poll or PollPolicy()
        scope = Scope(provider.name, account)
        self._scope = scope
        self._provider = provider
        self._owned_store, self._store = _owned(store)
        self._listener = listener
        self._trust = trust_postbacks
        self._transport = Transport(
            base_url, headers={"User-Agent": f"callfire-async/{__version__}", **headers}, timeout=timeout, http=http
        )
        self._registry = Registry(self._store, scope, provider, rest=policy.min_interval)
        self._poller = Poller(
            store=self._store,
            scope=scope,
            provider=provider,
            transport=self._transport,
            registry=self._registry,
            policy=policy,
        )
        self._unwritten = Unwritten()
        self._submissions = Submissions(
            store=self._store,
            scope=scope,
            provider=provider,
            transport=self._transport,
            registry=self._registry,
            unwritten=self._unwritten,
            ask_in=policy.first(listening=listener is not None),
            rest=policy.min_interval,
            max_retries=max_retries,
            new_callback=listener.new_callback if listener is not None and provider.calls_back else None,
        )
        self._doubts = Doubts(
            store=self._store,
            scope=scope,
            provider=provider,
            transport=self._transport,
            registry=self._registry,
            poller=self._poller,
            unwritten=self._unwritten,
        )
        self._calls = Calls(self._transport, max_retries=max_retries)
        self._running: AsyncExitStack | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._scope.account!r} at {self._transport.base_url}>"

    async def __aenter__(self) -> Self:
        if self._running is not None or self._closed:
            raise ConfigurationError("A client is opened once; make a new one with the same store to go on.")
        async with AsyncExitStack() as stack:
            if self._owned_store is not None:
                await stack.enter_async_context(self._owned_store)
            stack.push_async_callback(self._transport.aclose)
            await self._transport.start()
            stack.push_async_callback(self._registry.close)
            self._store.watch(self._scope, self._registry.heard)
            stack.callback(self._store.unwatch, self._scope, self._registry.heard)
            await self._follow_open()
            self._poller.start()
            stack.push_async_callback(self._poller.aclose, patience=CLOSING_POLLS)
            if self._listener is not None:
                self._listener.add(self)
                stack.push_async_callback(self._listener.remove, self)
                await self._listener.start()
            await self._join(stack)
            stack.push_async_callback(self._unwritten.aclose)
            stack.push_async_callback(self._submissions.aclose, patience=CLOSING)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. Purchases under way get ten seconds to end, waits end with ClosedError, open orders stay in the store. Calling it again does nothing."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    async def order_content(self, content: Content, *, key: str | None = None) -> Order[S]:
        """Buy what `content` says, in the words of the provider's `encode_order`.

        Every `order()` checks its arguments and ends here; a provider of your own begins here. What CallFire's and CM.com's `order()` would have
        refused is not refused here.
        """
        self._must_run()
        return Order(self, await self._submissions.buy(content, key))

    async def get_order(self, order_id: str | int) -> S:
        """The order as the provider describes it now, whoever placed it. It waits where the once-a-second rule demands it."""
        return await self._ask(str(order_id))

    async def attach(self, order_id: str | int) -> Order[S]:
        """Follow an order that was placed elsewhere. Whether the provider knows it shows when it is asked."""
        self._must_run()
        self._provider.encode_status(str(order_id))  # refuses an impossible id
        record = await self._store.attach(Record.attached(self._scope, str(order_id)))
        return Order(self, await self._registry.track(record))

    async def pending(self) -> list[Order[S]]:
        """The open orders of this account, those of an earlier run included, oldest first."""
        self._must_run()
        return [Order(self, tracked) for tracked in await self._follow_open()]

    async def in_doubt(self) -> list[InDoubt]:
        """Submissions of unknown fate, oldest first. None of them is ever sent again by itself."""
        self._must_run()
        return await self._doubts.list()

    async def reconcile(self, key: str) -> Reconciliation:
        """Look for evidence of what became of a purchase in doubt. It asks questions and buys nothing.

        "placed" and "not placed" are said only where the evidence is plain; `order_id` is known only where a postback, `get_order()` or
        `attach()` has shown an order that fits. InvalidOrderError for a key that is not in doubt.
        """
        self._must_run()
        return await self._doubts.reconcile(key)

    async def resolve(self, key: str, *, order_id: str | int) -> Order[S]:
        """Settle a doubt: the purchase was placed, under this id. It is followed from now on like any other."""
        self._must_run()
        return Order(self, await self._doubts.resolve(key, str(order_id)))

    async def abandon(self, key: str) -> None:
        """Settle a doubt: the purchase was not placed, or is none of our business any more. The key is free again, and nothing is cancelled."""
        self._must_run()
        await self._doubts.abandon(key)

    def stats(self) -> Stats:
        """What was counted since the client was opened."""
        refused = 0 if self._listener is None else self._listener.refused
        return Stats(**self._registry.tally, postbacks_refused=refused)

    async def hear(self, headers: Mapping[str, str], body: bytes, callback: str | None = None) -> object | None:
        """Take in what arrived at the listener, under one order's own address if `callback` is given; what it tells instead of an order.

        ProtocolError where it cannot be read.
        """
        postback = self._provider.decode_postback(headers, body)
        await self._registry.hear(postback, trust=self._trust, callback=callback)
        return postback.notification

    async def expects(self, callback: str) -> bool:
        """Whether an order of this client has the callback address with this digest."""
        return self._provider.calls_back and await self._store.find_callback(self._scope, callback) is not None

    async def _follow_open(self) -> list[Tracked[S]]:
        tracked = []
        with self._registry.attentive():
            for n, record in enumerate(await self._store.in_phase(self._scope, Phase.OPEN), 1):
                tracked.append(await self._registry.track(record))
                if not n % 50:  # there may be tens of thousands
                    await asyncio.sleep(0)
        return tracked

    async def _join(self, stack: AsyncExitStack) -> None:
        """What else one provider's client starts, its end pushed on the stack."""

    async def _fetch(self, request: Request, decode: Callable[[Reply], T], *, repeatable: bool | None = None) -> T:
        """A call that is about no order."""
        self._must_run()
        return await self._calls.fetch(request, decode, repeatable=repeatable)

    async def _pages(
        self,
        request: Callable[[int, int], Request],
        decode: Callable[[Reply], Page[T]],
        *,
        most: int,
        limit: int | None,
        name: Callable[[T], Hashable],
    ) -> AsyncIterator[T]:
        """A list of what is no order, page by page."""
        self._must_run()
        async for item in self._calls.pages(request, decode, most=most, limit=limit, name=name):
            yield item

    async def _ask(self, order_id: str) -> S:
        self._must_run()
        self._provider.encode_status(order_id)  # refuses an impossible id here, where its caller sees it
        return await self._poller.ask(order_id)

    async def _ask_again(self, tracked: Tracked[S]) -> None:
        """Someone waits anew for an order nobody asked about any more."""
        if tracked.trouble is not None and self._running is not None and not tracked.done:
            tracked.trouble = None
            await self._poller.hasten(tracked.order_id)

    def _must_run(self) -> None:
        if self._closed:
            raise ClosedError("The client is closed. Nothing was sent.")
        if self._running is None:
            raise ConfigurationError("The client is not open: use it inside 'async with'. Nothing was sent.")


def _owned(store: Store | str) -> tuple[Store | None, Store]:
    """The store to open and close, if it is ours, and the store to use."""
    if isinstance(store, str):
        opened = open_store(store)
        return opened, opened
    if not hasattr(store, "claim_due"):
        raise ConfigurationError(
            f"store= must be an address such as 'sqlite:orders.db', or an open Store, and not {type(store).__name__}."
        )
    return None, store

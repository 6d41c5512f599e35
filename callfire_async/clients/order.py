"""One order, as its buyer holds it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

from callfire_async.errors import OrderFailedError, OrderTimeoutError
from callfire_async.orders import Outcome
from callfire_async.providers import S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from callfire_async.clients import OrderClient
    from callfire_async.registry import Source, Tracked


class Order(Generic[S]):
    """One order. `await order` waits for its end.

    Cancelling or timing out a wait never cancels the order, nor anyone else's wait.
    """

    __slots__ = ("_client", "_tracked")

    def __init__(self, client: OrderClient[S], tracked: Tracked[S]) -> None:
        self._client = client
        self._tracked = tracked

    def __repr__(self) -> str:
        status = "no news yet" if self.latest is None else self.latest.status
        return f"<Order {self.id} key={self.key!r} {status}>"

    @property
    def id(self) -> str:
        """The provider's id, as text."""
        return self._tracked.order_id

    @property
    def key(self) -> str:
        """The caller's own name for the purchase, or a generated one."""
        return self._tracked.key

    @property
    def latest(self) -> S | None:
        """The last state seen, without asking; None before the first news."""
        return self._tracked.latest

    @property
    def outcome(self) -> Outcome:
        """What the last state means; PENDING before the first news."""
        return Outcome.PENDING if self.latest is None else self.latest.outcome

    @property
    def settled_by(self) -> Source | None:
        """What brought the final word: the answer to the purchase, a postback (confirmed by a question), a poll, or the store; None while open."""
        return self._tracked.settled_by

    def done(self) -> bool:
        """Whether the final word is in."""
        return self._tracked.done

    async def result(self, *, timeout: float | None = None) -> S:  # noqa: ASYNC109 - its error carries the order
        """The final state, within `timeout` seconds of waiting in all.

        Raises OrderFailedError on a bad end and OrderTimeoutError when the time is up. What keeps the client from learning more
        (AuthenticationError, PermissionDeniedError, NotFoundError, ClosedError) ends the wait as well; the order stays open,
        and waiting again asks again.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                await self._client._ask_again(self._tracked)  # noqa: SLF001 - an order is its client's other half
                state = await self._tracked.settled()
        except TimeoutError as exc:
            if not limit.expired():
                raise
            last = "nothing was heard of it yet" if self.latest is None else f"its last status is {self.latest.status}"
            raise OrderTimeoutError(
                f"Order {self.id} did not end within {timeout:g} seconds; {last}. It goes on, and can be awaited again.",
                key=self.key,
                order=self,
            ) from exc
        if state.outcome is Outcome.FAILED:
            raise OrderFailedError(
                f"Order {self.id} ended as {state.status}, with {len(state.numbers)} numbers acquired.",
                key=self.key,
                state=state,
            )
        return state

    def __await__(self) -> Generator[object, None, S]:
        return self.result().__await__()

    async def updates(self) -> AsyncIterator[S]:
        """Each change once, beginning with the present state and ending after the final one; a late reader still gets the final one.

        It raises what keeps the client from learning more, as `result` does, and reading again asks again.
        """
        await self._client._ask_again(self._tracked)  # noqa: SLF001
        async for state in self._tracked.states():
            yield state

    async def refresh(self) -> S:
        """Ask the provider now, or as soon as the once-a-second rule allows. Raises what the answer stands for."""
        return await self._client._ask(self.id)  # noqa: SLF001

"""CallFire API 1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callfire_async.clients.callfire_login import signed_in
from callfire_async.clients.callfire_numbers import NumberService
from callfire_async.clients.callfire_subscriptions import SubscriptionService
from callfire_async.clients.callfire_upkeep import Upkeep
from callfire_async.providers.callfire import CallFireProvider, order_content
from callfire_async.subscriptions import OwnSubscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AsyncExitStack

    import httpx

    from callfire_async.clients import Order
    from callfire_async.listener import Listener
    from callfire_async.orders import NumberOrder, Outcome, Region
    from callfire_async.poller.policy import PollPolicy
    from callfire_async.stores import Store


class CallFire(NumberService, SubscriptionService):
    """CallFire API 1.1: find numbers and keywords, order them, and await the order.

    `login` and `password` are the generated API credentials, not those of the website (CallFire's security guide); they default to the
    environment's CALLFIRE_LOGIN and CALLFIRE_PASSWORD. `outcomes` corrects what a status means, which is inferred for all but FINISHED,
    ERRORED and PROCESSING: {"VOID": Outcome.FINISHED}.

    A client whose `listener` has a public_url sees to it, when it is opened, that exactly one enabled subscription of the account points there:
    one that an earlier run left is corrected, and nobody else's is touched. `subscription` says what it is about, or is None to leave
    subscriptions alone. None of CallFire's documented events concerns orders, so a postback about one is not to be counted on; where CallFire
    refuses the subscription, a warning says so and orders work all the same. The other parameters are those of OrderClient.
    """

    def __init__(
        self,
        login: str | None = None,
        password: str | None = None,
        *,
        base_url: str = "https://www.callfire.com/api/1.1/rest",
        store: Store | str = "memory:",
        listener: Listener | None = None,
        trust_postbacks: bool = False,
        poll: PollPolicy | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        http: httpx.AsyncClient | None = None,
        outcomes: Mapping[str, Outcome] | None = None,
        subscription: OwnSubscription | None = OwnSubscription(),  # noqa: B008 - frozen
    ) -> None:
        login, authorization = signed_in(login, password)
        super().__init__(
            CallFireProvider(outcomes),
            login,
            base_url=base_url,
            headers=authorization,
            store=store,
            listener=listener,
            trust_postbacks=trust_postbacks,
            poll=poll,
            timeout=timeout,
            max_retries=max_retries,
            http=http,
        )
        self._upkeep: Upkeep | None = None
        if subscription is not None and listener is not None and listener.public_url is not None:
            self._upkeep = Upkeep(self._calls, listener, login, subscription)

    async def _join(self, stack: AsyncExitStack) -> None:
        if self._upkeep is not None:
            stack.push_async_callback(self._upkeep.stop)
            await self._upkeep.start()

    async def order(
        self,
        *,
        numbers: Iterable[str] = (),
        keywords: Iterable[str] = (),
        local: int = 0,
        toll_free: int = 0,
        region: Region | None = None,
        key: str | None = None,
    ) -> Order[NumberOrder]:
        """Buy numbers and keywords. It returns once CallFire has accepted the order; await what it returns for the end.

        `numbers` are bought as named, in any spelling of a 1 and ten digits; `keywords` are 1 to 64 letters and digits; `local` and `toll_free`
        are how many CallFire may choose, local ones in `region`. `key` is your own name for the purchase: the same key in the same store gives
        back the same order and buys nothing.

        Raises InvalidOrderError, before anything is sent, for arguments that cannot be an order; OrderInDoubtError where the order may or
        may not have been placed (it is not sent again); an APIError where CallFire refused; TransportError where it surely was not sent.
        Cancelling it while the request is out does not stop the purchase: it shows up in `pending()`.
        """
        content = order_content(numbers=numbers, keywords=keywords, local=local, toll_free=toll_free, region=region)
        return await self.order_content(content, key=key)

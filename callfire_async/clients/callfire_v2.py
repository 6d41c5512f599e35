"""CallFire API v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callfire_async.clients.callfire_login import signed_in
from callfire_async.clients.callfire_v2_numbers import NumberServiceV2
from callfire_async.clients.callfire_v2_webhooks import WebhookService
from callfire_async.providers.callfire_v2 import CallFireV2Provider, order_content
from callfire_async.providers.callfire_v2_envelope import MOST_ON_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from datetime import datetime

    import httpx

    from callfire_async.clients import Order
    from callfire_async.listener import Listener
    from callfire_async.orders import NumberOrder, Outcome, Region
    from callfire_async.poller.policy import PollPolicy
    from callfire_async.stores import Store


class CallFireV2(NumberServiceV2, WebhookService):
    """CallFire API v2: the same orders as API 1.1, in JSON, and a list of them.

    `login`, `password` and `outcomes` are those of CallFire. With `webhook_secret`, a postback has to be signed with it
    (X-CallFire-Signature), and `create_webhook` hands it to CallFire. The other parameters are those of OrderClient.
    """

    def __init__(
        self,
        login: str | None = None,
        password: str | None = None,
        *,
        base_url: str = "https://www.callfire.com/v2",
        store: Store | str = "memory:",
        listener: Listener | None = None,
        trust_postbacks: bool = False,
        poll: PollPolicy | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        http: httpx.AsyncClient | None = None,
        outcomes: Mapping[str, Outcome] | None = None,
        webhook_secret: str | None = None,
    ) -> None:
        login, authorization = signed_in(login, password)
        self._codec = CallFireV2Provider(outcomes, webhook_secret=webhook_secret)
        super().__init__(
            self._codec,
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
        self._webhook_secret = webhook_secret

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
        """Buy numbers, or keywords. It returns once CallFire has accepted the order; await what it returns for the end.

        The parameters and errors are those of `CallFire.order`, with two differences, both told by InvalidOrderError before anything is sent:
        numbers and keywords are two purchases in v2 and take two calls, and `region` counts by prefix, city, state, zipcode, lata and
        rate_center alone.
        """
        content = order_content(numbers=numbers, keywords=keywords, local=local, toll_free=toll_free, region=region)
        return await self.order_content(content, key=key)

    def orders(
        self,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[NumberOrder]:
        """The account's orders, at most `limit`, however they were placed: those of one status, or created between two (aware) times.

        The list and its filters stand in the vendor's own client and not in the published definition. One that waits for money may tell nothing
        of what was ordered.
        """
        return self._pages(
            lambda first, most: self._codec.encode_list(
                status=status, since=since, until=until, first=first, most=most
            ),
            self._codec.decode_list,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda order: order.id,
        )

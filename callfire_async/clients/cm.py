"""CM.com Voice number requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from callfire_async.clients import Order, OrderClient
from callfire_async.errors import ConfigurationError, ProtocolError
from callfire_async.orders import NumberRequest
from callfire_async.providers.cm import CMProvider
from callfire_async.providers.cm_arguments import UUID, order_content
from callfire_async.providers.cm_traces import TAKE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from callfire_async.listener import Listener
    from callfire_async.poller.policy import PollPolicy
    from callfire_async.providers.cm_names import CMNames
    from callfire_async.stores import Store


class CMVoice(OrderClient[NumberRequest]):
    """CM.com Voice: order numbers, and await them.

    `token` is the product token; it defaults to the environment's CM_PRODUCT_TOKEN. `account` is the uuid of the Logical Account or Voice Account.
    A `listener` gives each order a secret callback address of its own, which also tells whose news it is; keep its `public_url` (or host and
    port) the same over restarts. A callback holds the whole order: one of more than some 400 single numbers is over the listener's 64 KiB, and the
    client asks by itself unless you give it `max_body=262144`. `names` corrects what CM.com's public pages do not show: paths, JSON names and
    statuses. The other parameters are those of OrderClient.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        account: str,
        base_url: str = "https://api.cm.com",
        names: CMNames | None = None,
        store: Store | str = "memory:",
        listener: Listener | None = None,
        trust_postbacks: bool = False,
        poll: PollPolicy | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        token = token or os.environ.get("CM_PRODUCT_TOKEN")
        if not token or not token.isascii() or not token.isprintable() or token != token.strip():
            raise ConfigurationError(
                "CM.com needs a product token, in printable ASCII without spaces around it: pass it, or set CM_PRODUCT_TOKEN."
            )
        if not isinstance(account, str) or not UUID.fullmatch(account):
            raise ConfigurationError("account= must be the uuid of a Logical Account or Voice Account.")
        self._cm = CMProvider(account, names)
        super().__init__(
            self._cm,
            account,
            base_url=base_url,
            headers={"X-CM-PRODUCTTOKEN": token},  # documented
            store=store,
            listener=listener,
            trust_postbacks=trust_postbacks,
            poll=poll,
            timeout=timeout,
            max_retries=max_retries,
            http=http,
        )

    async def order(
        self,
        *,
        company_profile: str,
        quantity: int,
        number_type: str = "LOCAL",
        range_size: int | None = None,
        area_code: str | None = None,
        city: str | None = None,
        region: str | None = None,
        comment: str | None = None,
        key: str | None = None,
    ) -> Order[NumberRequest]:
        """Request numbers. It returns once CM.com has answered with an id; await what it returns for the end, which may be there already.

        `company_profile` is the uuid of the profile that will operate the numbers. `quantity` is 1 to 1000, `range_size` at least 1, and only
        where ranges are supported. `area_code` or `city` is required, and the area code wherever a company's address must lie in its region.
        `region` is for North America only: given together with an area code, that must be one of three digits, the first 2 to 9; with a city
        alone nothing can be checked. `number_type` goes out as it is: CM.com's pages show "LOCAL", "NATIONAL" and "TOLLFREE". `comment` is
        read by CM.com's people. `key` is your own name for the purchase: the same key in the same store gives back the same order and buys nothing.

        Raises InvalidOrderError, before anything is sent, for arguments that break these rules; OrderInDoubtError where the order may or
        may not have been placed (it is not sent again); an APIError where CM.com refused; TransportError where it surely was not sent.
        An answer without an id is a doubt as well; with a listener, the order's callback ends it: then the order is in `pending()`,
        and the same key gives it back. Cancelling this while the request is out does not stop the purchase: it shows up in `pending()`.
        """
        content = order_content(
            company_profile=company_profile,
            quantity=quantity,
            number_type=number_type,
            range_size=range_size,
            area_code=area_code,
            city=city,
            region=region,
            comment=comment,
        )
        return await self.order_content(content, key=key)

    async def cancel(self, order_id: str) -> NumberRequest:
        """Cancel a number request, which CM.com allows until it is final; its new state. Who awaits the order gets OrderFailedError.

        It is a call about the order, so it waits where the once-a-second rule demands it, and takes the place of the next question. Raises an APIError where
        CM.com refuses; after a TransportError nobody knows whether it was cancelled, and `get_order()` tells.
        """
        self._must_run()
        request = self._cm.encode_cancel(order_id)
        try:
            return await self._poller.tell(order_id, request)
        except ProtocolError:  # accepted, but not with a number request: which of the two comes is not documented
            return await self._ask(order_id)

    async def orders(self, *, limit: int | None = None) -> AsyncIterator[NumberRequest]:
        """The account's number requests, at most `limit`, in CM.com's own sequence, page by page; one that cannot be read is passed over."""
        listed = self._pages(
            lambda skip, take: self._cm.encode_list(skip=skip, take=take),
            self._cm.decode_list,
            most=TAKE,
            limit=limit,
            name=lambda state: state and state.id,
        )
        async for state in listed:
            if state is not None:
                yield state

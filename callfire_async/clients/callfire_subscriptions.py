"""CallFire API 1.1's subscription service: where CallFire posts, and about what."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from callfire_async.clients import OrderClient
from callfire_async.errors import NotFoundError
from callfire_async.orders import NumberOrder
from callfire_async.providers import callfire_subscriptions as codec
from callfire_async.providers.callfire_envelope import MOST_ON_PAGE, done
from callfire_async.subscriptions import ANY_EVENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callfire_async.subscriptions import Subscription


class SubscriptionService(OrderClient[NumberOrder]):
    """The part of CallFire that subscribes. An account has at most 10,000 subscriptions (pages).

    Each method raises InvalidOrderError before anything is sent for arguments that are wrong, an APIError where CallFire refuses, and
    TransportError where no answer comes.
    """

    async def subscribe(
        self,
        endpoint: str,
        *,
        trigger_event: str = ANY_EVENT,
        notification_format: str = "XML",
        enabled: bool = True,
        non_strict_ssl: bool = False,
        request_id: str | None = None,
        **filters: Any,
    ) -> str:
        """Have CallFire post to an address, or write to an e-mail address; the new subscription's id.

        `trigger_event` is one of TRIGGER_EVENTS. None that is documented concerns orders; the default, UNDEFINED_EVENT, is the only one that is
        not known to be about something else, and what it sends is documented nowhere. `notification_format` is XML, JSON, SOAP, EMAIL or
        LEGACY. With `non_strict_ssl` the endpoint's certificate is not checked. `request_id` is your own unique name for this call, generated if
        left out: CallFire does not process the same one twice, so this call is made again when its answer is lost.
        `filters` narrow it down: `broadcast_id`, `batch_id`, `from_number`, `to_number`, `inbound`.
        """
        request = codec.subscribe_request(
            request_id=request_id or uuid.uuid4().urn,
            enabled=enabled,
            non_strict_ssl=non_strict_ssl,
            endpoint=endpoint,
            notification_format=notification_format,
            trigger_event=trigger_event,
            **filters,
        )
        return await self._fetch(request, codec.decode_subscribed, repeatable=True)

    def subscriptions(self, *, limit: int | None = None) -> AsyncIterator[Subscription]:
        """The account's subscriptions, at most `limit`, whoever made them."""
        return self._pages(
            lambda first, most: codec.subscriptions_request(first=first, most=most),
            codec.decode_subscriptions,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda found: found.id,
        )

    async def subscription(self, subscription_id: str | int) -> Subscription:
        """One subscription. NotFoundError where the account has none of that id."""
        try:
            return await self._fetch(codec.subscription_request(subscription_id), codec.decode_subscription)
        except NotFoundError as exc:
            raise _unknown(subscription_id, exc) from exc

    async def update_subscription(self, subscription_id: str | int, **changes: Any) -> None:
        """Change what is given, under the names `subscribe` has; the rest stays (inferred)."""
        request = codec.update_request(subscription_id, **changes)
        try:
            await self._fetch(request, done, repeatable=True)
        except NotFoundError as exc:
            raise _unknown(subscription_id, exc) from exc

    async def unsubscribe(self, subscription_id: str | int) -> None:
        """Have CallFire post there no more. NotFoundError where the account has none of that id."""
        try:
            await self._fetch(codec.unsubscribe_request(subscription_id), done)
        except NotFoundError as exc:
            raise _unknown(subscription_id, exc) from exc


def _unknown(subscription_id: str | int, exc: NotFoundError) -> NotFoundError:
    return NotFoundError(
        f"The account has no subscription {subscription_id}. CallFire says: {exc.message}", status=exc.status
    )

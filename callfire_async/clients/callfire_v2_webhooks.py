"""CallFire API v2's webhooks: where CallFire posts, and about what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from callfire_async.clients import OrderClient
from callfire_async.orders import NumberOrder
from callfire_async.providers import callfire_v2_webhooks as codec
from callfire_async.providers.callfire_v2_envelope import MOST_ON_PAGE, done, resource_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from callfire_async.providers.callfire_v2_webhooks import Webhook, WebhookChanges, WebhookOptions


class WebhookService(OrderClient[NumberOrder]):
    """The part of CallFireV2 that keeps webhooks.

    Each method raises InvalidOrderError before anything is sent for arguments that are wrong, an APIError where CallFire refuses, and
    TransportError where no answer comes.
    """

    #: What CallFire is told to sign with where no other secret is given.
    _webhook_secret: str | None = None

    async def create_webhook(
        self,
        name: str,
        *,
        resource: str,
        events: Iterable[str],
        callback: str,
        **options: Unpack[WebhookOptions],
    ) -> str:
        """Let CallFire post events of a resource to an address, and return the webhook's id. What the options mean stands at Webhook.

        `secret` signs what is posted; left out, it is the client's `webhook_secret`. No resource that is documented tells of orders.
        """
        secret: WebhookOptions = {"secret": self._webhook_secret}
        given = codec.members(
            {"name": name, "resource": resource, "events": events, "callback": callback, **secret, **options}
        )
        return await self._fetch(codec.create_webhook_request(given), lambda reply: resource_id(reply, "webhook"))

    def webhooks(self, *, limit: int | None = None) -> AsyncIterator[Webhook]:
        """The account's webhooks, at most `limit`."""
        return self._pages(
            lambda first, most: codec.webhooks_request(first=first, most=most),
            codec.decode_webhooks,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda webhook: webhook.id,
        )

    async def webhook(self, webhook_id: str | int) -> Webhook:
        """One webhook. NotFoundError where there is none of that id."""
        return await self._fetch(codec.webhook_request(webhook_id), codec.decode_webhook)

    async def update_webhook(self, webhook_id: str | int, **changes: Unpack[WebhookChanges]) -> None:
        """Change what is given. That CallFire leaves the rest as it is, is inferred."""
        given = codec.members(changes)
        await self._fetch(codec.update_webhook_request(webhook_id, given), done)

    async def delete_webhook(self, webhook_id: str | int) -> None:
        """Let CallFire post there no more."""
        await self._fetch(codec.delete_webhook_request(webhook_id), done)

    async def webhook_resources(self) -> Mapping[str, tuple[str, ...]]:
        """What webhooks can be made for, each with its events."""
        return await self._fetch(codec.resources_request(), codec.decode_resources)

    async def webhook_events(self, resource: str) -> tuple[str, ...]:
        """The events of one resource, such as "CallBroadcast"."""
        return await self._fetch(codec.resource_request(resource), codec.decode_resource)

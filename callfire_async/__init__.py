"""Order phone numbers from CallFire and simply await them.

    async with CallFire(login, password) as client:
        order = await client.order(local=3, region=Region(city="Seattle", state="WA", country="US"))
        print((await order).numbers)

`callfire_async.sandbox` stands in for CallFire in tests.
"""

from callfire_async._version import __version__
from callfire_async.clients import Order, OrderClient
from callfire_async.clients.callfire import CallFire
from callfire_async.clients.callfire_v2 import CallFireV2
from callfire_async.clients.cm import CMVoice
from callfire_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    NotFoundError,
    OrderError,
    OrderFailedError,
    OrderInDoubtError,
    OrderTimeoutError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StoreError,
    TransportError,
)
from callfire_async.inventory import Keyword, LeaseInfo, Number, NumberConfiguration
from callfire_async.listener import Listener
from callfire_async.notifications import CallFinished, CampaignNotification, Notification, TextNotification
from callfire_async.orders import NumberOrder, NumberRange, NumberRequest, OrderItem, OrderState, Outcome, Region
from callfire_async.poller.policy import PollPolicy
from callfire_async.providers import Provider, Reconciliation
from callfire_async.providers.callfire_v2_webhooks import Webhook
from callfire_async.providers.cm_names import CMNames
from callfire_async.registry import Stats
from callfire_async.stores import Store, open_store
from callfire_async.submission.doubt import InDoubt
from callfire_async.subscriptions import TRIGGER_EVENTS, OwnSubscription, Subscription

__all__ = [
    "TRIGGER_EVENTS",
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "CMNames",
    "CMVoice",
    "CallFinished",
    "CallFire",
    "CallFireV2",
    "CampaignNotification",
    "ClosedError",
    "ConfigurationError",
    "Error",
    "InDoubt",
    "InvalidOrderError",
    "Keyword",
    "LeaseInfo",
    "Listener",
    "NotFoundError",
    "Notification",
    "Number",
    "NumberConfiguration",
    "NumberOrder",
    "NumberRange",
    "NumberRequest",
    "Order",
    "OrderClient",
    "OrderError",
    "OrderFailedError",
    "OrderInDoubtError",
    "OrderItem",
    "OrderState",
    "OrderTimeoutError",
    "Outcome",
    "OwnSubscription",
    "PermissionDeniedError",
    "PollPolicy",
    "ProtocolError",
    "Provider",
    "RateLimitedError",
    "Reconciliation",
    "Region",
    "RequestTimeoutError",
    "ServerError",
    "Stats",
    "Store",
    "StoreError",
    "Subscription",
    "TextNotification",
    "TransportError",
    "Webhook",
    "__version__",
    "open_store",
]

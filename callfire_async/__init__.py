"""Order phone numbers from CallFire and simply await them.

    async with CallFire(login, password) as client:
        order = await client.order(local=3, region=Region(city="Seattle", state="WA", country="US"))
        print((await order).numbers)

`callfire_async.sandbox` stands in for CallFire in tests.
"""

from callfire_async._version import __version__
from callfire_async.clients import Order, OrderClient
from callfire_async.clients.callfire import CallFire
from callfire_async.clients.cm import CMVoice
from callfire_async.doubt import InDoubt
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
from callfire_async.listener import Listener
from callfire_async.orders import NumberOrder, NumberRange, NumberRequest, OrderItem, OrderState, Outcome, Region
from callfire_async.poller import PollPolicy
from callfire_async.providers import Provider, Reconciliation
from callfire_async.providers.cm_names import CMNames
from callfire_async.registry import Stats
from callfire_async.stores import Store, open_store

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "CMNames",
    "CMVoice",
    "CallFire",
    "ClosedError",
    "ConfigurationError",
    "Error",
    "InDoubt",
    "InvalidOrderError",
    "Listener",
    "NotFoundError",
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
    "TransportError",
    "__version__",
    "open_store",
]

"""Everything that can go wrong, as one tree.

* Error
  * InvalidOrderError (ValueError): your arguments; nothing was sent
  * ConfigurationError (ValueError): how the client was put together
  * ClosedError: the client was closed while you waited
  * TransportError: no answer came
    * RequestTimeoutError (TimeoutError)
  * ProtocolError: an answer or a postback that cannot be read
  * APIError: the provider said no
    * BadRequestError: 400
    * AuthenticationError: 401
    * PermissionDeniedError: 403
    * NotFoundError: 404
    * RateLimitedError: 429
    * ServerError: 5xx
  * OrderError: about one purchase, named by its key
    * OrderInDoubtError: it may or may not have been placed
    * OrderFailedError: it ended badly
    * OrderTimeoutError (TimeoutError): the wait ended, the order goes on
  * StoreError: the place where orders are kept failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from callfire_async.clients import Order
    from callfire_async.orders import OrderState

BODY_KEPT: Final = 512
"""How much of an unreadable body an error keeps, in bytes: enough to recognise it, too little to flood a log."""


class Error(Exception):
    """The root of every exception that leaves this library."""


class InvalidOrderError(Error, ValueError):
    """The arguments cannot be an order. Nothing was sent and nothing was bought."""


class ConfigurationError(Error, ValueError):
    """The client, listener, store or policy was put together in a way that cannot work."""


class ClosedError(Error):
    """The client was closed. Orders it followed go on at the provider, and a store that lasts still knows them."""


class TransportError(Error):
    """No answer came."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        #: Whether the provider may have received the request. False only where it surely did not.
        self.sent = sent


class RequestTimeoutError(TransportError, TimeoutError):
    """The provider did not answer in time."""


class ProtocolError(Error):
    """An answer or a postback that cannot be read."""

    def __init__(self, message: str, *, body: bytes = b"") -> None:
        super().__init__(message)
        #: The first 512 bytes of what came.
        self.body = body[:BODY_KEPT]


class APIError(Error):
    """The provider answered, and the answer was no."""

    def __init__(self, message: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"{message} (HTTP {status})")
        #: Seconds the provider asked to be left alone, where it said so.
        self.retry_after = retry_after
        #: The HTTP status of the answer.
        self.status = status
        #: The provider's own words, or the status line's where it sent none.
        self.message = message


class BadRequestError(APIError):
    """400: the provider did not accept the parameters."""


class AuthenticationError(APIError):
    """401: the credentials are wrong. CallFire wants the generated API login, not the one of its website."""


class PermissionDeniedError(APIError):
    """403: the credentials are right, but may not do this."""


class NotFoundError(APIError):
    """404: the provider knows no such thing, or it belongs to someone else."""


class RateLimitedError(APIError):
    """429: too many calls. The request was not carried out."""

    def __init__(self, message: str, *, status: int = 429, retry_after: float | None = None) -> None:
        super().__init__(message, status=status, retry_after=retry_after)


class ServerError(APIError):
    """5xx: the provider failed. Whether it acted before it failed is not known."""


_BY_STATUS: Final[dict[int, type[APIError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
}


def api_error(status: int, message: str, *, retry_after: float | None = None) -> APIError:
    """The exception for an answer that is not a success."""
    if status == 429:
        return RateLimitedError(message, retry_after=retry_after)
    if status >= 500:
        return ServerError(message, status=status, retry_after=retry_after)
    return _BY_STATUS.get(status, APIError)(message, status=status, retry_after=retry_after)


class OrderError(Error):
    """About one purchase."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        #: The caller's own name for the purchase, or the generated one.
        self.key = key


class OrderInDoubtError(OrderError):
    """The purchase may or may not have been placed. It is never sent again by itself."""


class OrderFailedError(OrderError):
    """The order ended badly. `state` is the provider's final word."""

    def __init__(self, message: str, *, key: str, state: OrderState) -> None:
        super().__init__(message, key=key)
        #: The final state.
        self.state = state


class OrderTimeoutError(OrderError, TimeoutError):
    """The wait ended. The order goes on, and `order` can be awaited again."""

    def __init__(self, message: str, *, key: str, order: Order[Any]) -> None:
        super().__init__(message, key=key)
        #: The order that was waited for.
        self.order = order


class StoreError(Error):
    """The store could not be read or written. The message says what to do about it."""

"""Each operation is the request that the contract spells, and takes what it is answered."""

from collections.abc import AsyncIterator

import httpx
import operations
import pytest
import respx
from operations import OPERATIONS, Operation

from callfire_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallFire,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    Region,
    RequestTimeoutError,
    ServerError,
    TransportError,
)

URL = "https://www.callfire.com/api/1.1/rest"


@pytest.fixture
async def client() -> AsyncIterator[CallFire]:
    async with httpx.AsyncClient() as http, CallFire("login", "password", http=http) as it:
        yield it


by_name = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


@by_name
async def test_an_operation_is_sent_byte_for_byte_as_the_contract_spells_it(
    operation: Operation, client: CallFire, respx_mock: respx.MockRouter
) -> None:
    respx_mock.route().mock(return_value=httpx.Response(operation.status, content=operation.answer))
    await operation.call(client)
    (call,) = respx_mock.calls
    request = call.request
    assert request.method == operation.method
    assert str(request.url) == URL + operation.target
    assert request.content == operation.form.encode()
    assert request.headers["authorization"] == "Basic bG9naW46cGFzc3dvcmQ="
    assert ("content-type" in request.headers) == bool(operation.form)
    if operation.form:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if not o.answer and o.method != "GET"], ids=lambda o: o.name
)
async def test_a_change_may_be_answered_with_nothing(
    operation: Operation, status: int, client: CallFire, respx_mock: respx.MockRouter
) -> None:
    respx_mock.route().mock(return_value=httpx.Response(status))
    await operation.call(client)


REFUSALS = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: APIError,
}


@pytest.mark.parametrize("status", REFUSALS)
@by_name
async def test_a_refusal_is_told_in_callfires_words_and_is_not_repeated(
    operation: Operation, status: int, client: CallFire, respx_mock: respx.MockRouter
) -> None:
    exception = (
        f'<r:ResourceException xmlns="http://api.callfire.com/data" xmlns:r="http://api.callfire.com/resource"><r:HttpStatus>{status}</r:HttpStatus>'
        "<r:Message>number 213342682 does not exist, or is inactive</r:Message></r:ResourceException>"
    )
    respx_mock.route().mock(return_value=httpx.Response(status, text=exception))
    with pytest.raises(APIError, match="number 213342682 does not exist, or is inactive") as caught:
        await operation.call(client)
    assert type(caught.value) is REFUSALS[status]
    assert str(caught.value).count("HTTP") == 1
    assert len(respx_mock.calls) == 1


async def test_a_number_that_is_not_owned_reads_as_a_sentence(client: CallFire, respx_mock: respx.MockRouter) -> None:
    respx_mock.route().mock(return_value=httpx.Response(404, text="<html>nothing here</html>"))
    sentence = "12065550101 is not among the account's own. CallFire says: .*HTTP 404"
    for call in (client.number, client.release, lambda number: client.configure_number(number, call=True)):
        with pytest.raises(NotFoundError, match=sentence):
            await call("12065550101")


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("callfire_async.calls.asyncio.sleep", sleep)
    return pauses


TROUBLES: dict[str, tuple[httpx.Response | Exception, type[Exception]]] = {
    "cut": (httpx.RemoteProtocolError("cut"), TransportError),
    "silence": (httpx.ReadTimeout("silence"), RequestTimeoutError),
    "5xx": (httpx.Response(503), ServerError),
    "a page": (httpx.Response(200, text="<html><body>Be right back</body></html>"), ProtocolError),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.name != "DeleteSubscription"], ids=lambda o: o.name)
async def test_what_may_be_sent_again_is_and_succeeds(
    operation: Operation,
    trouble: str,
    client: CallFire,
    respx_mock: respx.MockRouter,
    no_pauses: list[float],
) -> None:
    happened, _ = TROUBLES[trouble]
    if trouble == "a page" and not operation.answer:
        pytest.skip("a change may be answered with any payload")
    answer = httpx.Response(operation.status, content=operation.answer)
    respx_mock.route().mock(side_effect=[happened, happened, answer])
    await operation.call(client)
    assert len({(c.request.method, str(c.request.url), c.request.content) for c in respx_mock.calls}) == 1
    assert len(respx_mock.calls) == 3
    assert 0.4 <= no_pauses[0] < no_pauses[1] <= 1.2


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_in_the_end_the_trouble_is_told(
    trouble: str, client: CallFire, respx_mock: respx.MockRouter, no_pauses: list[float]
) -> None:
    happened, error = TROUBLES[trouble]
    respx_mock.route().mock(side_effect=[happened] * 3)
    with pytest.raises(error):
        await client.number("12065550101")
    assert len(no_pauses) == 2


async def test_a_delete_that_may_have_arrived_is_not_sent_again(
    client: CallFire, respx_mock: respx.MockRouter, no_pauses: list[float]
) -> None:
    respx_mock.route().mock(
        side_effect=[httpx.ReadTimeout("silence"), httpx.ConnectError("nobody"), httpx.Response(204)]
    )
    with pytest.raises(RequestTimeoutError):
        await client.unsubscribe(7)
    await client.unsubscribe(7)
    assert len(no_pauses) == 1


@pytest.mark.parametrize(("header", "pauses"), [("2", [2.0]), ("31", None), ("", [pytest.approx(0.5, rel=0.21)])])
async def test_a_rate_limit_is_obeyed_up_to_half_a_minute(
    header: str,
    pauses: list[float] | None,
    client: CallFire,
    respx_mock: respx.MockRouter,
    no_pauses: list[float],
) -> None:
    limited = httpx.Response(429, headers={"Retry-After": header} if header else {})
    respx_mock.route().mock(side_effect=[limited, httpx.Response(204)])
    if pauses is None:
        with pytest.raises(RateLimitedError):
            await client.release("12065550101")
    else:
        await client.release("12065550101")
    assert no_pauses == (pauses or [])


async def test_a_subscription_has_a_request_id_of_its_own_each_time(
    client: CallFire, respx_mock: respx.MockRouter
) -> None:
    respx_mock.route().mock(return_value=httpx.Response(201, content=operations.reference(1)))
    for _ in range(3):
        await client.subscribe("https://example.com/x")
    assert len({call.request.content for call in respx_mock.calls}) == 3
    assert all(call.request.content.startswith(b"RequestId=urn%3Auuid%3A") for call in respx_mock.calls)


async def test_search_and_order_compose(client: CallFire, respx_mock: respx.MockRouter) -> None:
    found = operations.listed(operations.number("12065550101"), operations.number("12065550102"))
    respx_mock.get(url__startswith=f"{URL}/number/search").mock(return_value=httpx.Response(200, content=found))
    ordering = respx_mock.post(f"{URL}/number/order").mock(
        return_value=httpx.Response(201, content=operations.reference(1428507003))
    )
    numbers = await client.search_numbers(count=2, region=Region(prefix="1206"))
    order = await client.order(numbers=[n.number for n in numbers])
    assert order.id == "1428507003"
    assert ordering.calls.last.request.content == b"Numbers=12065550101+12065550102"

"""The number service but for its orders: what can be found, what the account has, and how the one becomes the other."""
# ruff: noqa: PLR0917  # a table has its columns

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from callfire_async.sandbox import Life, Sandbox
from callfire_async.sandbox.account import Holding
from callfire_async.sandbox.regions import REGIONS

D = "{http://api.callfire.com/data}"
R = "{http://api.callfire.com/resource}"

SEATTLE = {
    "Prefix": "1206555",
    "City": "SEATTLE",
    "State": "WA",
    "Zipcode": "98154",
    "Country": "US",
    "Lata": "674",
    "RateCenter": "SEATTLE",
    "Latitude": "47.61",
    "Longitude": "-122.331",
    "TimeZone": "America/Los_Angeles",
}


class Caller:
    """Speaks bare HTTP to the sandbox."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self._base = sandbox.callfire_url
        self._session = session

    async def call(self, method: str, path: str, **parameters: Any) -> tuple[int, bytes]:
        """Send a call, its parameters where the contract wants them."""
        place = "data" if method in {"POST", "PUT"} else "params"
        options: dict[str, Any] = {place: parameters}
        async with self._session.request(method, self._base + path, **options) as reply:
            return reply.status, await reply.read()

    async def page(self, path: str, **query: Any) -> tuple[int, list[ET.Element]]:
        """The totalResults of a list and its elements."""
        status, body = await self.call("GET", path, **query)
        assert status == 200, body
        root = ET.fromstring(body)
        assert root.tag == f"{R}ResourceList"
        return int(root.get("totalResults", "")), [*root]

    async def numbers(self, path: str = "/number", **query: Any) -> list[str]:
        """The numbers of a list that is one page."""
        total, elements = await self.page(path, **query)
        assert total == len(elements)
        assert {element.tag for element in elements} <= {f"{D}Number"}
        return [element.findtext(f"{D}Number", "") for element in elements]

    async def keywords(self, path: str = "/number/keyword", **query: Any) -> list[str]:
        """The keywords of a list that is one page."""
        total, elements = await self.page(path, **query)
        assert total == len(elements)
        assert {element.tag for element in elements} <= {f"{D}Keyword"}
        return [element.findtext(f"{D}Keyword", "") for element in elements]

    async def number(self, number: str) -> ET.Element:
        """One of the account's numbers."""
        status, body = await self.call("GET", f"/number/{number}")
        assert status == 200, body
        (element,) = ET.fromstring(body)
        assert element.tag == f"{D}Number"
        return element

    async def refusal(self, method: str, path: str, **parameters: Any) -> tuple[int, str]:
        """The status and the sentence of a ResourceException."""
        status, body = await self.call(method, path, **parameters)
        root = ET.fromstring(body)
        assert root.tag == f"{R}ResourceException"
        assert root.findtext(f"{R}HttpStatus") == str(status)
        return status, root.findtext(f"{R}Message", "")

    async def buy(self, **form: Any) -> str:
        """The id of a new order."""
        status, body = await self.call("POST", "/number/order", **form)
        assert status == 201, body
        return ET.fromstring(body).findtext(f"{R}Id", "")


def log_in(sandbox: Sandbox) -> aiohttp.ClientSession:
    credentials = base64.b64encode(f"{sandbox.login}:{sandbox.password}".encode()).decode()
    session = aiohttp.ClientSession(headers={"Authorization": f"Basic {credentials}"})
    session._retry_connection = False  # left alone, aiohttp sends a GET or PUT whose reply is lost once more
    return session


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0) as running:
        yield running


@pytest.fixture
async def caller(sandbox: Sandbox) -> AsyncIterator[Caller]:
    async with log_in(sandbox) as session:
        yield Caller(sandbox, session)


def told(element: ET.Element) -> dict[str, str]:
    """The texts of an element's own children."""
    return {child.tag.removeprefix(D): child.text or "" for child in element}


# ------------------------------------------------------------------ regions


async def test_regions_are_places_with_a_prefix(caller: Caller) -> None:
    total, regions = await caller.page("/number/regions")
    assert total == len(regions) == len(REGIONS)
    assert {region.tag for region in regions} == {f"{D}Region"}
    assert len({region.findtext(f"{D}Prefix") for region in regions}) == total
    assert SEATTLE in [told(region) for region in regions]


@pytest.mark.parametrize(
    ("query", "cities"),
    [
        (SEATTLE, {"SEATTLE"}),
        ({"Prefix": "1206"}, {"SEATTLE"}),
        ({"State": "WA"}, {"SEATTLE", "TACOMA", "SPOKANE"}),
        ({"State": "wa", "Lata": "674"}, {"SEATTLE", "TACOMA"}),
        ({"City": "Portland"}, {"PORTLAND"}),
        ({"Zipcode": "02108"}, {"BOSTON"}),
        ({"RateCenter": "NWYRCYZN01", "Country": "us"}, {"NEW YORK"}),
        ({"TimeZone": "America/Boise"}, {"BOISE"}),
        ({"Latitude": "47.6", "Longitude": "-122.3"}, {"SEATTLE", "TACOMA"}),
        ({"Latitude": "0", "Longitude": "0"}, set()),
        ({"City": "Seattle", "State": "OR"}, set()),
        ({"City": "Seattle", "Prefix": "1503"}, set()),
        ({"Country": "CA"}, set()),
    ],
)
async def test_every_field_of_a_region_chooses(caller: Caller, query: dict[str, str], cities: set[str]) -> None:
    _, regions = await caller.page("/number/regions", **query)
    assert {region.findtext(f"{D}City") for region in regions} == cities


async def test_the_nearest_region_comes_first(caller: Caller) -> None:
    _, regions = await caller.page("/number/regions", Latitude="47.25", Longitude="-122.44")
    assert [region.findtext(f"{D}City") for region in regions] == ["TACOMA", "SEATTLE"]


# ------------------------------------------------------------------ what is for sale


async def test_a_search_finds_fictional_numbers_of_the_place(sandbox: Sandbox, caller: Caller) -> None:
    total, found = await caller.page("/number/search", Count=20, **SEATTLE)
    assert total == len(found) == 20
    for number in found:
        digits = number.findtext(f"{D}Number", "")
        assert digits.startswith("120655501")
        # Status, LeaseInfo and NumberConfiguration come with the purchase.
        assert [child.tag.removeprefix(D) for child in number] == ["Number", "NationalFormat", "TollFree", "Region"]
        assert number.findtext(f"{D}NationalFormat") == f"(206) 555-{digits[7:]}"
        assert number.findtext(f"{D}TollFree") == "false"
        region = number.find(f"{D}Region")
        assert region is not None
        assert told(region) == SEATTLE
    assert not sandbox.owned


async def test_toll_free_numbers_have_no_region(caller: Caller) -> None:
    total, found = await caller.page("/number/search", Count=1000, TollFree="true")
    assert total == len(found) == 700  # a hundred for each of the seven codes
    assert {number.findtext(f"{D}TollFree") for number in found} == {"true"}
    assert [number for number in found if number.find(f"{D}Region") is not None] == []
    assert await caller.numbers("/number/search", Count=5, TollFree="1", City="Seattle") == []
    numbers = await caller.numbers("/number/search", Count=5, TollFree="1", Prefix="1855")
    assert len([number for number in numbers if number.startswith("1855555")]) == 5


async def test_a_search_everywhere_finds_local_numbers(caller: Caller) -> None:
    numbers = await caller.numbers("/number/search", Count=1000, TollFree="false")
    assert len(set(numbers)) == 1000
    assert not {number[1:4] for number in numbers} & {"800", "833", "844", "855", "866", "877", "888"}


async def test_the_same_seed_has_the_same_stock() -> None:
    async def look(seed: int | None) -> list[str]:
        async with Sandbox(seed=seed) as sandbox, log_in(sandbox) as session:
            return await Caller(sandbox, session).numbers("/number/search", Count=150)

    assert await look(1) == await look(1) != await look(2)
    assert await look(None) != await look(None)


async def test_what_is_found_can_be_ordered_and_is_then_found_no_more(sandbox: Sandbox, caller: Caller) -> None:
    found = await caller.numbers("/number/search", Count=3, City="Seattle")
    order_id = await caller.buy(Numbers=" ".join(found))
    assert sandbox.orders[order_id].fulfilled == sandbox.owned == tuple(found)
    assert await caller.numbers() == found
    rest = await caller.numbers("/number/search", Count=1000, City="Seattle")
    assert len(rest) == 97
    assert not set(rest) & set(found)


async def test_a_region_runs_out_and_a_prefix_does_not(sandbox: Sandbox, caller: Caller) -> None:
    assert len(sandbox.orders[await caller.buy(localCount=150, City="Seattle")].fulfilled) == 100
    assert await caller.numbers("/number/search", Count=1, City="Seattle") == []
    empty = await caller.buy(localCount=1, City="Seattle")
    assert (sandbox.orders[empty].status, sandbox.orders[empty].fulfilled) == ("ERRORED", ())
    assert len(sandbox.orders[await caller.buy(localCount=150, Prefix="1206555")].fulfilled) == 150


async def test_keywords_are_for_sale_until_somebody_has_them(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("SUN")
    sandbox.take("moon")
    total, found = await caller.page("/number/keyword/search", Keywords="SUN MOON STAR STOP STAR")
    assert total == 1
    assert told(found[0]) == {"ShortCode": "67076", "Keyword": "STAR"}
    await caller.buy(Keywords="star")
    assert await caller.keywords("/number/keyword/search", Keywords="STAR") == []
    assert await caller.keywords() == ["SUN", "STAR"]


# ------------------------------------------------------------------ what the account has


async def test_an_owned_number_tells_of_its_lease(sandbox: Sandbox, caller: Caller) -> None:
    before = datetime.now(UTC).date()
    await caller.buy(Numbers="12065550101 18555550102")
    number = await caller.number("12065550101")
    assert [child.tag.removeprefix(D) for child in number] == [
        *("Number", "NationalFormat", "TollFree", "Region", "Status", "LeaseInfo", "NumberConfiguration")
    ]
    assert number.findtext(f"{D}Status") == "ACTIVE"
    lease = {child.tag.removeprefix(D): child.text for child in number.iterfind(f"{D}LeaseInfo/*")}
    begin = datetime.now(UTC).date() if str(before) not in str(lease) else before
    assert lease == {"LeaseBegin": f"{begin}Z", "LeaseEnd": f"{Holding(begin).end}Z", "AutoRenew": "true"}
    configuration = number.find(f"{D}NumberConfiguration")
    assert configuration is not None
    assert told(configuration) == {"CallFeature": "ENABLED", "TextFeature": "ENABLED"}
    toll_free = await caller.number("18555550102")
    assert (toll_free.findtext(f"{D}TollFree"), toll_free.find(f"{D}Region")) == ("true", None)
    assert sandbox.owned == ("12065550101", "18555550102")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (date(2014, 12, 2), date(2015, 1, 2)),  # the sample's
        (date(2015, 1, 31), date(2015, 2, 28)),
        (date(2016, 1, 31), date(2016, 2, 29)),
        (date(2016, 11, 30), date(2016, 12, 30)),
    ],
)
def test_a_lease_lasts_a_month(begin: date, end: date) -> None:
    assert Holding(begin).end == end


async def test_a_number_from_an_unknown_place_has_a_prefix_alone(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("19995550100", "44207946000")
    region = (await caller.number("19995550100")).find(f"{D}Region")
    assert region is not None
    assert told(region) == {"Prefix": "1999555"}
    assert (await caller.number("44207946000")).findtext(f"{D}NationalFormat") == "+44207946000"


async def test_owned_keywords_have_a_short_code_and_a_lease(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("CHOCOLATE")
    _, (keyword,) = await caller.page("/number/keyword")
    assert [child.tag.removeprefix(D) for child in keyword] == ["ShortCode", "Keyword", "Status", "LeaseInfo"]
    assert keyword.findtext(f"{D}ShortCode") == "67076"
    assert keyword.findtext(f"{D}Status") == "ACTIVE"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"12065550100", "12535550100", "15035550100", "18555550100", "19995550100"}),
        ({"Prefix": "1206"}, {"12065550100"}),
        ({"State": "WA"}, {"12065550100", "12535550100"}),
        ({"City": "Portland", "State": "OR"}, {"15035550100"}),
        ({"Prefix": "1855555"}, {"18555550100"}),
        ({"LabelName": "west"}, {"15035550100", "18555550100"}),
        ({"LabelName": "west", "State": "OR"}, {"15035550100"}),
        ({"LabelName": "West"}, set()),
        ({"Latitude": "47.6", "Longitude": "-122.3"}, {"12065550100", "12535550100"}),
    ],
)
async def test_owned_numbers_are_found_by_region_and_label(
    sandbox: Sandbox, caller: Caller, query: dict[str, str], found: set[str]
) -> None:
    sandbox.own("12065550100", "12535550100", "19995550100")
    sandbox.own("15035550100", "18555550100", label="west")
    assert set(await caller.numbers(**query)) == found


async def test_2500_numbers_come_in_pages(sandbox: Sandbox, caller: Caller) -> None:
    owned = [f"1206{number}" for number in range(5000000, 5002500)]
    sandbox.own(*owned)
    seen: list[str] = []
    for first, expected in ((0, 1000), (1000, 1000), (2000, 500), (2500, 0), (9999, 0)):
        total, page = await caller.page("/number", FirstResult=first, **({"MaxResults": 1000} if first else {}))
        assert (total, len(page)) == (2500, expected)
        seen += [number.findtext(f"{D}Number", "") for number in page]
    assert seen == owned
    total, page = await caller.page("/number", FirstResult=2499, MaxResults=7)
    assert (total, [number.findtext(f"{D}Number") for number in page]) == (2500, owned[-1:])
    sandbox.disown(owned[0])
    assert (await caller.page("/number", MaxResults=1))[0] == 2499


async def test_keywords_and_regions_come_in_pages_too(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("SUN", "MOON", "STAR")
    total, page = await caller.page("/number/keyword", MaxResults=2, FirstResult=1)
    assert (total, [keyword.findtext(f"{D}Keyword") for keyword in page]) == (3, ["MOON", "STAR"])
    total, page = await caller.page("/number/regions", MaxResults=1, FirstResult=1, State="WA")
    assert (total, [region.findtext(f"{D}City") for region in page]) == (3, ["TACOMA"])


# ------------------------------------------------------------------ ownership follows the orders


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        ({}, 3),
        ({"result": "partial"}, 2),
        ({"result": "errored"}, 0),
        ({"result": "void"}, 0),
        ({"result": "parked"}, 0),
        ({"processing": 60}, 0),
        ({"statuses": [(0, "FINISHED"), (0, "PARTIALLY_ADJUSTED")]}, 2),
        ({"statuses": [(0, "FINISHED"), (0, "ADJUSTED")]}, 3),
        ({"statuses": [(0, "FINISHED"), (0, "VOID")]}, 0),
        ({"statuses": [(0, "ERRORED"), (0, "FINISHED")]}, 3),
    ],
)
async def test_the_account_has_what_its_orders_delivered(
    sandbox: Sandbox, caller: Caller, life: dict[str, Any], kept: int
) -> None:
    sandbox.plan(Life(**life))
    order_id = await caller.buy(localCount=3, City="Seattle")
    delivered = sandbox.orders[order_id].fulfilled
    assert await caller.numbers() == [*delivered] == [*sandbox.owned]
    assert len(delivered) == kept
    for number in delivered:
        assert (await caller.number(number)).findtext(f"{D}Status") == "ACTIVE"
    # What it did not get is for sale again once the order has ended; until then it is kept for it.
    at_work = life.get("processing") or life.get("result") == "parked"
    left = await caller.numbers("/number/search", Count=1000, City="Seattle")
    assert len(left) == (97 if at_work else 100 - kept)


async def test_ownership_comes_with_the_moment_of_the_end(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.plan(Life(processing=0.5))
    order_id = await caller.buy(Keywords="SUN", localCount=1)
    assert not sandbox.owned
    assert await caller.keywords("/number/keyword/search", Keywords="SUN") == []
    async with asyncio.timeout(5):
        while not sandbox.owned:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.005)
    assert sandbox.owned == sandbox.orders[order_id].fulfilled
    assert await caller.keywords() == ["SUN"]


async def test_an_order_for_what_somebody_has_gets_the_rest(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.take("12065550100", "SUN")
    order_id = await caller.buy(Numbers="12065550100 12065550101 12065550101", Keywords="SUN MOON")
    assert sandbox.orders[order_id].fulfilled == sandbox.owned == ("12065550101", "MOON")
    nothing = await caller.buy(Numbers="12065550100", Keywords="moon STOP")
    assert sandbox.orders[nothing].status == "ERRORED"
    assert sandbox.owned == ("12065550101", "MOON")


@pytest.mark.parametrize("reply", ["refused", "error_before_accepting", "lost_before_accepting"])
async def test_a_named_number_that_was_not_bought_is_on_sale(sandbox: Sandbox, caller: Caller, reply: Any) -> None:
    sandbox.plan(Life(reply=reply))
    assert await caller.numbers("/number/search", Count=1000, Prefix="1999") == []
    with contextlib.suppress(aiohttp.ServerDisconnectedError):
        await caller.call("POST", "/number/order", Numbers="19995550100")
    assert await caller.numbers("/number/search", Count=1000, Prefix="1999") == ["19995550100"]
    assert sandbox.purchases == 0


async def test_an_order_may_be_refused_at_once(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.plan(Life(reply="refused"))
    sentence = "One or more of the numbers or keywords are not available."
    assert await caller.refusal("POST", "/number/order", Numbers="12065550100") == (400, sentence)
    assert sandbox.purchases == 0


async def test_payment_brings_ownership_once(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.plan(Life(result="parked", paid_after=0.5))
    order_id = await caller.buy(Numbers="12065550100")
    assert not sandbox.owned
    sandbox.pay(order_id)
    assert sandbox.owned == ("12065550100",)
    sandbox.disown("12065550100")
    await asyncio.sleep(0.55)  # the payment that was to come in its own time comes no more
    assert not sandbox.owned


async def test_an_adjustment_does_not_bring_back_what_was_lost(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.plan(Life(statuses=[(0, "FINISHED"), (0.05, "ADJUSTED")]))
    order_id = await caller.buy(Numbers="12065550100 12065550101")
    sandbox.disown("12065550100")
    async with asyncio.timeout(5):
        while sandbox.orders[order_id].status != "ADJUSTED":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.005)
    assert sandbox.owned == ("12065550101",)


async def test_what_an_order_did_not_get_can_be_sold_again(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.plan(Life(result="errored"))
    await caller.buy(Numbers="19995550100", Keywords="SUN")
    assert await caller.numbers("/number/search", Count=1, Prefix="1999555") == ["19995550100"]
    await caller.buy(Numbers="19995550100", Keywords="SUN")
    assert sandbox.owned == ("19995550100", "SUN")


# ------------------------------------------------------------------ configure


@pytest.mark.parametrize(
    ("form", "features", "inbound"),
    [
        ({"TextFeature": "DISABLED"}, ("ENABLED", "DISABLED"), None),
        ({"CallFeature": "DISABLED", "TextFeature": "ENABLED"}, ("DISABLED", "ENABLED"), None),
        ({"InboundCallConfigurationType": "TRACKING"}, ("ENABLED", "ENABLED"), ("CallTrackingConfig", {})),
        (
            {
                "InboundCallConfigurationType": "TRACKING",
                "WhisperSoundId": "2",
                "IntroSoundId": "1",
                "Record": "true",
                "Screen": "0",
                "TransferNumber": "12065550100 18005550100",
            },
            ("ENABLED", "ENABLED"),
            (
                "CallTrackingConfig",
                {
                    "TransferNumber": "12065550100 18005550100",
                    "Screen": "0",
                    "Record": "true",
                    "IntroSoundId": "1",
                    "WhisperSoundId": "2",
                },
            ),
        ),
        (
            {"InboundCallConfigurationType": "IVR", "DialplanXml": '<dialplan name="Root"><play/></dialplan>'},
            ("ENABLED", "ENABLED"),
            ("IvrInboundConfig", {"DialplanXml": '<dialplan name="Root"><play/></dialplan>'}),
        ),
    ],
)
@pytest.mark.parametrize("status", [200, 204])
async def test_a_number_keeps_its_configuration(
    sandbox: Sandbox,
    caller: Caller,
    form: dict[str, str],
    features: tuple[str, str],
    inbound: tuple[str, dict[str, str]] | None,
    status: int,
) -> None:
    sandbox.own("12065550100")
    sandbox.configure_status = status
    assert sandbox.configure_status == status
    assert await caller.call("PUT", "/number/12065550100", **form) == (status, b"")
    configuration = (await caller.number("12065550100")).find(f"{D}NumberConfiguration")
    assert configuration is not None
    assert (configuration.findtext(f"{D}CallFeature"), configuration.findtext(f"{D}TextFeature")) == features
    chosen = configuration.find(f"{D}InboundCallConfiguration")
    if inbound is None:
        assert chosen is None
        return
    assert chosen is not None
    assert configuration.findtext(f"{D}InboundCallConfigurationType") == form["InboundCallConfigurationType"]
    assert [(config.tag.removeprefix(D), told(config)) for config in chosen] == [inbound]
    assert list(told(chosen[0])) == list(inbound[1])  # in the sequence of the schema


async def test_configure_changes_what_it_names_and_a_new_type_starts_afresh(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("12065550100")

    async def configure(**form: str) -> dict[str, str]:
        assert await caller.call("PUT", "/number/12065550100", **form) == (200, b"")
        (config,) = (await caller.number("12065550100")).iterfind(f".//{D}InboundCallConfiguration/*")
        return told(config)

    assert await configure(InboundCallConfigurationType="TRACKING", Screen="true") == {"Screen": "true"}
    assert await configure(Record="1") == {"Screen": "true", "Record": "1"}
    assert await configure(Screen="false", CallFeature="DISABLED") == {"Screen": "false", "Record": "1"}
    assert await configure(InboundCallConfigurationType="IVR", DialplanXml="<d/>") == {"DialplanXml": "<d/>"}
    assert await configure(InboundCallConfigurationType="TRACKING") == {}


# ------------------------------------------------------------------ release


async def test_a_released_number_is_renewed_no_more(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("12065550100", "12065550101")
    assert await caller.call("PUT", "/number/release", Number="12065550100") == (204, b"")
    released = await caller.number("12065550100")
    assert released.findtext(f"{D}Status") == "RELEASED"
    assert released.findtext(f"{D}LeaseInfo/{D}AutoRenew") == "false"
    assert released.find(f"{D}LeaseInfo/{D}LeaseEnd") is not None
    assert (await caller.number("12065550101")).findtext(f"{D}Status") == "ACTIVE"
    # It is the account's until its lease ends, and nobody's for a month after that.
    assert await caller.numbers() == ["12065550100", "12065550101"]
    sandbox.disown("12065550100", "12065550101")
    assert await caller.numbers() == []
    on_sale = await caller.numbers("/number/search", Count=1000, Prefix="1206555")
    assert ("12065550100" in on_sale, "12065550101" in on_sale) == (False, True)
    sandbox.offer("12065550100")  # the month is over
    assert await caller.numbers("/number/search", Count=1, Prefix="1206555") == ["12065550100"]


@pytest.mark.parametrize(
    ("keywords", "released"),
    [("SUN", {"SUN"}), ("sun MOON", {"SUN", "MOON"}), ("SUN,MOON", {"SUN", "MOON"})],
)
@pytest.mark.parametrize("number", ["67076", "12065550100"])
async def test_keywords_are_released_with_the_number_they_are_linked_to(
    sandbox: Sandbox, caller: Caller, keywords: str, released: set[str], number: str
) -> None:
    sandbox.own("SUN", "MOON", "STAR", "12065550100")
    assert await caller.call("PUT", "/number/release", Number=number, Keyword=keywords) == (204, b"")
    _, found = await caller.page("/number/keyword")
    status = {keyword.findtext(f"{D}Keyword"): keyword.findtext(f"{D}Status") for keyword in found}
    assert {word for word, is_now in status.items() if is_now == "RELEASED"} == released
    assert (await caller.number("12065550100")).findtext(f"{D}Status") == "ACTIVE"
    sandbox.disown("sun", "STAR")
    assert await caller.keywords("/number/keyword/search", Keywords="SUN STAR") == ["STAR"]


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("method", "path", "parameters", "status", "sentence"),
    [
        ("GET", "/number/213342682", {}, 404, "number 213342682 does not exist, or is inactive"),  # the sample's
        ("PUT", "/number/12065550100", {}, 404, "number 12065550100 does not exist, or is inactive"),
        ("PUT", "/number/release", {"Number": "12065550100"}, 404, "number 12065550100 does not exist, or is inactive"),
        ("PUT", "/number/release", {"Number": "67076"}, 404, "number 67076 does not exist, or is inactive"),
        (
            "PUT",
            "/number/release",
            {"Number": "67076", "Keyword": "CHOCOLATE SUN"},
            404,
            "keyword SUN does not exist, or is inactive",
        ),
        ("PUT", "/number/release", {"Keyword": "CHOCOLATE"}, 400, "Number is required"),
        ("PUT", "/number/release", {"Numbers": "12065550100"}, 400, "Unknown parameter Numbers."),
        ("PUT", "/number/release", {"Number": "1 2"}, 400, "Number is a number of 11 digits, or the short code 67076."),
        (
            "PUT",
            "/number/release",
            {"Number": "67076", "Keyword": "A, B"},
            400,
            "Keyword is keywords of 1 to 64 letters and digits, separated by one comma or space.",
        ),
        ("GET", "/number/search", {}, 400, "Count is required"),
        ("GET", "/number/search", {"Count": "0"}, 400, "Count is a whole number from 1 to 1000."),
        ("GET", "/number/search", {"Count": "1001"}, 400, "Count is a whole number from 1 to 1000."),
        ("GET", "/number/search", {"Count": "1", "MaxResults": "1"}, 400, "Unknown parameter MaxResults."),
        ("GET", "/number/search", {"Count": "1", "TollFree": "yes"}, 400, "TollFree is true or false."),
        ("GET", "/number/search", {"count": "1"}, 400, "Unknown parameter count; it is spelt Count."),
        ("GET", "/number/keyword/search", {}, 400, "Keywords is required"),
        ("GET", "/number/keyword", {"City": "Seattle"}, 400, "Unknown parameter City."),
        ("GET", "/number/regions", {"LabelName": "x"}, 400, "Unknown parameter LabelName."),
        ("GET", "/number/regions", {"Latitude": "1"}, 400, "Latitude and Longitude are given together."),
        ("GET", "/number", {"MaxResults": "1001"}, 400, "MaxResults is a whole number from 1 to 1000."),
        ("GET", "/number", {"FirstResult": "-1"}, 400, "FirstResult is a whole number."),
        ("GET", "/number/15035550100", {"MaxResults": "1"}, 400, "Unknown parameter MaxResults."),
        ("PUT", "/number/15035550100", {"CallFeature": "PENDING"}, 400, "CallFeature is ENABLED or DISABLED."),
        (
            "PUT",
            "/number/15035550100",
            {"Screen": "true"},
            400,
            "Screen belongs to InboundCallConfigurationType TRACKING.",
        ),
        (
            "PUT",
            "/number/15035550100",
            {"InboundCallConfigurationType": "TRACKING", "DialplanXml": "<d/>"},
            400,
            "DialplanXml belongs to InboundCallConfigurationType IVR.",
        ),
        (
            "PUT",
            "/number/15035550100",
            {"InboundCallConfigurationType": "IVR", "DialplanXml": "d"},
            400,
            "DialplanXml is an XML document.",
        ),
        ("GET", "/number/release", {}, 405, "Method Not Allowed"),
        ("GET", "/number/x", {}, 404, "Not Found"),
    ],
)
async def test_a_refusal_is_an_exception_with_a_sentence(
    sandbox: Sandbox,
    caller: Caller,
    method: str,
    path: str,
    parameters: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    sandbox.own("15035550100", "CHOCOLATE")
    assert await caller.refusal(method, path, **parameters) == (status, sentence)
    assert (await caller.number("15035550100")).findtext(f"{D}Status") == "ACTIVE"
    assert sandbox.owned == ("15035550100", "CHOCOLATE")


async def test_a_form_in_the_address_is_refused_too(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("12065550100")
    sentence = "Parameters of a POST or PUT stand in the form, not in the address."
    for path in ("/number/release?Number=12065550100", "/number/12065550100?CallFeature=DISABLED"):
        assert await caller.refusal("PUT", path, **dict(parse_qsl(path.partition("?")[2]))) == (400, sentence)


# ------------------------------------------------------------------ the stock by hand


async def test_the_stock_can_be_arranged(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.offer("19995550100", "12065559999")
    assert await caller.numbers("/number/search", Count=1, Prefix="1999") == ["19995550100"]
    assert await caller.numbers("/number/search", Count=1, City="Seattle") == ["12065559999"]
    sandbox.take("19995550100")
    assert await caller.numbers("/number/search", Count=1, Prefix="1999") == []
    sandbox.offer("19995550100")
    sandbox.own("19995550100", "sun")
    assert sandbox.owned == ("19995550100", "SUN")
    for change in (sandbox.own, sandbox.take, sandbox.offer):
        with pytest.raises(ValueError, match=r"^19995550100 is (not for sale|the account's, or kept for one of its)"):
            change("19995550100")
    sandbox.take("12065550100")
    with pytest.raises(ValueError, match="12065550100 is not for sale"):
        sandbox.own("12065550101", "12065550100")
    assert sandbox.owned == ("19995550100", "SUN")  # all of them, or none
    for unknown in ("12065550101", "MOON"):
        with pytest.raises(LookupError, match=f"The account does not own {unknown}."):
            sandbox.disown("SUN", unknown)
    sandbox.disown("sun", "19995550100")
    assert not sandbox.owned


@pytest.mark.parametrize("number", ["12065550100 ", "2065550100", "+12065550100"])
def test_a_number_has_eleven_digits(number: str) -> None:
    for change in (Sandbox().own, Sandbox().take, Sandbox().disown):
        if number != "2065550100":  # which would do for a keyword
            with pytest.raises(ValueError, match="is not a number of 11 digits, or a keyword of letters and digits"):
                change(number)
    with pytest.raises(ValueError, match="is not a number of 11 digits"):
        Sandbox().offer(number)


def test_only_200_and_204_go_without_a_body() -> None:
    sandbox = Sandbox()
    with pytest.raises(ValueError, match="configure_status is 200 or 204, not 201"):
        sandbox.configure_status = 201
    with pytest.raises(ValueError, match="update_status is 200 or 204, not 500"):
        sandbox.update_status = 500
    assert (sandbox.configure_status, sandbox.update_status) == (200, 204)


# ------------------------------------------------------------------ faults on request


async def test_faults_come_in_turn_to_the_longest_beginning_of_a_path(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.own("12065550100")
    sandbox.fault_next("/number", "html", "ok", "not_found")
    sandbox.fault_next("/number/search", "error500")
    sandbox.fault_next("/number/search", "rate_limited")
    statuses = [
        (await caller.call("GET", path, **query))[0]
        for path, query in [("/number/search", {"Count": 1}), ("/number", {}), ("/number/regions", {})] * 2
    ]
    assert statuses == [500, 502, 200, 429, 404, 200]


async def test_a_fault_may_strike_before_or_after_the_deed(sandbox: Sandbox, caller: Caller) -> None:
    faults: tuple[tuple[Any, str], ...] = (("drop", "ACTIVE"), ("drop_after", "RELEASED"))
    for word, released in faults:
        sandbox.own("12065550100")
        sandbox.fault_next("/number/release", word)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await caller.call("PUT", "/number/release", Number="12065550100")
        assert sandbox.calls[-1].status is None
        assert (await caller.number("12065550100")).findtext(f"{D}Status") == released
        sandbox.disown("12065550100")


async def test_half_a_list_is_no_list(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.fault_next("/number/regions", "malformed")
    status, body = await caller.call("GET", "/number/regions")
    assert status == 200
    with pytest.raises(ET.ParseError):
        ET.fromstring(body)


def test_a_fault_has_a_path_and_words() -> None:
    with pytest.raises(ValueError, match="path_prefix begins with a slash, unlike 'number'"):
        Sandbox().fault_next("number", "drop")
    with pytest.raises(ValueError, match=r"Each word is one of ok, error500, .*, not 'late'"):
        Sandbox().fault_next("/number", "late")  # type: ignore[arg-type]

"""Bodies that strangers post: what counts as news of an order, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from callfire_async import (
    CallFinished,
    CampaignNotification,
    NumberOrder,
    OrderItem,
    Outcome,
    ProtocolError,
    TextNotification,
)
from callfire_async.providers import Postback
from callfire_async.providers.callfire import CallFireProvider

SAMPLES = Path(__file__).parents[1] / "samples"

DATA = 'xmlns="http://api.callfire.com/data"'
ORDER = '<NumberOrder id="7"><Status>FINISHED</Status><Created>2014-12-17T12:25:36Z</Created><TotalCost>1</TotalCost></NumberOrder>'
STATE = NumberOrder(
    id="7",
    status="FINISHED",
    outcome=Outcome.FINISHED,
    created=datetime(2014, 12, 17, 12, 25, 36, tzinfo=UTC),
    total_cost=Decimal(1),
)
WHOLE = Postback(order_id="7", state=STATE)
HINT: Postback[NumberOrder] = Postback(order_id="7")
NOTHING: Postback[NumberOrder] = Postback()

POSTBACKS = [
    pytest.param(
        (SAMPLES / "postback.number_order.hypothetical.xml").read_bytes(),
        Postback(
            order_id="1428507003",
            state=NumberOrder(
                id="1428507003",
                status="FINISHED",
                outcome=Outcome.FINISHED,
                created=datetime(2014, 12, 17, 12, 25, 36, tzinfo=UTC),
                total_cost=Decimal("1.0"),
                local_numbers=OrderItem(ordered=1, unit_cost=Decimal("1.0"), fulfilled=("18559875391",)),
            ),
        ),
        id="the hypothetical notification",
    ),
    pytest.param(b'{"NumberOrder":{"@id":7}}', HINT, id="JSON"),
    pytest.param(b' [{"a": [1, null, {"NumberOrder": {"@id": "7", "": true}}]}]', HINT, id="JSON within JSON"),
    pytest.param(
        b'{"NumberOrderFinished":{"SubscriptionId":1,"NumberOrder":{"@id":7,"Status":"FINISHED","Created":"2014-12-17T12:25:36Z","TotalCost":1}}}',
        WHOLE,
        id="a whole order in JSON",
    ),
    pytest.param(b'{"@id": 7, "NumberOrder": 7}', NOTHING, id="JSON with an id elsewhere"),
    pytest.param(b"[]", NOTHING, id="JSON of nothing"),
    pytest.param(f"<Whatever {DATA}>{ORDER}</Whatever>".encode(), WHOLE, id="any root"),
    pytest.param(f"<Whatever>{ORDER}</Whatever>".encode(), WHOLE, id="no namespace"),
    pytest.param(ORDER.encode(), WHOLE, id="the order itself"),
    pytest.param(
        ORDER.replace("<", "<q:")
        .replace("<q:/", "</q:")
        .replace(" id", ' xmlns:q="http://api.callfire.com/data" id')
        .encode(),
        WHOLE,
        id="any prefix",
    ),
    pytest.param(
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body><n:NumberOrderFinished'
        f' xmlns:n="http://api.callfire.com/notification/xsd"><n:SubscriptionId>1</n:SubscriptionId><Order {DATA}>{ORDER}</Order>'
        "</n:NumberOrderFinished></s:Body></s:Envelope>".encode(),
        WHOLE,
        id="nested in SOAP",
    ),
    pytest.param(f"<a><b>text</b>mixed{ORDER}content<b/></a>".encode(), WHOLE, id="among other things"),
    pytest.param(f"<a>{ORDER}{ORDER.replace('7', '8', 1)}</a>".encode(), WHOLE, id="two orders: the first"),
    pytest.param(f"<a><NumberOrder/>{ORDER}</a>".encode(), WHOLE, id="an empty order before a whole one"),
    pytest.param(f"<NumberOrder>{ORDER}</NumberOrder>".encode(), WHOLE, id="an order in an order without id"),
    pytest.param(f"<a><b><c>{ORDER}</c></b></a>".encode(), WHOLE, id="deeper"),
    pytest.param(b'<a><NumberOrder id="7"/></a>', HINT, id="an id and nothing else"),
    pytest.param(b'<x:NumberOrder xmlns:x="urn:other" id="7"/>', HINT, id="an order in a foreign namespace"),
    pytest.param(b'<a><NumberOrder id="7">FINISHED</NumberOrder></a>', HINT, id="an id and a text"),
    pytest.param(b'<a><NumberOrder id="7"><Status>FINISHED</Status></NumberOrder></a>', HINT, id="an id and a status"),
    pytest.param(ORDER.replace(">1<", ">NaN<").encode(), HINT, id="an order that costs NaN"),
    pytest.param(ORDER.replace("2014", "0000").encode(), HINT, id="an order of the year 0"),
    pytest.param(
        ORDER.replace("2014-12-17T12:25:36Z", "0001-01-01T00:00:00+14:00").encode(),
        HINT,
        id="an order from before the first year, in UTC",
    ),
    pytest.param(b'<a><NumberOrder id="seven"/></a>', NOTHING, id="an id that is no number"),
    pytest.param(f'<a><NumberOrder id="{"7" * 20}"/></a>'.encode(), NOTHING, id="an id that is no long"),
    pytest.param(b"<a><NumberOrder><id>7</id></NumberOrder></a>", NOTHING, id="an id that is an element"),
    pytest.param(b'<a><numberorder id="7"/></a>', NOTHING, id="another name"),
    pytest.param(b'<a NumberOrder="7" id="7"/>', NOTHING, id="an attribute of that name"),
    pytest.param(b"<a/>", NOTHING, id="an empty root"),
    pytest.param(b"<a>NumberOrder 7</a>", NOTHING, id="a root of text"),
]


@pytest.mark.parametrize(("body", "postback"), POSTBACKS)
def test_a_body_is_news_of_this_order(body: bytes, postback: Postback[NumberOrder]) -> None:
    assert CallFireProvider().decode_postback({}, body) == postback


@pytest.mark.parametrize("content_type", ["text/xml; charset=UTF-8", "application/json", "nonsense"])
def test_the_body_decides_and_not_what_its_headers_call_it(content_type: str) -> None:
    assert CallFireProvider().decode_postback({"content-type": content_type}, ORDER.encode()) == WHOLE


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"NumberOrder=7", id="a form"),
        pytest.param(ORDER.encode()[:-1], id="half an order"),
        pytest.param(b"<a><Modified>2012-09-24T05:02:35Z</Modified</a>", id="the vendor's own sample, as published"),
        pytest.param(b'<a b="1" b="2"/>', id="an attribute twice"),
        pytest.param(b"<a>&order;</a>", id="an entity nobody declared"),
        pytest.param(b"<a:b/>", id="a prefix nobody declared"),
        pytest.param(b'<?xml version="1.0" encoding="klingon"?><a/>', id="an encoding nobody knows"),
        pytest.param("<a>é</a>".encode("latin-1"), id="another encoding than it says"),
    ],
)
def test_a_body_that_is_no_xml_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^The XML cannot be read: .*\.$") as caught:
        CallFireProvider().decode_postback({}, body)
    assert caught.value.body == body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="half an object"),
        pytest.param(b'{"a": 1, "a": 2}', id="a name twice"),
        pytest.param(b'{"NumberOrder": {"@id": NaN}}', id="no number"),
        pytest.param(b"[" * 30_000, id="depth"),
        pytest.param(b'{"a": [' + b"1," * 20_000 + b"1]}", id="too many values"),
        pytest.param(b'{"a": ' + b"9" * 60_000 + b"}", id="an absurd number"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
    ],
)
def test_a_body_that_is_no_json_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^The JSON cannot be read: .*\.$"):
        CallFireProvider().decode_postback({}, body)


ACTION = {
    "from_number": "18185550100",
    "to_number": "18185550199",
    "state": "FINISHED",
    "inbound": True,
    "created": datetime(2012, 9, 24, 5, 2, 35, tzinfo=UTC),
    "modified": datetime(2012, 9, 24, 5, 2, 35, tzinfo=UTC),
    "final_result": "RECEIVED",
    "contact_id": "1418291001",
}
FIELDS = (
    "<FromNumber>18185550100</FromNumber><ToNumber>18185550199</ToNumber><State>FINISHED</State><ContactId>1418291001</ContactId>"
    "<Inbound>true</Inbound><Created>2012-09-24T05:02:35Z</Created><Modified>2012-09-24T05:02:35Z</Modified><FinalResult>RECEIVED</FinalResult>"
)


def within(root: str, item: str) -> bytes:
    return (
        f'<n:{root} {DATA} xmlns:n="http://api.callfire.com/notification/xsd"><n:SubscriptionId>19001</n:SubscriptionId>{item}</n:{root}>'
    ).encode()


NOTIFICATIONS = [
    pytest.param(
        (SAMPLES / "postback.text.xml").read_bytes(),
        TextNotification(id="5707328001", subscription_id="19001", message="Hello", raw={}, **ACTION),  # type: ignore[arg-type]
        id="the sample of a text",
    ),
    pytest.param(
        b'{"TextNotification": {"SubscriptionId": 19001, "Text": {"@id": 5707328001, "FromNumber": 18185550100, "ToNumber": "18185550199",'
        b'"State": "FINISHED", "ContactId": 1418291001, "Inbound": true, "Created": "2012-09-24T05:02:35Z", "Modified": "2012-09-24T05:02:35Z",'
        b'"FinalResult": "RECEIVED", "Message": "Hello"}}}',
        TextNotification(id="5707328001", subscription_id="19001", message="Hello", raw={}, **ACTION),  # type: ignore[arg-type]
        id="the same in JSON",
    ),
    pytest.param(
        within("CallFinished", f'<Call id="7">{FIELDS}<CallRecord id="8"><Result>LA</Result></CallRecord></Call>'),
        CallFinished(id="7", subscription_id="19001", raw={}, **ACTION),  # type: ignore[arg-type]
        id="a call",
    ),
    pytest.param(
        within(
            "BroadcastNotification",
            '<Broadcast id="9"><Name>Spring</Name><Status>FINISHED</Status><LastModified>2012-09-24T05:02:35Z</LastModified><Type>TEXT</Type></Broadcast>',
        ),
        CampaignNotification(
            id="9",
            subscription_id="19001",
            name="Spring",
            status="FINISHED",
            type="TEXT",
            last_modified=datetime(2012, 9, 24, 5, 2, 35, tzinfo=UTC),
            raw={},
        ),
        id="a campaign",
    ),
    pytest.param(
        b'<a><Text id="1"><Created>yesterday</Created><Inbound>maybe</Inbound></Text></a>',
        TextNotification(id="1", raw={}),
        id="a text of which little can be read",
    ),
]


@pytest.mark.parametrize(("body", "notification"), NOTIFICATIONS)
@pytest.mark.parametrize("packed", ["bare", "in SOAP"])
def test_a_body_tells_of_something_else(
    packed: str, body: bytes, notification: TextNotification | CallFinished | CampaignNotification
) -> None:
    if packed == "in SOAP":
        if body.startswith(b"{"):
            pytest.skip("SOAP holds no JSON")
        bare = body.partition(b"?>")[2] if body.startswith(b"<?") else body
        body = (
            b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            + bare
            + b"</s:Body></s:Envelope>"
        )
    postback = CallFireProvider().decode_postback({}, body)
    assert postback.order_id is None
    told = postback.notification
    assert isinstance(told, type(notification))
    assert told.raw["@id"] == notification.id
    assert replace(told, raw={}) == notification

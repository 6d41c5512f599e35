"""What webhooks post: the signature, and what counts as news of an order."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from callfire_async import (
    CallFireV2,
    ConfigurationError,
    InvalidOrderError,
    NumberOrder,
    Outcome,
    ProtocolError,
    Webhook,
)
from callfire_async.providers import Postback
from callfire_async.providers.callfire_v2 import CallFireV2Provider
from callfire_async.providers.callfire_v2_webhooks import Signature, WebhookChanges, members

# The vendor's own sample.
SECRET, BODY, SIGNATURE = (
    "mysecrets",
    b'{"name":"test webhook", "callback":"sms:callfire"}',
    "v14pF7d5C1+CHNIEWlg+sw9v0Xg=",
)
SIGNED = {"x-callfire-signature": SIGNATURE}
CODEC = CallFireV2Provider()


def test_the_vendors_sample_is_signed_so() -> None:
    assert Signature(SECRET).of(BODY) == SIGNATURE
    assert CallFireV2Provider(webhook_secret=SECRET).decode_postback(SIGNED, BODY) == Postback()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({}, BODY, id="none"),
        pytest.param({"x-callfire-signature": ""}, BODY, id="empty"),
        pytest.param({"x-callfire-signature": SIGNATURE.lower()}, BODY, id="in small letters"),
        pytest.param({"x-callfire-signature": SIGNATURE[:-1]}, BODY, id="cut off"),
        pytest.param({"x-callfire-signature": f"{SIGNATURE}, {SIGNATURE}"}, BODY, id="twice"),
        pytest.param({"x-callfire-signature": "\ud800é"}, BODY, id="no ASCII"),
        pytest.param(SIGNED, BODY + b" ", id="of another body"),
        pytest.param(SIGNED, BODY.replace(b", ", b","), id="of the same JSON in other bytes"),
        pytest.param(SIGNED, b"\xff" * 100, id="of bytes"),
    ],
)
def test_any_other_signature_is_refused_and_the_body_not_looked_at(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not looked at") as caught:
        CallFireV2Provider(webhook_secret=SECRET).decode_postback(headers, body)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_without_a_secret_nothing_is_checked() -> None:
    assert CODEC.decode_postback({"x-callfire-signature": "nonsense"}, BODY) == Postback()


@pytest.mark.parametrize("secret", ["", "\ud800"])
def test_an_impossible_secret_is_refused_and_not_quoted(secret: str) -> None:
    """An empty one, from a variable that was not set, would let everyone in who knows that it is empty."""
    with pytest.raises(ConfigurationError, match="webhook_secret") as caught:
        CallFireV2("login", "password", webhook_secret=secret)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_secret_is_shown_nowhere() -> None:
    client = CallFireV2("login", "password", webhook_secret="hunter2")  # noqa: S106
    hook = Webhook(id="1", callback="https://example.com/token2", secret="hunter2")  # noqa: S106
    shown = "".join(map(repr, (client, client._codec, client._codec._signature, hook)))
    assert "hunter2" not in shown
    assert "token2" not in shown


# ------------------------------------------------------------------ what a webhook may be

WHOLE: WebhookChanges = {
    "name": "n",
    "resource": "InboundText",
    "events": ["Finished"],
    "callback": "https://example.com/token2",
    "secret": "hunter2",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": 1},
        {"resource": " "},
        {"events": []},
        {"events": "Finished"},
        {"events": ["no word"]},
        {"events": ["Finished", "Finished"]},
        {"callback": "token2"},
        {"callback": "ftp://example.com/token2"},
        {"secret": "hunter2\n"},
        {"expires_at": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"colour": "red"},
    ],
    ids=repr,
)
def test_what_cannot_be_a_webhook_is_refused_and_no_secret_quoted(wrong: Any) -> None:
    with pytest.raises(InvalidOrderError, match=r"nothing was sent\.$") as caught:
        members({**WHOLE, **wrong})
    assert "hunter2" not in str(caught.value)
    assert "token2" not in str(caught.value)


# ------------------------------------------------------------------ news of an order

ORDER = {"id": 7, "status": "FINISHED", "created": 1443402092000, "totalCost": 1.5}
STATE = NumberOrder(
    id="7",
    status="FINISHED",
    outcome=Outcome.FINISHED,
    created=datetime(2015, 9, 28, 1, 1, 32, tzinfo=UTC),
    total_cost=Decimal("1.5"),
)
FOUND = Postback(order_id="7", state=STATE)
HINT: Postback[NumberOrder] = Postback(order_id="7")
NOTHING: Postback[NumberOrder] = Postback()


def payload(*resources: Any, kind: str = "NumberOrder") -> dict[str, Any]:
    """In the form of the vendor's guide."""
    events = [
        {"timestamp": 1, "webhookId": 2, "resourceType": kind, "eventType": "Finished", "resource": r}
        for r in resources
    ]
    return {"timestamp": 1, "webhookId": 2, "webhookName": "hook", "resourceType": kind, "events": events}


@pytest.mark.parametrize(
    ("document", "means"),
    [
        pytest.param(payload(ORDER), FOUND, id="the hypothetical payload"),
        pytest.param(payload(ORDER, kind="order"), FOUND, id="a resource of another name"),
        pytest.param(payload(ORDER, kind="Whatever"), FOUND, id="a resource of any name, as it costs something"),
        pytest.param(ORDER, FOUND, id="the order itself"),
        pytest.param([[{"a": [ORDER]}]], FOUND, id="anywhere"),
        pytest.param(payload(ORDER, {**ORDER, "id": 8}), FOUND, id="two orders: the first"),
        pytest.param(payload({**ORDER, "id": "7"}), FOUND, id="an id in quotes"),
        pytest.param(payload({"id": 7}), HINT, id="an id and nothing else"),
        pytest.param(payload({**ORDER, "status": None}), HINT, id="an order without status"),
        pytest.param(payload({**ORDER, "created": 10**18}), HINT, id="an order of the far future"),
        pytest.param(payload({**ORDER, "totalCost": "free"}), HINT, id="an order that costs no number"),
        pytest.param(
            payload({**ORDER, "localNumbers": {"ordered": -1, "unitCost": 1}}), HINT, id="an order of less than nothing"
        ),
        pytest.param(payload({**ORDER, "id": True}), NOTHING, id="an id that is true"),
        pytest.param(payload({**ORDER, "id": -7}), NOTHING, id="a negative id"),
        pytest.param(payload({**ORDER, "id": 10**19}), NOTHING, id="an id beyond a long"),
        pytest.param(payload({**ORDER, "id": "7/../8"}), NOTHING, id="an id that is a path"),
        pytest.param(payload({"id": 7, "fromNumber": "12065550100"}, kind="InboundText"), NOTHING, id="a text"),
        pytest.param(payload(None), NOTHING, id="an event of nothing"),
        pytest.param({}, NOTHING, id="nothing"),
        pytest.param(None, NOTHING, id="null"),
    ],
)
def test_a_payload_means(document: Any, means: Postback[NumberOrder]) -> None:
    assert CODEC.decode_postback({}, json.dumps(document).encode()) == means

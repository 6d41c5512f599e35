"""The parameters and bodies of API v2, read and checked literally: a wrong one is refused with a sentence, never guessed at."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from .forms import MOST_AT_ONCE, RefusedError, Wanted
from .regions import Where

_Rule = tuple[Callable[[Any], bool], str]


def _text(pattern: str, meaning: str) -> _Rule:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, meaning


def _texts(pattern: str, meaning: str) -> _Rule:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and value != [] and all(_text(pattern, "")[0](item) for item in value)

    return fits, f"an array of {meaning}"


def _whole(least: int, most: int) -> _Rule:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return fits, f"a whole number from {least} to {most}"


_ANY: Final = _text(r"\S.{0,254}", "a text of at most 255 characters")
_ID: Final = _whole(0, 2**63 - 1)
_FLAG: Final[_Rule] = (lambda value: isinstance(value, bool), "true or false")
_FEATURE: Final = _text("ENABLED|DISABLED", "ENABLED or DISABLED")
_NUMBERS: Final = _texts("[0-9]{11}", "numbers of 11 digits without a plus sign")

# NumberPurchaseRequest's fields of a region. Country, latitude, longitude and time zone are not among them.
_REGION: Final = {
    "prefix": _text("[0-9]{4,7}", "4 to 7 digits, with the leading country code 1"),
    "city": _ANY,
    "state": _ANY,
    "zipcode": _ANY,
    "lata": _ANY,
    "rateCenter": _ANY,
}

NUMBER_ORDER: Final = {
    "numbers": _NUMBERS,
    "localCount": _whole(1, MOST_AT_ONCE),
    "tollFreeCount": _whole(1, MOST_AT_ONCE),
    **_REGION,
}
KEYWORD_ORDER: Final = {"keywords": _texts("[A-Za-z0-9]{1,64}", "keywords of 1 to 64 letters and digits")}
NUMBER_LEASE: Final = {"autoRenew": _FLAG, "callFeatureStatus": _FEATURE, "textFeatureStatus": _FEATURE}
KEYWORD_LEASE: Final = {"autoRenew": _FLAG}
#: The members of a NumberConfig's two objects, each with its name in API 1.1.
TRACKING: Final = {
    "transferNumbers": (_NUMBERS, "TransferNumber"),
    "screen": (_FLAG, "Screen"),
    "recorded": (_FLAG, "Record"),
    "introSoundId": (_ID, "IntroSoundId"),
    "whisperSoundId": (_ID, "WhisperSoundId"),
}
IVR: Final = {"dialplanXml": (_text(r"(?s)\s*<.+>\s*", "an XML document"), "DialplanXml")}
CONFIGURATION: Final = {
    "configType": _text("TRACKING|IVR", "TRACKING or IVR"),
    "callTrackingConfig": ((lambda value: isinstance(value, dict)), "an object"),
    "ivrInboundConfig": ((lambda value: isinstance(value, dict)), "an object"),
}
WEBHOOK: Final = {
    "name": _ANY,
    "resource": _ANY,
    "events": _texts("[A-Za-z]{1,64}", "words such as Finished"),
    "callback": _text(r"https?://[^\s/]\S{0,2000}", "an http or https address"),
    "secret": _ANY,
    "enabled": _FLAG,
    "nonStrictSsl": _FLAG,
    "fields": _ANY,
    "singleUse": _FLAG,
    "expiresAt": _ID,
}

_LIMIT: Final = {"limit": (r"[1-9][0-9]{0,2}|1000", "a whole number from 1 to 1000")}
_OFFSET: Final = {"offset": (r"[0-9]{1,9}", "a whole number")}
_WHERE: Final = {name: (r"\S.{0,254}", meaning) for name, (_, meaning) in _REGION.items()}
_MOMENT: Final = (r"[0-9]{1,15}", "milliseconds since 1970")

#: Parameters of the lists. "fields" is not among them: no partial answers are made here.
PAGE: Final = {**_LIMIT, **_OFFSET}
ORDERS: Final = {**PAGE, "status": (r"[A-Z_]+", "a status"), "intervalBegin": _MOMENT, "intervalEnd": _MOMENT}
REGIONS: Final = {**PAGE, **_WHERE}
LEASES: Final = {**PAGE, **_WHERE, "labelName": (r"\S.{0,254}", "a text of at most 255 characters")}
LOCAL: Final = {**_LIMIT, **_WHERE}
TOLL_FREE: Final = _LIMIT


async def read_object(request: web.Request, known: Mapping[str, _Rule]) -> dict[str, Any]:
    """Read and check the JSON object of a POST or PUT."""
    if request.content_type != "application/json":
        raise RefusedError(415, f"A body is application/json, not {request.content_type}.")
    if request.query_string:
        raise RefusedError(400, "A POST or PUT takes no parameters in its address.")
    try:
        given = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "The body is no JSON.") from error
    if not isinstance(given, dict):
        raise RefusedError(400, "The body is no JSON object.")
    check_members(given, known)
    return given


def check_members(given: Mapping[str, Any], known: Mapping[str, _Rule]) -> None:
    """Refuse what is unknown, misspelt or malformed."""
    for name, value in given.items():
        if name not in known:
            raise RefusedError(400, f"Unknown member {name}.")
        fits, meaning = known[name]
        if not fits(value):
            raise RefusedError(400, f"{name} is {meaning}.")


def read_wanted(body: Mapping[str, Any]) -> Wanted:
    """Understand a purchase."""
    wanted = Wanted(
        numbers=tuple(body.get("numbers", ())),
        keywords=tuple(body.get("keywords", ())),
        local=body.get("localCount", 0),
        toll_free=body.get("tollFreeCount", 0),
        where=read_where(body),
    )
    if not (wanted.numbers or wanted.keywords or wanted.local or wanted.toll_free):
        raise RefusedError(400, "An order needs numbers, keywords, localCount or tollFreeCount.")
    return wanted


def read_where(given: Mapping[str, str]) -> Where:
    """Understand the fields of a region, which are those of API 1.1 with a small letter."""
    return Where.of({name[0].upper() + name[1:]: given[name] for name in _REGION if name in given})


def read_page(query: Mapping[str, str]) -> slice:
    """Understand limit and offset among the checked parameters of a list."""
    first = int(query.get("offset", 0))
    return slice(first, first + int(query.get("limit", 100)))

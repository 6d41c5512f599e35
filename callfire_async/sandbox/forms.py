"""The parameters of API 1.1, read and checked literally: a wrong one is refused with a sentence, never guessed at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .regions import Where

#: The most numbers one count may ask for: the sandbox's own bound, CallFire documents none.
MOST_AT_ONCE: Final = 1000

_LONG: Final = (r"[0-9]{1,18}", "a whole number")
_THOUSAND: Final = (r"[1-9][0-9]{0,2}|1000", "a whole number from 1 to 1000")
_BOOLEAN: Final = (r"true|false|1|0", "true or false")
_TEXT: Final = (r"\S.{0,254}", "a text of at most 255 characters")
_FLOAT: Final = (r"-?[0-9]{1,3}(\.[0-9]{1,15})?", "a decimal number of degrees")
_COUNT: Final = (r"[1-9][0-9]{0,3}", f"a whole number from 1 to {MOST_AT_ONCE}")

# data:Region, flattened without a prefix.
_REGION: Final = {
    "Prefix": (r"[0-9]{4,7}", "4 to 7 digits, with the leading country code 1"),
    "City": _TEXT,
    "State": _TEXT,
    "Zipcode": _TEXT,
    "Country": (r"[A-Za-z]{2}", "2 letters"),
    "Lata": _TEXT,
    "RateCenter": _TEXT,
    "Latitude": _FLOAT,
    "Longitude": _FLOAT,
    "TimeZone": _TEXT,
}

#: Parameters of CreateNumberOrder: name -> pattern, and what is meant in words.
ORDER: Final = {
    # The schema would allow a plus sign; every example is bare digits.
    "Numbers": (r"[0-9]{11}( [0-9]{11})*", "numbers of 11 digits without a plus sign, separated by one space"),
    "Keywords": (
        r"[A-Za-z0-9]{1,64}( [A-Za-z0-9]{1,64})*",
        "keywords of 1 to 64 letters and digits, separated by one space",
    ),
    # These two alone begin with a small letter: ann:restParam in the vendor's schema.
    "localCount": _COUNT,
    "tollFreeCount": _COUNT,
    **_REGION,
}

#: Parameters of CreateSubscription and UpdateSubscription.
SUBSCRIPTION: Final = {
    "RequestId": _TEXT,
    "Enabled": _BOOLEAN,
    "NonStrictSsl": _BOOLEAN,
    "Endpoint": (
        r"https?://[^\s/]\S{0,2000}|[^\s@]{1,64}@[^\s@]{1,255}",
        "an http or https address, or an e-mail address",
    ),
    "NotificationFormat": (r"XML|JSON|SOAP|EMAIL|LEGACY", "XML, JSON, SOAP, EMAIL or LEGACY"),
    "TriggerEvent": (
        r"UNDEFINED_EVENT|(IN|OUT)BOUND_(CALL|TEXT)_FINISHED|CAMPAIGN_(STARTED|STOPPED|FINISHED)",
        "an event such as CAMPAIGN_FINISHED",
    ),
    "ExpiresAt": _LONG,  # stands only in the last edition of the documents
    "BroadcastId": _LONG,
    "BatchId": _LONG,
    "FromNumber": (r"\+?[0-9]{1,20}", "a phone number or short code"),
    "ToNumber": (r"\+?[0-9]{1,20}(:[A-Za-z0-9]{1,64})?", "a phone number, or a short code with :KEYWORD"),
    "Inbound": _BOOLEAN,
}

#: Parameters of the lists.
PAGE: Final = {"MaxResults": _THOUSAND, "FirstResult": _LONG}

#: Parameters of the number service's operations, each under its name in the vendor's documents.
QUERY_REGIONS: Final = {**PAGE, **_REGION}
QUERY_NUMBERS: Final = {**PAGE, **_REGION, "LabelName": _TEXT}
# No document at hand gives Count a greatest value. Here it is the one of every list.
SEARCH_NUMBERS: Final = {"Count": _THOUSAND, "TollFree": _BOOLEAN, **_REGION}
SEARCH_KEYWORDS: Final = {"Keywords": ORDER["Keywords"]}
RELEASE: Final = {
    "Number": (r"[0-9]{11}|67076", "a number of 11 digits, or the short code 67076"),
    "Keyword": (
        r"[A-Za-z0-9]{1,64}([ ,][A-Za-z0-9]{1,64})*",
        "keywords of 1 to 64 letters and digits, separated by one comma or space",
    ),
}
#: The parameters of ConfigureNumber that belong to an InboundCallConfigurationType, in the sequence of the vendor's schema.
INBOUND: Final = {
    "TRACKING": {
        "TransferNumber": (r"\+?[0-9]{1,20}( \+?[0-9]{1,20})*", "phone numbers, separated by one space"),
        "Screen": _BOOLEAN,
        "Record": _BOOLEAN,
        "IntroSoundId": _LONG,
        "WhisperSoundId": _LONG,
    },
    "IVR": {"DialplanXml": (r"(?s)\s*<.+>\s*", "an XML document")},
}
CONFIGURE: Final = {
    # PENDING and UNSUPPORTED stand in the enumeration too: states that CallFire tells of, and nobody can ask for.
    "CallFeature": (r"ENABLED|DISABLED", "ENABLED or DISABLED"),
    "TextFeature": (r"ENABLED|DISABLED", "ENABLED or DISABLED"),
    "InboundCallConfigurationType": (r"TRACKING|IVR", "TRACKING or IVR"),
    **INBOUND["TRACKING"],
    **INBOUND["IVR"],
}


class RefusedError(Exception):
    """Carries a ResourceException: the HTTP status, the sentence, and headers if any."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as it was understood."""

    numbers: tuple[str, ...]
    keywords: tuple[str, ...]
    local: int
    toll_free: int
    where: Where


async def read_form(request: web.Request) -> dict[str, str]:
    """Read the form fields of a POST or PUT: every client of CallFire sends these, none an XML body."""
    if request.content_type not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        raise RefusedError(415, f"Parameters are sent as form fields, not as {request.content_type}.")
    if request.query_string:
        raise RefusedError(400, "Parameters of a POST or PUT stand in the form, not in the address.")
    try:
        posted = await request.post()
    except (ValueError, LookupError, HttpProcessingError) as error:  # LookupError: no such charset
        raise RefusedError(400, "The form cannot be read.") from error
    for value in posted.values():
        if isinstance(value, web.FileField):
            value.file.close()
    form: dict[str, str] = {}
    for name, value in posted.items():
        # A file, or bytes: a part with a content type of its own.
        if not isinstance(value, str):
            raise RefusedError(400, f"Parameter {name} is a plain form field, not a file.")
        if name in form:
            raise RefusedError(400, f"Parameter {name} is given twice.")
        if "\ufffd" in name + value:  # aiohttp puts it where it could not decode
            raise RefusedError(400, "The form is not UTF-8.")
        form[name] = value
    return form


def check(form: Mapping[str, str], known: Mapping[str, tuple[str, str]]) -> None:
    """Refuse what is unknown, misspelt or malformed."""
    for name, value in form.items():
        if name not in known:
            meant = next((right for right in known if right.lower() == name.lower()), None)
            hint = f"; it is spelt {meant}" if meant else ""
            raise RefusedError(400, f"Unknown parameter {name}{hint}.")
        pattern, meaning = known[name]
        if not re.fullmatch(pattern, value):
            raise RefusedError(400, f"{name} is {meaning}.")


def read_order(form: Mapping[str, str]) -> Wanted:
    """Understand the parameters of CreateNumberOrder."""
    check(form, ORDER)
    wanted = Wanted(
        numbers=tuple(form.get("Numbers", "").split()),
        keywords=tuple(form.get("Keywords", "").split()),
        local=int(form.get("localCount", 0)),
        toll_free=int(form.get("tollFreeCount", 0)),
        where=read_where(form),
    )
    if max(wanted.local, wanted.toll_free) > MOST_AT_ONCE:
        raise RefusedError(400, f"At most {MOST_AT_ONCE} numbers are sold at once.")
    # The schema lets an empty order pass, and no document says what becomes of it.
    if not (wanted.numbers or wanted.keywords or wanted.local or wanted.toll_free):
        raise RefusedError(400, "An order needs Numbers, Keywords, localCount or tollFreeCount.")
    return wanted


def read_where(form: Mapping[str, str]) -> Where:
    """Understand the Region fields among checked parameters."""
    if ("Latitude" in form) != ("Longitude" in form):
        raise RefusedError(400, "Latitude and Longitude are given together.")  # inferred: one alone is no place
    return Where.of(form)


def read_page(query: Mapping[str, str]) -> slice:
    """Understand MaxResults and FirstResult among the checked parameters of a list."""
    first = int(query.get("FirstResult", 0))
    return slice(first, first + int(query.get("MaxResults", 1000)))


def read_query(request: web.Request, known: Mapping[str, tuple[str, str]], *required: str) -> dict[str, str]:
    """Read and check the parameters in the address of a GET or DELETE."""
    query: dict[str, str] = {}
    for name, value in request.query.items():
        if name in query:
            raise RefusedError(400, f"Parameter {name} is given twice.")
        query[name] = value
    check(query, known)
    require(query, *required)
    return query


def require(form: Mapping[str, str], *names: str) -> None:
    """Refuse where one is missing. The sentence is CallFire's own, of TriggerEvent."""
    for name in names:
        if name not in form:
            raise RefusedError(400, f"{name} is required")

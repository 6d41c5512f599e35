"""CM.com Voice: what may be ordered. Every rule here is documented; nothing more is checked, because nothing more is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from callfire_async.errors import InvalidOrderError

if TYPE_CHECKING:
    from callfire_async.orders import JSON

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: North American area codes: three digits, the first of them 2 to 9.
_NANPA: Final = re.compile(r"(\+?1)?[2-9][0-9]{2}")

MOST_QUANTITY: Final = 1_000  # documented
MOST_IN_RANGE: Final = 2**31 - 1  # an int32 (inferred)


def order_content(
    *,
    company_profile: str,
    quantity: int,
    number_type: str,
    range_size: int | None,
    area_code: str | None,
    city: str | None,
    region: str | None,
    comment: str | None,
) -> dict[str, JSON]:
    """The checked arguments of an order, those left out absent; otherwise InvalidOrderError."""
    if not isinstance(company_profile, str) or not UUID.fullmatch(company_profile):
        raise InvalidOrderError(
            f"company_profile={company_profile!r} must be the uuid of a company profile; nothing was sent."
        )
    _check_count("quantity", quantity, MOST_QUANTITY)
    if range_size is not None:
        _check_count("range_size", range_size, MOST_IN_RANGE)
    optional = {"area_code": area_code, "city": city, "region": region, "comment": comment}
    texts = {"number_type": number_type} | {name: text for name, text in optional.items() if text is not None}
    for name, text in texts.items():
        _check_text(name, text)
    if area_code is None and city is None:
        raise InvalidOrderError("Give an area_code or a city, or both: CM.com demands one. Nothing was sent.")
    # A city does not tell its country, so the area code is all there is to see by whether this is North America.
    if region is not None and area_code is not None and not _NANPA.fullmatch(area_code):
        raise InvalidOrderError(
            f"region={region!r} is for North America alone, and area_code={area_code!r} is none of its area codes of three digits; "
            "nothing was sent."
        )
    content: dict[str, JSON] = {"company_profile": company_profile, "quantity": quantity, **texts}
    return content if range_size is None else {**content, "range_size": range_size}


def _check_count(name: str, value: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidOrderError(f"{name}={value!r} must be a whole number from 1 to {most:,}; nothing was sent.")


def _check_text(name: str, text: str) -> None:
    """A comment may have several lines, and nothing may have half a character."""
    whole = isinstance(text, str) and text.strip() and text == text.encode(errors="replace").decode()
    if not whole or (name != "comment" and not text.isprintable()):
        raise InvalidOrderError(f"{name}={text!r} must be a text that is not empty; nothing was sent.")

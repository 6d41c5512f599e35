"""Arguments that cannot be an order, refused before anything is sent; and the spellings a person may use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from callfire_async import InvalidOrderError, Region
from callfire_async.orders import e164
from callfire_async.providers.callfire import CallFireProvider, order_content

ONE = "18559875391"

NOBODYS_NUMBERS = [
    pytest.param("8559875391", id="ten digits"),
    pytest.param("185598753912", id="twelve digits"),
    pytest.param("28559875391", id="another country"),
    pytest.param("+44 20 7946 0958", id="London"),
    pytest.param("1855WUPHF01", id="letters"),
    pytest.param("", id="nothing"),
    pytest.param("+", id="a plus"),
    pytest.param("++18559875391", id="two pluses"),
    pytest.param("1+8559875391", id="a plus inside"),
    pytest.param("001 855 987 5391", id="a dialling prefix"),
    pytest.param("tel:+18559875391", id="an address"),
    pytest.param("+1 855 987 5391 ext. 4", id="an extension"),
    pytest.param("18559875391,12135555555", id="two numbers"),
    pytest.param("18559875391 12135555555", id="two numbers and a space"),
    pytest.param("185598\n75391", id="a line break inside"),
    pytest.param("１８５５９８７５３９１", id="fullwidth digits"),  # noqa: RUF001
    pytest.param("1\u0668559875391", id="an Arabic digit"),
    pytest.param("1" * 5_000, id="5,000 digits"),
    pytest.param(None, id="None"),
    pytest.param(18559875391, id="an int"),
    pytest.param(b"18559875391", id="bytes"),
    pytest.param(["18559875391"], id="a list"),
]

BAD_REGIONS: dict[str, tuple[Any, ...]] = {
    "prefix": ("206", "2206", "120", "12065551", "1206 ", "1206\n", "12O6", "1\u0662\u0660\u0666", 1206, ""),
    "city": ("", "  ", 5, True, b"Seattle", "Saint-J\udce9r\udcf4me"),
    "state": ("", 5),
    "zipcode": ("", 98154),
    "country": ("U", "USA", "U1", "ÜS", "", 1),
    "lata": ("", 674),
    "rate_center": ("", 5),
    "latitude": (90.01, -90.01, float("nan"), float("inf"), "47.61", True, b"47", [47.61], {}, 47j),
    "longitude": (180.01, -180.01, float("nan"), float("-inf"), "1", False, b"1", [1], 1j),
    "time_zone": ("", 5),
}

REFUSED = [
    pytest.param({}, "empty", id="nothing at all"),
    pytest.param({"numbers": [], "keywords": (), "local": 0, "toll_free": 0}, "empty", id="nothing, at length"),
    pytest.param({"region": Region(city="Seattle")}, "region alone", id="a region and nothing else"),
    pytest.param({"numbers": iter(())}, "empty", id="an iterator without numbers"),
    *(
        pytest.param({name: value}, rf"^{name}=.*list", id=f"{name} of {what}")
        for name in ("numbers", "keywords")
        for what, value in (
            ("a bare string", "18559875391"),
            ("an empty string", ""),
            ("bytes", b"18559875391"),
            ("None", None),
            ("an int", 18559875391),
        )
    ),
    *(
        pytest.param({name: value}, rf"^{name}=.*from 0 to 10,000", id=f"{name} of {value!r}")
        for name in ("local", "toll_free")
        for value in (-1, True, False, 1.0, float("nan"), "3", None, 10_001, 10**9)
    ),
    *(
        pytest.param({"keywords": [word]}, "keyword", id=f"the keyword {str(word)[:8]!r}")
        for word in ("", "A" * 65, "a b", "é", "a-b", "SUN\n", " SUN", "\uff21", None, 7, b"SUN")
    ),
    pytest.param({"numbers": [ONE, "+1 (855) 987-5391"]}, f"{ONE} more than once", id="a number in two spellings"),
    pytest.param({"keywords": ["SUN", "MOON", "SUN"]}, "SUN more than once", id="a keyword twice"),
    pytest.param({"keywords": [f"K{n}" for n in range(10_001)]}, "10,001 entries", id="10,001 keywords"),
    pytest.param({"numbers": [str(12060000000 + n) for n in range(10_001)]}, "10,001 entries", id="10,001 numbers"),
    pytest.param({"local": 1, "region": {"city": "Seattle"}}, "Region", id="a region that is a dict"),
    pytest.param({"local": 1, "region": "Seattle"}, "Region", id="a region that is a text"),
    *(
        pytest.param({"local": 1, "region": Region(**{name: value})}, name, id=f"a region with {name} {value!r}")
        for name, values in BAD_REGIONS.items()
        for value in values
    ),
]


@pytest.mark.parametrize(("arguments", "reason"), REFUSED)
def test_what_cannot_be_an_order_is_refused_before_anything_is_sent(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidOrderError, match=reason) as caught:
        order_content(**arguments)
    assert str(caught.value).endswith(("; nothing was sent.", " Nothing was sent."))


@pytest.mark.parametrize("number", NOBODYS_NUMBERS)
def test_what_is_no_north_american_number_is_refused(number: Any) -> None:
    for numbers in ([number], [ONE, number]):
        with pytest.raises(InvalidOrderError, match=r"North American.*; nothing was sent\.$") as caught:
            order_content(numbers=numbers)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        pytest.param({"local": 10_000}, {"local": 10_000}, id="the largest count"),
        pytest.param({"toll_free": 1, "local": 0}, {"toll_free": 1}, id="the smallest count"),
        pytest.param({"keywords": ["a"]}, {"keywords": ["a"]}, id="the shortest keyword"),
        pytest.param({"keywords": {"SUN": 1}}, {"keywords": ["SUN"]}, id="any iterable of texts"),
        pytest.param({"local": 1, "region": Region(prefix="1206")}, {"local": 1, "region": {"prefix": "1206"}}, id="the shortest prefix"),
        pytest.param({"local": 1, "region": Region(prefix="1920659")}, {"local": 1, "region": {"prefix": "1920659"}}, id="the longest prefix"),
    ],
)  # fmt: skip
def test_what_is_just_allowed_is_kept(arguments: dict[str, Any], kept: dict[str, Any]) -> None:
    assert order_content(**arguments) == kept


@pytest.mark.parametrize(
    "spelling",
    [
        "18559875391",
        "+18559875391",
        "+1 (855) 987-5391",
        "(+1) 855 987 5391",
        "1-855-987-5391",
        "1.855.987.5391",
        "1/855/987/5391",
        "1 (855)987 5391",
        "  +1 855 987 5391\n",
        "+1\u00a0855\u00a0987\u20115391",  # from a web page
        "1 (855) 987\u20135391",  # from a word processor
        "+ 1 855 987 5391",
        "1\t855\t9875391",
    ],
)
def test_a_number_may_be_spelled_as_people_spell_it(spelling: str) -> None:
    assert e164(spelling) == "18559875391"
    assert order_content(numbers=[spelling]) == {"numbers": ["18559875391"]}


@given(
    digits=st.from_regex(r"1[0-9]{10}", fullmatch=True, alphabet="0123456789"),
    gaps=st.lists(st.text(" ()-./\t\u00a0\u2011\u2013", max_size=3), min_size=12, max_size=12),
    plus=st.sampled_from(["", "+"]),
)
def test_punctuation_never_changes_a_number(digits: str, gaps: list[str], plus: str) -> None:
    spelled = plus + "".join(gap + digit for gap, digit in zip(gaps, [*digits, ""], strict=True))
    assert e164(spelled) == digits


@given(st.text() | st.text("0123456789+ ()-"))
def test_any_text_is_a_number_of_eleven_digits_or_refused(text: str) -> None:
    try:
        number = e164(text)
    except InvalidOrderError:
        return
    assert len(number) == 11
    assert number.isascii()
    assert number.isdecimal()
    assert number[0] == "1"
    assert number == "".join(character for character in text if character.isdecimal())


_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_ANY_REGION: st.SearchStrategy[Any] = st.builds(
    lambda given: Region(**given),
    st.dictionaries(st.sampled_from(list(Region.__dataclass_fields__)), _ANYTHING, max_size=3),
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "numbers": _ANYTHING,
            "keywords": _ANYTHING,
            "local": _ANYTHING | st.integers(0, 9),
            "toll_free": _ANYTHING,
            "region": _ANYTHING | _ANY_REGION,
        },
    )
)
def test_any_arguments_are_an_order_that_can_be_sent_or_refused(arguments: dict[str, Any]) -> None:
    try:
        content = order_content(**arguments)
    except InvalidOrderError:
        return
    assert CallFireProvider().encode_order(content).body

"""Documents meant to hurt: refused, or read, and never anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from callfire_async import Error, ProtocolError
from callfire_async.providers import Reply, xml
from callfire_async.providers.callfire import CallFireProvider

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "samples").glob("*.xml"))]

DATA = 'xmlns="http://api.callfire.com/data"'
RESOURCE = 'xmlns:r="http://api.callfire.com/resource"'
NOTHING = b"<r:Resource " + RESOURCE.encode() + b"/>"

DECODERS: dict[str, Callable[[bytes], object]] = {
    "receipt": lambda body: CallFireProvider().decode_receipt(Reply(status=201, body=body)),
    "status": lambda body: CallFireProvider().decode_status(Reply(status=200, body=body)),
    "postback": lambda body: CallFireProvider().decode_postback({}, body),
}
every_decoder = pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)


def order(more: str) -> bytes:
    return (
        f'<r:Resource {DATA} {RESOURCE}><NumberOrder id="7"><Status>NEW</Status><Created>2014-12-17T12:25:36Z</Created>'
        f"<TotalCost>1</TotalCost>{more}</NumberOrder></r:Resource>"
    ).encode()


# ------------------------------------------------------------------ DOCTYPE

LAUGHS = "".join(f'<!ENTITY l{n + 1} "' + f"&l{n};" * 10 + '">' for n in range(9))

DOCTYPES = {
    "a bare one": "<!DOCTYPE a>",
    "an empty internal subset": "<!DOCTYPE a []>",
    "an external subset": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    "a public subset": '<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://127.0.0.1:9/a.dtd">',
    "an entity": '<!DOCTYPE a [<!ENTITY e "x">]>',
    "an external entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "a parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    "a billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}<!ENTITY e "&l9;">]>',
    "a quadratic one": f'<!DOCTYPE a [<!ENTITY e "{"x" * 30_000}">]>',
    "a long ATTLIST": f"<!DOCTYPE a [{''.join(f'<!ATTLIST a a{n} CDATA #IMPLIED>' for n in range(1_500))}]>",
}


@every_decoder
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("before", ["", "<!-- hello -->", "<?hello world?>\n"])
@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES)
def test_any_doctype_is_refused(decode: Callable[[bytes], object], before: str, doctype: str, encoding: str) -> None:
    reference = "&e;" if "ENTITY e" in doctype else "x"
    text = f"{before}{doctype}<a>{reference}</a>"
    body = text.encode(encoding)
    with pytest.raises(ProtocolError, match="DOCTYPE"):
        decode(b"\xfe\xff" + body if encoding == "utf-16-be" else body)


# ------------------------------------------------------------------ bounds


def nested(depth: int) -> str:
    return "<a>" * depth + "</a>" * depth


def test_sixteen_elements_may_stand_inside_one_another_and_not_seventeen() -> None:
    assert DECODERS["postback"](nested(16).encode())
    with pytest.raises(ProtocolError, match="16"):
        DECODERS["postback"](nested(17).encode())
    assert DECODERS["status"](order(nested(14)))
    with pytest.raises(ProtocolError, match="16"):
        DECODERS["status"](order(nested(15)))


def test_depth_is_counted_anew_in_each_branch() -> None:
    assert DECODERS["postback"](f"<a>{nested(15) * 20}</a>".encode())
    assert DECODERS["status"](order(nested(14) * 20))


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda n: f"<a>{'<b/>' * (n - 1)}</a>", id="elements"),
        pytest.param(lambda n: "<a " + " ".join(f"a{i}=''" for i in range(n - 1)) + "/>", id="attributes"),
        pytest.param(lambda n: "<a " + " ".join(f"xmlns:a{i}='urn:a'" for i in range(n - 1)) + "/>", id="declarations"),
        pytest.param(lambda n: "<a>" + "<b c='' xmlns:d='urn:d'/>" * ((n - 1) // 3) + "</a>", id="a mixture"),
    ],
)
def test_a_postback_has_at_most_a_thousand_elements_attributes_and_declarations(build: Callable[[int], str]) -> None:
    assert DECODERS["postback"](build(1_000).encode())
    with pytest.raises(ProtocolError, match="too many"):
        DECODERS["postback"](build(1_003).encode())


def test_an_answer_may_have_more() -> None:
    assert DECODERS["status"](order("<b/>" * 5_000))


@pytest.mark.parametrize("document", [b"<a><b/><b/></a>", b'<a b="" c=""/>', b'<a xmlns="urn:a" xmlns:b="urn:b"/>'])
def test_the_bound_is_where_it_was_asked_for(document: bytes) -> None:
    assert xml.read(document, {}, most=3)
    with pytest.raises(ProtocolError, match="too many"):
        xml.read(document, {}, most=2)


@pytest.mark.parametrize("bearer", ["elements", "attributes"])
@every_decoder
def test_a_long_namespace_cannot_be_multiplied_by_those_who_bear_it(
    decode: Callable[[bytes], object], bearer: str
) -> None:
    """Each expanded name is a copy: 64 KB of this cost 145 ms at 900 elements, and 480 KB of it 10 s at 20,000."""
    bearers = "<x:b/>" * 900 if bearer == "elements" else "<b x:c=''/>" * 450
    body = order("").replace(b"</NumberOrder>", f'<a xmlns:x="{"x" * 50_000}">{bearers}</a></NumberOrder>'.encode())
    with pytest.raises(ProtocolError, match=r"^The XML cannot be read"):
        decode(body)


def test_a_namespace_as_long_as_they_usually_are_is_read() -> None:
    assert DECODERS["status"](order(f'<x:a xmlns:x="http://example.com/{"x" * 60}"/>'))


@every_decoder
def test_no_more_than_512_bytes_of_a_body_are_kept(decode: Callable[[bytes], object]) -> None:
    body = b"<a>" + bytes(range(32, 127)) * 100
    with pytest.raises(ProtocolError) as caught:
        decode(body)
    assert caught.value.body == body[:512]


# ------------------------------------------------------------------ a corpus, each as long as a postback may be

LIMIT = 64 * 1024


def fill(start: str, piece: str, end: str = "") -> bytes:
    """As many pieces as fit; `{n}` in a piece is its number."""
    head, tail = start.encode(), end.encode()
    pieces: list[bytes] = []
    room = LIMIT - len(head) - len(tail)
    while room >= len(made := piece.replace("{n}", str(len(pieces))).encode()):
        pieces.append(made)
        room -= len(made)
    return head + b"".join(pieces) + tail


FORM = (
    f'<r:Resource {DATA} {RESOURCE}><NumberOrder id="{{id}}"><Status>{{status}}</Status><Created>{{created}}</Created>'
    "<TotalCost>{cost}</TotalCost><Keywords><Ordered>{ordered}</Ordered><UnitCost>1</UnitCost>{fulfilled}</Keywords>"
    "</NumberOrder></r:Resource>"
)
SOUND = {"id": "7", "status": "NEW", "created": "2014-12-17T12:25:36", "cost": "1", "ordered": "1", "fulfilled": ""}


def endless(field: str, piece: str, *, start: str = "", end: str = "") -> bytes:
    """An order one of whose values fills the body."""
    head, tail = FORM.format(**SOUND | {field: "|"}).split("|")
    return fill(head + start, piece, end + tail)


CORPUS = {
    "wide": fill("<a>", "<b/>", "</a>"),
    "wide, each name its own": fill("<a>", "<b{n}/>", "</a>"),
    "wide, with text between": fill("<a>", "x<b/>", "</a>"),
    "deep": fill("", "<a>"),
    "deep and closed": ("<a>" * 9_000 + "</a>" * 9_000).encode(),
    "a saw of depth 16": fill("<a>", nested(15), "</a>"),
    "attributes": fill("<a ", 'a{n}="" ', "/>"),
    "attributes with prefixes": fill('<a xmlns:b="urn:b" ', 'b:a{n}="" ', "/>"),
    "the same attribute": fill("<a ", 'a="" ', "/>"),
    "attributes that only their namespace tells apart": fill('<a xmlns:b="urn:x" xmlns:c="urn:x" ', 'b:a{n}="" c:a{n}="" ', "/>"),
    "one long attribute": fill('<a b="', "x", '"/>'),
    "line breaks in an attribute": fill('<a b="', "\n", '"/>'),
    "namespaces": fill("<a ", 'xmlns:a{n}="urn:{n}" ', "/>"),
    "namespaces, declared again and again": fill("<a>", '<b xmlns="urn:{n}" xmlns:c="urn:c"/>', "</a>"),
    "a long namespace": fill('<a xmlns="', "x", '"><b/><b/></a>'),
    "a long encoding": fill('<?xml version="1.0" encoding="', "x", '"?><a/>'),
    "a long name that is not closed": fill("<a><", "b"),
    "a long namespace for many": fill(f'<a xmlns="{"x" * 32_000}">', "<b/>", "</a>"),
    "entities nobody declared": fill("<a>", "&e{n};", "</a>"),
    "character references": fill("<a>", "&#65;", "</a>"),
    "character references in an attribute": fill('<a b="', "&#x10FFFF;", '"/>'),
    "references to no character": fill("<a>", "&#0;", "</a>"),
    "escaped brackets": fill("<a>", "&lt;", "</a>"),
    "comments": fill("<a>", "<!--x-->", "</a>"),
    "one long comment": fill("<a><!--", "x", "--></a>"),
    "a comment without end": fill("<a><!--", "- "),
    "comments around a number order": fill("<a><NumberOrder id='7'>", "<!--x-->", "</NumberOrder></a>"),
    "CDATA": fill("<a>", "<![CDATA[x]]>", "</a>"),
    "one long CDATA": fill("<a><![CDATA[", "]]", "]]></a>"),
    "CDATA without end": fill("<a><![CDATA[", "]]"),
    "processing instructions": fill("<a>", "<?x y?>", "</a>"),
    "one long processing instruction": fill("<a><?x ", "y", "?></a>"),
    "one long name": fill("<", "a", "/>"),
    "one long text": fill("<a>", "x", "</a>"),
    "white space": fill("<a>", " \n", "</a>"),
    "white space before": fill("", " ", "<a/>"),
    "white space after": fill("<a/>", "\n"),
    "brackets": fill("", "<"),
    "closing brackets": fill("<a>", "]]>", "</a>"),
    "zeros": b"\0" * LIMIT,
    "bytes that are no UTF-8": b"<a>" + b"\xff" * (LIMIT - 3),
    "half of UTF-16": fill("<a>", "x", "</a>").decode().encode("utf-16")[: LIMIT - 1],
    "UTF-16": f"<a>{'<b/>' * 8_000}</a>".encode("utf-16"),
    "JSON": b"[" * LIMIT,
    "a doctype without end": fill("<!DOCTYPE a [", "<!ENTITY e{n} ''>"),
    "number orders without id": fill("<a>", "<NumberOrder/>", "</a>"),
    "number orders with bad ids": fill("<a>", '<NumberOrder id="x"/>', "</a>"),
    "number orders": fill("<a>", '<NumberOrder id="{n}"/>', "</a>"),
    "an id without end": endless("id", "7"),
    "a status without end": endless("status", "N"),
    "a time without end": endless("created", "0", start="2014-12-17T12:25:36."),
    "a zone without end": endless("created", "0", start="2014-12-17T12:25:36+0"),
    "money without end": endless("cost", "3", start="1."),
    "money beyond measure": endless("cost", "9"),
    "money with an exponent beyond measure": endless("cost", "9", start="1e"),
    "a count without end": endless("ordered", "9"),
    "fulfilled without end": endless("fulfilled", "a ", start="<Fulfilled>", end="</Fulfilled>"),
    "fulfilled again and again": endless("fulfilled", "<Fulfilled/>"),
    "an exception whose status has no end": fill(
        f"<r:ResourceException {RESOURCE}><r:HttpStatus>", "4", "</r:HttpStatus></r:ResourceException>"
    ),
    "an exception without end": fill(
        f"<r:ResourceException {RESOURCE}><r:HttpStatus>404</r:HttpStatus><r:Message>", "x", "</r:Message></r:ResourceException>"
    ),
}  # fmt: skip


def survive(decode: Callable[[bytes], object], body: bytes) -> None:
    """Decode. Any exception that is not one of ours comes through and fails the test."""
    caught: Error | None = None
    try:
        decode(body)
    except Error as exc:
        caught = exc
    assert len(str(caught)) < 1_000
    if isinstance(caught, ProtocolError):
        assert caught.body == body[:512]


@every_decoder
@pytest.mark.parametrize("body", CORPUS.values(), ids=CORPUS)
def test_a_hostile_body_ends_in_a_result_or_a_refusal(decode: Callable[[bytes], object], body: bytes) -> None:
    assert 48 * 1024 < len(body) <= LIMIT + 16
    survive(decode, body)


@pytest.mark.parametrize("encoding", ["unicode_escape", "raw_unicode_escape", "utf-7", "idna", "punycode", "undefined",
                                      "hex", "zlib", "rot13", "charmap", "cp037", "utf-32", "shift_jis", "utf_8_sig"])  # fmt: skip
@pytest.mark.parametrize("hidden", ["plainly", "behind white space", "in UTF-16", "after a byte order mark"])
@every_decoder
def test_an_exotic_encoding_ends_in_a_result_or_a_refusal(
    decode: Callable[[bytes], object], encoding: str, hidden: str
) -> None:
    """Python's codecs know more than text, and some of them warn."""
    space = " " * (500 if hidden == "behind white space" else 1)
    text = f'<?xml version="1.0"{space}encoding="{encoding}"?><a/>'
    bodies = {"in UTF-16": text.encode("utf-16"), "after a byte order mark": text.encode("utf-8-sig")}
    survive(decode, bodies.get(hidden, text.encode()))


# ------------------------------------------------------------------ chance

WORDS = [
    b"", b" ", b"0", b"-1", b"NaN", b"Infinity", b"1e400", b"1e-99999999999999999999", b"9" * 20, b"9" * 5_000,
    b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"0000-00-00", b"24:00", b"&amp;", b"&#55;", b"&x;", b"<b/>", b"<Ordered/>",
    b"<![CDATA[7]]>", b"<!-- -->", b"\xc3\xa9", b"\xff", b"\0", "\u0667".encode(), b"FINISHED", b"404", b'<NumberOrder id="7"/>', b' xmlns="urn:x"',
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample with some values replaced, some bytes changed and some of its length lost."""
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 3))):
        # between two marks: an element's text, an attribute's value, or a name
        marks = [at for at, byte in enumerate(body) if byte in b'<>"']
        first = draw(st.integers(0, len(marks) - 2))
        start, stop = marks[first] + 1, marks[first + 1]
        body = body[:start] + draw(st.sampled_from(WORDS)) + body[stop:]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]
    if draw(st.booleans()):
        start = draw(st.integers(0, len(body)))
        stop = draw(st.integers(start, len(body)))
        body = body[:start] + body[stop:]
    return body


CHANCE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@every_decoder
@given(body=st.binary(max_size=2_000) | st.text(max_size=500).map(str.encode))
@example(body=b"")
@CHANCE
def test_any_bytes_end_in_a_result_or_in_an_error_of_ours(decode: Callable[[bytes], object], body: bytes) -> None:
    survive(decode, body)


@every_decoder
@given(body=damaged())
@settings(CHANCE, max_examples=400)
def test_a_damaged_document_ends_in_a_result_or_in_an_error_of_ours(
    decode: Callable[[bytes], object], body: bytes
) -> None:
    survive(decode, body)


@given(
    status=st.integers(100, 599),
    header=st.text(max_size=20) | st.from_regex(r"\A[0-9]{0,20}\Z"),
    body=damaged() | st.just(NOTHING),
)
@CHANCE
def test_any_http_status_ends_in_a_result_or_in_an_error_of_ours(status: int, header: str, body: bytes) -> None:
    reply = Reply(status=status, headers={"retry-after": header}, body=body)
    for decode in (CallFireProvider().decode_status, CallFireProvider().decode_receipt):
        survive(lambda _, decode=decode: decode(reply), body)  # type: ignore[misc]

"""XML from strangers: read by expanded name, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from xml.parsers import expat

import xmltodict

from callfire_async.errors import ProtocolError

if TYPE_CHECKING:
    from callfire_async.orders import JSON

Node: TypeAlias = "Mapping[str, JSON]"

MAX_DEPTH: Final = 16
"""Elements inside one another. CallFire's deepest documented answer has seven."""

#: Elements, attributes and namespace declarations an answer of the provider may have together; its size is bounded by the transport.
MANY: Final = 200_000

#: Characters of a namespace, which each name in it is prefixed with; the longest of CallFire's has 41.
LONGEST_NAMESPACE: Final = 100

#: What expat reads by itself. For others Python's codecs would be asked, which know far more than text.
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "iso-8859-1", "us-ascii"})


class _Bounds:
    """Stands where xmltodict expects the expat module, and hands it parsers that refuse instead of working on."""

    def __init__(self, most: int) -> None:
        self._most = most

    def ParserCreate(self, encoding: str | None, separator: str | None) -> _BoundedParser:  # noqa: N802 - expat's name
        return _BoundedParser(expat.ParserCreate(encoding, separator), self._most)


class _BoundedParser:
    """Passes everything on to an expat parser, and puts its counting in front of the handlers when the parsing begins."""

    def __init__(self, parser: expat.XMLParserType, most: int) -> None:
        self.__dict__.update(parser=parser, most=most)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["parser"], name, value)

    def Parse(self, body: bytes, final: bool) -> int:  # noqa: FBT001, N802 - expat's name and signature
        parser: expat.XMLParserType = self.__dict__["parser"]
        opened: Any = parser.StartElementHandler
        closed: Any = parser.EndElementHandler
        declared: Any = parser.StartNamespaceDeclHandler
        left, depth = self.__dict__["most"], 0

        def start(name: str, attributes: list[str]) -> None:
            nonlocal left, depth
            depth += 1
            left -= 1 + len(attributes) // 2  # names and values stand in one list
            if depth > MAX_DEPTH or left < 0:
                raise _RefusedError(f"it nests more than {MAX_DEPTH} elements or holds too many of them")
            opened(name, attributes)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1
            closed(name)

        def declare(prefix: str | None, uri: str) -> None:
            nonlocal left
            left -= 1
            if len(uri or "") > LONGEST_NAMESPACE:
                raise _RefusedError("it declares a namespace of absurd length")
            declared(prefix, uri)

        # A DTD is where entities grow and where 1 MB of ATTLIST costs a second; no provider sends one.
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = _refuse_encoding
        parser.StartElementHandler, parser.EndElementHandler, parser.StartNamespaceDeclHandler = start, end, declare
        return parser.Parse(body, final)


class _RefusedError(ValueError):
    """Raised inside the parser; `read` turns it into a ProtocolError."""


def _refuse_doctype(*_: object) -> None:
    raise _RefusedError("it has a DOCTYPE, and no document of a provider has one")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise _RefusedError(f"its encoding {encoding[:40]!r} is none of XML's own")


def read(body: bytes, namespaces: Mapping[str, str], *, most: int = MANY) -> tuple[str, Node]:
    """The root's name and content. Names carry the short prefix that `namespaces` gives their namespace, whatever the document calls it.

    `most` bounds elements, attributes and namespace declarations together. ProtocolError where the document is not well-formed or is refused.
    """
    try:
        document: dict[str, JSON] = xmltodict.parse(
            body, expat=_Bounds(most), process_namespaces=True, namespaces=dict(namespaces), strip_whitespace=True
        )
    except (expat.ExpatError, ValueError, LookupError) as exc:  # LookupError: an encoding Python does not know
        raise ProtocolError(f"The XML cannot be read: {str(exc)[:200]}.", body=body) from exc
    ((name, content),) = document.items()
    return name, content if isinstance(content, Mapping) else {"#text": content}


def text(node: JSON) -> str | None:
    """An element's text; None where it is absent or empty. An element that declares a namespace arrives as a mapping."""
    value = node.get("#text") if isinstance(node, Mapping) else node
    return value if isinstance(value, str) else None


def children(node: JSON) -> Iterator[tuple[str, JSON]]:
    """Each child element with its name, repeated ones one by one."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name[0] not in "@#":
                for child in value if isinstance(value, list) else [value]:
                    yield name, child

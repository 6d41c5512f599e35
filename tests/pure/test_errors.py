"""The tree of exceptions: drawn, total, and saying what it knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import callfire_async
from callfire_async import errors
from callfire_async.errors import api_error

TREE: dict[str, tuple[type, ...]] = {
    "Error": (Exception,),
    "InvalidOrderError": (errors.Error, ValueError),
    "ConfigurationError": (errors.Error, ValueError),
    "ClosedError": (errors.Error,),
    "TransportError": (errors.Error,),
    "RequestTimeoutError": (errors.TransportError, TimeoutError),
    "ProtocolError": (errors.Error,),
    "APIError": (errors.Error,),
    "BadRequestError": (errors.APIError,),
    "AuthenticationError": (errors.APIError,),
    "PermissionDeniedError": (errors.APIError,),
    "NotFoundError": (errors.APIError,),
    "RateLimitedError": (errors.APIError,),
    "ServerError": (errors.APIError,),
    "OrderError": (errors.Error,),
    "OrderInDoubtError": (errors.OrderError,),
    "OrderFailedError": (errors.OrderError,),
    "OrderTimeoutError": (errors.OrderError, TimeoutError),
    "StoreError": (errors.Error,),
}

DEFINED = {
    name: thing
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, BaseException) and thing.__module__ == errors.__name__
}


def drawn() -> dict[str, tuple[str, ...]]:
    """The docstring's tree: each name with those of its bases."""
    tree: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"( *)\* (\w+)(?: \((\w+)\))?(?::.*)?", line):
            indent, name, other = match.groups()
            path[len(indent) // 2 :] = [name]
            tree[name] = (path[-2] if len(path) > 1 else "Exception", *([other] if other else []))
    return tree


@pytest.mark.parametrize(("name", "bases"), TREE.items(), ids=list(TREE))
def test_an_exception_has_the_bases_that_were_promised(name: str, bases: tuple[type, ...]) -> None:
    assert DEFINED[name].__bases__ == bases


def test_every_exception_was_promised_is_drawn_and_is_public() -> None:
    assert set(DEFINED) == set(TREE)
    assert {name: tuple(base.__name__ for base in thing.__bases__) for name, thing in DEFINED.items()} == drawn()
    assert set(TREE) <= set(callfire_async.__all__)


@pytest.mark.parametrize("thing", DEFINED.values(), ids=list(DEFINED))
def test_every_exception_is_an_error_that_says_what_it_means(thing: type[BaseException]) -> None:
    assert issubclass(thing, errors.Error)
    assert (thing.__doc__ or "").endswith(".")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (429, "RateLimitedError"),
        (500, "ServerError"),
        (502, "ServerError"),
        (599, "ServerError"),
        (302, "APIError"),
        (402, "APIError"),
        (408, "APIError"),
        (499, "APIError"),
    ],
)
def test_a_status_has_its_exception(status: int, kind: str) -> None:
    exc = api_error(status, "No", retry_after=7.0)
    assert type(exc).__name__ == kind
    assert (exc.status, exc.message, str(exc)) == (status, "No", f"No (HTTP {status})")
    assert exc.retry_after == 7.0


def test_exceptions_carry_what_a_program_may_want_to_know() -> None:
    assert errors.TransportError("No.", sent=True).sent
    assert not errors.RequestTimeoutError("No.", sent=False).sent
    assert errors.ProtocolError("No.", body=b"x" * 513).body == b"x" * 512
    assert errors.ProtocolError("No.").body == b""
    assert errors.RateLimitedError("No").status == 429
    assert errors.OrderInDoubtError("No.", key="k").key == "k"


SOURCES = sorted(Path(errors.__file__).parent.rglob("*.py"))


def sentences() -> list[tuple[str, str]]:
    """Where one of our exceptions is raised with a literal text, and how that text ends; those of APIError end with the status."""
    with_status = {name for name, thing in DEFINED.items() if issubclass(thing, errors.APIError)}
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            if node.func.id not in DEFINED.keys() - with_status:
                continue
            text = node.args[0]
            last = text.values[-1] if isinstance(text, ast.JoinedStr) else text
            if isinstance(last, ast.Constant):
                found.append((f"{source.name}:{node.lineno}", str(last.value)))
    return found


def test_every_message_ends_as_a_sentence() -> None:
    found = sentences()
    assert len(found) > 30
    assert [(where, text) for where, text in found if not text.endswith((".", "?"))] == []

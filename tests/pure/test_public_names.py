"""The face of the package: what stands in `__all__`, and what importing it costs."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

import callfire_async

PUBLIC = {name: getattr(callfire_async, name, None) for name in callfire_async.__all__}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}

VALUES = sorted(name for name, kind in CLASSES.items() if dataclasses.is_dataclass(kind))


def test_all_names_everything_that_can_be_seen() -> None:
    visible = {
        name
        for name, thing in vars(callfire_async).items()
        if not name.startswith("_") and not isinstance(thing, ModuleType)
    }
    assert set(callfire_async.__all__) == visible | {"__version__"}  # and ruff sees to the order


@pytest.mark.parametrize("name", callfire_async.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    scope: dict[str, object] = {}
    exec(f"from callfire_async import {name}", scope)  # noqa: S102 - the import statement is what is tested
    assert scope[name] is not None


def documented() -> list[tuple[str, object]]:
    """Public classes, functions, and what they publicly offer."""
    found: list[tuple[str, object]] = []
    for name, thing in PUBLIC.items():
        if inspect.isclass(thing):
            found.append((name, thing))
            found += [
                (f"{owner.__name__}.{member}", value)
                for owner in thing.__mro__
                if owner.__module__.startswith("callfire_async")
                for member, value in vars(owner).items()
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
            ]
        elif callable(thing):
            found.append((name, thing))
    return sorted(set(found), key=lambda row: row[0])


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*row, id=row[0]) for row in documented()])
def test_everything_public_says_what_it_is(name: str, thing: object) -> None:
    text = (thing.__doc__ or "").strip()
    assert text
    assert not text.startswith(f"{name}("), "that is what dataclass makes up"
    assert text.split("\n\n", maxsplit=1)[0].rstrip().endswith((".", ":", ")", "}"))


def test_the_example_in_the_packages_docstring_is_python() -> None:
    lines = (callfire_async.__doc__ or "").splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    assert "await" in example
    compile(example, "the docstring", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_a_frozen_slotted_dataclass_of_keywords(name: str) -> None:
    kind = CLASSES[name]
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
    assert all("__slots__" in vars(owner) for owner in kind.__mro__[:-1])
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_what_is_no_behaviour_but_a_value_is_a_dataclass() -> None:
    assert {"InDoubt", "NumberOrder", "OrderItem", "PollPolicy", "Region", "Stats"} <= set(VALUES)


def test_every_public_enum_is_a_text() -> None:
    enums = {name for name, kind in CLASSES.items() if issubclass(kind, enum.Enum)}
    assert "Outcome" in enums
    assert all(issubclass(CLASSES[name], enum.StrEnum) for name in enums)


@pytest.mark.parametrize("module", ["aiohttp.web", "sqlite3", "typer", "callfire_async.sandbox", "xml.etree"])
def test_importing_the_package_does_not_import(module: str) -> None:
    check = f"import callfire_async, sys; print({module!r} in sys.modules)"
    home = Path(callfire_async.__file__).parents[1]
    measured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", check], cwd=home, capture_output=True, text=True, check=True, env=measured
    )
    assert done.stdout.strip() == "False"

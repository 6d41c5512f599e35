"""Holds requests and replies against a Swagger 2.0 definition: what of it CallFire's uses, and no more."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft4Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb on one path."""

    id: str
    verb: str
    path: re.Pattern[str]
    parameters: Mapping[str, Mapping[str, Any]]
    reply: Mapping[str, Any] | None
    #: The reply that the definition prints.
    example: bytes


class Definition:
    """Several documents as one. Of what they define, a request may hold nothing else; a reply may, as every reader has to take it."""

    def __init__(self, *names: str) -> None:
        documents = [json.loads((HERE / name).read_text()) for name in names]
        self._definitions = {name: shape for document in documents for name, shape in document["definitions"].items()}
        self._strict = {name: {**shape, "additionalProperties": False} for name, shape in self._definitions.items()}
        self.operations = {
            operation["operationId"]: Operation(
                id=operation["operationId"],
                verb=verb.upper(),
                path=re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(path))),
                parameters={p["name"]: p for p in operation.get("parameters", [])},
                reply=operation["responses"].get("200", {}).get("schema"),
                example=operation["x-response"].encode(),
            )
            for document in documents
            for path, operations in document["paths"].items()
            for verb, operation in operations.items()
        }

    def operation(self, verb: str, target: str) -> Operation:
        """The operation a request is for. A path without a variable goes before one with."""
        path = urlsplit(target).path
        found = [o for o in self.operations.values() if o.verb == verb and o.path.fullmatch(path)]
        assert found, f"The definition has no {verb} {path}."
        return min(found, key=lambda operation: operation.path.groups)

    def check_request(self, verb: str, target: str, headers: Mapping[str, str], body: bytes) -> Operation:
        """Verb, path, names and types of the parameters, what is required, and the body."""
        operation = self.operation(verb, target)
        match = operation.path.fullmatch(urlsplit(target).path)
        assert match is not None
        by_place = {
            place: [p for p in operation.parameters.values() if p["in"] == place] for place in ("path", "query", "body")
        }
        for parameter, value in zip(by_place["path"], match.groups(), strict=True):
            self._check_text(parameter, unquote(value))
        query = parse_qs(urlsplit(target).query, strict_parsing=True, keep_blank_values=True) if "?" in target else {}
        assert query.keys() <= {p["name"] for p in by_place["query"]}
        assert {p["name"] for p in by_place["query"] if p.get("required")} <= query.keys()
        for name, values in query.items():
            parameter = operation.parameters[name]
            if parameter["type"] == "array":
                assert parameter["collectionFormat"] == "multi"
                parameter = parameter["items"] | {"name": name}
            else:
                assert len(values) == 1
            for value in values:
                self._check_text(parameter, value)
        if body:
            (parameter,) = by_place["body"]
            assert headers["Content-Type"] == "application/json"
            self._validate(json.loads(body), parameter["schema"], self._strict)
        return operation

    def check_reply(self, operation: Operation, body: bytes) -> None:
        """The document of a success."""
        if operation.reply is not None:
            self._validate(json.loads(body), operation.reply, self._definitions)

    @staticmethod
    def _check_text(parameter: Mapping[str, Any], text: str) -> None:
        shape = {"integer": r"-?[0-9]{1,19}", "boolean": "true|false", "string": r"(?s).+"}[parameter["type"]]
        assert re.fullmatch(shape, text), f"{parameter['name']} is {text!r} and no {parameter['type']}."

    @staticmethod
    def _validate(document: object, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
        Draft4Validator(
            {**schema, "definitions": definitions}
            if "$ref" not in schema
            else {"allOf": [schema], "definitions": definitions}
        ).validate(document)


CALLFIRE_V2 = Definition("callfire-2.json", "later.json")

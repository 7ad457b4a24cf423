"""The published documents as tests use them: their schemas made strict, and values held against them by name.

Readers of the documents are told to ignore fields that they do not know, so the schemas allow them. A test must not: a
field that no schema names is one that nobody documented.
"""

from __future__ import annotations

import copy
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Document = dict[str, Any]
_ADDRESS = "urn:document"


def strict(document: Document) -> Document:
    """Give a copy in which no object has fields that its schema does not name."""
    found = copy.deepcopy(document)
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return found


class Schemas:
    """The strict schemas of one document, by pointer."""

    def __init__(self, document: Document) -> None:
        resource = Resource.from_contents(strict(document), default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_ADDRESS, resource)
        self._validators: dict[str, Draft202012Validator] = {}

    def problems(self, pointer: str, value: object) -> list[str]:
        """Say what is wrong with a value, as its schema at `pointer` (such as `/components/schemas/Event`) has it."""
        validator = self._validators.get(pointer)
        if validator is None:
            validator = Draft202012Validator(
                {"$ref": f"{_ADDRESS}#{pointer}"}, registry=self._registry, format_checker=FormatChecker()
            )
            self._validators[pointer] = validator
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def references(node: object) -> set[str]:
    """Give every `$ref` in a document."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def resolve(document: Document, reference: str) -> object:
    """Give what a reference within the document points at. Raises LookupError where there is nothing."""
    at: Any = document
    for step in reference.removeprefix("#/").split("/"):
        at = at[step.replace("~1", "/").replace("~0", "~")]
    return at

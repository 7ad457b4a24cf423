"""The OpenAPI document, made from the operations that the routes were registered from.

Which routes there are is read off the app itself, and what they take and answer off their `Operation` values, so the
document cannot name a route that is not there, nor another type than the one that is decoded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from quart import Quart

from justchat.http.openapi_headers import HEADERS, answer_headers, refusal_headers, request_headers
from justchat.http.openapi_refusals import AT_THE_DOOR, refusals_of
from justchat.http.operation import Caller, Operation, OperationBlueprint
from justchat.wire.errors import ErrorCode, Problem, Refusal, problem
from justchat.wire.schemas import Schema, schemas_of

_PATH_PART: Final = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
_PATH_PARTS: Final[Mapping[str, str]] = {
    "room": "The id of a room. One that the caller may not know of is answered like one that is not there.",
    "user": "The id of a user; `me` means the caller where a member is meant.",
    "message": "The id of a message.",
    "emoji": "An emoji or another short text, percent-encoded.",
    "code": "The code of an invite, or its id where it is to be revoked.",
    "name": "The name of a file.",
}
_INTRODUCTION: Final = """\
Fields that the server does not know are refused in bodies; ignore those that you do not know in answers. JSON is read
strictly: no key twice, no NUL in text. Times are RFC 3339 in UTC with milliseconds. Every error is
`application/problem+json`, and its `code` is stable. What is told live, over the WebSocket at `/ws`, is described by
[asyncapi.json](asyncapi.json).
"""
# What is no JSON has no schema.
_BYTES: Final[Schema] = {}
_SECURITY: Final[Mapping[Caller, list[dict[str, list[str]]]]] = {
    Caller.ANYBODY: [],
    Caller.USER: [{"bearer": []}],
    Caller.SESSION: [{"bearer": []}],
    Caller.ADMIN: [{"bearer": []}],
    # A caller on the same machine needs no token.
    Caller.OPERATOR: [{"operator": []}, {}],
}


class Published(Struct, frozen=True):
    """One operation, where it is found, and the group it belongs to."""

    path: str
    tag: str
    operation: Operation


def published_operations(app: Quart) -> list[Published]:
    """List the operations of an app by path and method."""
    groups = {
        name: routes.operations for name, routes in app.blueprints.items() if isinstance(routes, OperationBlueprint)
    }
    found = []
    for rule in app.url_map.iter_rules():
        tag, _, endpoint = rule.endpoint.partition(".")
        operation = groups.get(tag, {}).get(endpoint)
        if operation is not None:
            found.append(Published(rule.rule, tag, operation))
    return sorted(found, key=lambda one: (one.path, one.operation.method))


def openapi_document(operations: Sequence[Published], *, version: str) -> Schema:
    """Make the document; `version` is the program's."""
    parts = _Parts(operations)
    paths: dict[str, dict[str, Schema]] = defaultdict(dict)
    for one in operations:
        paths[_PATH_PART.sub(r"{\g<name>}", one.path)][one.operation.method.lower()] = _operation(one, parts)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JustChat",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({one.tag for one in operations})],
        "paths": paths,
        "components": {
            "schemas": parts.schemas,
            "responses": parts.responses,
            "headers": HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "operator": {"type": "http", "scheme": "bearer", "description": "The operator's token."},
            },
        },
    }


class _Parts:
    """What operations share: the schemas of every type that some of them names, and the refusals met so far."""

    def __init__(self, operations: Iterable[Published]) -> None:
        forms = [Problem, *(form for one in operations for form in _forms_of(one.operation))]
        found, self.schemas = schemas_of(forms)
        self.responses: Schema = {}
        self._found = [*zip(forms, found, strict=True)]

    def schema(self, form: object) -> Schema:
        """Give the schema of a type, by reference where it has a name."""
        return next(schema for known, schema in self._found if known is form)


def _forms_of(operation: Operation) -> Iterator[object]:
    yield from (form for form in (operation.body, operation.answer) if form is not None)
    yield from (parameter.form for parameter in operation.query)


def _operation(one: Published, parts: _Parts) -> Schema:
    operation = one.operation
    found: Schema = {
        "tags": [one.tag],
        "operationId": f"{one.tag}_{operation.handler.__name__}",
        "summary": operation.summary,
        "security": _SECURITY[operation.caller],
        "parameters": [
            *_path_parameters(one.path),
            *_query_parameters(operation, parts),
            *request_headers(operation),
        ],
        "responses": _responses(one, parts),
    }
    if operation.body is not None:
        kinds = ("application/json", *(("application/merge-patch+json",) if operation.method == "PATCH" else ()))
        content = {kind: {"schema": parts.schema(operation.body)} for kind in kinds}
        found["requestBody"] = {"required": not operation.body_is_optional, "content": content}
    if operation.takes:
        found["requestBody"] = {"required": True, "content": dict.fromkeys(operation.takes, _BYTES)}
    return found


def _path_parameters(path: str) -> Iterator[Schema]:
    for part in _PATH_PART.finditer(path):
        name = part["name"]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARTS.get(name, f"The id of one of the {name}s."),
            "schema": {"type": "string", "minLength": 1},
        }


def _query_parameters(operation: Operation, parts: _Parts) -> Iterator[Schema]:
    for parameter in operation.query:
        schema = parts.schema(parameter.form)
        yield {"name": parameter.name, "in": "query", "description": parameter.detail, "schema": schema}


def _responses(one: Published, parts: _Parts) -> Schema:
    """Describe every status: what the operation answers with it, what it refuses with it, or both."""
    refusals = refusals_of(one.operation, one.path)
    found: Schema = {}
    for status in sorted({*one.operation.statuses, *refusals}):
        codes = refusals.get(status, [])
        if status in one.operation.statuses:
            found[str(status)] = _success(one.operation, status, codes, parts)
        else:
            # Most routes refuse alike, and a document that says it once is a fraction of the size.
            name = f"{status}.{'.'.join(codes)}"
            parts.responses[name] = parts.responses.get(name) or _refusal(status, codes, parts)
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return found


def _success(operation: Operation, status: int, codes: Sequence[ErrorCode], parts: _Parts) -> Schema:
    content: Schema = {}
    if operation.answer is not None:
        content["application/json"] = {"schema": parts.schema(operation.answer)}
    content.update(dict.fromkeys(operation.gives, _BYTES))
    if codes:
        content["application/problem+json"] = _problem_content(status, codes, parts)
    found: Schema = {
        "description": HTTPStatus(status).phrase,
        "headers": answer_headers(operation, status),
    }
    return found | ({"content": content} if content else {})


def _refusal(status: int, codes: Sequence[ErrorCode], parts: _Parts) -> Schema:
    said = [f"`{code}`: {problem(Refusal(code, '')).title}" for code in codes]
    return {
        "description": AT_THE_DOOR[status][1] if status in AT_THE_DOOR else "; ".join(said),
        "headers": refusal_headers(status),
        "content": {"application/problem+json": _problem_content(status, codes, parts)},
    }


def _problem_content(status: int, codes: Sequence[ErrorCode], parts: _Parts) -> Schema:
    named: Schema = {"properties": {"status": {"const": status}, "code": {"enum": [code.value for code in codes]}}}
    title = HTTPStatus(status).phrase if status in AT_THE_DOOR else problem(Refusal(codes[0], "")).title
    example = {"type": "about:blank", "title": title, "status": status, "detail": "why", "code": codes[0].value}
    return {"schema": {"allOf": [parts.schema(Problem), named]}, "example": example}

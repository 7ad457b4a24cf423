"""Headers in the OpenAPI document: which ones an answer has, and which ones a request may have.

They follow from what an operation is: its statuses, and the types that it takes and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from justchat.http.auth_forms import RefreshBody, SignedInView
from justchat.http.message_views import MessageView
from justchat.http.openapi_refusals import AT_THE_DOOR
from justchat.http.operation import Operation
from justchat.wire.errors import ErrorCode
from justchat.wire.schemas import Schema
from justchat.wire.server_frames import RoomView

_REQUEST_ID: Final[Schema] = {
    "description": "The request's own `X-Request-Id`, or one made for it.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
# The front door, which has no ids, answers some of these by itself.
_SELDOM: Final = "RequestIdOrNone"
HEADERS: Final[Schema] = {
    "X-Request-Id": {**_REQUEST_ID, "required": True},
    _SELDOM: _REQUEST_ID,
    "Retry-After": {
        "description": "Whole seconds after which trying again may help.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": "How many calls the caller has in which time: the quota's name, `q` units in `w` seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "How much of the quota is left: `r` units; what is gone begins to come back after `t` seconds.",
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where the new thing is.", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "The version of what is answered, for `If-Match`. A message that is kept no longer has none.",
        "schema": {"type": "string", "pattern": '^"[!#-~]+"$'},
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is what an earlier request with the same `client_msg_id` made.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Set-Cookie": {
        "description": "`justchat_refresh`, which only `/api/v1/auth` gets and no script, and `justchat_csrf`, to be "
        "sent back as `X-CSRF-Token`. A sign-in leaves them unless its body says `cookie: false`; a logout drops them.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to say who is calling.",
        "required": True,
        "schema": {"type": "string", "enum": ["Bearer"]},
    },
}
"""The components that `answer_headers` and `refusal_headers` refer to."""

IF_MATCH: Final[Schema] = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of what was read: change it only if it still is that.",
    "schema": {"type": "string"},
}
_PROOF: Final[Schema] = {
    "name": "X-CSRF-Token",
    "in": "header",
    "description": "The value of the cookie `justchat_csrf`; needed where the refresh token comes as a cookie.",
    "schema": {"type": "string"},
}
_RATES: Final = ("RateLimit-Policy", "RateLimit")
_OF_STATUSES: Final[Mapping[int, tuple[str, ...]]] = {
    201: ("Location",),
    401: ("WWW-Authenticate",),
    **dict.fromkeys((412, 429, 500, 503), ("Retry-After",)),
}
# What is answered with its version, by itself and not in lists.
_VERSIONED: Final = (MessageView, RoomView)


def request_headers(operation: Operation) -> list[Schema]:
    """Describe the headers that a request may have."""
    conditional = [IF_MATCH] if ErrorCode.PRECONDITION_FAILED in operation.refusals else []
    return [*conditional, _PROOF] if operation.body is RefreshBody else conditional


def answer_headers(operation: Operation, status: int) -> Schema:
    """Describe the headers of an answer that is no refusal, or not always."""
    found = refusal_headers(status)
    if status == 200 and "client_msg_id" in getattr(operation.body, "__struct_fields__", ()):
        found["Idempotent-Replayed"] = _reference("Idempotent-Replayed")
    if any(operation.answer is form for form in _VERSIONED):
        found["ETag"] = _reference("ETag")
    if operation.answer is SignedInView or operation.path.startswith("/auth/logout"):
        found["Set-Cookie"] = _reference("Set-Cookie")
    return found


def refusal_headers(status: int) -> Schema:
    """Describe the headers of a refusal."""
    request_id = _SELDOM if status == 503 or status in AT_THE_DOOR else "X-Request-Id"
    found: Schema = {"X-Request-Id": _reference(request_id)}
    return found | {name: _reference(name) for name in (*_OF_STATUSES.get(status, ()), *_RATES)}


def _reference(component: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{component}"}

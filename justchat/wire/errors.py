"""Refusals: every expected "no", with a stable code, as one value that REST and the WebSocket both render.

The rendered form is RFC 9457 problem details. `code` is the machine key and never changes its meaning; `detail` is for
people and may. A refusal is a value, not an exception: an exception means a bug or the infrastructure.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct


class ErrorCode(StrEnum):
    """The stable codes of the public contract."""

    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - an error code, not a secret
    FORBIDDEN = "forbidden"
    NOT_A_MEMBER = "not_a_member"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    USERNAME_TAKEN = "username_taken"
    EMAIL_TAKEN = "email_taken"
    CONFLICT = "conflict"
    LAST_OWNER = "last_owner"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    INVALID_FRAME = "invalid_frame"
    VALIDATION_FAILED = "validation_failed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    RATE_LIMITED = "rate_limited"
    SLOW_MODE = "slow_mode"
    MUTED = "muted"
    BANNED = "banned"
    PRECONDITION_FAILED = "precondition_failed"
    ROOM_OVERLOADED = "room_overloaded"
    ROOM_UNAVAILABLE = "room_unavailable"
    SEQ_UNAVAILABLE = "seq_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    MAIL_UNAVAILABLE = "mail_unavailable"
    DRAINING = "draining"
    INTERNAL = "internal"


# code -> (HTTP status, title). One table for both transports.
_STATUS: dict[ErrorCode, tuple[int, str]] = {
    ErrorCode.UNAUTHENTICATED: (401, "Who are you?"),
    ErrorCode.TOKEN_EXPIRED: (401, "The token has expired"),
    ErrorCode.FORBIDDEN: (403, "Not allowed"),
    ErrorCode.NOT_A_MEMBER: (403, "Not a member of this room"),
    ErrorCode.NOT_FOUND: (404, "Not found"),
    ErrorCode.METHOD_NOT_ALLOWED: (405, "Method not allowed"),
    ErrorCode.USERNAME_TAKEN: (409, "This username is taken"),
    ErrorCode.EMAIL_TAKEN: (409, "This e-mail address is taken"),
    ErrorCode.CONFLICT: (409, "Conflict"),
    ErrorCode.LAST_OWNER: (409, "A room needs an owner"),
    ErrorCode.IDEMPOTENCY_MISMATCH: (422, "Same client_msg_id, another message"),
    ErrorCode.INVALID_FRAME: (400, "Not a frame of this protocol"),
    ErrorCode.VALIDATION_FAILED: (422, "Some fields are not valid"),
    ErrorCode.PAYLOAD_TOO_LARGE: (413, "Too large"),
    ErrorCode.UNSUPPORTED_MEDIA: (415, "Unsupported media type"),
    ErrorCode.RATE_LIMITED: (429, "Too many requests"),
    ErrorCode.SLOW_MODE: (429, "This room is in slow mode"),
    ErrorCode.MUTED: (403, "Muted in this room"),
    ErrorCode.BANNED: (403, "Banned from this room"),
    ErrorCode.PRECONDITION_FAILED: (412, "Changed meanwhile"),
    ErrorCode.ROOM_OVERLOADED: (503, "This room is overloaded"),
    ErrorCode.ROOM_UNAVAILABLE: (503, "This room is unavailable"),
    ErrorCode.SEQ_UNAVAILABLE: (412, "Not there yet"),
    ErrorCode.STORAGE_UNAVAILABLE: (503, "Storage is unavailable"),
    ErrorCode.MAIL_UNAVAILABLE: (503, "Mail is unavailable"),
    ErrorCode.DRAINING: (503, "The server is restarting"),
    ErrorCode.INTERNAL: (500, "Internal error"),
}


class FieldProblem(Struct, frozen=True):
    """One field that is not valid; `pointer` is a JSON Pointer (RFC 6901) into the body."""

    pointer: str
    code: str
    detail: str


class Refusal(Struct, frozen=True):
    """An expected "no". `retry_after_seconds` is set when trying again later can help."""

    code: ErrorCode
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    retry_after_seconds: float | None = None

    @property
    def status(self) -> int:
        """HTTP status of this code."""
        return _STATUS[self.code][0]


_CODES = f"Stable, and never another meaning: {', '.join(f'`{code}`' for code in ErrorCode)}."


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details, the body of every error answer and the `data` of an `error` frame."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description=_CODES)]
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] = ()
    retry_after: float | None = None


def problem(
    refusal: Refusal, *, status: int | None = None, instance: str | None = None, request_id: str | None = None
) -> Problem:
    """Render a refusal for the wire; `status` where HTTP has a more exact one than the code's."""
    usual, title = _STATUS[refusal.code]
    if status is None:
        status = usual
    elif status != usual:
        title = HTTPStatus(status).phrase
    return Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=refusal.detail,
        code=refusal.code.value,
        instance=instance,
        request_id=request_id,
        errors=refusal.errors,
        retry_after=refusal.retry_after_seconds,
    )


def invalid(pointer: str, detail: str, *, code: str = "invalid") -> Refusal:
    """Refuse one field of a body."""
    return Refusal(ErrorCode.VALIDATION_FAILED, detail, (FieldProblem(pointer, code, detail),))


def encode_problem(
    refusal: Refusal, *, status: int | None = None, instance: str | None = None, request_id: str | None = None
) -> bytes:
    """Render a refusal as problem+json bytes."""
    return msgspec.json.encode(problem(refusal, status=status, instance=instance, request_id=request_id))


# What many refuse with, each for a reason of its own.
STORAGE_UNAVAILABLE: Final = Refusal(ErrorCode.STORAGE_UNAVAILABLE, "storage did not answer; try again", (), 1.0)
NO_SUCH_USER: Final = Refusal(ErrorCode.NOT_FOUND, "there is no such user")

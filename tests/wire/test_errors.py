"""Refusals: every code has its status, and one rendering serves REST and the WebSocket."""

from __future__ import annotations

import json

import msgspec
import pytest

from justchat.wire.errors import ErrorCode, FieldProblem, Problem, Refusal, encode_problem, invalid, problem

# The published contract: code -> HTTP status. A code never changes its meaning.
CONTRACT = {
    "unauthenticated": 401,
    "token_expired": 401,
    "forbidden": 403,
    "not_a_member": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "username_taken": 409,
    "email_taken": 409,
    "conflict": 409,
    "last_owner": 409,
    "idempotency_mismatch": 422,
    "invalid_frame": 400,
    "validation_failed": 422,
    "payload_too_large": 413,
    "unsupported_media": 415,
    "precondition_failed": 412,
    "muted": 403,
    "banned": 403,
    "rate_limited": 429,
    "slow_mode": 429,
    "room_overloaded": 503,
    "room_unavailable": 503,
    "seq_unavailable": 412,
    "storage_unavailable": 503,
    "mail_unavailable": 503,
    "draining": 503,
    "internal": 500,
}


def test_the_codes_are_the_published_ones() -> None:
    """No code was renamed, and each has exactly the published status."""
    assert {code.value: Refusal(code, "why").status for code in ErrorCode} == CONTRACT


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_renders(code: ErrorCode) -> None:
    """Title, status and code come from the one table; the detail is the refusal's own."""
    shown = problem(Refusal(code, "what to do"))
    assert shown.code == code.value
    assert shown.status == CONTRACT[code.value]
    assert shown.title
    assert shown.detail == "what to do"


def test_titles_tell_the_codes_apart() -> None:
    """People who read only the title still know which refusal it is."""
    titles = [problem(Refusal(code, "")).title for code in ErrorCode]
    assert len(set(titles)) == len(titles)


def test_a_plain_refusal_says_nothing_that_it_has_not_got() -> None:
    """Optional members are left out; `type` says that the title is all there is to read about this kind of problem."""
    assert json.loads(encode_problem(Refusal(ErrorCode.NOT_FOUND, "no such room"))) == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "no such room",
        "code": "not_found",
    }


def test_a_full_refusal_says_everything() -> None:
    """Request, place, wrong fields and waiting time are all rendered under their published names."""
    refusal = Refusal(ErrorCode.VALIDATION_FAILED, "too long", (FieldProblem("/body", "too_long", "4,000"),), 1.5)
    body = encode_problem(refusal, instance="/api/v1/rooms", request_id="q_1")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Some fields are not valid",
        "status": 422,
        "detail": "too long",
        "code": "validation_failed",
        "instance": "/api/v1/rooms",
        "request_id": "q_1",
        "errors": [{"pointer": "/body", "code": "too_long", "detail": "4,000"}],
        "retry_after": 1.5,
    }


def test_bytes_and_value_are_the_same_rendering() -> None:
    """What REST sends as a body is what an `error` frame carries as data."""
    refusal = Refusal(ErrorCode.RATE_LIMITED, "slower", retry_after_seconds=2.0)
    assert msgspec.json.decode(encode_problem(refusal), type=Problem) == problem(refusal)


def test_a_wait_of_no_time_is_still_said() -> None:
    """Zero seconds means "at once", which is not the same as not knowing."""
    assert json.loads(encode_problem(Refusal(ErrorCode.DRAINING, "", retry_after_seconds=0.0)))["retry_after"] == 0.0


def test_one_wrong_field_is_a_failed_validation() -> None:
    """`invalid` says the same to people at the top and at the field, and names the place."""
    assert invalid("/name", "too short") == Refusal(
        ErrorCode.VALIDATION_FAILED, "too short", (FieldProblem("/name", "invalid", "too short"),)
    )
    assert invalid("/name", "too short", code="too_short").errors[0].code == "too_short"

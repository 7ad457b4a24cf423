"""Requests in, answers out: bodies decoded strictly into types, values encoded once, refusals as problem details.

Below this layer a refusal is a value. Here, at the very edge, `Refused` carries one out of a handler, so that a handler
reads as what happens when all is well; `handled` turns it, and the failures of storage, into answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar, cast

import msgspec
from msgspec import Struct
from quart import Response, g, request

from justchat.wire.errors import STORAGE_UNAVAILABLE, ErrorCode, Refusal, encode_problem, invalid
from justchat.wire.strict_json import decode_strict
from storage.errors import StorageError

T = TypeVar("T")
Handler = Callable[..., Awaitable[Response]]

_NOT_JSON = Refusal(ErrorCode.UNSUPPORTED_MEDIA, "send application/json")
_JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
# A room's name grows when it is folded, at worst threefold, and its cursor holds that and the room's id.
TEXT_MAX_CHARACTERS = 500


class Refused(Exception):
    """Ends a handler with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def granted(value: T | Refusal) -> T:
    """Go on with a value, or end the handler with the refusal it turned out to be. Raises Refused."""
    if isinstance(value, Refusal):
        raise Refused(value)
    return value


async def has_body() -> bool:
    """Tell whether the request says anything in a body."""
    return bool(await request.get_data())


async def read_body(decoder: msgspec.json.Decoder[T]) -> T:
    """Read the request's JSON body. Raises Refused."""
    if request.mimetype not in _JSON_TYPES:
        raise Refused(_NOT_JSON)
    raw = cast("bytes", await request.get_data(cache=False, as_text=False))
    value = decode_strict(raw, decoder)
    if isinstance(value, Refusal) and value.code is ErrorCode.INVALID_FRAME:
        raise Refused(Refusal(ErrorCode.VALIDATION_FAILED, value.detail))
    return granted(value)


def read_number(name: str, *, low: int, high: int) -> int | None:
    """Read one integer of the query string. Raises Refused."""
    text = request.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise Refused(invalid(f"/{name}", f"{name} is a whole number from {low} to {high}", code="out_of_range"))
    return int(text)


def read_text(name: str, *, longest: int = TEXT_MAX_CHARACTERS) -> str | None:
    """Read one text of the query string. Raises Refused."""
    text = request.args.get(name)
    if text is not None and (len(text) > longest or not text.isprintable()):
        raise Refused(invalid(f"/{name}", f"{name} is plain text of at most {longest} characters"))
    return text


class PageAsk(Struct, frozen=True):
    """Which page of a listing is asked for."""

    cursor: str | None
    limit: int


def read_page(*, default: int, most: int) -> PageAsk:
    """Read `cursor` and `limit` of the query string. Raises Refused."""
    return PageAsk(read_text("cursor"), read_number("limit", low=1, high=most) or default)


def json_answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with a value as JSON."""
    return raw_answer(msgspec.json.encode(value), status=status, headers=headers)


def raw_answer(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON that is bytes already."""
    return Response(body, status=status, headers=headers, content_type="application/json")


def page_answer(items: object, *, next_cursor: str | None) -> Response:
    """Answer with one page of a listing."""
    return json_answer({"items": items, "next_cursor": next_cursor})


def no_content() -> Response:
    """Answer that it is done and there is nothing to say."""
    response = Response(b"", status=204)
    response.headers.pop("content-type", None)
    # RFC 9110, 8.6: a 204 has none.
    response.headers.pop("content-length", None)
    return response


def problem_answer(refusal: Refusal, *, status: int | None = None) -> Response:
    """Answer with problem details (RFC 9457); `status` where HTTP has a more exact one than the code's."""
    body = encode_problem(refusal, status=status, instance=request.path, request_id=g.get("request_id"))
    response = Response(body, status=status or refusal.status, content_type="application/problem+json")
    if refusal.retry_after_seconds is not None:
        # Whole seconds, rounded up: nobody is told to come back too early.
        response.headers["Retry-After"] = str(int(-(-refusal.retry_after_seconds // 1)))
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def handled(handler: Handler) -> Handler:
    """Make an endpoint of a handler that may end with `Refused`."""

    @wraps(handler)
    async def endpoint(**path: str) -> Response:
        try:
            return await handler(**path)
        except Refused as refused:
            return problem_answer(refused.refusal)
        except StorageError:
            return problem_answer(STORAGE_UNAVAILABLE)

    return endpoint

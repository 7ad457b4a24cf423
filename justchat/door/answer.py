"""The door's own HTTP answers: short problem+json responses, after which the connection is closed.

A last answer is followed by the end of our side and a short wait for the client's end, because closing a socket that
still has unread input destroys the answer on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import h11
import msgspec
import trio

from justchat.wire.errors import ErrorCode, Problem

_READ_BYTES = 65_536
_MAX_DISCARDED_BYTES = 1_048_576
# The same as the app gives its answers: nothing is guessed, kept or shown as a page.
_PROTECTION = (
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)


def problem_body(status: int, code: ErrorCode, detail: str) -> bytes:
    """Render problem details (RFC 9457)."""
    return msgspec.json.encode(Problem("about:blank", HTTPStatus(status).phrase, status, detail, code.value))


def closing_response(
    status: int, body: bytes, headers: Sequence[tuple[str, str]] = (), *, media_type: str = "application/problem+json"
) -> bytes:
    """Render a complete HTTP/1.1 response that ends the connection.

    Raises:
        h11.LocalProtocolError: a header is not valid.
    """
    writer = h11.Connection(h11.SERVER)
    own = [("content-type", media_type), ("content-length", str(len(body))), ("connection", "close")]
    named = [*own, *_PROTECTION, *headers]
    head = h11.Response(status_code=status, headers=named, reason=HTTPStatus(status).phrase.encode())
    parts = [writer.send(head), writer.send(h11.Data(data=body)), writer.send(h11.EndOfMessage())]
    return b"".join(part for part in parts if part)


async def answer_and_linger(stream: trio.abc.HalfCloseableStream, response: bytes, *, seconds: float) -> None:
    """Send a last response, end our side and wait for the client's end, all within `seconds`; does not close."""
    with trio.move_on_after(seconds):
        try:
            await stream.send_all(response)
            await stream.send_eof()
            await discard_input(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


async def discard_input(stream: trio.abc.ReceiveStream) -> None:
    """Read and drop until the client's end or 1 MiB."""
    left = _MAX_DISCARDED_BYTES
    while left > 0:
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            return
        left -= len(data)

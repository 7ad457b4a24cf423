"""Judges request heads before any server library sees them. Pure: imports no Trio.

h11 parses; this module decides. A head is plain HTTP/1.x for the REST server, a WebSocket upgrade on `GET /ws`, or
refused: too large, garbage, another protocol, bytes that are not ASCII. An upgrade to anything else is an offer that
is not taken up. `RequestGuard` follows all requests of one connection and lets nothing of a head through before it has
been judged.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from sys import intern
from urllib.parse import parse_qsl

import h11
from msgspec import Struct

from justchat.wire.errors import ErrorCode

WEBSOCKET_PATH = "/ws"
_WEBSOCKET_VERSION = "13"
_MAX_QUERY_FIELDS = 32
_UPGRADE = re.compile(rb"^upgrade(?=:)", re.IGNORECASE | re.MULTILINE)
# RFC 3986: a name or an address, and perhaps a port.
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%-]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(?::[0-9]*)?")


class UpgradeRequest(Struct, frozen=True, kw_only=True):
    """A well-formed WebSocket upgrade: everything the handshake needs has been checked."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes = b""
    """The head as it came."""
    rest: bytes = b""
    """What came behind it."""


class HeadRefusal(Struct, frozen=True):
    """A head that goes nowhere, and the answer it gets."""

    status: int
    code: ErrorCode
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


Barrier = UpgradeRequest | HeadRefusal


def judge(request: h11.Request) -> Barrier | None:
    """Decide what a parsed head is: None for plain HTTP that the REST server may see."""
    if request.http_version not in (b"1.1", b"1.0"):
        return HeadRefusal(505, ErrorCode.VALIDATION_FAILED, "Speak HTTP/1.1.")
    if request.method == b"CONNECT":
        return HeadRefusal(405, ErrorCode.METHOD_NOT_ALLOWED, "This is not a proxy.")
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name, value = intern(raw_name.decode("latin-1")), raw_value.decode("latin-1")
        if not value.isascii():
            return _bad("Header values are ASCII.")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not _is_host(headers.get("host", "")):
        return _bad("The Host header names no host.")
    if "transfer-encoding" in headers and "content-length" in headers:
        # A proxy in front that believes the other one would take the rest of the body for somebody's request.
        return _bad("A body has one length: Content-Length or Transfer-Encoding.")
    if headers.get("upgrade", "").lower() != "websocket":
        return None
    return _judge_upgrade(request, headers)


def _judge_upgrade(request: h11.Request, headers: dict[str, str]) -> Barrier:
    path, _, query = request.target.decode("ascii").partition("?")
    if path != WEBSOCKET_PATH:
        return HeadRefusal(404, ErrorCode.NOT_FOUND, f"WebSockets are at {WEBSOCKET_PATH}.")
    if request.method != b"GET" or request.http_version != b"1.1":
        return _bad("A WebSocket upgrade is a GET of HTTP/1.1.")
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        return _bad("A WebSocket upgrade has no body.")
    if "upgrade" not in (token.strip() for token in headers.get("connection", "").lower().split(",")):
        return _bad("The header `Connection: Upgrade` is missing.")
    if headers.get("sec-websocket-version") != _WEBSOCKET_VERSION:
        version = (("Sec-WebSocket-Version", _WEBSOCKET_VERSION),)
        return HeadRefusal(426, ErrorCode.VALIDATION_FAILED, "Speak WebSocket version 13.", version)
    if not _is_nonce(headers.get("sec-websocket-key", "")):
        return _bad("Sec-WebSocket-Key is 16 bytes in base64.")
    fields = _parse_query(query)
    if fields is None:
        return _bad("The query has too many fields.")
    return UpgradeRequest(path=path, query=fields, headers=headers)


def _bad(detail: str) -> HeadRefusal:
    return HeadRefusal(400, ErrorCode.VALIDATION_FAILED, detail)


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _is_host(host: str) -> bool:
    # The libraries behind the door encode and decode the name, so it must be one that can be.
    try:
        host.partition(":")[0].encode("idna")
        host.encode("ascii").decode("idna")
    except UnicodeError:
        return False
    return _HOST.fullmatch(host) is not None


def _parse_query(query: str) -> dict[str, str] | None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _declined(data: bytes, start: int, end: int) -> bytes:
    """Rename what a head offers to upgrade to, byte for byte: the library behind the door would take it up."""
    return data[:start] + _UPGRADE.sub(b"Ignored", data[start:end]) + data[end:]


class RequestGuard:
    """Follows what one client sends, request by request.

    `feed` returns the bytes that may go on. Once `barrier` is set nothing behind it ever goes on, and neither does
    anything behind a request that is said to be the last one: it would be taken for a fault of that request.
    """

    __slots__ = ("_h11", "_held", "_max_head_bytes", "_over", "_passable", "barrier", "broken", "in_body", "requests")

    def __init__(self, *, max_head_bytes: int) -> None:
        """Expect the first head."""
        self.barrier: Barrier | None = None
        self.in_body = False
        """Whether a request's body is still coming."""
        self.broken = False
        """Whether a body broke its framing: the bytes went on, to be refused there; nothing follows."""
        self.requests = 0
        """Plain requests let through."""
        self._max_head_bytes = max_head_bytes
        self._h11 = self._next_request()
        self._held = b""
        self._over = False
        self._passable = 0

    @property
    def in_head(self) -> bool:
        """Whether a head has begun and is not complete."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Take in received bytes, not empty, and return what may go on."""
        if self._over:
            return b""
        pending = self._held + data
        self._held = b""
        self._passable = 0
        try:
            self._h11.receive_data(data)
            return self._follow(pending)
        except h11.RemoteProtocolError as error:
            return self._refuse_garbage(pending, error)

    def _follow(self, pending: bytes) -> bytes:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                end = len(pending) - self._left()
                self.barrier = self._judge(event, end - self._passable)
                if self.barrier is not None:
                    return self._stop_at(pending, end)
                if any(name == b"upgrade" for name, _ in event.headers):
                    pending = _declined(pending, self._passable, end)
                self.requests += 1
                self.in_body = True
            elif isinstance(event, h11.EndOfMessage):
                self.in_body = False
                self._passable = len(pending) - self._left()
                self._over = self._h11.their_state is h11.MUST_CLOSE
                if self._over:
                    return pending[: self._passable]
                self._h11 = self._next_request()
                if self._passable < len(pending):
                    self._h11.receive_data(pending[self._passable :])
            elif not isinstance(event, h11.Data):
                break
        if self.in_body:
            return pending
        self._held = pending[self._passable :]
        return pending[: self._passable]

    def _judge(self, request: h11.Request, size: int) -> Barrier | None:
        if size > self._max_head_bytes:
            return self._too_large()
        return judge(request)

    def _stop_at(self, pending: bytes, end: int) -> bytes:
        if isinstance(self.barrier, UpgradeRequest):
            upgrade = self.barrier
            self.barrier = UpgradeRequest(
                path=upgrade.path,
                query=upgrade.query,
                headers=upgrade.headers,
                raw=pending[self._passable : end],
                rest=pending[end:],
            )
        return pending[: self._passable]

    def _refuse_garbage(self, pending: bytes, error: h11.RemoteProtocolError) -> bytes:
        if self.in_body:
            self.broken = True
            return pending
        self.barrier = self._too_large() if error.error_status_hint == 431 else _bad("This is not HTTP/1.1.")
        return pending[: self._passable]

    def _too_large(self) -> HeadRefusal:
        detail = f"A request head may have {self._max_head_bytes} bytes."
        return HeadRefusal(431, ErrorCode.PAYLOAD_TOO_LARGE, detail)

    def _left(self) -> int:
        return len(self._h11.trailing_data[0])

    def _next_request(self) -> h11.Connection:
        return h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_head_bytes)

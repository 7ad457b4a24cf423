"""The kinds of hostile connection that `tests.support.hostile` opens: each a function of one connection.

A kind says whether the server must now end the connection. It may raise what its socket raises.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct, field

_SWITCHED = b"HTTP/1.1 101 "


class Counters(Struct):
    """What an attack did and what came back, by kind."""

    seed: int
    tried: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """Status lines and close codes received."""
    overstayed: Counter[str] = field(default_factory=Counter)
    """Connections that the server should have cut and had not when patience ended."""
    unreachable: int = 0
    """Connections that could not be opened at all."""

    def table(self) -> str:
        """Render for a test's output."""
        kinds = " ".join(f"{kind}={count}" for kind, count in sorted(self.tried.items()))
        answers = " ".join(f"{answer}={count}" for answer, count in sorted(self.answered.items()))
        overstayed = " ".join(f"{kind}={count}" for kind, count in sorted(self.overstayed.items())) or "none"
        return f"seed={self.seed} unreachable={self.unreachable}\n  {kinds}\n  {answers}\n  overstayed: {overstayed}"


class Attacker:
    """One hostile connection."""

    def __init__(self, stream: trio.SocketStream, choice: random.Random, target: Target, counters: Counters) -> None:
        """Attack over this stream."""
        self.stream = stream
        self.choice = choice
        self.target = target
        self._counters = counters

    async def send(self, data: bytes) -> None:
        """Send all of it, in one piece or in a few."""
        pieces = self.choice.choice((1, 1, 1, 2, 5))
        size = max(1, len(data) // pieces)
        for at in range(0, len(data), size):
            await self.stream.send_all(data[at : at + size])

    async def read(self, seconds: float) -> bool:
        """Read and count until the end; False when there was none in time."""
        data = b""
        with trio.move_on_after(seconds):
            try:
                while more := await self.stream.receive_some(65_536):
                    data = (data + more)[-65_536:] if len(data) > 65_536 else data + more
            finally:
                self._count(data)
            return True
        return False

    async def upgrade(self) -> bool:
        """Become a WebSocket; False when the server would not."""
        await self.send(_head(self.choice, self.target))
        data = b""
        while b"\r\n\r\n" not in data:
            more = await self.stream.receive_some(4_096)
            if not more:
                break
            data += more
        self._count(data)
        return data.startswith(_SWITCHED)

    def reset(self) -> None:
        """Leave with a reset instead of an end."""
        self.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.stream.socket.close()

    def _count(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 "):
            self._counters.answered[f"http-{data[9:12].decode('ascii', 'replace')}"] += 1
            return
        at = data.rfind(b"\x88")
        if at >= 0 and len(data) >= at + 4:
            self._counters.answered[f"close-{int.from_bytes(data[at + 2 : at + 4], 'big')}"] += 1


class Target(Struct, frozen=True, kw_only=True):
    """What the server offers to attack."""

    websocket: str = "/ws"
    page: str = "/"
    upload: str = "/"
    download: str = "/"
    """Something large, if there is; for clients that do not read."""


def _head(choice: random.Random, target: Target, *, extra: str = "", version: str = "13", verb: str = "GET") -> bytes:
    key = base64.b64encode(choice.randbytes(16)).decode()
    return (
        f"{verb} {target.websocket} HTTP/1.1\r\nHost: attacked\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n"
    ).encode("latin-1")


def _get(path: str, *, extra: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: attacked\r\n{extra}\r\n".encode("latin-1")


def _frame(
    choice: random.Random, opcode: int, payload: bytes = b"", *, first: int = 0x80, masked: bool = True
) -> bytes:
    size = len(payload)
    short = size if size < 126 else 126 if size < 65_536 else 127
    extra = b"" if size < 126 else size.to_bytes(2 if size < 65_536 else 8, "big")
    head = bytes((opcode | first, short | (0x80 if masked else 0))) + extra
    if not masked:
        return head + payload
    mask = choice.randbytes(4)
    stream = (mask * (size // 4 + 1))[:size]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
    return head + mask + body


def _mutate(choice: random.Random, data: bytes) -> bytes:
    """Change, drop or double a few bytes."""
    changed = bytearray(data)
    for _ in range(choice.randint(1, 6)):
        at = choice.randrange(len(changed))
        how = choice.randrange(3)
        if how == 0:
            changed[at] = choice.randrange(256)
        elif how == 1:
            del changed[at]
        else:
            changed[at:at] = changed[at : at + choice.randint(1, 8)]
    return bytes(changed)


# -- kinds: each says whether the server must now end the connection, or has been left --------------------------------

Kind = Callable[[Attacker], Awaitable[bool]]
_CUT, _LEFT = True, False


async def _garbage(a: Attacker) -> bool:
    await a.send(a.choice.choice((b"\x16\x03\x01\x02", b"\x00", b"\r\n\r\n", b"\xff" * 9)) + a.choice.randbytes(400))
    return _CUT


async def _mutated_head(a: Attacker) -> bool:
    await a.send(_mutate(a.choice, _get(a.target.page, extra="X-A: b\r\nConnection: close\r\n")))
    return _CUT


async def _not_ascii(a: Attacker) -> bool:
    name = a.choice.choice(("Host", "Cookie", "Connection", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"))
    extra = f"{name}: {chr(a.choice.randrange(128, 256))}\r\n"
    await a.send(a.choice.choice((_head(a.choice, a.target, extra=extra), _get(a.target.page, extra=extra))))
    return _CUT


async def _large_head(a: Attacker) -> bool:
    size = a.choice.choice((20_000, 70_000))
    await a.send(_get(a.target.page, extra="".join(f"X-{n}: {'y' * 100}\r\n" for n in range(size // 108))))
    return _CUT


async def _other_protocol(a: Attacker) -> bool:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
    h2c = _get(
        a.target.page, extra="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    )
    await a.send(a.choice.choice((preface, h2c, b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")))
    return _CUT


async def _bad_upgrade(a: Attacker) -> bool:
    good = _head(a.choice, a.target)
    bad = (
        _head(a.choice, a.target, version=a.choice.choice(("8", "", "x"))),
        _head(a.choice, a.target, verb="POST"),
        _head(a.choice, a.target, extra="Content-Length: 5\r\n") + b"hello",
        _head(a.choice, a.target, extra="Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n",
        good.replace(b"HTTP/1.1", b"HTTP/1.0"),
        good.replace(b"Host: attacked", b"Host: xn--" + a.choice.randbytes(3).hex().encode()),
        good.replace(a.target.websocket.encode(), b"/elsewhere"),
        _mutate(a.choice, good),
    )
    await a.send(a.choice.choice(bad))
    if await a.read(0.2):
        return _CUT
    a.reset()  # Some mutations change nothing that matters: then it is an idle WebSocket.
    return _LEFT


async def _half_head(a: Attacker) -> bool:
    head = a.choice.choice((_get(a.target.page), _head(a.choice, a.target)))
    await a.send(head[: a.choice.randrange(len(head) - 3)])
    return _CUT


async def _drip(a: Attacker, data: bytes) -> None:
    for value in data:
        await a.stream.send_all(bytes((value,)))
        await trio.sleep(0.03)


async def _slow_head(a: Attacker) -> bool:
    await _drip(a, _get(a.target.page, extra="X: " + "y" * 400 + "\r\n"))
    return _CUT


async def _slow_body(a: Attacker) -> bool:
    framing = a.choice.choice(("Content-Length: 9000", "Transfer-Encoding: chunked"))
    await a.send(f"POST {a.target.upload} HTTP/1.1\r\nHost: attacked\r\n{framing}\r\n\r\n".encode())
    await _drip(a, b"1\r\nx\r\n" * 60)
    return _CUT


async def _broken_body(a: Attacker) -> bool:
    head = f"POST {a.target.upload} HTTP/1.1\r\nHost: attacked\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    await a.send(
        head + a.choice.choice((b"xyz\r\n", b"ffffffffffffffffffffff\r\n", b"-1\r\n", b"5\r\nab\r\n0\r\n\r\n\r\n\r\n"))
    )
    return _CUT


async def _later_head(a: Attacker) -> bool:
    good = _get(a.target.page)
    bad = a.choice.choice(
        (b"\x16\x03\x01", _get("/\xff"), b"GET / HTTP/9.9\r\n\r\n", _head(a.choice, a.target, version="8"))
    )
    if a.choice.random() < 0.5:
        await a.send(good + bad)
        return _CUT
    await a.send(good)
    await a.stream.receive_some(65_536)
    await a.send(bad)
    return _CUT


async def _silent(_: Attacker) -> bool:
    return _CUT


async def _download_unread(a: Attacker) -> bool:
    await a.send(_get(a.target.download))
    await trio.sleep(a.choice.uniform(0, 0.5))
    a.reset()
    return _LEFT


async def _reset_anywhere(a: Attacker) -> bool:
    data = a.choice.choice(
        (
            _get(a.target.page),
            _head(a.choice, a.target) + _frame(a.choice, 1, b"x" * 200),
            f"POST {a.target.upload} HTTP/1.1\r\nHost: attacked\r\nContent-Length: 500\r\n\r\n".encode() + bytes(500),
        )
    )
    await a.send(data[: a.choice.randrange(1, len(data) + 1)])
    await trio.sleep(a.choice.choice((0, 0, 0.01, 0.1)))
    a.reset()
    return _LEFT


async def _end_anywhere(a: Attacker) -> bool:
    data = _head(a.choice, a.target) + _frame(a.choice, 1, b"x" * 200)
    await a.send(data[: a.choice.randrange(1, len(data) + 1)])
    await a.stream.send_eof()
    return _CUT


async def _over_websocket(a: Attacker, data: bytes) -> bool:
    if await a.upgrade():
        await a.send(data)
    return _CUT


async def _oversized(a: Attacker) -> bool:
    text = a.choice.choice((b"x", "ü".encode(), "✓".encode())) * a.choice.choice((20_000, 70_000))
    if a.choice.random() < 0.5:
        return await _over_websocket(a, _frame(a.choice, 1, text))
    parts = [_frame(a.choice, 1, text[:1_000], first=0)]
    parts += [_frame(a.choice, 0, text[at : at + 1_000], first=0) for at in range(1_000, len(text), 1_000)]
    return await _over_websocket(a, b"".join(parts))


async def _empty_fragments(a: Attacker) -> bool:
    return await _over_websocket(a, _frame(a.choice, 1, first=0) + _frame(a.choice, 0, first=0) * 3_000)


async def _binary(a: Attacker) -> bool:
    return await _over_websocket(a, _frame(a.choice, 2, a.choice.randbytes(a.choice.choice((0, 50, 5_000)))))


async def _not_utf8(a: Attacker) -> bool:
    bad = a.choice.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"ok \xf0\x9f"))
    whole = _frame(a.choice, 1, bad)
    split = _frame(a.choice, 1, b"ok", first=0) + _frame(a.choice, 0, bad)
    return await _over_websocket(a, a.choice.choice((whole, split)))


async def _breach(a: Attacker) -> bool:
    c = a.choice
    return await _over_websocket(
        a,
        c.choice(
            (
                _frame(c, 1, b"x", first=0x80 | c.choice((0x10, 0x20, 0x40))),
                _frame(c, c.choice((3, 7, 0xB, 0xF)), b"x"),
                _frame(c, 1, b"x", masked=False),
                _frame(c, 9, b"x" * 126),
                _frame(c, 9, b"x", first=0),
                _frame(c, 0, b"out of nowhere"),
                _frame(c, 1, b"a", first=0) + _frame(c, 1, b"b"),
                b"\x81\xfe\x00\x01" + bytes(5),
                b"\x81\xff" + b"\xff" * 8 + bytes(9),
            )
        ),
    )


async def _noise(a: Attacker) -> bool:
    if await a.upgrade():
        await a.send(a.choice.randbytes(a.choice.choice((10, 300, 5_000))))
        await a.read(0.1)
        a.reset()
    return _LEFT


async def _after_close(a: Attacker) -> bool:
    c = a.choice
    close = c.choice((b"", b"\x03\xe8", b"\x03", b"\x03\xed", b"\x00\x00", b"\x0f\xa0bye", b"\x03\xe8\xff"))
    more = c.choice((_frame(c, 9, b"ping"), _frame(c, 1, b"text"), _frame(c, 8), c.randbytes(50)))
    return await _over_websocket(a, _frame(c, 8, close) + more * 3)


async def _ping_flood(a: Attacker) -> bool:
    if await a.upgrade():
        with trio.move_on_after(0.3):
            for _ in range(200):
                await a.stream.send_all(_frame(a.choice, 9, b"x" * 125) * 50)
        a.reset()
    return _LEFT


async def _never_reads(a: Attacker) -> bool:
    if await a.upgrade():
        with trio.move_on_after(0.3):
            for _ in range(500):
                await a.stream.send_all(_frame(a.choice, 1, b"x" * 8_000))
        a.reset()
    return _LEFT


# fmt: off
_ALL: tuple[Kind, ...] = (
    _garbage, _mutated_head, _not_ascii, _large_head, _other_protocol, _bad_upgrade, _half_head, _slow_head,
    _slow_body, _broken_body, _later_head, _silent, _download_unread, _reset_anywhere, _end_anywhere, _oversized,
    _empty_fragments, _binary, _not_utf8, _breach, _noise, _after_close, _ping_flood, _never_reads,
)
# fmt: on
KINDS: dict[str, Kind] = {kind.__name__.lstrip("_"): kind for kind in _ALL}

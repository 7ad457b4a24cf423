"""Judging request heads: what reaches a server library is plain HTTP/1.x or a checked upgrade, whatever was sent."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.door.head import HeadRefusal, RequestGuard, UpgradeRequest
from tests.door.running import upgrade_head

PLAIN = b"GET /hi HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /e HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n"
)


def judged(data: bytes, *, limit: int = 16_384) -> tuple[bytes, RequestGuard]:
    """Feed all of it at once."""
    guard = RequestGuard(max_head_bytes=limit)
    return guard.feed(data), guard


def status(data: bytes, *, limit: int = 16_384) -> int | None:
    """The refusal's status, None for what passes."""
    released, guard = judged(data, limit=limit)
    assert released == (b"" if guard.barrier else data)
    return guard.barrier.status if isinstance(guard.barrier, HeadRefusal) else None


@pytest.mark.parametrize(
    "head", [PLAIN, POST, CHUNKED, b"GET / HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n"]
)
def test_plain_http_passes_unchanged(head: bytes) -> None:
    """Not a byte is added or lost."""
    assert status(head) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x00\x01\x02", 400),
        (b"\r\n\r\n", 400),
        (b"hello there\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-Name: Jos\xe9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX\xe9: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: ..\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t:80:80\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: " + b"x" * 64 + b".example:80\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/3.0\r\nHost: t\r\n\r\n", 505),
        (b"CONNECT other:443 HTTP/1.1\r\nHost: t\r\n\r\n", 405),
    ],
)
def test_what_is_not_for_us_is_refused(data: bytes, expected: int) -> None:
    """Garbage, TLS, other protocols and bytes that are not ASCII never get further."""
    assert status(data) == expected


@pytest.mark.parametrize(
    "host",
    [
        "",
        "chat.example",
        "Chat-1.example.:8000",
        "[::1]",
        "[::ffff:7f00:1]:80",
        "[fe80::1%25eth0]",
        "my_host:",
        "127.0.0.1:1",
    ],
)
def test_whatever_may_name_a_host_passes(host: str) -> None:
    """Names and addresses of both kinds, with and without a port; a name may be empty."""
    assert status(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()) is None


@pytest.mark.parametrize("offer", [b"Upgrade: h2c", b"UPGRADE: TLS/1.0", b"Upgrade: h2c\r\nupgrade: websocket"])
def test_an_upgrade_to_something_else_is_an_offer_that_is_not_taken_up(offer: bytes) -> None:
    """Some clients offer HTTP/2 with their first request: it goes on as it is, and nobody behind sees the offer."""
    first = b"POST /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n"
    body = b"Upgrade: in a body\r\n"
    head = first + b"Content-Length: 20\r\nX-Upgrade: x\r\n" + offer + b"\r\n\r\n"
    for pieces in ([head + body + PLAIN], [head, body, PLAIN], [head[:60], head[60:] + body[:3], body[3:] + PLAIN]):
        guard = RequestGuard(max_head_bytes=16_384)
        released = b"".join(guard.feed(piece) for piece in pieces)
        assert (guard.barrier, guard.requests) == (None, 2)
        request, _, rest = released.partition(b"\r\n\r\n")
        assert rest == body + PLAIN
        assert request.count(b"Ignored: ") == len(offer.split(b"\r\n"))
        assert request.replace(b"Ignored", b"upgrade").lower() == head.lower().removesuffix(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (upgrade_head("/elsewhere"), 404),
        (upgrade_head("/ws/"), 404),
        (upgrade_head("http://test/ws"), 404),
        (upgrade_head(first="POST"), 400),
        (upgrade_head().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
        (upgrade_head(extra="Content-Length: 5\r\n"), 400),
        (upgrade_head(extra="Transfer-Encoding: chunked\r\n"), 400),
        (upgrade_head().replace(b"keep-alive, Upgrade", b"keep-alive"), 400),
        (upgrade_head(version="8"), 426),
        (upgrade_head().replace(b"Sec-WebSocket-Version", b"X-Version"), 426),
        (upgrade_head().replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        (upgrade_head().replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: short"), 400),
        (upgrade_head(extra="Sec-WebSocket-Protocol: \x96\r\n"), 400),
        (upgrade_head(extra="Sec-WebSocket-Extensions: \x96\r\n"), 400),
        (upgrade_head(extra="Connection: \x96\r\n"), 400),
        (upgrade_head().replace(b"Host: test", b"Host: xn--\x80"), 400),
        (upgrade_head().replace(b"Host: test", b"Host: xn--a-"), 400),
        (upgrade_head("/ws?" + "&".join(f"a{n}=1" for n in range(40))), 400),
    ],
)
def test_an_upgrade_that_is_not_a_websocket_at_its_place_is_refused(head: bytes, expected: int) -> None:
    """Everything a handshake needs is checked before a WebSocket library sees it."""
    assert status(head) == expected


def test_a_good_upgrade_is_taken_apart() -> None:
    """Path, query and headers are there; the bytes are kept, the ones behind the head apart."""
    head = upgrade_head("/ws?ticket=a%20b&ticket=c&v=", extra="Origin: https://a.example\r\nX-A: 1\r\nX-A: 2\r\n")
    released, guard = judged(head + b"\x81\x80")
    upgrade = guard.barrier
    assert isinstance(upgrade, UpgradeRequest)
    assert released == b""
    assert (upgrade.path, upgrade.query) == ("/ws", {"ticket": "a b", "v": ""})
    assert (upgrade.headers["origin"], upgrade.headers["x-a"]) == ("https://a.example", "1, 2")
    assert (upgrade.raw, upgrade.rest) == (head, b"\x81\x80")


@pytest.mark.parametrize(
    "last",
    [
        PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        POST.replace(b"\r\n\r\n", b"\r\nConnection: x, Close\r\n\r\n"),
        CHUNKED.replace(b"Host: t", b"Host: t\r\nConnection: close"),
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("behind", [b"\r\n", PLAIN, upgrade_head(), b"\x00", b"G"])
def test_nothing_goes_on_behind_a_last_request(last: bytes, behind: bytes) -> None:
    """Some clients end a body with a line break more: what they have asked is answered all the same."""
    for pieces in ([PLAIN + last + behind], [PLAIN + last, behind, behind], [PLAIN + last[:-1], last[-1:] + behind]):
        guard = RequestGuard(max_head_bytes=16_384)
        assert b"".join(guard.feed(piece) for piece in pieces) == PLAIN + last
        assert (guard.barrier, guard.broken, guard.in_head, guard.in_body) == (None, False, False, False)


@pytest.mark.parametrize("padding", [200, 50_000])
def test_a_head_over_the_limit_is_431_complete_or_not(padding: int) -> None:
    """The limit counts bytes of the head, whether its end is there yet or not."""
    head = b"GET / HTTP/1.1\r\nHost: t\r\nX-Pad: " + b"x" * padding
    assert status(head + b"\r\n\r\n", limit=128) == 431
    assert status(head, limit=128) == 431


def test_a_head_of_exactly_the_limit_passes() -> None:
    """One byte more is refused."""
    assert status(PLAIN, limit=len(PLAIN)) is None
    assert status(PLAIN, limit=len(PLAIN) - 1) == 431


def test_a_body_does_not_count_against_the_heads_limit() -> None:
    """A large body in the same read is not a large head."""
    body = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9_000
    assert status(body, limit=100) is None


@given(
    st.lists(st.sampled_from([PLAIN, POST, CHUNKED]), min_size=1, max_size=5),
    st.lists(st.integers(0, 600), max_size=15),
)
def test_requests_pass_unchanged_however_the_bytes_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    """Keep-alive and pipelining: the same bytes, and every request is counted."""
    data = b"".join(requests)
    guard = RequestGuard(max_head_bytes=1_000)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges) if a < b]
    assert b"".join(guard.feed(piece) for piece in pieces) == data
    assert guard.requests == len(requests)
    assert not any((guard.in_body, guard.in_head, guard.barrier))


@pytest.mark.parametrize("before", [PLAIN, POST, CHUNKED])
@pytest.mark.parametrize(
    "hostile", [upgrade_head(), b"\x16\x03\x01", b"GET /\xff HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"]
)
def test_a_later_head_is_judged_like_the_first(before: bytes, hostile: bytes) -> None:
    """What came before it passes, byte by byte or at once; of the hostile head nothing does."""
    released, guard = judged(before + hostile)
    assert released == before
    assert guard.barrier is not None
    slow = RequestGuard(max_head_bytes=1_000)
    parts = []
    for value in before + hostile:
        if slow.barrier is None:
            parts.append(slow.feed(bytes([value])))
    assert b"".join(parts) == before
    assert slow.barrier is not None


def test_a_body_that_breaks_its_framing_goes_on_to_be_refused_there() -> None:
    """The server behind answers for it; nothing is to follow."""
    data = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"
    released, guard = judged(data)
    assert released == data
    assert guard.broken


@given(st.binary(max_size=300))
def test_no_bytes_whatever_make_the_guard_raise(data: bytes) -> None:
    """Arbitrary bytes are held, passed or refused."""
    guard = RequestGuard(max_head_bytes=128)
    if data:
        guard.feed(data)

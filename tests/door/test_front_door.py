"""The front door itself: who is let in, who is refused and how, how it drains, and that nothing is left behind."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import msgspec
import pytest
import trio
from websockets.trio.client import connect

from justchat.door.front_door import FrontDoor
from justchat.door.limits import DoorLimits
from justchat.door.socket import Handshake
from tests.door.running import (
    NEVER_SECONDS,
    PATIENCE_SECONDS,
    App,
    Running,
    echo,
    read_to_end,
    read_until,
    running,
    until,
    upgrade_head,
)
from tests.door.test_frame_reader import client_frame

pytestmark = pytest.mark.real_clock

PLAIN = b"GET /hi HTTP/1.1\r\nHost: test\r\n\r\n"
# Long enough for whoever sends at once, also where the machine stands still for a moment.
HEAD_SECONDS = 1.0
IDLE = DoorLimits(head_seconds=NEVER_SECONDS, keep_alive_seconds=NEVER_SECONDS)


def problem_of(answer: bytes) -> tuple[int, str]:
    """Take status and code out of a raw problem+json answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    problem = msgspec.json.decode(body)
    assert problem["status"] == int(head.split()[1])
    return problem["status"], problem["code"]


async def drip(stream: trio.SocketStream, drop: bytes) -> None:
    """Send drops until the other side closes; fail when it does not."""
    with trio.fail_after(PATIENCE_SECONDS), suppress(trio.BrokenResourceError):
        while True:
            await stream.send_all(drop)
            await trio.sleep(0.02)


async def test_rest_and_websockets_share_one_port() -> None:
    """An ordinary HTTP client and an ordinary WebSocket client are both served."""
    async with (
        running() as house,
        httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http,
        connect(house.ws) as client,
    ):
        assert (await http.get("/hi")).text == "hi"
        await client.send("over the socket")
        assert await client.recv() == "over the socket"
        assert (await http.post("/echo", content=b"x" * 150_000)).content == b"x" * 150_000
        statistics = house.door.statistics()
        assert (statistics.http, statistics.websockets, statistics.accepted) == (1, 1, 2)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300, 400, "validation_failed"),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 40_000, 431, "payload_too_large"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "validation_failed"),
        (upgrade_head("/other"), 404, "not_found"),
        (upgrade_head(extra="Sec-WebSocket-Protocol: \x96\r\n"), 400, "validation_failed"),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-", 408, "validation_failed"),
    ],
)
async def test_a_refused_head_gets_a_problem_and_the_end(sent: bytes, status: int, code: str) -> None:
    """The whole answer arrives, even where the client has sent more than was read."""
    limits = DoorLimits(head_seconds=HEAD_SECONDS if status == 408 else PATIENCE_SECONDS)
    async with running(limits=limits) as house:
        assert problem_of(await house.ask(sent)) == (status, code)
        assert house.door.statistics().refused == 1


async def test_a_client_that_offers_another_protocol_is_served_in_this_one() -> None:
    """As curl and Java's client offer HTTP/2: an ordinary answer, and the connection goes on."""
    offer = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n")
    offer += b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    async with running() as house:
        answer = await house.ask(offer + PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answer.count(b"HTTP/1.1 200 ") == 2
        assert b"101" not in answer
        assert house.door.statistics().contained == 0


async def test_a_silent_connection_is_closed_without_a_word() -> None:
    """Connect and say nothing: cut at the head's deadline."""
    async with running(limits=DoorLimits(head_seconds=0.2)) as house:
        stream = await house.connect()
        async with stream:
            with trio.fail_after(PATIENCE_SECONDS):
                assert await read_to_end(stream) == b""
        await until(lambda: house.door.statistics().timed_out == 1)


async def test_what_comes_behind_a_last_request_does_not_spoil_its_answer() -> None:
    """A line break too many, or a whole request: the one that was asked is answered, and the connection ends."""
    last = b"POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 4\r\n\r\nsaid"
    async with running() as house:
        for behind in (b"\r\n", PLAIN, upgrade_head()):
            answer = await house.ask(last + behind)
            assert (answer.count(b"HTTP/1.1 "), answer[-4:]) == (1, b"said")
            assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_later_head_is_judged_like_the_first() -> None:
    """After a served request a hostile head on the same connection is refused by the door, not by the library."""
    async with running(limits=DoorLimits(linger_seconds=0.2)) as house:
        for hostile in (b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00\r\n", upgrade_head("/other")):
            stream = await house.connect()
            async with stream:
                await stream.send_all(PLAIN)
                assert b"200" in await stream.receive_some()
                await stream.send_all(hostile)
                assert problem_of(await read_to_end(stream))[0] in (400, 404)
            assert problem_of((await house.ask(PLAIN + hostile)).partition(b"\r\n\r\nhi")[2])[0] in (400, 404)
        assert house.door.statistics().contained == 0


async def test_an_upgrade_on_a_used_connection_becomes_a_websocket() -> None:
    """A proxy that keeps connections alive may reuse one for the socket."""
    async with running() as house:
        stream = await house.connect()
        async with stream:
            await stream.send_all(PLAIN)
            await read_until(stream, b"hi")
            await stream.send_all(upgrade_head())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
            await stream.send_all(client_frame(1, b"here"))
            assert await stream.receive_some() == b"\x81\x04here"
            assert house.door.statistics().http == 0
            assert house.door.statistics().websockets == 1


async def test_a_later_head_that_drips_is_cut() -> None:
    """The second head has the same deadline as the first."""
    async with running(limits=DoorLimits(head_seconds=HEAD_SECONDS, keep_alive_seconds=NEVER_SECONDS)) as house:
        stream = await house.connect()
        async with stream:
            await stream.send_all(PLAIN)
            await read_until(stream, b"hi")
            await drip(stream, b"G")
        await until(lambda: house.door.statistics().http == 0)


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_drips_is_cut(framing: bytes) -> None:
    """Bytes that come slower than the minimum pace do not hold a connection."""
    limits = DoorLimits(body_read_seconds=0.2, body_bytes_per_second=10_000)
    async with running(limits=limits) as house:
        stream = await house.connect()
        async with stream:
            await stream.send_all(b"POST /echo HTTP/1.1\r\nHost: t\r\n" + framing + b"\r\n\r\n")
            await drip(stream, b"1\r\nx\r\n" if framing.endswith(b"chunked") else b"x")
        await until(lambda: house.door.statistics().http == 0)


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 9", b"half"),
        (b"Transfer-Encoding: chunked", b"4\r\nhalf\r\n"),
        (b"Transfer-Encoding: chunked", b"none\r\n"),
        (b"Transfer-Encoding: chunked", b"1\r\nxy"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_body_that_is_not_whole_gets_a_problem_and_the_end(framing: bytes, body: bytes, at_once: bool) -> None:
    """Broken off or broken in its framing, with the head or behind it: an answer like every other refusal."""
    async with running() as house:
        stream = await house.connect()
        async with stream:
            head = PLAIN + b"POST /echo HTTP/1.1\r\nHost: t\r\n" + framing + b"\r\n\r\n"
            await stream.send_all(head + body if at_once else head)
            if not at_once:
                await read_until(stream, b"hi")
                await stream.send_all(body)
            await stream.send_eof()
            answer = await read_to_end(stream)
        assert problem_of(answer[answer.rindex(b"HTTP/1.1 ") :]) == (400, "validation_failed")
        assert house.door.statistics().escaped == 0


async def test_beyond_the_limit_connections_are_turned_away() -> None:
    """The one too many gets a 503; when there is room again it is served."""
    async with running(limits=DoorLimits(max_connections=2)) as house, connect(house.ws), connect(house.ws) as second:
        assert problem_of(await house.ask(PLAIN)) == (503, "rate_limited")
        assert house.door.statistics().turned_away == 1
        await second.aclose()
        await until(lambda: house.door.statistics().websockets == 1)
        assert (await house.ask(PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).endswith(b"hi")


class FailingListener(trio.abc.Listener[trio.SocketStream]):
    """A listener whose first accepts fail as they do when descriptors run out."""

    def __init__(self, listener: trio.SocketListener, failures: int) -> None:
        """Fail this often, then behave."""
        self.socket = listener.socket
        self._listener = listener
        self._failures = failures

    async def accept(self) -> trio.SocketStream:
        """Accept, or fail."""
        if self._failures:
            self._failures -= 1
            raise OSError(errno.EMFILE, "planted")
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Close the listener."""
        await self._listener.aclose()


async def test_running_out_of_descriptors_does_not_end_the_accept_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Accept fails twice, then the waiting client is served."""
    app = App()
    door = FrontDoor(app.quart, echo)
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with trio.open_nursery() as nursery:
        with caplog.at_level(logging.CRITICAL, "trio.serve_listeners"):
            await nursery.start(door.serve, [FailingListener(listener, 2)])
            house = Running(door, app, listener.socket.getsockname()[1], nursery)
            assert (await house.ask(PLAIN.replace(b"1.1", b"1.0"))).endswith(b"hi")
        nursery.cancel_scope.cancel()


async def test_nodelay_is_set_on_accepted_sockets() -> None:
    """Small frames are not held back by the kernel."""
    seen: list[int] = []
    looked = trio.Event()

    async def look(handshake: Handshake) -> None:
        socket = (await handshake.accept())._stream._socket
        seen.append(socket.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY))
        looked.set()

    async with running(look) as house, connect(house.ws):
        await looked.wait()
    assert seen[0]


async def test_draining_closes_the_idle_finishes_the_busy_and_refuses_the_new() -> None:
    """Idle connections and unfinished heads go at once, a request in progress is answered; then it is over."""
    async with running(limits=IDLE) as house:
        idle, half, busy = await house.connect(), await house.connect(), await house.connect()
        await idle.send_all(PLAIN)
        await read_until(idle, b"hi")
        await half.send_all(b"GET /hi HT")
        await busy.send_all(PLAIN.replace(b"/hi", b"/held"))
        await house.app.entered.wait()
        house.door.start_draining()
        with trio.fail_after(PATIENCE_SECONDS):
            assert await read_to_end(idle) == b""
            assert await read_to_end(half) == b""
        with pytest.raises(OSError, match="all attempts to connect"):
            await house.connect()
        house.app.release.set()
        assert (await read_to_end(busy)).endswith(b"released")
        assert await house.door.wait_closed(PATIENCE_SECONDS) == 0
        for stream in (idle, half, busy):
            await stream.aclose()


async def test_draining_with_only_idle_connections_is_immediate() -> None:
    """Nobody waits for a keep-alive timeout."""
    async with running(limits=IDLE) as house, httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http:
        assert (await http.get("/hi")).text == "hi"
        house.door.start_draining()
        assert await house.door.wait_closed(PATIENCE_SECONDS) == 0


async def stubborn(handshake: Handshake) -> None:
    """Accept and do nothing more."""
    await handshake.accept()
    await trio.sleep_forever()


@pytest.mark.parametrize("how", ["wait_closed", "cancel"])
async def test_forcing_cuts_everything_at_once(how: str) -> None:
    """Sockets, held requests and stuck downloads: nothing is open afterwards and nobody waited for a deadline."""
    async with running(stubborn, limits=DoorLimits(send_seconds=NEVER_SECONDS)) as house:
        web = await house.upgrade()
        held, stuck = await house.connect(), await house.connect()
        await held.send_all(PLAIN.replace(b"/hi", b"/held"))
        await stuck.send_all(PLAIN.replace(b"/hi", b"/big/30000000"))
        await house.app.entered.wait()
        await stuck.receive_some(1_000)
        await until(lambda: house.door.statistics().http == 2)
        await trio.testing.wait_all_tasks_blocked(0.01)
        started = trio.current_time()
        if how == "cancel":
            house.nursery.cancel_scope.cancel()
        else:
            house.door.start_draining()
            assert await house.door.wait_closed(0.1) == 3
            assert house.door.statistics().forced == 3
    assert trio.current_time() - started < PATIENCE_SECONDS
    statistics = house.door.statistics()
    assert (statistics.http, statistics.websockets, statistics.reading_head, statistics.escaped) == (0, 0, 0, 0)
    for stream in (web, held, stuck):
        with trio.fail_after(PATIENCE_SECONDS):
            await read_to_end(stream)
        await stream.aclose()


async def test_a_failing_app_and_a_failing_handler_hurt_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Both are answered and counted, logged at a bounded rate, and a bystander notices nothing."""

    async def app(scope: object, receive: object, send: object) -> None:
        raise LookupError("planted")

    async def handler(handshake: Handshake) -> None:
        if "fail" in handshake.query:
            await handshake.accept()
            raise LookupError("planted")
        await echo(handshake)

    limits = DoorLimits(linger_seconds=0.2, close_seconds=0.2)
    async with running(handler, app=app, limits=limits) as house, connect(house.ws) as bystander:
        started = trio.current_time()
        with caplog.at_level(logging.ERROR, "justchat"):
            async with trio.open_nursery() as clients:
                for _ in range(20):
                    clients.start_soon(house.ask, PLAIN)
                    clients.start_soon(house.ask, upgrade_head("/ws?fail=1"))
            assert (await house.ask(PLAIN)).startswith(b"HTTP/1.1 500 ")
        await bystander.send("well?")
        assert await bystander.recv() == "well?"
        assert house.door.statistics().contained == 41
        assert house.door.statistics().escaped == 0
        # One at once, and one for every second that it took.
        logged = [record for record in caplog.records if record.name.startswith("justchat.door")]
        assert 1 <= len(logged) <= 2 + trio.current_time() - started


async def test_a_client_that_leaves_cancels_its_request() -> None:
    """The handler learns of it at once."""
    async with running() as house:
        stream = await house.connect()
        await stream.send_all(PLAIN.replace(b"/hi", b"/held"))
        await house.app.entered.wait()
        await stream.aclose()
        with trio.fail_after(PATIENCE_SECONDS):
            await house.app.cancelled.wait()
        await until(lambda: house.door.statistics().http == 0)


@pytest.mark.parametrize("leave", ["eof", "reset"])
async def test_an_idle_client_that_leaves_frees_its_slot_at_once(leave: str) -> None:
    """No connection lingers for its keep-alive timeout after the client has gone."""
    async with running(limits=DoorLimits(keep_alive_seconds=NEVER_SECONDS)) as house:
        stream = await house.connect()
        await stream.send_all(PLAIN)
        await read_until(stream, b"hi")
        if leave == "reset":
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await stream.aclose()
        await until(lambda: house.door.statistics().http == 0)


@pytest.mark.parametrize("answer", [lambda h: stubborn(h), lambda h: h.reject(403, b"{}")])
async def test_a_slot_is_free_again_whatever_the_handler_did(answer: Callable[[Handshake], Awaitable[None]]) -> None:
    """Accepted or rejected: when the door is cut, no count is left over."""
    async with running(answer) as house:
        stream = await house.connect()
        await stream.send_all(upgrade_head())
        await stream.receive_some(100)
        house.door.start_draining()
        await house.door.wait_closed(0.1)
        await stream.aclose()
    statistics = house.door.statistics()
    assert (statistics.websockets, statistics.escaped) == (0, 0)

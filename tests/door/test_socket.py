"""WebSockets through the door, against the independent client of `websockets` and against raw sockets."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import trio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from justchat.door.answer import problem_body
from justchat.door.frames import PING, text_frame
from justchat.door.limits import DoorLimits
from justchat.door.socket import Handshake, SocketClosed, WebSocket
from justchat.wire.errors import ErrorCode
from tests.door.running import NEVER_SECONDS, PATIENCE_SECONDS, echo, read_to_end, running, until, upgrade_head
from tests.door.test_frame_reader import client_frame

pytestmark = pytest.mark.real_clock

OFFERED = [Subprotocol("a"), Subprotocol("b")]
QUICK = DoorLimits(close_seconds=0.2, linger_seconds=0.2)
# For clients that answer: what is cut off too early would be another end.
PATIENT = DoorLimits(close_seconds=PATIENCE_SECONDS)


class Recorder:
    """A handler that records how its socket ended."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.texts: list[str] = []
        self.closed: SocketClosed | None = None
        self.socket: WebSocket | None = None
        self.ready = trio.Event()
        self.done = trio.Event()

    async def __call__(self, handshake: Handshake) -> None:
        """Accept, and receive to the end."""
        try:
            self.socket = await handshake.accept()
            self.ready.set()
            while True:
                self.texts.append(await self.socket.receive())
        except SocketClosed as closed:
            self.closed = closed
        finally:
            self.done.set()

    @property
    def code(self) -> int | None:
        """The close code that the handler saw."""
        return self.closed.code if self.closed else None


async def test_texts_of_every_kind_come_back_in_order() -> None:
    """Short, long, not ASCII and fragmented messages, before and after the library has taken over."""
    texts = ["a", "", "héllo ✓", "x" * 16_000, "after"]
    async with running() as house, connect(house.ws, compression=None) as client:
        for text in texts:
            await client.send(text)
        await client.send(["frag", "ment", "ed"])
        for text in texts:
            await client.send(text)
        received = [await client.recv() for _ in range(2 * len(texts) + 1)]
    assert received == [*texts, "fragmented", *texts]


async def test_pings_are_answered_even_while_the_handler_is_busy() -> None:
    """Control frames do not wait for the handler to receive."""

    async def busy(handshake: Handshake) -> None:
        await handshake.accept()
        await trio.sleep_forever()

    async with running(busy) as house, connect(house.ws) as client:
        with trio.fail_after(PATIENCE_SECONDS):
            await client.send("unread")
            await (await client.ping(b"payload")).wait()


async def test_the_server_may_ping() -> None:
    """A forced ping is answered, and the answer counts as life."""
    recorder = Recorder()
    async with running(recorder) as house, connect(house.ws):
        await recorder.ready.wait()
        assert recorder.socket is not None
        before = recorder.socket.last_received
        recorder.socket.force(PING)
        await until(lambda: recorder.socket is not None and recorder.socket.last_received > before)


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (client_frame(2, b"binary"), 1003),
        (client_frame(1, b"x" * 16_385), 1009),
        (client_frame(1, "ü".encode() * 8_193), 1009),
        (client_frame(1, b"x" * 9_000, final=False) + client_frame(0, b"x" * 9_000), 1009),
        (client_frame(1, b"\xff"), 1007),
        (client_frame(1, b"a", first=0x20), 1002),
        (client_frame(1, b"a", mask=False), 1002),
        (client_frame(1, b"", final=False) + client_frame(0, b"", final=False) * 300, 1008),
    ],
    ids=["binary", "oversized", "oversized-bytes", "oversized-fragments", "utf-8", "reserved", "unmasked", "fragments"],
)
async def test_what_is_not_spoken_here_is_closed_with_its_code(send: bytes, code: int) -> None:
    """The client gets a close frame with the right code, then the end; the handler sees the same code."""
    recorder = Recorder()
    async with running(recorder, limits=QUICK) as house:
        stream = await house.upgrade()
        async with stream:
            await stream.send_all(client_frame(1, b"first") + send)
            with trio.fail_after(PATIENCE_SECONDS):
                answer = await read_to_end(stream)
        await recorder.done.wait()
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4], "big") == code
        assert (recorder.texts, recorder.code) == (["first"], code)
        assert house.door.statistics().escaped == 0


async def test_a_client_that_closes_is_answered_and_its_last_words_are_heard() -> None:
    """Messages in front of the close frame are delivered, then its code; the answer echoes the code."""
    recorder = Recorder()
    async with running(recorder) as house:
        stream = await house.upgrade(behind=client_frame(1, b"one"))
        async with stream:
            await stream.send_all(client_frame(1, b"two") + client_frame(8, (4321).to_bytes(2, "big") + b"bye"))
            with trio.fail_after(PATIENCE_SECONDS):
                assert await read_to_end(stream) == b"\x88\x05\x10\xe1bye"
        await recorder.done.wait()
    assert (recorder.texts, recorder.code) == (["one", "two"], 4321)


@pytest.mark.parametrize("ending", ["eof", "reset"])
async def test_a_client_that_vanishes_is_1006(ending: str) -> None:
    """No close frame: the handler is told so at once."""
    recorder = Recorder()
    async with running(recorder) as house:
        stream = await house.upgrade()
        await recorder.ready.wait()
        if ending == "reset":
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await stream.aclose()
        with trio.fail_after(PATIENCE_SECONDS):
            await recorder.done.wait()
    assert recorder.code == 1006


async def test_close_flushes_what_was_offered_before_it() -> None:
    """Everything offered, then the close frame with code and reason; `receive` ends with the same."""
    ended: list[SocketClosed] = []

    async def farewell(handshake: Handshake) -> None:
        socket = await handshake.accept()
        for number in range(100):
            assert socket.offer(text_frame(b"%d" % number))
        socket.close(1012, "restarting")
        socket.close(4000, "a second close changes nothing")
        assert not socket.offer(text_frame(b"late"))
        try:
            await socket.receive()
        except SocketClosed as closed:
            ended.append(closed)

    async with running(farewell, limits=PATIENT) as house, connect(house.ws) as client:
        received: list[object] = []
        with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ConnectionClosed):
            await receive_all(client, received)
        assert received == [str(number) for number in range(100)]
        assert (client.close_code, client.close_reason) == (1012, "restarting")
    assert (ended[0].code, ended[0].reason) == (1012, "restarting")


@pytest.mark.parametrize(
    "first",
    [client_frame(1, b"whole"), client_frame(1, b"fr", final=False) + client_frame(0, b"ag")],
    ids=["direct", "through the library"],
)
async def test_close_ends_a_receive_that_waits(first: bytes) -> None:
    """A waiting handler is woken at once, whether trio-websocket has taken over or not."""
    recorder = Recorder()
    async with running(recorder, limits=DoorLimits(close_seconds=NEVER_SECONDS)) as house:
        stream = await house.upgrade()
        async with stream:
            await stream.send_all(first)
            await until(lambda: bool(recorder.texts))
            assert recorder.socket is not None
            recorder.socket.close(4002, "no pong")
            with trio.fail_after(PATIENCE_SECONDS):
                await recorder.done.wait()
    assert recorder.code == 4002


async def test_pings_after_our_close_frame_are_harmless() -> None:
    """A client that goes on pinging still gets a clean end, and nothing has to be contained."""
    recorder = Recorder()
    async with running(recorder, limits=PATIENT) as house:
        stream = await house.upgrade()
        async with stream:
            await recorder.ready.wait()
            assert recorder.socket is not None
            recorder.socket.close(1001, "")
            await stream.send_all(client_frame(9, b"x") * 50 + client_frame(1, b"late") + client_frame(8, b"\x03\xe9"))
            with trio.fail_after(PATIENCE_SECONDS):
                assert await read_to_end(stream) == b"\x88\x02\x03\xe9"
        await recorder.done.wait()
        assert house.door.statistics().contained == 0


async def test_closing_a_client_that_does_not_read_ends_within_its_deadline() -> None:
    """A full outbox and a silent client: the close takes its deadline, and the slot is free."""
    recorder = Recorder()
    limits = DoorLimits(close_seconds=0.2, send_seconds=NEVER_SECONDS, outbox_bytes=65_536)
    async with running(recorder, limits=limits) as house:
        stream = await house.upgrade()
        async with stream:
            await recorder.ready.wait()
            assert recorder.socket is not None
            while recorder.socket.offer(text_frame(b"x" * 10_000)):
                await trio.lowlevel.checkpoint()
            assert recorder.socket.statistics().peak_bytes <= 65_536
            started = trio.current_time()
            recorder.socket.close(4003, "stalled")
            await recorder.socket.wait_closed()
            assert 0.2 <= trio.current_time() - started < PATIENCE_SECONDS
            await recorder.done.wait()
            await until(lambda: house.door.statistics().websockets == 0)


async def test_a_client_cut_for_never_reading_ends_the_receive_of_its_handler() -> None:
    """Answers forced far beyond the bounds cut the socket, and the waiting handler is told."""
    recorder = Recorder()
    async with running(recorder, limits=DoorLimits(outbox_bytes=65_536)) as house:
        stream = await house.upgrade()
        async with stream:
            await recorder.ready.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert recorder.socket is not None
            while not recorder.socket.closed:
                recorder.socket.force(text_frame(b"x" * 10_000))
            with trio.fail_after(PATIENCE_SECONDS):
                await recorder.done.wait()
    assert recorder.code == 1006
    assert house.door.statistics().escaped == 0


async def test_a_handshake_can_be_read_and_rejected() -> None:
    """The product sees path, query, headers, origin and peer, and its problem reaches the client."""
    seen: list[Handshake] = []

    async def reject(handshake: Handshake) -> None:
        seen.append(handshake)
        body = problem_body(429, ErrorCode.RATE_LIMITED, "later")
        await handshake.reject(429, body, [("Retry-After", "7")])

    async with running(reject) as house:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{house.ws}?ticket=t1", origin=Origin("https://a.example"), subprotocols=OFFERED):
                pass
    response = refused.value.response
    assert response.status_code == 429
    assert (response.headers["Retry-After"], response.headers["Content-Type"]) == ("7", "application/problem+json")
    assert msgspec.json.decode(response.body)["code"] == "rate_limited"
    handshake = seen[0]
    assert (handshake.path, handshake.query, handshake.peer) == ("/ws", {"ticket": "t1"}, "127.0.0.1")
    assert (handshake.origin, list(handshake.subprotocols)) == ("https://a.example", ["a", "b"])
    assert handshake.headers["user-agent"].startswith("Python")


async def test_a_subprotocol_can_be_chosen() -> None:
    """The chosen one comes back to the client."""

    async def choose(handshake: Handshake) -> None:
        await (await handshake.accept(subprotocol="b")).receive()

    async with running(choose) as house, connect(house.ws, subprotocols=OFFERED) as client:
        assert client.subprotocol == "b"


async def test_no_extension_is_ever_negotiated() -> None:
    """Compression offered by the client is not taken: there is nothing to inflate."""
    async with running() as house, connect(house.ws, compression="deflate") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


async def test_a_handler_that_forgets_to_answer_gives_a_500() -> None:
    """The client is not left waiting."""

    async def forget(handshake: Handshake) -> None:
        del handshake

    async with running(forget, limits=QUICK) as house:
        assert (await house.ask(upgrade_head())).startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("fail", "code", "contained"),
    [
        (lambda: None, 1000, 0),
        (lambda: [][1], 1011, 1),
        (lambda: _raise(ExceptionGroup("g", [SocketClosed(1006)])), 1000, 0),
        (lambda: _raise(ExceptionGroup("g", [SocketClosed(1006), KeyError()])), 1011, 1),
    ],
)
async def test_when_the_handler_ends_the_socket_closes(fail: Callable[[], object], code: int, contained: int) -> None:
    """1000 after a return, 1011 after a failure, which is counted and stays in its connection."""

    async def handler(handshake: Handshake) -> None:
        await handshake.accept()
        fail()

    async with running(handler) as house, connect(house.ws) as client:
        with pytest.raises(ConnectionClosed) as closing:
            await client.recv()
        assert closing.value.rcvd is not None
        assert closing.value.rcvd.code == code
        assert house.door.statistics().contained == contained
        assert (await house.ask(b"GET /hi HTTP/1.0\r\n\r\n")).endswith(b"hi")


async def receive_all(client: ClientConnection, into: list[object]) -> None:
    """Collect messages until the connection ends."""
    while True:
        into.append(await client.recv())


def _raise(error: Exception) -> None:
    raise error


async def test_frames_sent_together_with_the_upgrade_are_not_lost() -> None:
    """A client that does not wait for the 101 is heard after it."""
    async with running(echo) as house:
        stream = await house.upgrade(behind=client_frame(1, b"early") + client_frame(1, b"la")[:4])
        async with stream:
            await stream.send_all(client_frame(1, b"la")[4:])
            with trio.fail_after(PATIENCE_SECONDS):
                data = b""
                while len(data) < 11:
                    data += await stream.receive_some()
        assert data == text_frame(b"early") + text_frame(b"la")

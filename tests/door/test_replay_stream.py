"""The replay stream's deadlines, on a virtual clock: what makes progress is served, what does not is cut."""

from __future__ import annotations

import pytest
import trio

from justchat.door.head import HeadRefusal, RequestGuard
from justchat.door.limits import DoorLimits
from justchat.door.replay_stream import ReplayStream

LIMITS = DoorLimits(head_seconds=5, body_read_seconds=15, body_bytes_per_second=1_000, send_seconds=10)
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n"


class Client(trio.abc.HalfCloseableStream):
    """The network side, as a script: bytes that arrive after a time, and a pace at which sends are taken."""

    def __init__(self, arrivals: list[tuple[float, bytes]], *, send_takes: float = 0.0) -> None:
        """Give `arrivals` one by one, each after its seconds; then be silent."""
        self.closed = False
        self.sent = 0
        self.socket = self
        self._arrivals = arrivals
        self._send_takes = send_takes
        self._sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for the next arrival."""
        if not self._arrivals:
            await trio.sleep_forever()
        seconds, data = self._arrivals.pop(0)
        await trio.sleep(seconds)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Take one piece, as a socket does: from one task at a time."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        await trio.sleep(self._send_takes)
        self._sending = False
        self.sent += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Be ready."""

    async def send_eof(self) -> None:
        """Take the end."""

    def close(self) -> None:
        """Close, as a socket does."""
        self.closed = True

    async def aclose(self) -> None:
        """Close, as a stream does."""
        self.closed = True


class Replayed:
    """A replay stream over a scripted client, after a first head."""

    def __init__(self, client: Client, first: bytes) -> None:
        """Feed the first head as the door does."""
        self.idle_ends = 0
        self.guard = RequestGuard(max_head_bytes=1_000)
        released = self.guard.feed(first)
        self.stream = ReplayStream(
            client,  # type: ignore[arg-type]  # the script stands in for a socket stream
            self.guard,
            released,
            LIMITS,
            on_idle_end=self._count,
        )

    def _count(self) -> None:
        self.idle_ends += 1

    async def read(self, size: int) -> bytes:
        """Read so many bytes, or to the end."""
        data = b""
        while len(data) < size:
            more = await self.stream.receive_some(65_536)
            if not more:
                break
            data += more
        return data


async def test_a_slow_reader_that_makes_progress_is_served(autojump_clock: trio.testing.MockClock) -> None:
    """The send deadline is for each 64 KiB, not for the whole response."""
    client = Client([], send_takes=LIMITS.send_seconds - 1)
    await Replayed(client, GET).stream.send_all(bytes(10 * 65_536))
    assert client.sent == 10 * 65_536
    assert trio.current_time() >= 90


async def test_two_who_answer_at_once_take_turns(autojump_clock: trio.testing.MockClock) -> None:
    """The app is sending its answer when Hypercorn has one of its own, to a body that broke off."""
    client = Client([], send_takes=1)
    stream = Replayed(client, POST).stream
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, bytes(100_000))
        nursery.start_soon(stream.send_all, bytes(10))
    assert client.sent == 100_010
    assert trio.current_time() >= 3


async def test_a_stuck_reader_is_cut_even_under_a_shield(autojump_clock: trio.testing.MockClock) -> None:
    """The deadline holds where the caller is shielded from every other."""
    client = Client([], send_takes=3_600)
    started = trio.current_time()
    with trio.CancelScope(shield=True), pytest.raises(trio.BrokenResourceError):
        await Replayed(client, GET).stream.send_all(b"x")
    assert trio.current_time() - started == LIMITS.send_seconds
    assert client.closed


async def test_a_steady_body_earns_its_time(autojump_clock: trio.testing.MockClock) -> None:
    """100 s at just the minimum pace are fine although the grace is 15 s."""
    client = Client([(1.0, bytes(1_000))] * 100)
    assert len(await Replayed(client, POST).read(len(POST) + 100_000)) == len(POST) + 100_000


async def test_a_dripping_body_is_cut_after_its_grace(autojump_clock: trio.testing.MockClock) -> None:
    """A byte now and then earns next to nothing."""
    client = Client([(1.0, b"x")] * 100)
    started = trio.current_time()
    with pytest.raises(trio.BrokenResourceError):
        await Replayed(client, POST).read(1_000_000)
    assert 15 <= trio.current_time() - started < 15.1
    assert client.closed


async def test_a_later_head_that_drips_is_cut_but_idleness_is_not(autojump_clock: trio.testing.MockClock) -> None:
    """The clock of a later head starts with its first byte; before it, idling is the library's to limit."""
    client = Client([(100.0, b"G"), *[(1.0, b"E")] * 100])
    replayed = Replayed(client, GET)
    started = trio.current_time()
    with pytest.raises(trio.BrokenResourceError):
        await replayed.read(1_000)
    assert 105 <= trio.current_time() - started < 106


async def test_a_held_response_has_no_read_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """A long poll may take its time: nothing is expected from the client meanwhile."""
    client = Client([(600.0, b"")])
    assert await Replayed(client, GET).read(1_000) == GET
    assert trio.current_time() >= 600
    assert not client.closed


async def test_an_end_in_idleness_is_reported_at_once_and_one_in_a_request_when_it_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """So that nothing waits for a keep-alive time after the client has gone."""
    replayed = Replayed(Client([(1.0, b"")]), GET)
    await replayed.read(1_000)
    assert replayed.idle_ends == 0
    replayed.stream.response_finished()
    assert replayed.idle_ends == 1
    replayed = Replayed(Client([(1.0, b"")]), GET)
    replayed.stream.response_finished()
    await replayed.read(1_000)
    assert replayed.idle_ends == 1


async def test_at_a_barrier_earlier_answers_finish_first(autojump_clock: trio.testing.MockClock) -> None:
    """The connection is given back when the response in progress is complete, and not closed on the way."""
    client = Client([(1.0, b"\x16\x03")])
    replayed = Replayed(client, GET)

    async def finish() -> None:
        await trio.sleep(3)
        replayed.stream.response_finished()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(finish)
        assert await replayed.read(1_000) == GET
        assert trio.current_time() >= 3
    assert replayed.stream.handed_back
    assert isinstance(replayed.guard.barrier, HeadRefusal)
    await replayed.stream.send_eof()
    await replayed.stream.aclose()
    assert not client.closed


async def test_at_a_barrier_an_endless_answer_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """After a while the connection just ends."""
    client = Client([(1.0, b"\x16\x03")])
    replayed = Replayed(client, GET)
    assert await replayed.read(1_000) == GET
    assert not replayed.stream.handed_back
    await replayed.stream.aclose()
    assert client.closed

"""The frame stream on real sockets: whole frames always, in order, bounded, and no task while nothing is queued."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from justchat.door.frame_stream import FrameStream
from justchat.door.frames import text_frame
from justchat.door.limits import DoorLimits
from tests.door.running import NEVER_SECONDS, PATIENCE_SECONDS, until

pytestmark = pytest.mark.real_clock

LIMITS = DoorLimits(outbox_items=64, outbox_bytes=64 * 1_024, close_seconds=NEVER_SECONDS)


@asynccontextmanager
async def connected(
    limits: DoorLimits = LIMITS, *, opened: bool = True
) -> AsyncIterator[tuple[FrameStream, trio.socket.SocketType, trio.Nursery]]:
    """Give a frame stream, the client's socket and the stream's nursery; the kernel's buffers are small."""
    ours, theirs = trio.socket.socketpair()
    with theirs:
        for socket in (ours, theirs):
            socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 4_096)
        async with trio.open_nursery() as nursery:
            stream = FrameStream(ours, nursery, limits, head=b"", rest=b"")
            if opened:
                stream.open()
            yield stream, theirs, nursery
            stream.kill()


async def read_frames(socket: trio.socket.SocketType) -> list[Frame]:
    """Parse what comes, up to the close frame; anything but whole frames is an error."""
    reader = StreamReader()
    frames: list[Frame] = []
    parser = Frame.parse(reader.read_exact, mask=False)
    while not frames or frames[-1].opcode != Opcode.CLOSE:
        try:
            next(parser)
        except StopIteration as done:
            frames.append(done.value)
            parser = Frame.parse(reader.read_exact, mask=False)
        else:
            data = await socket.recv(65_536)
            assert data, "the stream ended without a close frame"
            reader.feed_data(data)
    assert not reader.buffer
    return frames


def numbered(number: int, size: int = 1_000) -> bytes:
    """Build a text frame that knows its place."""
    return text_frame(b"%d " % number + b"x" * size)


def fill(stream: FrameStream) -> int:
    """Offer numbered frames until one is refused; return how many were taken."""
    taken = 0
    while stream.offer(numbered(taken)):
        taken += 1
    return taken


async def test_an_offer_to_an_idle_socket_is_on_the_wire_at_once() -> None:
    """No task runs and no checkpoint passes before the bytes can be read."""
    async with connected() as (stream, client, nursery):
        assert stream.offer(b"frame")
        assert os.read(client.fileno(), 100) == b"frame"
        assert not nursery.child_tasks


async def test_nothing_leaves_before_the_handshake_is_answered() -> None:
    """Offers are refused and dropped until `open`; the handshake's own bytes pass."""
    async with connected(opened=False) as (stream, client, _):
        assert not stream.offer(b"frame")
        await stream.send_all(b"HTTP/1.1 101")
        stream.open()
        assert stream.offer(b"frame")
        assert os.read(client.fileno(), 100) == b"HTTP/1.1 101frame"


async def test_a_client_that_does_not_read_is_refused_at_the_bound_and_loses_nothing_accepted() -> None:
    """Memory stays within the bound, and every accepted frame arrives whole and in order once it reads."""
    async with connected() as (stream, client, _):
        taken = fill(stream)
        queued = stream.statistics()
        assert taken > 10
        assert queued.bytes <= LIMITS.outbox_bytes
        assert not stream.offer(numbered(taken))
        assert stream.statistics().bytes == queued.bytes
        stream.start_closing(1000, "")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.finish)
            frames = await read_frames(client)
            client.close()
    assert [int(bytes(frame.data).split()[0]) for frame in frames[:-1]] == list(range(taken))
    assert frames[-1].opcode == Opcode.CLOSE


async def test_the_bound_in_frames_holds_too() -> None:
    """Frames that weigh little are bounded by their number, as counted by the caller."""
    async with connected() as (stream, _, _):
        fill(stream)
        while stream.offer(b"tiny"):
            pass
        assert stream.statistics().items <= LIMITS.outbox_items
        assert not stream.offer(b"tiny", LIMITS.outbox_items)


async def test_a_frame_that_has_begun_is_completed_even_over_the_bound() -> None:
    """One frame larger than every buffer and bound: part of it is with the kernel, so all of it follows."""
    frame = text_frame(bytes(random.Random(1).randbytes(500_000)))
    async with connected() as (stream, client, nursery):
        assert stream.offer(frame)
        received = b""
        while len(received) < len(frame):
            received += await client.recv(65_536)
        assert received == frame
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks


async def test_control_and_data_frames_are_never_mixed_up_under_load() -> None:
    """Offers, forced answers and the library's pongs from three tasks: whole frames only, each kind in its order."""
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}

    async def produce(kind: int, stream: FrameStream) -> None:
        sent = 0
        choice = random.Random(kind)
        while sent < 300:
            payload = b"%d %d " % (kind, sent) + b"x" * choice.choice((1, 100, 117, 700, 20_000))
            if kind == 0:
                await stream.send_all(b"\x8a%c%b" % (min(len(payload), 117), payload[:117]))
                sent += 1
            elif kind == 1:
                sent += stream.offer(text_frame(payload))
            else:
                stream.force(text_frame(payload))
                sent += 1
            await stream.wait_room()

    async def produce_all(stream: FrameStream) -> None:
        async with trio.open_nursery() as producers:
            for kind in seen:
                producers.start_soon(produce, kind, stream)
        stream.start_closing(1001, "done")

    async with connected() as (stream, client, nursery):
        nursery.start_soon(produce_all, stream)
        with trio.fail_after(PATIENCE_SECONDS):
            frames = await read_frames(client)
    for frame in frames[:-1]:
        kind, number = bytes(frame.data).split()[:2]
        seen[int(kind)].append(int(number))
    assert frames[-1].opcode == Opcode.CLOSE
    assert seen[1] == list(range(300))
    assert seen[2] == list(range(300))
    assert seen[0] == sorted(set(seen[0]))


async def test_a_flush_task_runs_only_while_something_is_queued() -> None:
    """None when idle, one when the client is behind, none when it has caught up."""
    async with connected() as (stream, client, nursery):
        assert not nursery.child_tasks
        taken = fill(stream)
        assert len(nursery.child_tasks) == 1
        received = 0
        while received < taken * len(numbered(100)) - 1_000:
            received += len(await client.recv(65_536))
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert stream.statistics().bytes == 0


async def test_force_goes_beyond_the_bound_but_not_without_end() -> None:
    """Answers pass a full outbox; a client four bounds behind is cut."""
    async with connected() as (stream, _, _):
        fill(stream)
        stream.force(numbered(0))
        assert LIMITS.outbox_bytes - 2_000 < stream.statistics().bytes < 2 * LIMITS.outbox_bytes
        for _ in range(10 * LIMITS.outbox_bytes // 1_000):
            stream.force(numbered(0))
        assert stream.closed
        assert stream.statistics().bytes == 0


async def test_pongs_for_a_client_that_does_not_read_are_not_piled_up() -> None:
    """A full outbox drops pongs instead of queueing them or blocking the reader."""
    async with connected() as (stream, _, _):
        fill(stream)
        while stream.offer(b"x"):
            pass
        before = stream.statistics().bytes
        for _ in range(1_000):
            await stream.send_all(b"\x8a\x00")
        assert stream.statistics().bytes - before < 2_000


async def test_wait_room_returns_when_half_is_free_and_when_the_socket_dies() -> None:
    """A producer may wait for room, and is not left waiting by a cut."""
    async with connected() as (stream, client, _):
        for ending in ("read", "kill"):
            fill(stream)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.wait_room)
                await trio.testing.wait_all_tasks_blocked()
                assert nursery.child_tasks
                if ending == "kill":
                    stream.kill()
                while ending == "read" and nursery.child_tasks:
                    await client.recv(4_096)
                    await trio.testing.wait_all_tasks_blocked()
            assert stream.statistics().bytes <= LIMITS.outbox_bytes // 2
        assert not stream.offer(b"late")


async def test_a_closed_sockets_number_in_other_use_is_never_written_to() -> None:
    """The descriptor is taken over by a pipe; an offer to the dead socket leaves the pipe alone."""
    ours, theirs = trio.socket.socketpair()
    with theirs:
        async with trio.open_nursery() as nursery:
            stream = FrameStream(ours, nursery, LIMITS, head=b"", rest=b"")
            stream.open()
            number = ours.fileno()
            reading, writing = os.pipe()
            ours.close()
            os.dup2(writing, number)
            os.set_blocking(reading, False)
            try:
                assert not stream.offer(b"frame")
                with pytest.raises(BlockingIOError):
                    os.read(reading, 100)
            finally:
                for descriptor in {reading, writing, number}:
                    os.close(descriptor)
            assert stream.closed


async def test_progress_is_now_when_nothing_is_queued_and_stands_still_for_a_stalled_reader() -> None:
    """A stalled reader is told from an idle one."""
    async with connected() as (stream, client, _):
        assert stream.last_progress == trio.current_time() or stream.last_progress > 0
        fill(stream)
        await trio.testing.wait_all_tasks_blocked()
        stalled = stream.last_progress
        while trio.current_time() < stalled + 0.01:
            await trio.testing.wait_all_tasks_blocked()
        assert stream.last_progress == stalled
        await client.recv(65_536)
        await until(lambda: stream.last_progress > stalled)


async def test_a_goodbye_to_a_client_that_never_reads_ends_with_its_deadline() -> None:
    """The caller's deadline holds, and the socket is closed."""
    async with connected() as (stream, client, _):
        fill(stream)
        stream.start_closing(1012, "restarting")
        started = trio.current_time()
        with trio.move_on_after(0.1):
            await stream.finish()
        assert trio.current_time() - started < PATIENCE_SECONDS
        assert stream.closed
        assert not stream.offer(b"late")
        await read_to_reset(client)


async def read_to_reset(socket: trio.socket.SocketType) -> None:
    """Read until the other side is gone."""
    try:
        while await socket.recv(65_536):
            pass
    except ConnectionResetError:
        pass

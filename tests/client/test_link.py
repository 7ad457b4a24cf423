"""The watch for silence, on a virtual clock: it runs while somebody reads, and only then."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, MockClock, memory_stream_one_way_pair

from justchat.client.link import WatchedStream


class OneWay(trio.abc.Stream):
    """The reading half of a connection."""

    def __init__(self, source: MemoryReceiveStream) -> None:
        self._source = source

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._source.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        raise NotImplementedError

    async def wait_send_all_might_not_block(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        await self._source.aclose()


def watched() -> tuple[MemorySendStream, WatchedStream]:
    server, source = memory_stream_one_way_pair()
    return server, WatchedStream(OneWay(source))


async def test_silence_breaks_a_read_that_was_under_way_before_the_watch_began(autojump_clock: MockClock) -> None:
    """The reading begins with the handshake, and how long silence may last is only known with the welcome."""
    _, stream = watched()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with trio.fail_after(1000), pytest.raises(trio.BrokenResourceError, match=r"nothing came for 35\.0 s"):
                await stream.receive_some()

        nursery.start_soon(read)
        await trio.sleep(100)
        stream.watch(35.0)
    assert trio.current_time() == 135.0
    assert stream.silent
    assert stream.ended.is_set()


async def test_every_byte_starts_the_wait_anew(autojump_clock: MockClock) -> None:
    """A slow but living server is never left."""
    server, stream = watched()
    stream.watch(35.0)
    async with trio.open_nursery() as nursery:

        async def speak() -> None:
            for _ in range(5):
                await trio.sleep(34.0)
                await server.send_all(b".")

        nursery.start_soon(speak)
        for _ in range(5):
            assert await stream.receive_some() == b"."
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    assert trio.current_time() == 5 * 34.0 + 35.0


async def test_silence_does_not_count_while_nobody_reads(autojump_clock: MockClock) -> None:
    """An application that takes its time is not a server that is dead."""
    server, stream = watched()
    stream.watch(35.0)
    await server.send_all(b"1")
    assert await stream.receive_some() == b"1"
    await trio.sleep(1000)
    await server.send_all(b"2")
    assert await stream.receive_some() == b"2"
    assert not stream.silent


async def test_the_end_of_the_stream_is_no_silence(autojump_clock: MockClock) -> None:
    """A server that hangs up has said something."""
    server, stream = watched()
    stream.watch(35.0)
    await server.aclose()
    assert await stream.receive_some() == b""
    assert stream.ended.is_set()
    assert not stream.silent

"""The comparator: a chat server on the `websockets` library that forgets everything, written the way its docs advise.

One handler per connection, rooms as sets of connections, `broadcast()` with `text=True` on bytes that are encoded once,
compression off (a chat's small frames cost more to compress than to send), everything else as the library sets it.
It speaks as much of the protocol as the bench needs and sends events with the same fields, so the same load generator
drives it; it checks no rights, stores nothing and can resume nothing. uvloop, which those docs also mention, is not
used: JustChat's event loop is in Python too.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
from msgspec import Struct
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from bench.connection import HOST


class AskedData(Struct, frozen=True):
    """The `data` of a frame, as far as this server looks at it."""

    client_msg_id: str = ""
    body: str = ""


class Asked(Struct, frozen=True):
    """A frame of a client."""

    type: str
    id: str | None = None
    room: str = ""
    data: AskedData = AskedData()


class Posted(Struct, frozen=True):
    """A message, with the fields that JustChat's has."""

    id: str
    room: str
    seq: int
    msg_no: int
    rev: int
    author: str
    body: str
    created_at: str
    client_msg_id: str


class Event(Struct, frozen=True):
    """An event, with the fields that JustChat's has."""

    type: str
    room: str
    seq: int
    ts: str
    actor: str
    data: Posted


class Room:
    """Who listens, and the last number given."""

    def __init__(self) -> None:
        self.seq = 0
        self.listeners: set[ServerConnection] = set()


class Broadcaster:
    """All rooms of the process."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}
        self._decode = msgspec.json.Decoder(Asked).decode
        self._encode = msgspec.json.Encoder().encode

    def _room(self, name: str) -> Room:
        return self._rooms.setdefault(name, Room())

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one connection until it closes."""
        author = f"u_{uuid4().hex}"
        joined: set[str] = set()
        try:
            while True:
                asked = self._decode(await connection.recv(decode=False))
                if asked.type == "subscribe":
                    joined.add(asked.room)
                await self._answer(connection, author, asked)
        except ConnectionClosed:
            pass
        finally:
            for name in joined:
                self._rooms[name].listeners.discard(connection)

    async def _answer(self, connection: ServerConnection, author: str, asked: Asked) -> None:
        answer: dict[str, object] = {"id": asked.id, "room": asked.room}
        match asked.type:
            case "hello":
                answer |= {"type": "welcome", "data": {"rooms": []}}
            case "subscribe":
                room = self._room(asked.room)
                room.listeners.add(connection)
                answer |= {"type": "subscribed", "data": {"epoch": "none", "head_seq": room.seq, "events": []}}
            case "send":
                seq = self._post(author, asked)
                answer |= {"type": "ack", "seq": seq, "data": {"client_msg_id": asked.data.client_msg_id}}
            case "ping":
                answer |= {"type": "pong"}
            case _:
                answer |= {"type": "error", "data": {"code": "validation_failed", "detail": "unknown type"}}
        await connection.send(self._encode(answer), text=True)

    def _post(self, author: str, asked: Asked) -> int:
        room = self._room(asked.room)
        room.seq += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        posted = Posted(
            id=f"m_{uuid4().hex}",
            room=asked.room,
            seq=room.seq,
            msg_no=room.seq,
            rev=1,
            author=author,
            body=asked.data.body,
            created_at=now,
            client_msg_id=asked.data.client_msg_id,
        )
        event = Event("message.created", asked.room, room.seq, now, author, posted)
        broadcast(room.listeners, self._encode(event), text=True)
        return room.seq


async def run_broadcaster(port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(Broadcaster().handle, HOST, port, compression=None) as server:
        address = next(iter(server.sockets)).getsockname()
        print(f"broadcaster listens on http://{HOST}:{address[1]}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The bench's comparator, a server on the websockets library.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(run_broadcaster(parser.parse_args().port))

"""A room with a long past, written straight into a store: what would take hours to say is there in seconds.

What is written is what the room itself would have written, so the room goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from justchat.rooms.project import put_message
from justchat.wire.events import Message, MessageCreated, encode_event
from justchat.wire.times import rfc3339
from storage.open import open_storage
from storage.records import Append, Entry, PutRoom, RoomRecord

BATCH = 2_000


async def talk_long(url: str, room: str, *, author: str, upto: int) -> None:
    """Let somebody say so much in a room that its head is `upto`; no server may be at work on this store."""
    async with open_storage(url) as storage:
        row = await storage.directory.room(room)
        assert row is not None
        for append in _appends(row, author, upto):
            await storage.journal.append([append])


def _appends(row: RoomRecord, author: str, upto: int) -> Iterator[Append]:
    seq, number = row.applied_seq, row.last_msg_no
    while seq < upto:
        said = [
            _said(row, author, seq=seq + each, number=number + each) for each in range(1, min(BATCH, upto - seq) + 1)
        ]
        seq, number = seq + len(said), number + len(said)
        puts = tuple(put_message(message, seq=message.seq) for message, _ in said)
        there = PutRoom(replace(row, applied_seq=seq, last_msg_no=number))
        yield Append(row.id, tuple(entry for _, entry in said), (*puts, there))


def _said(row: RoomRecord, author: str, *, seq: int, number: int) -> tuple[Message, Entry]:
    ts, name = row.created_at + seq, f"m_{row.id[2:18]}{seq:016x}"
    message = Message(name, row.id, seq, number, 1, author, f"word {seq}", rfc3339(ts), client_msg_id=f"long {seq}")
    body = encode_event(MessageCreated(message), room=row.id, seq=seq, ts=ts, actor=author)
    entry = Entry(
        row.id,
        seq,
        ts,
        "message.created",
        author,
        body,
        sender=author,
        client_msg_id=message.client_msg_id,
        digest=f"{seq}".encode(),
        message_id=name,
        msg_no=number,
    )
    return message, entry

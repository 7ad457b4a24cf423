"""What can be wrong with an entry in itself: bytes that are no event, or fields that say something else than they do.

Pure. What is said of a flaw quotes no text of the entry.
"""

from __future__ import annotations

import msgspec

from justchat.wire.events import Event, EventFrame, MessageCreated, decode_event
from justchat.wire.times import rfc3339
from storage.records import Entry

_frames = msgspec.json.Decoder(EventFrame)


def flaw(entry: Entry) -> str | None:
    """Say what is wrong with an entry; None if nothing is."""
    try:
        frame = _frames.decode(entry.body)
        event = decode_event(entry.body)
    except (ValueError, RecursionError):
        return "its body is not an event"
    try:
        ts = rfc3339(entry.ts)
    except (ValueError, OverflowError, OSError):
        return "its time is impossible"
    if frame.seq != entry.seq:
        return f"its body says seq {frame.seq}"
    for name, said, stored in (
        ("room", frame.room, entry.room),
        ("type", frame.type, entry.type),
        ("actor", frame.actor, entry.actor),
        ("time", frame.ts, ts),
    ):
        if said != stored:
            return f"its body says another {name}"
    return _flaw_of_post(entry, event)


def _flaw_of_post(entry: Entry, event: Event) -> str | None:
    kept = (entry.message_id, entry.msg_no, entry.sender, entry.client_msg_id)
    if not isinstance(event, MessageCreated):
        return None if (*kept, entry.digest) == (None,) * 5 else "it is no post and is indexed as one"
    message = event.message
    if (message.room, message.seq, message.author) != (entry.room, entry.seq, entry.actor):
        return "its message says another room, seq or author"
    if kept != (message.id, message.msg_no, message.author, message.client_msg_id):
        return "its message is indexed as another one"
    return "its digest is missing" if entry.digest is None else None

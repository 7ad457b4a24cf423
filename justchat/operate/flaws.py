"""What can be wrong with an entry in itself: bytes that are no event, or fields that say something else than they do.

Of an entry whose text was trimmed only the fields are left to be looked at. Pure. What is said of a flaw quotes no text
of the entry.
"""

from __future__ import annotations

import msgspec

from justchat.wire.events import Event, EventFrame, MessageCreated, decode_event
from justchat.wire.times import rfc3339
from storage.records import TRIMMED, Entry

_frames = msgspec.json.Decoder(EventFrame)
_NO_POST = "it is no post and is indexed as one"


def flaw(entry: Entry) -> str | None:
    """Say what is wrong with an entry; None if nothing is."""
    try:
        ts = rfc3339(entry.ts)
    except (ValueError, OverflowError, OSError):
        return "its time is impossible"
    if is_trimmed(entry):
        return _flaw_without_text(entry)
    try:
        frame = _frames.decode(entry.body)
        event = decode_event(entry.body)
    except (ValueError, RecursionError):
        return "its body is not an event"
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


def is_trimmed(entry: Entry) -> bool:
    """Tell whether there was a text that is gone."""
    return entry.type in TRIMMED and not entry.body


def _flaw_without_text(entry: Entry) -> str | None:
    if entry.type != "message.created":
        return None if _kept(entry) == (None,) * 5 else _NO_POST
    if None in _kept(entry):
        return "it is a post and is not indexed as one"
    return None if entry.sender == entry.actor else "its message is indexed as another one"


def _flaw_of_post(entry: Entry, event: Event) -> str | None:
    if not isinstance(event, MessageCreated):
        return None if _kept(entry) == (None,) * 5 else _NO_POST
    message = event.message
    if (message.room, message.seq, message.author) != (entry.room, entry.seq, entry.actor):
        return "its message says another room, seq or author"
    if _kept(entry)[:4] != (message.id, message.msg_no, message.author, message.client_msg_id):
        return "its message is indexed as another one"
    return "its digest is missing" if entry.digest is None else None


def _kept(entry: Entry) -> tuple[object, ...]:
    return entry.message_id, entry.msg_no, entry.sender, entry.client_msg_id, entry.digest

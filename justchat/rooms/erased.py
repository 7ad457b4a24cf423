"""What is left of an entry whose author has what they wrote erased: its place, and that there was something. Pure.

The entry stays a valid event of its type, so that a replay has no hole and comes to the same end: that the message is
deleted is said by a later entry, as it was said to whoever followed.
"""

from __future__ import annotations

from msgspec.structs import replace

from justchat.wire.events import Event, MessageCreated, MessageUpdated, decode_event, encode_event
from storage.records import TRIMMED, Entry


def without_text(entry: Entry) -> Entry | None:
    """Give an entry without its text; None where there is none, or none any more.

    Raises msgspec.ValidationError for bytes that are no event.
    """
    if entry.type not in TRIMMED or not entry.body:
        return None
    bare = _bare(decode_event(entry.body))
    body = encode_event(bare, room=entry.room, seq=entry.seq, ts=entry.ts, actor=entry.actor)
    # A fingerprint of few words tells what they were to whoever tries.
    digest = None if entry.digest is None else b""
    return None if (body, digest) == (entry.body, entry.digest) else replace(entry, body=body, digest=digest)


def _bare(event: Event) -> Event:
    match event:
        case MessageCreated(message=message):
            return MessageCreated(replace(message, body="", mentions=(), mentions_all=False))
        case MessageUpdated():
            return replace(event, body="", mentions=(), mentions_all=False)
        case _:
            return event

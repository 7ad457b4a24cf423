"""The messages that a store holds of a room, in pages that leave none out.

A sound room has one message for a seq. Where several share one, a plain page could end between them and the next one
begin above; here a page never ends within a seq.
"""

from __future__ import annotations

from justchat.operate.site import PAGE
from storage.ports import Journal
from storage.records import MessageRecord

LOWEST = -(2**63)
"""Below every seq that can be stored, so that messages at impossible places are seen too."""


async def read_messages(journal: Journal, room: str, *, after: int) -> tuple[list[MessageRecord], int | None]:
    """Return the next messages by seq and id, and after which seq the next page begins: None on the last one."""
    limit = PAGE
    while True:
        found = await journal.messages(room, after=after, limit=limit)
        if len(found) < limit:
            return _in_order(found), None
        whole = [message for message in found if message.seq != found[-1].seq]
        if whole:
            return _in_order(whole), whole[-1].seq
        limit *= 2  # a whole page of one seq


async def messages_at(journal: Journal, room: str, seq: int) -> list[MessageRecord]:
    """Return all messages that a store says were created at this seq."""
    limit = PAGE
    while len(found := await journal.messages(room, after=seq - 1, upto=seq, limit=limit)) == limit:
        limit *= 2
    return _in_order(found)


def _in_order(messages: list[MessageRecord]) -> list[MessageRecord]:
    return sorted(messages, key=lambda message: (message.seq, message.id))

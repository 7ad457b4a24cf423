"""Messages as one caller sees them: as they are stored, and with `me` at each reaction.

A stored message is shown byte for byte. Only one that somebody has reacted to is taken apart, and all of a page are
looked up at once: a page without reactions costs nothing besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from justchat.rooms.items import ItemKind, reaction_key
from justchat.wire.events import Message, ReactionCount
from storage.ports import Journal
from storage.records import MessageRecord

# The key of a field cannot stand inside a string: its quotes would be escaped there.
_REACTIONS: Final = b'"reactions":['
# How many reactions are looked up at a time; a page of messages may have twenty times its number.
_BATCH: Final = 500


class ReactionView(ReactionCount, frozen=True):
    """How many people reacted with one emoji, and whether the caller did."""

    me: bool = False


class MessageView(Message, frozen=True, omit_defaults=True):
    """A message as one caller sees it."""

    reactions: tuple[ReactionView, ...] = ()


_decoder: Final = msgspec.json.Decoder(MessageView)


async def shown(journal: Journal, caller: str, records: Sequence[MessageRecord]) -> list[msgspec.Raw]:
    """Show messages of one room to a caller, in their order."""
    views = {record.id: _decoder.decode(record.doc) for record in records if _REACTIONS in record.doc}
    keys = {
        reaction_key(view.id, reaction.emoji, caller): (view.id, reaction.emoji)
        for view in views.values()
        for reaction in view.reactions
    }
    own = await _own(journal, records[0].room, keys) if keys else set()
    return [
        msgspec.Raw(record.doc if record.id not in views else _with_me(views[record.id], own)) for record in records
    ]


async def _own(journal: Journal, room: str, keys: Mapping[str, tuple[str, str]]) -> set[tuple[str, str]]:
    """Tell which of these reactions there are."""
    wanted = [(ItemKind.REACTION.value, key) for key in keys]
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), _BATCH):
        items = await journal.items_by_key(room, wanted[start : start + _BATCH])
        found |= {keys[item.key] for item in items}
    return found


def _with_me(view: MessageView, own: set[tuple[str, str]]) -> bytes:
    reactions = tuple(replace(reaction, me=(view.id, reaction.emoji) in own) for reaction in view.reactions)
    return msgspec.json.encode(replace(view, reactions=reactions))

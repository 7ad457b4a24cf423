"""The collections' indexes, and the number of their layout.

There is no schema to migrate but this: which indexes there are, and what the fields of a document mean. A change of
that gets a new number; a database with a higher one than ours is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import convert

from storage.errors import StorageUnavailable
from storage.migrations import MigrationRefused
from storage.mongo.client import Collection, Collections

LAYOUT = 1

# Collection -> name of index -> its fields, and whether it is unique.
INDEXES: dict[str, dict[str, tuple[tuple[str, ...], bool]]] = {
    "entries": {
        "place": (("room", "seq"), True),
        "sent": (("room", "sender", "client_msg_id"), True),
        "commit": (("commit", "room", "seq"), False),
    },
    "messages": {"room": (("room", "seq"), False)},
}


async def layout_of(collections: Collections) -> int:
    """Return the number of the layout that the database has, 0 for an empty one. On the asyncio side."""
    found = await collections.layout.find_one({"_id": "layout"})
    return 0 if found is None else convert(found["version"], int)


async def is_ready(collections: Collections) -> bool:
    """Tell whether our layout is there; MigrationRefused for that of a newer program. On the asyncio side."""
    return await _known_layout(collections) == LAYOUT


async def make_ready(collections: Collections, *, migrate: bool) -> None:
    """Have our layout: make it if `migrate`, else refuse another. On the asyncio side.

    The indexes come first and the number last, so that a number that is there vouches for them. Raises
    MigrationRefused, or StorageUnavailable if the indexes are not what they should be.
    """
    number = await _known_layout(collections)
    if not migrate and number < LAYOUT:
        raise MigrationRefused(f"the database has layout {number} instead of {LAYOUT}: migrate the database first")
    for collection, name in ((collections.entries, "entries"), (collections.messages, "messages")):
        if migrate:
            await _create(collection, INDEXES[name])
        await _check(collection, INDEXES[name])
    if number < LAYOUT:
        await collections.layout.update_one({"_id": "layout"}, {"$set": {"version": LAYOUT}}, upsert=True)


async def _known_layout(collections: Collections) -> int:
    number = await layout_of(collections)
    if number > LAYOUT:
        raise MigrationRefused(f"the database has layout {number}, this program knows {LAYOUT}: run the newer program")
    return number


async def _create(collection: Collection, wanted: Mapping[str, tuple[tuple[str, ...], bool]]) -> None:
    there = await collection.index_information()
    for name, (fields, unique) in wanted.items():
        if name not in there:
            await collection.create_index([(field, 1) for field in fields], name=name, unique=unique)


async def _check(collection: Collection, wanted: Mapping[str, tuple[tuple[str, ...], bool]]) -> None:
    there = await collection.index_information()
    for name, (fields, unique) in wanted.items():
        found = there.get(name, {})
        same = [(field, int(order)) for field, order in found.get("key", ())] == [(field, 1) for field in fields]
        if (
            not same
            or bool(found.get("unique", False)) != unique
            or found.keys() & {"partialFilterExpression", "sparse"}
        ):
            kind = "unique index" if unique else "index"
            raise StorageUnavailable(
                f"collection {collection.name} has no {kind} {name} on {', '.join(fields)}: "
                "drop what has its name and start again with migrations on"
            )

"""What many changes amount to, written at once, against what they do one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from storage.memory import MemoryStore
from storage.net_changes import NetChanges
from storage.records import (
    TRIMMED,
    Append,
    Change,
    DropItem,
    DropItems,
    DropMember,
    DropMessage,
    Entry,
    PutItem,
    PutMember,
    PutMessage,
    PutRoom,
    Trim,
)
from storage.sqlite import statements as sql
from storage.sqlite.projections import apply
from storage.sqlite.rows import entry_of, item_of, member_of, message_of, room_of
from storage.sqlite.schema import known_migrations, up
from tests.storage.samples import a_change, a_member, a_message, a_post, a_room, an_item

ROOMS, HEAD = ("r_1", "r_2"), 4

# Few of each, so that changes meet.
rooms, seqs, users = st.sampled_from(("r_1", *ROOMS)), st.integers(1, HEAD), st.sampled_from(("u_1", "u_2"))
kinds, keys = st.sampled_from(("pin", "pin", "ban")), st.sampled_from(("", "a", "ab"))


@st.composite
def some_change(draw: st.DrawFn) -> Change:
    """Draw a change of one of two rooms."""
    room, seq, user, kind, key = draw(rooms), draw(seqs), draw(users), draw(kinds), draw(keys)
    item = an_item(key, room=room, kind=kind, held=draw(st.booleans()), seq=draw(st.integers(0, HEAD)))
    message = a_message(a_post(room, seq), doc=draw(st.binary(max_size=1)))
    return draw(
        st.sampled_from(
            (
                *(PutItem(item), PutItem(item), PutItem(item), DropItem(room, kind, key), DropItems(room, kind, key)),
                *(Trim(room, seq - 1), Trim(room, seq), PutMessage(message), DropMessage(room, message.id)),
                *(PutMember(a_member(room, user, seq=seq)), DropMember(room, user), PutRoom(a_room(room, seq=seq))),
            )
        )
    )


def entries(room: str) -> list[Entry]:
    """Make a room's entries, with every other one holding text."""
    types = (TRIMMED[0], "room.updated", TRIMMED[1], "room.updated")
    return [replace(a_change(room, seq), type=types[seq % 4]) for seq in range(1, HEAD + 1)]


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    """Open a database in RAM that holds nothing but entries."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        up(opened, known_migrations())
        for room in ROOMS:
            opened.executemany(sql.INSERT_ENTRY, [astuple(entry) for entry in entries(room)])
        yield opened


def net(*lists: Sequence[Change]) -> NetChanges:
    """Make of each list an append, and tell what all of them amount to."""
    return NetChanges([Append("r_1", (), tuple(changes)) for changes in lists])


def rows_on_disk(database: sqlite3.Connection) -> tuple[object, ...]:
    """Return all rows of a database."""
    makers = {"rooms": room_of, "members": member_of, "messages": message_of, "items": item_of, "entries": entry_of}
    return tuple({make(row) for row in database.execute(f"SELECT * FROM {name}")} for name, make in makers.items())


def rows_in_memory(store: MemoryStore) -> tuple[object, ...]:
    """Return all rows of a store in RAM."""
    return (
        set(store.rooms.values()),
        {member for members in store.members.values() for member in members.values()},
        set(store.messages.values()),
        {item for items in store.items.values() for item in items.values()},
        {entry for entries in store.entries.values() for entry in entries},
    )


@settings(max_examples=100, deadline=None)
@given(before=st.lists(some_change(), max_size=8), together=st.lists(st.lists(some_change(), max_size=6), max_size=3))
def test_changes_at_once_leave_what_they_leave_one_by_one(
    database: sqlite3.Connection, before: list[Change], together: list[list[Change]]
) -> None:
    """Whatever is there, whatever is changed in whatever order, and however it is spread over appends.

    The databases write what the net changes say and the store in RAM does one change after the other, so this is also
    where the two are compared.
    """
    store = MemoryStore()
    store.entries = {room: entries(room) for room in ROOMS}
    store.project(before)
    for changes in together:
        store.project(changes)
    database.execute("BEGIN")
    try:
        for change in before:
            apply(database, net([change]))
        apply(database, net(*together))
        assert rows_on_disk(database) == rows_in_memory(store)
    finally:
        database.execute("ROLLBACK")


def test_a_row_is_written_once() -> None:
    """A room that is written a hundred times in one commit is one row, and so is an item."""
    changes = [PutRoom(a_room(seq=seq)) for seq in range(1, 101)]
    puts = [PutItem(an_item("a", seq=seq)) for seq in range(1, 101)]
    amount = net(changes, puts)
    assert amount.rooms == {"r_1": a_room(seq=100)}
    assert amount.items == {("r_1", "pin", "a"): an_item("a", seq=100)}


def test_what_is_swept_is_not_written_first() -> None:
    """A sweep and a trim take what shares their commit without its ever reaching the database."""
    amount = net(
        [PutItem(an_item("a")), PutMessage(a_message(a_post("r_1", 1)))],
        [DropItems("r_1", "pin", ""), Trim("r_1", 1), Trim("r_1", 3), Trim("r_1", 2)],
    )
    assert list(amount.swept) == [DropItems("r_1", "pin", "")]
    assert amount.trimmed == {"r_1": 3}
    assert not any(amount.items.values())
    assert not any(amount.messages.values())

"""Random appends against a model that is too simple to be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from storage.errors import Conflict
from storage.records import Append, DropMember, Entry, MemberRecord, PutMember
from tests.storage.contract.backends import KINDS, Stores, each, open_stores, ram_folder
from tests.storage.samples import a_change, a_member, a_post, appended

ROOMS = ("r_1", "r_2", "r_3")
USERS = ("u_0001", "u_0002")


class Model:
    """Lists and dicts: entries by room, and members by room."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {room: [] for room in ROOMS}
        self.members: dict[str, dict[str, MemberRecord]] = {room: {} for room in ROOMS}

    def append(self, appends: Sequence[Append]) -> tuple[str, str] | None:
        """Apply all, or nothing and return the kind and the room of the first conflict."""
        entries = {room: list(old) for room, old in self.entries.items()}
        members = {room: dict(old) for room, old in self.members.items()}
        for append in appends:
            for entry in append.entries:
                if entry.seq != len(entries[append.room]) + 1:
                    return "seq", append.room
                entries[append.room].append(entry)
            keys = [(entry.sender, entry.client_msg_id) for entry in entries[append.room] if entry.sender is not None]
            if len(keys) != len(set(keys)):
                return "client_msg_id", append.room
            for change in append.changes:
                if isinstance(change, PutMember):
                    members[append.room][change.member.user] = change.member
                elif isinstance(change, DropMember):
                    members[append.room].pop(change.user, None)
        self.entries, self.members = entries, members
        return None

    def conflicts(self, appends: Sequence[Append]) -> set[tuple[str, str]]:
        """Return what may be said against these appends, each room by itself."""
        found: set[tuple[str, str]] = set()
        for room in {append.room for append in appends}:
            entries = [*self.entries[room], *(e for append in appends if append.room == room for e in append.entries)]
            if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
                found.add(("seq", room))
            keys = [entry.client_msg_id for entry in entries if entry.sender is not None]
            if len(keys) != len(set(keys)):
                found.add(("client_msg_id", room))
        return found


@st.composite
def an_append(draw: st.DrawFn) -> tuple[str, list[tuple[int, str | None]], list[tuple[bool, str]]]:
    """Draw a room; for each entry how far its seq is off and its key if it is a post; and joins and leaves."""
    off = st.sampled_from((0, 0, 0, 0, 0, 0, 0, -1, 1))
    key = st.one_of(st.none(), st.sampled_from([f"c{number}" for number in range(12)]))
    entries = draw(st.lists(st.tuples(off, key), min_size=1, max_size=3))
    moves = draw(st.lists(st.tuples(st.booleans(), st.sampled_from(USERS)), max_size=3))
    return draw(st.sampled_from(ROOMS)), entries, moves


def build(
    model: Model, drawn: list[tuple[str, list[tuple[int, str | None]], list[tuple[bool, str]]]], *, call: int
) -> list[Append]:
    """Make appends of what was drawn, on top of the model's heads; no entry is like one of another call."""
    heads = {room: len(entries) for room, entries in model.entries.items()}
    appends = []
    for room, wanted, moves in drawn:
        entries = []
        for off, key in wanted:
            heads[room] += 1
            seq = heads[room] + off
            entry = a_change(room, seq) if key is None else a_post(room, seq, client_msg_id=key)
            entries.append(replace(entry, ts=call))
        changes = tuple(
            PutMember(a_member(room, user, seq=heads[room])) if joins else DropMember(room, user)
            for joins, user in moves
        )
        appends.append(appended(*entries, changes=changes))
    return appends


async def append_whole(stores: Stores, model: Model, appends: list[Append]) -> None:
    """Append to both: all or nothing, and the first conflict is told."""
    expected = model.append(appends)
    conflict = await tried(stores, appends)
    assert conflict is None or conflict.written == 0
    assert expected == (None if conflict is None else (conflict.kind, conflict.room))


async def tried(stores: Stores, appends: list[Append]) -> Conflict | None:
    """Append, and return the conflict if there is one."""
    try:
        await stores.journal.append(appends)
    except Conflict as conflict:
        return conflict
    return None


async def append_in_parts(stores: Stores, model: Model, appends: list[Append]) -> None:
    """Append to both where a conflict ends a room's share of a call and no other's.

    The innocent are tried again as they are, and the guilty room is told how far it got, as its actor would do.
    """
    while appends:
        possible = model.conflicts(appends)
        conflict = await tried(stores, appends)
        if conflict is None:
            assert possible == set()
            assert model.append(appends) is None
            return
        assert (conflict.kind, conflict.room) in possible
        guilty = [append for append in appends if append.room == conflict.room]
        appends = [append for append in appends if append.room != conflict.room]
        await keep_prefix(stores, model, guilty, conflict.written)


async def keep_prefix(stores: Stores, model: Model, guilty: list[Append], written: int) -> None:
    """Apply the first entries of a guilty room to the model, and project those of the append that was cut in half."""
    for append in guilty:
        entries = append.entries[:written]
        written -= len(entries)
        if not entries:
            return
        part = append if entries == append.entries else appended(*entries)
        assert model.append([part]) is None
        await stores.journal.project(part)


async def check(stores: Stores, model: Model) -> None:
    """Compare everything that can be read with the model."""
    for room in ROOMS:
        entries, members = model.entries[room], model.members[room]
        assert await stores.journal.read(room, after=0, limit=1000) == entries
        assert await stores.journal.read_back(room, limit=2) == entries[-2:]
        posts = [entry for entry in entries if entry.sender is not None]
        sent = await stores.journal.find_sent(room, [("u_0001", f"c{number}") for number in range(12)])
        assert sorted(one.seq for one in sent) == [entry.seq for entry in posts]
        assert [message.seq for message in await stores.journal.messages(room, limit=1000)] == [e.seq for e in posts]
        snapshot = await stores.journal.load_room(room)
        if not entries:
            assert snapshot is None
            continue
        assert snapshot is not None
        assert (snapshot.head_seq, snapshot.room.applied_seq) == (len(entries), len(entries))
        assert snapshot.members == tuple(members[user] for user in sorted(members))
    for user in USERS:
        page = await stores.directory.rooms_of(user, cursor=None, limit=10)
        assert [room.id for room, _ in page.items] == [room for room in reversed(ROOMS) if user in model.members[room]]


@pytest.mark.parametrize("kind", each(KINDS))
@settings(max_examples=20, deadline=None)
@given(calls=st.lists(st.lists(an_append(), min_size=1, max_size=3), max_size=8))
async def test_any_appends_leave_what_the_model_says(
    kind: str, calls: list[list[tuple[str, list[tuple[int, str | None]], list[tuple[bool, str]]]]]
) -> None:
    """Guarantee: whatever is appended, in whatever order, each call is applied whole or refused whole.

    Without transactions the same holds for each room's share of a call, but for the entries that a conflict says are
    written. The rooms trust the journal's conflicts blindly: one too few forks a room, one too many loses a message.
    """
    model = Model()
    with ram_folder() as folder:
        async with open_stores(kind, folder) as stores:
            append = append_whole if stores.whole else append_in_parts
            for call, drawn in enumerate(calls):
                await append(stores, model, build(model, drawn, call=call))
            await check(stores, model)

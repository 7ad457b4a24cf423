"""Any commands, in any batches: the journal amounts to what is stored, from its beginning or from any point on.

What is stored are the room's row, its members, its messages and its items but those that no entry accounts for. The
store is the memory one, and what is appended is what rooms append; a commit is done by hand and always succeeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command
from justchat.rooms.fold import Fold, event_of
from justchat.rooms.reload import load_state
from justchat.rooms.state import from_snapshot
from justchat.wire.errors import Refusal
from justchat.wire.events import (
    Event,
    HistoryTrimmed,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    ReactionAdded,
    RoomCreated,
    RoomSettings,
    decode_event,
    encode_event,
    event_name,
)
from storage.memory import MemoryJournal, MemoryStore
from storage.records import Entry, PutMessage
from tests.rooms.command_values import Turn, seeds, turns
from tests.rooms.house import House, copied, messages, rows
from tests.rooms.scenes import ROOM

ROOMS = (ROOM, "r_2")
plans = st.builds(turns, seeds, st.integers(0, 25), st.just(ROOMS))


def folded(store: MemoryStore, room: str, entries: Sequence[Entry], *, page: int) -> Fold:
    """Bring a store whose rows of a room stayed behind up to its journal, as a room that wakes up does."""
    snapshot = rows(store, room)
    fold = Fold(room, from_snapshot(snapshot))
    for start in range(fold.head_seq, len(entries), page):
        piece = entries[start : start + page]
        fold.know(store.messages[name] for name in fold.unknown(piece) if name in store.messages)
        store.project(fold.apply(piece).changes)
    assert fold.missing is None
    return fold


def behind(store: MemoryStore, room: str, earlier: MemoryStore) -> MemoryStore:
    """Give the store with the room's row, members and items of an earlier time; its messages and entries are new."""
    mixed = copied(store)
    then = copied(earlier)
    for name in ("rooms", "members", "items"):
        getattr(mixed, name).pop(room, None)
        if room in getattr(then, name):
            getattr(mixed, name)[room] = getattr(then, name)[room]
    return mixed


async def live(house: House, plan: Sequence[Turn]) -> list[MemoryStore]:
    """Serve all turns; give the store as it was before each, and check the room after each."""
    stores = [copied(house.store)]
    for turn in plan:
        draft = await house.serve(turn)
        assert [decode_event(entry.body) for entry in draft.entries] == list(draft.events)
        state = house.states[turn.room]
        assert await load_state(house.journal, turn.room) == (None if state is None else replace(state, sent=Map()))
        if draft.entries:
            stores.append(copied(house.store))
    return stores


@settings(max_examples=60, deadline=None)
@given(plans, st.integers(1, 9))
async def test_the_journal_amounts_to_what_is_stored(plan: list[Turn], page: int) -> None:
    """From the beginning, and from the rows of any moment; also with the text of old messages trimmed meanwhile.

    From rows that stayed behind: with the messages of then and with messages as new as they can be, as in a store whose
    messages are written before its rows.
    """
    house = House(*ROOMS)
    stores = await live(house, plan)
    for room in house.store.entries:
        entries = house.store.entries[room]
        empty = MemoryStore()
        empty.entries[room] = list(entries)
        fold = folded(empty, room, entries, page=page)
        assert rows(empty, room) == rows(house.store, room)
        assert messages(empty, room) == messages(house.store, room)
        state = house.states[room]
        assert state is not None
        assert fold.state == replace(state, sent=Map())
        for earlier in stores[:: max(1, len(stores) // 4)]:
            repair(house, room, behind(house.store, room, earlier), page)
            then = copied(earlier)
            then.entries[room] = list(entries)
            repair(house, room, then, page)


def repair(house: House, room: str, store: MemoryStore, page: int) -> None:
    folded(store, room, house.store.entries[room], page=page)
    assert rows(store, room) == rows(house.store, room)
    assert messages(store, room) == messages(house.store, room)


def test_the_commands_of_these_tests_do_something() -> None:
    """Every type of command is carried out somewhere, and refused: otherwise nothing would have been compared."""
    outcomes: Counter[tuple[str, str]] = Counter()

    async def count(plan: Sequence[Turn]) -> None:
        house = House(*ROOMS)
        for turn in plan:
            draft = await house.serve(turn)
            for command, answer in zip(turn.batch, draft.answers, strict=True):
                word = "refused" if isinstance(answer, Refusal) else "changed" if answer.changed else "unchanged"
                outcomes[type(command).__name__, word] += 1

    for seed in range(100):
        trio.run(count, turns(seed, 15, ROOMS))
    words = ("changed", "refused")
    never = {(kind.__name__, word) for kind in get_args(Command) for word in words} - outcomes.keys()
    assert never == {("CreateRoom", "refused")}


def journal_with(*events: Event) -> list[Entry]:
    """Make entries of events by hand, in a room with one message."""
    created = RoomCreated("group", "private", "", "", "e_1", RoomSettings(), (MemberView("u_a", "owner"),))
    said = MessageCreated(Message("m_1", ROOM, 2, 1, 1, "u_a", "tea", "2026-01-31T09:30:00.123Z", "c"))
    entries = []
    for seq, event in enumerate((created, said, *events), 1):
        body = encode_event(event, room=ROOM, seq=seq, ts=0, actor="u_a")
        post = {"message_id": "m_1", "msg_no": 1} if event is said else {}
        entries.append(Entry(ROOM, seq, 0, event_name(event), "u_a", body, **post))
    return entries


@pytest.mark.parametrize(
    ("upto", "missing"), [(None, "m_2"), (2, "m_2"), (3, None)], ids=["untrimmed", "too little", "trimmed"]
)
def test_a_message_that_is_not_there_is_a_damage_unless_it_was_trimmed(upto: int | None, missing: str | None) -> None:
    """The entry that trims it may come later than the one that changes it: only then is it known."""
    events: list[Event] = [ReactionAdded("m_2", 3, "u_a", "👍"), MessageDeleted("m_1", 2, 1)]
    entries = journal_with(*events, *([] if upto is None else [HistoryTrimmed(upto)]))
    fold = Fold(ROOM)
    assert fold.unknown(entries) == ["m_2"]
    changes = fold.apply(entries).changes
    assert fold.missing == missing
    assert [change.message.id for change in changes if isinstance(change, PutMessage)] == ["m_1", "m_1"]


async def test_a_room_whose_journal_is_damaged_does_not_wake_up() -> None:
    """It says what is wrong, and nothing is made of it."""
    store = MemoryStore()
    store.entries[ROOM] = journal_with(MessageDeleted("m_2", 3, 2))
    with pytest.raises(ValueError, match="m_2 was changed, but is not there"):
        await load_state(MemoryJournal(store), ROOM)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry(ROOM, 2, 1, "message.created", "u_a", b"", "u_a", "c", b"d", "m_1", 1), "m_1"),
        (Entry(ROOM, 3, 1, "message.updated", "u_a", b""), None),
    ],
    ids=["post", "edit"],
)
def test_what_is_left_of_an_entry_whose_text_was_trimmed(entry: Entry, expected: str | None) -> None:
    """Of a post its place and its author, of an edit nothing; both still have their place in the order."""
    event = event_of(entry)
    assert (event.message.id if isinstance(event, MessageCreated) else event) == expected
    if isinstance(event, MessageCreated):
        message = event.message
        assert (message.seq, message.msg_no, message.author, message.client_msg_id) == (2, 1, "u_a", "c")
        assert (message.body, message.deleted) == ("", True)

"""Entries without their text: what goes, what stays, and that whoever replays them comes to the same end."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map
from msgspec import ValidationError
from msgspec.structs import replace

from justchat.operate.flaws import flaw
from justchat.rooms.commands import DeleteMessage, EditMessage, PinMessage, React
from justchat.rooms.draft import draft_batch
from justchat.rooms.erased import without_text
from justchat.rooms.fold import Fold
from justchat.rooms.items import KEPT, ItemKind
from justchat.rooms.reload import load_referred
from justchat.rooms.state import settled
from justchat.rooms.system_commands import EraseMessages
from justchat.wire.asyncapi import asyncapi_document
from justchat.wire.events import SYSTEM, Event, MessageCreated, MessageUpdated, decode_event
from storage.memory import MemoryStore
from storage.records import Append, Entry
from tests.http.documents import Schemas
from tests.rooms.command_values import USERS, seeds, turns
from tests.rooms.house import House, copied, messages, rows
from tests.rooms.test_client_view import look
from tests.rooms.world import OWNER, ROOM, message, open_world

ROOMS = ("r_1", "r_2")


async def entries_of(*bodies: str) -> list[Entry]:
    """Give the entries of a room in which somebody says these, and edits and calls somebody in the first."""
    async with open_world() as world:
        await world.create("u_2")
        for body in bodies:
            await world.do(message(body, actor="u_2"))
        await world.do(EditMessage("u_2", "m_2", "better words", names=("nobody",)))
        return await world.journal.read(ROOM, after=0, limit=100)


async def test_what_somebody_wrote_goes_and_all_else_stays(autojump_clock: object) -> None:
    """The text, whom it calls and its fingerprint; not the place, the time, the type, who it was and under which id."""
    created, posted, edited = await entries_of("private words")
    assert without_text(created) is None
    bare = without_text(posted)
    assert bare is not None
    assert replace(bare, body=posted.body, digest=posted.digest) == posted
    assert bare.digest == b""
    before, after = json.loads(posted.body), json.loads(bare.body)
    assert after == before | {"data": before["data"] | {"body": ""}}
    bare = without_text(edited)
    assert bare is not None
    assert replace(bare, body=edited.body) == edited
    event = decode_event(bare.body)
    assert isinstance(event, MessageUpdated)
    assert (event.body, event.rev) == ("", 2)


async def test_an_entry_is_emptied_once(autojump_clock: object) -> None:
    """What has no text any more is left alone, and so is what was trimmed."""
    _, posted, _ = await entries_of("words")
    bare = without_text(posted)
    assert bare is not None
    assert without_text(bare) is None
    assert without_text(replace(posted, body=b"")) is None
    assert flaw(bare) is None


def test_bytes_that_are_no_event_are_not_taken_for_one() -> None:
    """A damaged journal is for the check to report, and not to be covered up."""
    with pytest.raises(ValidationError):
        without_text(Entry(ROOM, 2, 1, "message.created", "u_2", b"words", "u_2", "c", b"d", "m_1", 1))


def erase(store: MemoryStore, room: str, user: str) -> None:
    """Take the text of one author out of a journal."""
    for entry in list(store.entries.get(room, ())):
        if entry.actor == user and (bare := without_text(entry)) is not None:
            store.rewrite(bare)


def refolded(store: MemoryStore, room: str) -> MemoryStore:
    """Make the rows of a room from nothing but its journal."""
    fresh = MemoryStore()
    entries: Sequence[Entry] = store.entries.get(room, [])
    fold = Fold(room)
    fresh.apply(Append(room, tuple(entries), fold.apply(entries).changes if entries else ()))
    return fresh


@given(seed=seeds, user=st.sampled_from(USERS))
@settings(max_examples=40, deadline=None)
def test_a_journal_without_text_folds_to_the_same_rows(seed: int, user: str) -> None:
    """Any story, in which an author's messages are deleted at last: the fold and the rows say the same as before."""

    async def story() -> None:
        house = House(*ROOMS)
        for turn in turns(seed, 12, ROOMS):
            await house.serve(turn)
        for room in ROOMS:
            written = [name for _, name in house.store.message_order.get(room, [])]
            if written:
                await bury(house, room, user, written)
        before = copied(house.store)
        for room in ROOMS:
            if not house.store.entries.get(room):
                continue
            erase(house.store, room, user)
            assert said_by(house.store, room, user) == []
            fresh = refolded(house.store, room)
            assert rows(fresh, room) == rows(before, room)
            assert messages(fresh, room) == messages(before, room)

    trio.run(story)


async def bury(house: House, room: str, user: str, written: list[str]) -> None:
    """Have the server delete all messages of an author."""
    state = house.states[room]
    assert state is not None
    command = EraseMessages(SYSTEM, user, tuple(written))
    state = await load_referred(house.journal, state, [command])
    draft = draft_batch(state, [command], room=room, now=house.now, new_id=house.new_id)
    if draft.entries:
        await house.journal.append([draft.append()])
        house.states[room] = None if draft.state is None else settled(draft.state)


def test_who_replays_from_the_beginning_ends_where_they_are_who_followed() -> None:
    """A client that has applied every event as it was said, and one that gets them without that author's words."""
    compared: list[int] = []

    async def story(seed: int, user: str) -> None:
        house = House(ROOM)
        first, *rest = turns(seed, 15, (ROOM,))
        await house.serve(first)
        followed, replayed = await look(house, USERS[0]), await look(house, USERS[0])
        assert followed is not None
        assert replayed is not None
        for turn in rest:
            await house.serve(turn)
        written = [name for _, name in house.store.message_order.get(ROOM, [])]
        await bury(house, ROOM, user, written)
        told = list(house.store.entries[ROOM])
        erase(house.store, ROOM, user)
        if not all(entry.body for entry in told):
            return  # nobody replays from before what was trimmed
        for view, entries in ((followed, told), (replayed, house.store.entries[ROOM])):
            for entry in entries:
                if not view.gone:
                    view.apply(entry.body)
        if not followed.gone:  # else they were sent away before the server deleted anything
            compared.append(len(told))
            assert vars(followed) == vars(replayed)

    for seed in range(40):
        trio.run(story, seed, USERS[seed % len(USERS)])
    assert len(compared) > 10
    assert max(compared) > 20


async def test_an_entry_without_text_is_as_documented(autojump_clock: object) -> None:
    """To the last field, as any other of its type."""
    schemas = Schemas(json.loads(json.dumps(asyncapi_document(version="1"))))
    for entry in (await entries_of("private words"))[1:]:
        bare = without_text(entry)
        assert bare is not None
        event = json.loads(bare.body)
        assert schemas.problems(f"/components/messages/event.{entry.type}/payload", event) == []


def said_by(store: MemoryStore, room: str, user: str) -> list[Event]:
    """Give the entries that still hold words of this author."""
    own = [entry for entry in store.entries[room] if entry.actor == user and entry.body]
    events = [decode_event(entry.body) for entry in own]
    return [
        event
        for event in events
        if (isinstance(event, MessageCreated) and event.message.body)
        or (isinstance(event, MessageUpdated) and event.body)
    ]


async def test_what_was_deleted_before_goes_from_the_journal_too(autojump_clock: object) -> None:
    """A tombstone's text is still in its entries; afterwards it is not, and the tombstone is the same."""
    async with open_world() as world:
        await world.create("u_2")
        await world.do(message("secret", actor="u_2", client_msg_id="c"))
        await world.do(React(OWNER, "m_2", "👍"))
        await world.do(PinMessage(OWNER, "m_2"))
        await world.do(EditMessage("u_2", "m_2", "more secret"))
        await world.do(DeleteMessage("u_2", "m_2"))
        store = world.journal._store
        tombstone = store.messages["m_2"]
        erase(store, ROOM, "u_2")
        assert b"secret" not in b"".join(entry.body for entry in store.entries[ROOM])
        fresh = refolded(store, ROOM)
        assert fresh.messages["m_2"] == tombstone
        assert [item for item in fresh.items[ROOM].values() if item.kind not in KEPT] == []
        assert Map(fresh.rooms) == Map(store.rooms)
        assert await world.items(ItemKind.PIN) == []

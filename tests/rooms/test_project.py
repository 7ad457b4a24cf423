"""Projections: the rows that change with an event, whole and in an order that survives being applied twice."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from justchat.rooms.permissions import Role, Visibility
from justchat.rooms.project import project, project_room
from justchat.rooms.state import Stamp, evolve, from_snapshot, tombstone
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    encode_message,
)
from storage.records import (
    Change,
    DropMember,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    RoomSnapshot,
)
from tests.rooms.rows import Rows
from tests.rooms.scenes import ACTOR, NOBODY, NOW, ROOM, USERS, message, room

STAMP = Stamp(ROOM, 11, NOW, ACTOR)
MEMBER = USERS[Role.MEMBER]
POST = Message("m_new", ROOM, 11, 6, 1, ACTOR, "words", "2026-01-31T09:30:00.123Z", "c", reply_to="m_other")
GONE = tombstone(message("m_other", MEMBER))
CREATED = RoomCreated(
    "group", "private", "Tea", "", "e_1", RoomSettings(), (MemberView(ACTOR, "owner"), MemberView(MEMBER, "member"))
)

# An event on the room of the scene, and the rows that change with it besides the room's own.
ROWS: list[tuple[Event, tuple[Change, ...]]] = [
    (MessageCreated(POST), (PutMessage(MessageRecord("m_new", ROOM, 11, 6, ACTOR, False, encode_message(POST), 11)),)),
    (
        MessageDeleted("m_other", 2, 1),
        (PutMessage(MessageRecord("m_other", ROOM, 2, 1, MEMBER, True, encode_message(GONE), 11)),),
    ),
    (RoomUpdated(RoomChanges(name="Tea"), RoomChanges(name="Coffee")), ()),
    (RoomDeleted(), ()),
    (MemberJoined(NOBODY, "member"), (PutMember(MemberRecord(ROOM, NOBODY, "member", 11, NOW)),)),
    (MemberAdded(NOBODY, "guest"), (PutMember(MemberRecord(ROOM, NOBODY, "guest", 11, NOW)),)),
    (MemberLeft(MEMBER), (DropMember(ROOM, MEMBER),)),
    (MemberRemoved(MEMBER), (DropMember(ROOM, MEMBER),)),
    (MemberRoleChanged(MEMBER, "member", "admin"), (PutMember(MemberRecord(ROOM, MEMBER, "admin", 1, 1_000)),)),
]


def test_every_event_has_a_case() -> None:
    """A new event must come with its rows, even if there are none."""
    assert {type(event) for event, _ in ROWS} | {RoomCreated} == set(get_args(Event))


@pytest.mark.parametrize(("event", "changes"), ROWS, ids=lambda value: type(value).__name__)
def test_an_event_changes_exactly_these_rows(event: Event, changes: tuple[Change, ...]) -> None:
    """Whole rows, as of the state after the event; the room's own row is not among them."""
    assert project(evolve(room(Role.ADMIN), event, STAMP), event) == changes


def test_a_creation_puts_every_member() -> None:
    """The members of the first event are rows like those who come later."""
    state = evolve(None, CREATED, Stamp(ROOM, 1, NOW, ACTOR))
    assert project(state, CREATED) == (
        PutMember(MemberRecord(ROOM, ACTOR, "owner", 1, NOW)),
        PutMember(MemberRecord(ROOM, MEMBER, "member", 1, NOW)),
    )


def test_the_rooms_row_is_the_state() -> None:
    """Every field is there, the name also in the form that listings search."""
    state = msgspec.structs.replace(room(visibility=Visibility.PUBLIC, deleted_at=NOW), name="TEA für Größe")
    assert project_room(state) == PutRoom(
        RoomRecord(
            id=ROOM,
            kind="group",
            visibility="public",
            name="TEA für Größe",
            name_key="tea für grösse",
            topic="Cups",
            created_by=USERS[Role.OWNER],
            created_at=1_000,
            epoch="e_1",
            settings=msgspec.json.encode(RoomSettings()),
            applied_seq=10,
            last_msg_no=5,
            deleted_at=NOW,
        )
    )


def test_a_deleted_message_leaves_no_word_in_its_row() -> None:
    """The document of a tombstone holds neither the text nor the mentions."""
    secret = msgspec.structs.replace(message("m_other", MEMBER), body="secret", mentions=("u_secret",))
    state = room(Role.ADMIN)
    state = msgspec.structs.replace(state, loaded=state.loaded.set("m_other", secret))
    event = MessageDeleted("m_other", 2, 1)
    (change,) = project(evolve(state, event, STAMP), event)
    assert isinstance(change, PutMessage)
    assert b"secret" not in change.message.doc
    assert change.message.deleted


@pytest.mark.parametrize(("event", "changes"), ROWS, ids=lambda value: type(value).__name__)
def test_applying_changes_twice_is_harmless(event: Event, changes: tuple[Change, ...]) -> None:
    """Rows replace rows, so a replay after a crash between the store's two halves ends where the first pass did."""
    rows = Rows()
    rows.apply([*map(PutMember, room(Role.ADMIN).members.values()), project_room(room(Role.ADMIN)), *changes])
    once = (rows.room, dict(rows.members), dict(rows.messages))
    rows.apply(changes)
    assert (rows.room, rows.members, rows.messages) == once


@pytest.mark.parametrize(("event", "_changes"), ROWS, ids=lambda value: type(value).__name__)
def test_the_rows_load_as_the_state(event: Event, _changes: tuple[Change, ...]) -> None:
    """What is projected is what a room wakes up with."""
    before = room(Role.ADMIN)
    state = evolve(before, event, STAMP)
    rows = Rows()
    rows.apply([*map(PutMember, before.members.values()), *project(state, event), project_room(state)])
    assert rows.room is not None
    loaded = from_snapshot(RoomSnapshot(rows.room, tuple(rows.members.values()), 11))
    assert loaded == msgspec.structs.replace(state, sent=loaded.sent, loaded=loaded.loaded)

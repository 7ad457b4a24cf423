"""A room's state: what each event makes of it, what is remembered beside it, and that nothing is changed in place."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.permissions import Kind, Permission, Role, Visibility
from justchat.rooms.state import SENT_KEPT, RoomState, Stamp, evolve, from_snapshot, remember, settled, tombstone
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
    decode_event,
    encode_event,
)
from storage.records import MemberRecord, RoomRecord, RoomSnapshot, Sent
from tests.rooms.scenes import ACTOR, NOBODY, NOW, ROOM, USERS, message, room

STAMP = Stamp(ROOM, 11, NOW, ACTOR)
POST = Message("m_new", ROOM, 11, 6, 1, ACTOR, "words", "2026-01-31T09:30:00.123Z")
CREATED = RoomCreated(
    "channel", "public", "Tea", "Cups", "e_9", RoomSettings(read_only=True), (MemberView(ACTOR, "owner"),)
)
BEFORE = room(Role.ADMIN)
MEMBER = USERS[Role.MEMBER]


def members(**changed: MemberRecord) -> Map[str, MemberRecord]:
    return BEFORE.members.update(changed)


# An event on the room of the scene, and the fields that it changes besides the head.
CHANGES: list[tuple[Event, dict[str, object]]] = [
    (MessageCreated(POST), {"last_msg_no": 6}),
    (
        MessageDeleted("m_other", 2, 1),
        {"loaded": BEFORE.loaded.set("m_other", tombstone(message("m_other", MEMBER)))},
    ),
    (MessageDeleted("m_not_at_hand", 3, 2), {}),
    (RoomUpdated(RoomChanges(name="Tea"), RoomChanges(name="")), {"name": ""}),
    (RoomUpdated(RoomChanges(topic="Cups"), RoomChanges(topic="")), {"topic": ""}),
    (
        RoomUpdated(RoomChanges(visibility="private"), RoomChanges(visibility="public")),
        {"visibility": Visibility.PUBLIC},
    ),
    (RoomDeleted(), {"deleted_at": NOW}),
    (MemberJoined(NOBODY, "member"), {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "member", 11, NOW))}),
    (MemberAdded(NOBODY, "guest"), {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "guest", 11, NOW))}),
    (MemberLeft(MEMBER), {"members": BEFORE.members.delete(MEMBER)}),
    (MemberRemoved(MEMBER), {"members": BEFORE.members.delete(MEMBER)}),
    (MemberLeft(NOBODY), {}),
    (
        MemberRoleChanged(MEMBER, "member", "owner"),
        {"members": members(u_member=MemberRecord(ROOM, MEMBER, "owner", 1, 1_000))},
    ),
]


def test_every_event_has_a_case() -> None:
    """A new event must come with what it makes of the state."""
    assert {type(event) for event, _ in CHANGES} | {RoomCreated} == set(get_args(Event))


@pytest.mark.parametrize(("event", "changed"), CHANGES, ids=lambda value: type(value).__name__)
def test_an_event_changes_exactly_this(event: Event, changed: dict[str, object]) -> None:
    """The head moves by one, the named fields change, and all others stay as they were."""
    assert evolve(BEFORE, event, STAMP) == replace(BEFORE, head_seq=11, **changed)
    assert room(Role.ADMIN) == BEFORE


@pytest.mark.parametrize(("event", "changed"), CHANGES, ids=lambda value: type(value).__name__)
def test_an_event_read_from_its_bytes_does_the_same(event: Event, changed: dict[str, object]) -> None:
    """A room that replays its journal comes to the state of the room that wrote it."""
    body = encode_event(event, room=ROOM, seq=11, ts=NOW, actor=ACTOR)
    assert evolve(BEFORE, decode_event(body), STAMP) == evolve(BEFORE, event, STAMP)


def test_a_room_begins_with_its_creation() -> None:
    """Everything that a room is at seq 1 comes from the one event and its stamp."""
    assert evolve(None, CREATED, Stamp(ROOM, 1, NOW, ACTOR)) == RoomState(
        id=ROOM,
        kind=Kind.CHANNEL,
        visibility=Visibility.PUBLIC,
        name="Tea",
        topic="Cups",
        created_by=ACTOR,
        created_at=NOW,
        epoch="e_9",
        settings=RoomSettings(read_only=True),
        head_seq=1,
        last_msg_no=0,
        members=Map({ACTOR: MemberRecord(ROOM, ACTOR, "owner", 1, NOW)}),
    )


@pytest.mark.parametrize("event", [event for event, _ in CHANGES], ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("seq", [0, 1, 10, 12])
def test_an_event_out_of_order_is_a_damaged_journal(event: Event, seq: int) -> None:
    """A hole or a repeat in the journal is never passed over in silence."""
    with pytest.raises(ValueError, match="does not follow 10"):
        evolve(BEFORE, event, replace(STAMP, seq=seq))


@pytest.mark.parametrize("event", [event for event, _ in CHANGES], ids=lambda event: type(event).__name__)
def test_nothing_happens_in_a_room_that_was_not_created(event: Event) -> None:
    """A journal that begins otherwise is damaged."""
    with pytest.raises(ValueError, match=r"does not begin with room\.created"):
        evolve(None, event, replace(STAMP, seq=1))


@pytest.mark.parametrize(("state", "seq"), [(BEFORE, 11), (None, 2)], ids=["second creation", "late creation"])
def test_a_room_is_created_once_and_at_its_beginning(state: RoomState | None, seq: int) -> None:
    """A creation anywhere but at seq 1 is a damaged journal as well; it must not wipe the members."""
    with pytest.raises(ValueError, match=ROOM):
        evolve(state, CREATED, replace(STAMP, seq=seq))


def test_a_room_is_loaded_from_its_rows() -> None:
    """The projection gives back everything but what is only remembered in memory."""
    settings = RoomSettings(slow_mode_seconds=5, retention_days=7)
    record = RoomRecord(
        id=ROOM,
        kind="channel",
        visibility="public",
        name="Tea",
        name_key="tea",
        topic="Cups",
        created_by="u_1",
        created_at=1_000,
        epoch="e_1",
        settings=msgspec.json.encode(settings),
        applied_seq=7,
        last_msg_no=3,
        deleted_at=2_000,
    )
    member = MemberRecord(ROOM, "u_1", "owner", 1, 1_000)
    assert from_snapshot(RoomSnapshot(record, (member,), 9)) == RoomState(
        id=ROOM,
        kind=Kind.CHANNEL,
        visibility=Visibility.PUBLIC,
        name="Tea",
        topic="Cups",
        created_by="u_1",
        created_at=1_000,
        epoch="e_1",
        settings=settings,
        head_seq=7,
        last_msg_no=3,
        members=Map({"u_1": member}),
        deleted_at=2_000,
    )


def test_roles_and_rights_are_those_of_the_members() -> None:
    """A member has the role's rights, anybody else those of a stranger, and owners are counted."""
    state = room(Role.OWNER)
    assert state.role_of(ACTOR) is Role.OWNER
    assert state.role_of(NOBODY) is None
    assert state.owners() == 2
    assert room(Role.GUEST, others=False).owners() == 0
    assert Permission.ROOM_DELETE in state.allowed(ACTOR)
    assert state.allowed(NOBODY) == frozenset()
    assert room(visibility=Visibility.PUBLIC).allowed(NOBODY) == {Permission.ROOM_VIEW}


@pytest.mark.parametrize("role", [*Role, None], ids=str)
@pytest.mark.parametrize("visibility", Visibility)
def test_a_deleted_room_gives_nobody_any_right(role: Role | None, visibility: Visibility) -> None:
    """Not even its owner may look."""
    assert room(role, visibility=visibility, deleted_at=NOW).allowed(ACTOR) == frozenset()


def sent(number: int, sender: str = "u_1") -> Sent:
    return Sent(sender, f"c_{number}", number, number, f"m_{number}", b"d")


def test_posts_are_remembered_by_sender_and_id() -> None:
    """A later word on the same post replaces the earlier one; others stay."""
    state = remember(replace(BEFORE, sent=Map()), [sent(1), sent(2), sent(1, "u_2")])
    assert dict(state.sent) == {("u_1", "c_1"): sent(1), ("u_1", "c_2"): sent(2), ("u_2", "c_1"): sent(1, "u_2")}
    assert remember(state, []).sent == state.sent
    assert dict(BEFORE.sent).keys() == {(ACTOR, "posted")}


def test_between_batches_no_message_is_kept_at_hand() -> None:
    """What the batch needed goes; a state that has nothing to drop is the very same value."""
    state = settled(BEFORE)
    assert state == replace(BEFORE, loaded=Map())
    assert settled(state) is state


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_only_the_newest_posts_are_remembered(over: int) -> None:
    """Once twice as many as wanted are there, the oldest half is forgotten, whoever sent them and in whatever order."""
    count = 2 * SENT_KEPT + over
    numbers = [*range(1, count + 1, 2), *range(2, count + 1, 2)]
    state = settled(remember(replace(BEFORE, sent=Map()), [sent(number, f"u_{number % 3}") for number in numbers]))
    kept = sorted(post.seq for post in state.sent.values())
    assert kept == (list(range(1, count + 1)) if over < 0 else list(range(count - SENT_KEPT + 1, count + 1)))
    assert all(state.sent[post.sender, post.client_msg_id] == post for post in state.sent.values())


def test_a_tombstone_keeps_its_place_and_loses_its_content() -> None:
    """Seq, number, author and thread stay, text and mentions go, and the revision says that something happened."""
    written = replace(POST, client_msg_id="c", reply_to="m_1", thread_root="m_1", reply_count=2, mentions=("u_2",))
    assert tombstone(written) == replace(written, body="", mentions=(), deleted=True, rev=2)


def test_deleting_a_tombstone_changes_nothing() -> None:
    """Replaying a deletion onto rows that have seen it already gives the same row."""
    once = tombstone(POST)
    assert tombstone(once) == once

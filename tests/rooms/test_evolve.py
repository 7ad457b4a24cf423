"""What each event makes of a room's state, that nothing is changed in place, and that damage is told."""

from __future__ import annotations

from typing import get_args

import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.evolve import evolve
from justchat.rooms.items import Ban, Invite, Mute, Pin, Spoke, reaction_key
from justchat.rooms.message_states import tombstone
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.state import LastPost, RoomState, Stamp
from justchat.wire.events import (
    Event,
    HistoryTrimmed,
    InviteCreated,
    InviteRevoked,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberMuted,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionCount,
    ReactionRemoved,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    SettingsChanges,
    decode_event,
    encode_event,
)
from storage.records import MemberRecord
from tests.rooms.scenes import ACTOR, AT, BANNED, MUTED, NOBODY, NOW, ROOM, THUMB, USERS, room

STAMP = Stamp(ROOM, 11, NOW, ACTOR)
POST = Message("m_new", ROOM, 11, 7, 1, ACTOR, "words", AT)
CREATED = RoomCreated(
    "channel", "public", "Tea", "Cups", "e_9", RoomSettings(read_only=True), (MemberView(ACTOR, "owner"),)
)
BEFORE = room(Role.ADMIN)
HELD = BEFORE.held
MEMBER = USERS[Role.MEMBER]
OTHER = BEFORE.loaded["m_other"]


def members(**changed: MemberRecord) -> Map[str, MemberRecord]:
    return BEFORE.members.update(changed)


def held(**changed: object) -> dict[str, object]:
    return {"held": replace(HELD, **changed)}


def loaded(**changed: Message) -> dict[str, object]:
    return {"loaded": BEFORE.loaded.update(changed)}


def settings(**changed: object) -> tuple[RoomUpdated, dict[str, object]]:
    old, new = SettingsChanges(slow_mode_seconds=0), SettingsChanges(**changed)
    event = RoomUpdated(RoomChanges(settings=old), RoomChanges(settings=new))
    return event, {"settings": RoomSettings(**changed)}


# An event on the room of the scene, and the fields that it changes besides the head.
CHANGES: list[tuple[Event, dict[str, object]]] = [
    (MessageCreated(POST), {"last_msg_no": 7, "recent": (LastPost(ACTOR, 11, 7),)}),
    (
        MessageCreated(replace(POST, thread_root="m_other")),
        {"last_msg_no": 7, "recent": (LastPost(ACTOR, 11, 7),)} | loaded(m_other=replace(OTHER, reply_count=2)),
    ),
    (
        MessageUpdated("m_other", 3, 2, 2, "new", AT, (ACTOR,), True),
        loaded(m_other=replace(OTHER, rev=2, body="new", edited_at=AT, mentions=(ACTOR,), mentions_all=True)),
    ),
    (MessageDeleted("m_other", 3, 2), loaded(m_other=tombstone(OTHER))),
    (
        MessageDeleted("m_reply", 6, 5, "m_other", MEMBER),
        loaded(m_reply=tombstone(BEFORE.loaded["m_reply"]), m_other=replace(OTHER, reply_count=0)),
    ),
    (MessageDeleted("m_not_at_hand", 3, 2, "m_neither"), {}),
    (
        MessageExpired("m_pinned", 7, 6),
        loaded(m_pinned=tombstone(BEFORE.loaded["m_pinned"])) | held(pins=Map()),
    ),
    (
        MessagesBulkDeleted((MessageGone("m_pinned", 7, 6), MessageGone("m_own", 2, 1))),
        loaded(m_pinned=tombstone(BEFORE.loaded["m_pinned"]), m_own=tombstone(BEFORE.loaded["m_own"]))
        | held(pins=Map()),
    ),
    (
        ReactionAdded("m_other", 3, MEMBER, THUMB),
        loaded(m_other=replace(OTHER, reactions=(ReactionCount(THUMB, 2),)))
        | {"reacted": BEFORE.reacted.set(reaction_key("m_other", THUMB, MEMBER), True)},
    ),
    (
        ReactionRemoved("m_other", 3, ACTOR, THUMB),
        loaded(m_other=replace(OTHER, reactions=())) | {"reacted": Map({reaction_key("m_other", THUMB, ACTOR): False})},
    ),
    (PinAdded("m_own", 2), held(pins=HELD.pins.set("m_own", Pin("m_own", 2, ACTOR, NOW)))),
    (PinRemoved("m_pinned", 7), held(pins=Map())),
    (PinRemoved("m_own", 2), {}),
    (
        HistoryTrimmed(6),
        held(floor_seq=6) | {"loaded": Map({"m_pinned": BEFORE.loaded["m_pinned"]})},
    ),
    (HistoryTrimmed(7), held(floor_seq=7, pins=Map()) | {"loaded": Map()}),
    (RoomUpdated(RoomChanges(name="Tea"), RoomChanges(name="")), {"name": ""}),
    (RoomUpdated(RoomChanges(topic="Cups"), RoomChanges(topic="")), {"topic": ""}),
    (
        RoomUpdated(RoomChanges(visibility="private"), RoomChanges(visibility="public")),
        {"visibility": Visibility.PUBLIC},
    ),
    settings(slow_mode_seconds=5),
    settings(retention_days=5),
    settings(history_visibility="since_join", read_only=True),
    (RoomArchived(True), {"settings": RoomSettings(archived=True)}),
    (RoomDeleted(), {"deleted_at": NOW} | held(invites=Map(), mutes=Map())),
    (PermissionsUpdated({}, {"guest": {"messages.send": True}}), {"overrides": {"guest": {"messages.send": True}}}),
    (MemberJoined(NOBODY, "member"), {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "member", 11, NOW))}),
    (
        MemberJoined(NOBODY, "guest", "i_open"),
        {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "guest", 11, NOW))}
        | held(invites=HELD.invites.set("i_open", replace(HELD.invites["i_open"], uses=1))),
    ),
    (
        MemberJoined(NOBODY, "guest", "i_gone"),
        {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "guest", 11, NOW))},
    ),
    (MemberAdded(NOBODY, "guest"), {"members": members(u_nobody=MemberRecord(ROOM, NOBODY, "guest", 11, NOW))}),
    (MemberLeft(MEMBER), {"members": BEFORE.members.delete(MEMBER)}),
    (MemberRemoved(MEMBER), {"members": BEFORE.members.delete(MEMBER)}),
    (MemberLeft(NOBODY), {}),
    (
        MemberRoleChanged(MEMBER, "member", "owner"),
        {"members": members(u_member=MemberRecord(ROOM, MEMBER, "owner", 1, 1_000))},
    ),
    (
        MemberBanned(MEMBER, "spam"),
        {"members": BEFORE.members.delete(MEMBER)} | held(bans=HELD.bans.set(MEMBER, Ban(MEMBER, ACTOR, NOW, "spam"))),
    ),
    (MemberBanned(NOBODY), held(bans=HELD.bans.set(NOBODY, Ban(NOBODY, ACTOR, NOW)))),
    (MemberUnbanned(BANNED), held(bans=Map())),
    (MemberUnbanned(NOBODY), {}),
    (MemberMuted(MEMBER, AT, "spam"), held(mutes=HELD.mutes.set(MEMBER, Mute(MEMBER, ACTOR, NOW, NOW, "spam")))),
    (MemberMuted(MEMBER), held(mutes=HELD.mutes.set(MEMBER, Mute(MEMBER, ACTOR, NOW)))),
    (MemberUnmuted(MUTED), held(mutes=Map())),
    (
        InviteCreated("i_new", "guest", AT, 3),
        held(invites=HELD.invites.set("i_new", Invite("i_new", ACTOR, NOW, "guest", NOW, 3))),
    ),
    (InviteRevoked("i_open"), held(invites=Map())),
]


def test_every_event_has_a_case() -> None:
    """A new event must come with what it makes of the state."""
    assert {type(event) for event, _ in CHANGES} | {RoomCreated} == set(get_args(Event))


@pytest.mark.parametrize(("event", "changed"), CHANGES, ids=lambda value: type(value).__name__)
def test_an_event_changes_exactly_this(event: Event, changed: dict[str, object]) -> None:
    """The head moves by one, the named fields change, and all others stay as they were.

    So it does when it is read from its bytes: a room that replays its journal is the room that wrote it.
    """
    body = encode_event(event, room=ROOM, seq=11, ts=NOW, actor=ACTOR)
    expected = replace(BEFORE, head_seq=11, **changed)
    assert evolve(BEFORE, event, STAMP) == evolve(BEFORE, decode_event(body), STAMP) == expected
    assert room(Role.ADMIN) == BEFORE


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


@pytest.mark.parametrize("seq", [0, 1, 10, 12])
def test_an_event_out_of_order_is_a_damaged_journal(seq: int) -> None:
    """A hole or a repeat in the journal is never passed over in silence, whatever the event."""
    for event, _ in CHANGES:
        with pytest.raises(ValueError, match="does not follow 10"):
            evolve(BEFORE, event, replace(STAMP, seq=seq))


def test_nothing_happens_in_a_room_that_was_not_created() -> None:
    """A journal that begins otherwise is damaged."""
    for event, _ in CHANGES:
        with pytest.raises(ValueError, match=r"does not begin with room\.created"):
            evolve(None, event, replace(STAMP, seq=1))


@pytest.mark.parametrize(("state", "seq"), [(BEFORE, 11), (None, 2)], ids=["second creation", "late creation"])
def test_a_room_is_created_once_and_at_its_beginning(state: RoomState | None, seq: int) -> None:
    """A creation anywhere but at seq 1 is a damaged journal as well; it must not wipe the members."""
    with pytest.raises(ValueError, match=ROOM):
        evolve(state, CREATED, replace(STAMP, seq=seq))


def test_who_spoke_is_noted_in_slow_mode_and_forgotten_with_it() -> None:
    """Other settings leave it alone."""
    state = evolve(room(Role.ADMIN, settings=RoomSettings(slow_mode_seconds=5)), MessageCreated(POST), STAMP)
    assert dict(state.held.spoke) == {ACTOR: Spoke(ACTOR, NOW)}
    for (event, _), noted in (
        (settings(read_only=True), True),
        (settings(slow_mode_seconds=9), True),
        (settings(slow_mode_seconds=0), False),
    ):
        assert bool(evolve(state, event, replace(STAMP, seq=12)).held.spoke) is noted


def test_a_tombstone_keeps_its_place_and_loses_its_content() -> None:
    """Seq, number, author and thread stay, what was said goes, and the revision says that something happened."""
    written = replace(
        POST,
        client_msg_id="c",
        reply_to="m_1",
        thread_root="m_1",
        reply_count=2,
        mentions=("u_2",),
        mentions_all=True,
        reactions=(ReactionCount(THUMB, 1),),
        expires_at=AT,
    )
    gone = replace(written, body="", mentions=(), mentions_all=False, reactions=(), expires_at=None)
    assert tombstone(written) == replace(gone, deleted=True, rev=2)


def test_deleting_a_tombstone_changes_nothing() -> None:
    """Replaying a deletion onto rows that have seen it already gives the same row."""
    once = tombstone(POST)
    assert tombstone(once) == once

"""A room's state: how it is read from its rows, what its members may do, and what is remembered beside it."""

from __future__ import annotations

import msgspec
import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.items import (
    Ban,
    Invite,
    Mute,
    Pin,
    Spoke,
    ban_item,
    invite_item,
    mute_item,
    pin_item,
    retention_item,
    spoke_item,
)
from justchat.rooms.permissions import Kind, Permission, Role, Visibility
from justchat.rooms.project import project_room
from justchat.rooms.state import SENT_KEPT, Held, RoomState, from_snapshot, remember, settled, stored_settings
from justchat.wire.events import Overrides, RoomSettings
from storage.records import MemberRecord, RoomRecord, RoomSnapshot, Sent
from tests.rooms.scenes import ACTOR, NOBODY, NOW, ROOM, room

BEFORE = room(Role.ADMIN)


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
    ban, mute = Ban("u_2", "u_1", 1, "spam"), Mute("u_3", "u_1", 2, 3, "spam")
    invite, pin, spoke = Invite("i_1", "u_1", 4, "guest", 5, 6, 1), Pin("m_1", 2, "u_1", 7), Spoke("u_1", 8)
    items = (
        *(ban_item(ROOM, ban), invite_item(ROOM, invite), mute_item(ROOM, mute), pin_item(ROOM, pin)),
        *(retention_item(ROOM, 1), spoke_item(ROOM, spoke)),
    )
    assert all(item.held for item in items)
    assert from_snapshot(RoomSnapshot(record, (member,), 9, items)) == RoomState(
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
        held=Held(
            bans=Map({"u_2": ban}),
            mutes=Map({"u_3": mute}),
            invites=Map({"i_1": invite}),
            pins=Map({"m_1": pin}),
            spoke=Map({"u_1": spoke}),
            floor_seq=1,
        ),
    )
    assert from_snapshot(RoomSnapshot(None, (), 9)) is None


SETTINGS = RoomSettings(slow_mode_seconds=5, retention_days=7, history_visibility="since_join", archived=True)
OVERRIDES: Overrides = {"guest": {"messages.send": True}}


@pytest.mark.parametrize("overrides", [{}, OVERRIDES], ids=["no overrides", "overrides"])
def test_settings_and_overrides_are_read_back_as_they_were_stored(overrides: Overrides) -> None:
    """Both from the one field of the room's row."""
    row = project_room(room(settings=SETTINGS, overrides=overrides)).room
    assert stored_settings(row) == (SETTINGS, overrides)


def test_the_row_of_a_room_without_overrides_is_the_one_of_earlier_versions() -> None:
    """What they stored is still what a check of the site expects to find."""
    assert project_room(room(settings=SETTINGS)).room.settings == msgspec.json.encode(SETTINGS)


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
    assert state == replace(BEFORE, loaded=Map(), reacted=Map())
    assert settled(state) is state


@pytest.mark.parametrize("before", [BEFORE, settled(BEFORE)], ids=["after a batch", "at rest"])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_only_the_newest_posts_are_remembered(over: int, before: RoomState) -> None:
    """Once twice as many as wanted are there, the oldest half is forgotten, whoever sent them and in whatever order."""
    count = 2 * SENT_KEPT + over
    numbers = [*range(1, count + 1, 2), *range(2, count + 1, 2)]
    state = settled(remember(replace(before, sent=Map()), [sent(number, f"u_{number % 3}") for number in numbers]))
    kept = sorted(post.seq for post in state.sent.values())
    assert kept == (list(range(1, count + 1)) if over < 0 else list(range(count - SENT_KEPT + 1, count + 1)))
    assert all(state.sent[post.sender, post.client_msg_id] == post for post in state.sent.values())

"""Projections: the rows that change with an event, whole and in an order that survives being applied twice."""

from __future__ import annotations

import msgspec
import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.evolve import evolve
from justchat.rooms.fold import Fold
from justchat.rooms.items import KEPT, TIMERS, ItemKind, Scheduled, scheduled_item
from justchat.rooms.message_states import tombstone
from justchat.rooms.permissions import Role, Visibility
from justchat.rooms.project import SCHEDULED_PREFIX, project, project_room, put_message
from justchat.rooms.state import RECENT_KEPT, LastPost, RoomState, Stamp, from_snapshot, settled, stored_recent
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
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionRemoved,
    RoomArchived,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    encode_event,
    encode_message,
)
from storage.memory import MemoryStore
from storage.records import (
    Change,
    DropItem,
    DropItems,
    DropMember,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    PutItem,
    PutMark,
    PutMember,
    PutMessage,
    PutRoom,
    ReadMark,
    RoomRecord,
    RoomSnapshot,
    Trim,
)
from tests.rooms.scenes import ACTOR, AT, BANNED, MUTED, NOBODY, NOW, ROOM, USERS, message, room
from tests.rooms.test_evolve import CHANGES, CREATED

STAMP = Stamp(ROOM, 11, NOW, ACTOR)
BEFORE = room(Role.ADMIN)
MEMBER = USERS[Role.MEMBER]
POST = Message("m_new", ROOM, 11, 7, 1, ACTOR, "words", AT, "c", reply_to="m_other")


def item(kind: str, key: str, doc: str, *, held: bool = False, due_at: int | None = None, seq: int = 0) -> PutItem:
    return PutItem(ItemRecord(ROOM, kind, key, doc.encode(), held, due_at, seq))


def audited(event: Event) -> PutItem:
    body = encode_event(event, room=ROOM, seq=11, ts=NOW, actor=ACTOR)
    return item("audit", "001769851800123.r_1.000000000011", body.decode())


def hung_on(name: str) -> tuple[Change, ...]:
    """Say what goes with a message."""
    return (
        *(DropItems(ROOM, "revision", f"{name}/"), DropItems(ROOM, "reaction", f"{name}/")),
        *(DropItem(ROOM, "expiry", name), DropItem(ROOM, "pin", name)),
    )


def row(name: str) -> tuple[Change, ...]:
    """Give the message's row as the state after the event has it: how it changes is the state's matter."""
    return (PutMessage(MessageRecord(name, ROOM, -1, -1, "", False, b"", 11)),)


# The rows that change with an event on the room of the scene, besides the room's own, and whether it is audited.
ROWS: dict[type[Event], tuple[Change, ...] | list[tuple[Change, ...]]] = {
    MessageUpdated: (
        *row("m_other"),
        item("revision", "m_other/000002", f'{{"rev":2,"body":"new","at":"{AT}"}}', seq=3),
    ),
    MessageDeleted: [
        (*row("m_other"), *hung_on("m_other")),
        (*row("m_reply"), *row("m_other"), *hung_on("m_reply"), DropItem(ROOM, "reply", "m_other/000000000006")),
        (*hung_on("m_not_at_hand"), DropItem(ROOM, "reply", "m_neither/000000000003")),
    ],
    MessageExpired: (*row("m_pinned"), *hung_on("m_pinned")),
    MessagesBulkDeleted: (*row("m_pinned"), *row("m_own"), *hung_on("m_pinned"), *hung_on("m_own")),
    ReactionAdded: (
        *row("m_other"),
        item("reaction", "m_other/👍/u_member", '{"user":"u_member","emoji":"👍","at":1769851800123}', seq=3),
    ),
    ReactionRemoved: (*row("m_other"), DropItem(ROOM, "reaction", "m_other/👍/u_actor")),
    PinAdded: (
        item(
            "pin",
            "m_own",
            '{"message":"m_own","message_seq":2,"by":"u_actor","at":1769851800123}',
            held=True,
            seq=2,
        ),
    ),
    PinRemoved: [(DropItem(ROOM, "pin", "m_pinned"),), (DropItem(ROOM, "pin", "m_own"),)],
    HistoryTrimmed: [
        (Trim(ROOM, 6), item("retention", "", '{"floor_seq":6}', held=True)),
        (Trim(ROOM, 7), item("retention", "", '{"floor_seq":7}', held=True)),
    ],
    RoomUpdated: [
        *[()] * 3,
        (),
        (item("sweep", "", "{}", due_at=0),),
        (),
    ],
    RoomArchived: (),
    RoomDeleted: tuple(DropItems(ROOM, kind, "") for kind in ("expiry", "invite", "mute", "scheduled", "sweep")),
    PermissionsUpdated: (),
    MemberJoined: [
        (PutMember(MemberRecord(ROOM, NOBODY, "member", 11, NOW)),),
        (
            PutMember(MemberRecord(ROOM, NOBODY, "guest", 11, NOW)),
            item(
                "invite",
                "i_open",
                '{"id":"i_open","by":"u_admin","at":1000,"role":"member","expires_at":null,"max_uses":null,"uses":1}',
                held=True,
            ),
        ),
        (PutMember(MemberRecord(ROOM, NOBODY, "guest", 11, NOW)),),
    ],
    MemberAdded: (PutMember(MemberRecord(ROOM, NOBODY, "guest", 11, NOW)),),
    MemberLeft: [(DropMember(ROOM, MEMBER),), (DropMember(ROOM, NOBODY),)],
    MemberRemoved: (DropMember(ROOM, MEMBER),),
    MemberRoleChanged: (PutMember(MemberRecord(ROOM, MEMBER, "owner", 1, 1_000)),),
    MemberBanned: [
        (
            DropMember(ROOM, user),
            item(
                "ban",
                user,
                f'{{"user":"{user}","by":"u_actor","at":1769851800123,"reason":"{reason}"}}',
                held=True,
            ),
        )
        for user, reason in ((MEMBER, "spam"), (NOBODY, ""))
    ],
    MemberUnbanned: [(DropItem(ROOM, "ban", BANNED),), (DropItem(ROOM, "ban", NOBODY),)],
    MemberMuted: [
        (
            item(
                "mute",
                MEMBER,
                f'{{"user":"u_member","by":"u_actor","at":1769851800123,"until":{until},"reason":"{reason}"}}',
                held=True,
                due_at=due_at,
            ),
        )
        for until, due_at, reason in (("1769851800123", NOW, "spam"), ("null", None, ""))
    ],
    MemberUnmuted: (DropItem(ROOM, "mute", MUTED),),
    InviteCreated: (
        item(
            "invite",
            "i_new",
            '{"id":"i_new","by":"u_actor","at":1769851800123,"role":"guest","expires_at":1769851800123,"max_uses":3,'
            '"uses":0}',
            held=True,
            due_at=NOW,
        ),
    ),
    InviteRevoked: (DropItem(ROOM, "invite", "i_open"),),
}
# What moderators and administrators do to others and to the room.
AUDITED = {
    RoomUpdated, RoomArchived, RoomDeleted, PermissionsUpdated, MemberAdded, MemberRemoved, MemberRoleChanged,
    MemberBanned, MemberUnbanned, MemberMuted, MemberUnmuted, InviteCreated, InviteRevoked, MessagesBulkDeleted,
    HistoryTrimmed,
}  # fmt: skip
NOT_AUDITED = {
    RoomCreated, MemberJoined, MemberLeft, MessageCreated, MessageUpdated, MessageDeleted, MessageExpired,
    ReactionAdded, ReactionRemoved, PinAdded, PinRemoved,
}  # fmt: skip
EVENTS = [event for event, _ in CHANGES]


def projected(event: Event, state: RoomState = BEFORE) -> tuple[Change, ...]:
    return project(evolve(state, event, STAMP), event, STAMP)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_an_event_changes_exactly_these_rows(kind: type[Event]) -> None:
    """Whole rows, as of the state after the event; the room's own row is not among them."""
    expected = ROWS[kind] if isinstance(ROWS[kind], list) else [ROWS[kind]]
    events = [event for event in EVENTS if isinstance(event, kind)]
    for event, rows in zip(events, expected, strict=True):
        after = evolve(BEFORE, event, STAMP)
        wanted = [
            put_message(after.loaded[change.message.id], seq=11) if isinstance(change, PutMessage) else change
            for change in rows
        ]
        is_audited = kind in AUDITED or (isinstance(event, MessageDeleted) and event.author is not None)
        assert projected(event) == (*wanted, *([audited(event)] if is_audited else []))


def test_every_event_has_its_rows_and_is_audited_or_not() -> None:
    """A new event must come with its rows, even if there are none, and with a word on the audit log."""
    assert ROWS.keys() | {MessageCreated, RoomCreated} == AUDITED | NOT_AUDITED == {*map(type, EVENTS), RoomCreated}
    assert not AUDITED & NOT_AUDITED


def test_a_post_is_a_row_and_a_timer_if_it_expires() -> None:
    """A plain post changes one row and no item."""
    put = PutMessage(MessageRecord("m_new", ROOM, 11, 7, ACTOR, False, encode_message(POST), 11))
    assert projected(MessageCreated(POST)) == (put,)
    expiring = replace(POST, expires_at=AT)
    expiry = item("expiry", "m_new", "{}", due_at=NOW, seq=11)
    assert projected(MessageCreated(expiring)) == (put_message(expiring, seq=11), expiry)


@pytest.mark.parametrize("root", ["m_other", "m_trimmed"])
def test_a_reply_counts_at_its_thread_as_far_as_that_is_left(root: str) -> None:
    """The list of replies holds it either way."""
    reply = replace(POST, thread_root=root)
    counted = [put_message(replace(BEFORE.loaded["m_other"], reply_count=2), seq=11)] if root == "m_other" else []
    listed = item("reply", f"{root}/000000000011", '{"message":"m_new"}', seq=11)
    assert projected(MessageCreated(reply)) == (put_message(reply, seq=11), *counted, listed)


def test_a_post_in_slow_mode_is_noted() -> None:
    """And what is noted goes with slow mode."""
    state = room(Role.ADMIN, settings=RoomSettings(slow_mode_seconds=5))
    noted = item("spoke", ACTOR, '{"user":"u_actor","at":1769851800123}', held=True)
    assert projected(MessageCreated(POST), state) == (put_message(POST, seq=11), noted)
    off = msgspec.convert(
        {"old": {}, "new": {"settings": {"slow_mode_seconds": 0, "retention_days": None}}}, RoomUpdated
    )
    assert projected(off, state)[:-1] == (DropItem(ROOM, "sweep", ""), DropItems(ROOM, "spoke", ""))


def test_whoever_is_pushed_out_of_the_row_has_what_they_read_by_writing_kept() -> None:
    """A room's row names so many of those who posted last, each once; beyond that the first becomes a read marker."""
    state, changes = room(Role.ADMIN), list[tuple[Change, ...]]()
    for number, author in enumerate([f"u_{place}" for place in (*range(RECENT_KEPT), 0, 0, 1, 9, 1, 8)]):
        seq = 11 + number
        post = replace(POST, author=author, seq=seq, msg_no=7 + number)
        stamp = Stamp(ROOM, seq, NOW, author)
        state = evolve(state, MessageCreated(post), stamp)
        changes.append(project(state, MessageCreated(post), stamp)[1:])
    marks = [PutMark(ReadMark("u_2", ROOM, 13, 9)), PutMark(ReadMark("u_3", ROOM, 14, 10))]
    assert [each for each in changes if each] == [(mark,) for mark in marks]
    assert (changes[-3], changes[-1]) == ((marks[0],), (marks[1],))
    # The one that is pushed out by the last post goes with the next.
    assert [post.user for post in state.recent] == ["u_3", "u_4", "u_5", "u_6", "u_7", "u_0", "u_9", "u_1", "u_8"]
    assert state.recent[-1] == LastPost("u_8", 24, 20)
    row = project_room(state).room
    assert stored_recent(row) == state.recent
    loaded = from_snapshot(RoomSnapshot(row, tuple(state.members.values()), state.head_seq))
    assert loaded is not None
    assert loaded.recent == state.recent


def test_a_scheduled_post_waits_no_longer_once_it_is_posted() -> None:
    """Its own commit takes it off the list, so that it is posted once and listed until then."""
    scheduled = Scheduled("s_1", ACTOR, "words", NOW, NOW - 1)
    waiting = scheduled_item(ROOM, scheduled)
    assert (waiting.due_at, scheduled_item(ROOM, replace(scheduled, failed="muted")).due_at) == (NOW, None)
    post = replace(POST, client_msg_id=f"{SCHEDULED_PREFIX}s_1")
    assert projected(MessageCreated(post)) == (put_message(post, seq=11), DropItem(ROOM, waiting.kind, waiting.key))


def test_a_creation_puts_every_member_and_looks_out_for_what_to_trim() -> None:
    """The members of the first event are rows like those who come later."""
    stamp = Stamp(ROOM, 1, NOW, ACTOR)
    put = PutMember(MemberRecord(ROOM, ACTOR, "owner", 1, NOW))
    assert project(evolve(None, CREATED, stamp), CREATED, stamp) == (put,)
    keeping = replace(CREATED, settings=RoomSettings(retention_days=7))
    assert project(evolve(None, keeping, stamp), keeping, stamp) == (item("sweep", "", "{}", due_at=0), put)


def test_the_rooms_row_is_the_state() -> None:
    """Every field is there, the name also in the form that listings search."""
    state = replace(room(visibility=Visibility.PUBLIC, deleted_at=NOW), name="TEA für Größe")
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
            last_msg_no=6,
            deleted_at=NOW,
        )
    )


def test_a_deleted_message_leaves_no_word_in_its_row() -> None:
    """The document of a tombstone holds neither the text nor the mentions."""
    secret = replace(message("m_other", MEMBER), body="secret", mentions=("u_secret",))
    state = replace(BEFORE, loaded=Map({"m_other": secret}))
    changes = projected(MessageDeleted("m_other", 3, 2), state)
    assert changes[0] == put_message(tombstone(secret), seq=11)
    assert b"secret" not in msgspec.json.encode(changes)


def test_kinds_of_items_say_what_follows_from_entries_and_what_ends_by_itself() -> None:
    """Each kind is put by some event, or is kept besides the entries; each that has a due time is a timer."""
    put = [change.item for event in EVENTS for change in projected(event) if isinstance(change, PutItem)]
    besides = {ItemKind.SPOKE, ItemKind.EXPIRY, ItemKind.REPLY}  # by posts, as tested above
    assert {record.kind for record in put} | besides | KEPT == set(ItemKind)
    assert {record.kind for record in put if record.due_at is not None} == TIMERS - {"expiry", "scheduled"}


def stored(*changes: Change) -> MemoryStore:
    """Give a store with the room of the scene, and these changes upon it."""
    store = MemoryStore()
    store.project([*map(PutMember, BEFORE.members.values()), project_room(BEFORE)])
    store.project(put_message(each, seq=each.seq) for each in BEFORE.loaded.values())
    store.project(changes)
    return store


def held_items(state: RoomState) -> tuple[ItemRecord, ...]:
    """Give the items of a state that holds something already, by events that would have led to it."""
    events = (
        MemberBanned(BANNED), MemberMuted(MUTED), InviteCreated("i_open", "member"), PinAdded("m_pinned", 7),
    )  # fmt: skip
    stamp, made = replace(STAMP, actor=USERS[Role.ADMIN], ts=1_000), []
    for event in events:
        state = evolve(replace(state, head_seq=10), event, stamp)
        made += [change.item for change in project(state, event, stamp) if isinstance(change, PutItem)]
    return tuple(record for record in made if record.held)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_applying_changes_twice_is_harmless_and_loads_as_the_state(event: Event) -> None:
    """Rows replace rows, so a replay after a crash between the store's two halves ends where the first pass did."""
    after = evolve(BEFORE, event, STAMP)
    changes = (*map(PutItem, held_items(BEFORE)), *projected(event), project_room(after))
    once, twice = stored(*changes), stored(*changes)
    twice.project(changes[len(held_items(BEFORE)) :])
    for name in ("rooms", "members", "messages", "items", "message_order"):
        assert getattr(once, name) == getattr(twice, name)
    held = tuple(record for record in once.items[ROOM].values() if record.held)
    loaded = from_snapshot(RoomSnapshot(once.rooms[ROOM], tuple(once.members[ROOM].values()), 11, held))
    assert loaded == replace(settled(after), sent=Map())
    assert Fold(ROOM, loaded).head_seq == 11

"""A room's state: what it is as of some entry. Immutable, so that a batch can be tried before it is committed.

`justchat.rooms.evolve` is the only way a state comes about after loading. The maps are persistent (a change shares
structure with the state before it), so a tentative state costs microseconds at any size.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from immutables import Map
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from justchat.rooms.items import Ban, Invite, ItemKind, Mute, Pin, Retention, Spoke
from justchat.rooms.permissions import ROLES, Circumstances, Kind, Permission, Role, Visibility, permissions_of
from justchat.wire.events import Message, Overrides, RoomSettings
from storage.records import ItemRecord, MemberRecord, RoomRecord, RoomSnapshot, Sent

T = TypeVar("T")

# How many of those who posted last a room's row names.
RECENT_KEPT = 8

# How many recent posts are remembered in memory; older repeats are found by the store's unique index.
SENT_KEPT = 512


class LastPost(Struct, frozen=True, array_like=True):
    """The last post of a user: who writes has read what is above."""

    user: str
    seq: int
    msg_no: int


class StoredSettings(RoomSettings, frozen=True):
    """A room's settings as its row keeps them, with what else rows are asked for, if there is any.

    `overrides` are the deviations from the roles' defaults, `pair` the two whose direct room it is, `recent` the last
    posts of those who posted last, `trimmed` the seq up to which history is trimmed.
    """

    overrides: Overrides | UnsetType = UNSET
    pair: tuple[str, ...] | UnsetType = UNSET
    recent: tuple[LastPost, ...] | UnsetType = UNSET
    trimmed: int | UnsetType = UNSET


_settings = msgspec.json.Decoder(StoredSettings)
_encode = msgspec.json.Encoder().encode


class Held(Struct, frozen=True):
    """What a room keeps in memory besides its members, by user, invite or message.

    `floor_seq` is the seq up to which history is trimmed.
    """

    bans: Map[str, Ban] = Map()
    mutes: Map[str, Mute] = Map()
    invites: Map[str, Invite] = Map()
    pins: Map[str, Pin] = Map()
    spoke: Map[str, Spoke] = Map()
    floor_seq: int = 0


class RoomState(Struct, frozen=True):
    """What a room is as of `head_seq`.

    `sent` remembers recent posts by (sender, client_msg_id). `loaded` and `reacted` hold the messages and the keys of
    the reactions that the commands of the present batch refer to, and are empty between batches. `recent` are the last
    posts of those who posted last, the latest last: one more than RECENT_KEPT where the first is about to go.
    """

    id: str
    kind: Kind
    visibility: Visibility
    name: str
    topic: str
    created_by: str
    created_at: int
    epoch: str
    settings: RoomSettings
    head_seq: int
    last_msg_no: int
    members: Map[str, MemberRecord]
    deleted_at: int | None = None
    overrides: Overrides = {}
    held: Held = Held()
    recent: tuple[LastPost, ...] = ()
    sent: Map[tuple[str, str], Sent] = Map()
    loaded: Map[str, Message] = Map()
    reacted: Map[str, bool] = Map()

    def role_of(self, user: str) -> Role | None:
        """Give the user's role, None for somebody who is not a member."""
        member = self.members.get(user)
        return None if member is None else ROLES[member.role]

    @property
    def circumstances(self) -> Circumstances:
        """What bears on everybody's permissions."""
        return circumstances_of(self.kind, self.visibility, self.settings, self.overrides)

    def allowed(self, user: str) -> frozenset[Permission]:
        """Give the user's effective permissions; nobody may do anything in a deleted room."""
        if self.deleted_at is not None:
            return frozenset()
        muted, banned = user in self.held.mutes, user in self.held.bans
        return permissions_of(self.role_of(user), self.circumstances, muted=muted, banned=banned)

    def floor_of(self, user: str) -> int:
        """Give the seq up to which history is not there for this user: trimmed, or from before they joined."""
        if self.settings.history_visibility == "shared":
            return self.held.floor_seq
        member = self.members.get(user)
        return max(self.held.floor_seq, self.head_seq if member is None else member.joined_seq - 1)

    def owners(self) -> int:
        """Count the owners."""
        return sum(member.role == Role.OWNER for member in self.members.values())


class Stamp(Struct, frozen=True):
    """When and by whom: what every event of a room carries. `ts` is milliseconds since the epoch."""

    room: str
    seq: int
    ts: int
    actor: str


def circumstances_of(kind: Kind, visibility: Visibility, settings: RoomSettings, overrides: Overrides) -> Circumstances:
    """Say what bears on permissions in such a room."""
    return Circumstances(kind, visibility, settings.read_only, settings.archived, overrides)


def stored_settings(record: RoomRecord) -> tuple[RoomSettings, Overrides]:
    """Read a room's settings and its deviations from the roles' defaults from its row."""
    stored = _settings.decode(record.settings)
    public = {name: getattr(stored, name) for name in RoomSettings.__struct_fields__}
    return RoomSettings(**public), {} if stored.overrides is UNSET else stored.overrides


def stored_pair(record: RoomRecord) -> tuple[str, ...]:
    """Read whose direct room it is from its row; nobody's for other kinds."""
    pair = _settings.decode(record.settings).pair
    return () if pair is UNSET else pair


def last_post(recent: tuple[LastPost, ...], user: str) -> LastPost | None:
    """Find the user's last post, if they are among those who posted last."""
    return next((post for post in recent if post.user == user), None)


def stored_recent(record: RoomRecord) -> tuple[LastPost, ...]:
    """Read the last posts of those who posted last from a room's row."""
    recent = _settings.decode(record.settings).recent
    return () if recent is UNSET else recent


def stored_trimmed(record: RoomRecord) -> int:
    """Read the seq up to which history is trimmed from a room's row; 0 where it does not say."""
    trimmed = _settings.decode(record.settings).trimmed
    return 0 if trimmed is UNSET else trimmed


def bare_settings(record: RoomRecord) -> StoredSettings:
    """Read all of a room's settings but who posted last and what is trimmed."""
    return replace(_settings.decode(record.settings), recent=UNSET, trimmed=UNSET)


def settings_doc(state: RoomState) -> bytes:
    """Write what `stored_settings`, `stored_pair`, `stored_recent` and `stored_trimmed` read."""
    pair = tuple(sorted(state.members)) if state.kind is Kind.DIRECT else UNSET
    overrides, recent, trimmed = state.overrides or UNSET, state.recent or UNSET, state.held.floor_seq or UNSET
    if overrides is recent is trimmed is pair is UNSET:
        return _encode(state.settings)
    public = {name: getattr(state.settings, name) for name in RoomSettings.__struct_fields__}
    return _encode(StoredSettings(**public, overrides=overrides, pair=pair, recent=recent, trimmed=trimmed))


def from_snapshot(snapshot: RoomSnapshot) -> RoomState | None:
    """Build the state that storage remembers as of the room's `applied_seq`; None if there is only a journal."""
    room = snapshot.room
    if room is None:
        return None
    settings, overrides = stored_settings(room)
    return RoomState(
        id=room.id,
        kind=Kind(room.kind),
        visibility=Visibility(room.visibility),
        name=room.name,
        topic=room.topic,
        created_by=room.created_by,
        created_at=room.created_at,
        epoch=room.epoch,
        settings=settings,
        head_seq=room.applied_seq,
        last_msg_no=room.last_msg_no,
        members=Map({member.user: member for member in snapshot.members}),
        deleted_at=room.deleted_at,
        overrides=overrides,
        held=_held(snapshot.items),
        recent=stored_recent(room),
    )


def _held(items: tuple[ItemRecord, ...]) -> Held:
    retention = _of_kind(items, ItemKind.RETENTION, Retention)
    return Held(
        bans=_of_kind(items, ItemKind.BAN, Ban),
        mutes=_of_kind(items, ItemKind.MUTE, Mute),
        invites=_of_kind(items, ItemKind.INVITE, Invite),
        pins=_of_kind(items, ItemKind.PIN, Pin),
        spoke=_of_kind(items, ItemKind.SPOKE, Spoke),
        floor_seq=retention[""].floor_seq if "" in retention else 0,
    )


def _of_kind(items: tuple[ItemRecord, ...], kind: ItemKind, form: type[T]) -> Map[str, T]:
    return Map({item.key: msgspec.json.decode(item.doc, type=form) for item in items if item.kind == kind})


def remember(state: RoomState, posts: list[Sent]) -> RoomState:
    """Remember posts for their repeats."""
    return replace(state, sent=state.sent.update({(post.sender, post.client_msg_id): post for post in posts}))


def settled(state: RoomState) -> RoomState:
    """Drop what only the batch needed, and the oldest posts once twice as many as wanted are remembered."""
    sent = state.sent
    if len(sent) >= 2 * SENT_KEPT:
        newest = sorted(sent.values(), key=lambda post: post.seq)[-SENT_KEPT:]
        sent = Map({(post.sender, post.client_msg_id): post for post in newest})
    if sent is state.sent and not state.loaded and not state.reacted:
        return state
    return replace(state, sent=sent, loaded=Map(), reacted=Map())

"""Strategies for events: one per type, so that a new type without one is noticed."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import UNSET

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
)
from tests.wire.json_values import texts

_maybe = st.none() | texts
_numbers = st.integers(0, 2**53 - 1)

settings = st.builds(
    RoomSettings,
    slow_mode_seconds=_numbers,
    retention_days=st.none() | _numbers,
    history_visibility=texts,
    read_only=st.booleans(),
    archived=st.booleans(),
)
_unset = st.just(UNSET)
_changes = st.builds(
    RoomChanges,
    name=_maybe,
    topic=_maybe,
    visibility=_maybe,
    settings=st.none()
    | st.builds(
        SettingsChanges,
        slow_mode_seconds=_unset | _numbers,
        retention_days=_unset | st.none() | _numbers,
        history_visibility=_unset | texts,
        read_only=_unset | st.booleans(),
    ),
)
_ids = st.lists(texts, max_size=3).map(tuple)
_overrides = st.dictionaries(texts, st.dictionaries(texts, st.booleans(), max_size=3), max_size=3)
messages = st.builds(
    Message,
    id=texts,
    room=texts,
    seq=_numbers,
    msg_no=_numbers,
    rev=_numbers,
    author=texts,
    body=texts,
    created_at=texts,
    client_msg_id=_maybe,
    edited_at=_maybe,
    deleted=st.booleans(),
    reply_to=_maybe,
    thread_root=_maybe,
    reply_count=_numbers,
    mentions=_ids,
    mentions_all=st.booleans(),
    reactions=st.lists(st.builds(ReactionCount, emoji=texts, count=_numbers), max_size=3).map(tuple),
    expires_at=_maybe,
)
_gone = {"id": texts, "message_seq": _numbers, "msg_no": _numbers, "thread_root": _maybe}
BY_TYPE: dict[type[Event], st.SearchStrategy[Event]] = {
    RoomCreated: st.builds(
        RoomCreated,
        kind=texts,
        visibility=texts,
        name=texts,
        topic=texts,
        epoch=texts,
        settings=settings,
        members=st.lists(st.builds(MemberView, user=texts, role=texts), max_size=4).map(tuple),
    ),
    RoomUpdated: st.builds(RoomUpdated, old=_changes, new=_changes),
    RoomArchived: st.builds(RoomArchived, archived=st.booleans()),
    RoomDeleted: st.builds(RoomDeleted),
    MemberJoined: st.builds(MemberJoined, user=texts, role=texts, invite=_maybe),
    MemberLeft: st.builds(MemberLeft, user=texts),
    MemberAdded: st.builds(MemberAdded, user=texts, role=texts),
    MemberRemoved: st.builds(MemberRemoved, user=texts),
    MemberRoleChanged: st.builds(MemberRoleChanged, user=texts, old=texts, new=texts),
    MemberBanned: st.builds(MemberBanned, user=texts, reason=texts),
    MemberUnbanned: st.builds(MemberUnbanned, user=texts),
    MemberMuted: st.builds(MemberMuted, user=texts, until=_maybe, reason=texts),
    MemberUnmuted: st.builds(MemberUnmuted, user=texts),
    InviteCreated: st.builds(InviteCreated, id=texts, role=texts, expires_at=_maybe, max_uses=st.none() | _numbers),
    InviteRevoked: st.builds(InviteRevoked, id=texts),
    PermissionsUpdated: st.builds(PermissionsUpdated, old=_overrides, new=_overrides),
    MessageCreated: st.builds(MessageCreated, message=messages),
    MessageUpdated: st.builds(
        MessageUpdated,
        id=texts,
        message_seq=_numbers,
        msg_no=_numbers,
        rev=_numbers,
        body=texts,
        edited_at=texts,
        mentions=_ids,
        mentions_all=st.booleans(),
    ),
    MessageDeleted: st.builds(MessageDeleted, **_gone, author=_maybe),
    MessageExpired: st.builds(MessageExpired, **_gone),
    MessagesBulkDeleted: st.builds(
        MessagesBulkDeleted, messages=st.lists(st.builds(MessageGone, **_gone), max_size=3).map(tuple)
    ),
    ReactionAdded: st.builds(ReactionAdded, message=texts, message_seq=_numbers, user=texts, emoji=texts),
    ReactionRemoved: st.builds(ReactionRemoved, message=texts, message_seq=_numbers, user=texts, emoji=texts),
    PinAdded: st.builds(PinAdded, message=texts, message_seq=_numbers),
    PinRemoved: st.builds(PinRemoved, message=texts, message_seq=_numbers),
    HistoryTrimmed: st.builds(HistoryTrimmed, upto_seq=_numbers),
}

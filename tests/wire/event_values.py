"""Strategies for events: one per type, so that a new type without one is noticed."""

from __future__ import annotations

from hypothesis import strategies as st

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
_changes = st.builds(RoomChanges, name=_maybe, topic=_maybe, visibility=_maybe)
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
    mentions=st.lists(texts, max_size=3).map(tuple),
)
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
    RoomDeleted: st.builds(RoomDeleted),
    MemberJoined: st.builds(MemberJoined, user=texts, role=texts),
    MemberLeft: st.builds(MemberLeft, user=texts),
    MemberAdded: st.builds(MemberAdded, user=texts, role=texts),
    MemberRemoved: st.builds(MemberRemoved, user=texts),
    MemberRoleChanged: st.builds(MemberRoleChanged, user=texts, old=texts, new=texts),
    MessageCreated: st.builds(MessageCreated, message=messages),
    MessageDeleted: st.builds(MessageDeleted, id=texts, message_seq=_numbers, msg_no=_numbers),
}

"""Projections: which rows change with an event, so that listings and lookups need not read the journal. Pure.

Every change replaces a whole row, so applying it twice is harmless; the room's own row comes last and carries the seq
up to which all of them are current.
"""

from __future__ import annotations

import msgspec

from justchat.rooms.state import RoomState
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    Message,
    MessageCreated,
    MessageDeleted,
    RoomCreated,
    encode_message,
)
from storage.records import Change, DropMember, MessageRecord, PutMember, PutMessage, PutRoom, RoomRecord


def project(state: RoomState, event: Event) -> tuple[Change, ...]:
    """Name the row changes of one event, given the state after it; the room's row is `project_room`'s."""
    match event:
        case MessageCreated(message=message):
            return (put_message(message, seq=state.head_seq),)
        case MessageDeleted(id=message_id):
            return (put_message(state.loaded[message_id], seq=state.head_seq),)
        case RoomCreated(members=members):
            return tuple(PutMember(state.members[member.user]) for member in members)
        case MemberJoined(user=user) | MemberAdded(user=user) | MemberRoleChanged(user=user):
            return (PutMember(state.members[user]),)
        case MemberLeft(user=user) | MemberRemoved(user=user):
            return (DropMember(state.id, user),)
        case _:
            return ()


def project_room(state: RoomState) -> PutRoom:
    """Give the room's row as of the state."""
    return PutRoom(
        RoomRecord(
            id=state.id,
            kind=state.kind.value,
            visibility=state.visibility.value,
            name=state.name,
            name_key=state.name.casefold(),
            topic=state.topic,
            created_by=state.created_by,
            created_at=state.created_at,
            epoch=state.epoch,
            settings=msgspec.json.encode(state.settings),
            applied_seq=state.head_seq,
            last_msg_no=state.last_msg_no,
            deleted_at=state.deleted_at,
        )
    )


def put_message(message: Message, *, seq: int) -> PutMessage:
    """Give a message's row as of the entry at `seq`."""
    return PutMessage(
        MessageRecord(
            id=message.id,
            room=message.room,
            seq=message.seq,
            msg_no=message.msg_no,
            author=message.author,
            deleted=message.deleted,
            doc=encode_message(message),
            applied_seq=seq,
        )
    )

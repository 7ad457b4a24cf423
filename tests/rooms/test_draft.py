"""Drafts: what a batch amounts to, answer by answer and entry by entry, however the commands are cut into batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from justchat.rooms.commands import (
    Accepted,
    Command,
    CreateRoom,
    DeleteMessage,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    UpdateRoom,
)
from justchat.rooms.draft import Draft, draft_batch, sent_of
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import MemberRemoved, MessageCreated, encode_event
from storage.records import Entry, PutRoom, Sent
from tests.rooms.command_values import NAMED, created, numbered, sequences
from tests.rooms.scenes import ACTOR, NOBODY, NOW, POSTED, ROOM, USERS, room

MEMBER = USERS[Role.MEMBER]
CREATE = CreateRoom(ACTOR, Kind.GROUP, Visibility.PRIVATE, "Tea", "", "e_1", (MEMBER,))


def post(key: str, body: str = "words", *, actor: str = ACTOR, reply_to: str | None = None) -> PostMessage:
    return PostMessage(actor, key, body, body.encode(), reply_to)


def draft(state: RoomState | None, *batch: Command, ids: int = 0) -> Draft:
    return draft_batch(state, batch, room=ROOM, now=NOW, new_id=numbered(ids), named=NAMED)


def test_answers_come_in_the_order_of_the_commands() -> None:
    """Accepted, unchanged, repeated and refused commands share a batch, and each gets its own answer."""
    made = draft(
        room(Role.MODERATOR),
        post("a"),
        JoinRoom(ACTOR),
        UpdateRoom(ACTOR, name="Coffee"),
        PostMessage(ACTOR, POSTED[0], "words", POSTED[1]),
        RemoveMember(ACTOR, MEMBER),
        post("a"),
        post("a", "other words"),
        post("b", actor=MEMBER),
        DeleteMessage(ACTOR, "m_other"),
    )
    assert made.answers[:2] == (Accepted(11, msg_no=7, message_id="m_1"), Accepted(11, changed=False))
    assert made.answers[3:6] == (
        Accepted(2, changed=False, duplicate=True, msg_no=1, message_id="m_own"),
        Accepted(12),
        Accepted(11, changed=False, duplicate=True, msg_no=7, message_id="m_1"),
    )
    refused = [answer.code for answer in made.answers if isinstance(answer, Refusal)]
    assert refused == [ErrorCode.FORBIDDEN, ErrorCode.IDEMPOTENCY_MISMATCH, ErrorCode.NOT_FOUND]
    assert made.answers[8] == Accepted(13)
    assert [entry.type for entry in made.entries] == ["message.created", "member.removed", "message.deleted"]
    assert [entry.seq for entry in made.entries] == [11, 12, 13]


def test_an_entry_carries_the_events_bytes_and_what_the_index_needs() -> None:
    """A post has its sender, id, digest, message and number; any other entry has none of these."""
    made = draft(room(Role.MODERATOR), post("a"), RemoveMember(ACTOR, MEMBER))
    (first, second) = made.entries
    (message, removed) = made.events
    assert isinstance(message, MessageCreated)
    assert first == Entry(
        room=ROOM,
        seq=11,
        ts=NOW,
        type="message.created",
        actor=ACTOR,
        body=encode_event(message, room=ROOM, seq=11, ts=NOW, actor=ACTOR),
        sender=ACTOR,
        client_msg_id="a",
        digest=b"words",
        message_id="m_1",
        msg_no=7,
    )
    assert removed == MemberRemoved(MEMBER)
    body = encode_event(removed, room=ROOM, seq=12, ts=NOW, actor=ACTOR)
    assert second == Entry(room=ROOM, seq=12, ts=NOW, type="member.removed", actor=ACTOR, body=body)


def test_a_room_can_be_created_and_used_in_one_batch() -> None:
    """Before the creation there is no room; after it there is, within the same batch."""
    made = draft(None, post("early"), CREATE, CREATE, post("a", actor=MEMBER), RemoveMember(ACTOR, MEMBER), post("b"))
    refused, first, again, *_ = made.answers
    assert isinstance(refused, Refusal)
    assert (first, again) == (Accepted(1), Accepted(1, changed=False))
    assert [entry.seq for entry in made.entries] == [1, 2, 3, 4]
    assert [entry.msg_no for entry in made.entries] == [None, 1, None, 2]
    assert made.state is not None
    assert (made.state.head_seq, made.state.last_msg_no, set(made.state.members)) == (4, 2, {ACTOR})


def test_what_is_appended_ends_with_the_rooms_own_row() -> None:
    """The row's `applied_seq` is the last entry's seq, and comes after everything that it vouches for."""
    made = draft(room(Role.MODERATOR), post("a"), RemoveMember(ACTOR, MEMBER), DeleteMessage(ACTOR, "m_other"))
    append = made.append()
    assert (append.room, append.entries) == (ROOM, made.entries)
    assert append.changes[:-1] == made.changes
    last = append.changes[-1]
    assert isinstance(last, PutRoom)
    assert (last.room.applied_seq, last.room.last_msg_no) == (13, 7)
    assert not any(isinstance(change, PutRoom) for change in made.changes)


@pytest.mark.parametrize("state", [None, room()], ids=["no room", "a room"])
def test_a_batch_that_changes_nothing_has_no_entries(state: RoomState | None) -> None:
    """There is nothing to commit, and the state is the very same."""
    made = draft(state, JoinRoom(NOBODY), post("a", actor=NOBODY))
    assert (made.entries, made.events, made.changes) == ((), (), ())
    assert all(isinstance(answer, Refusal) for answer in made.answers)
    assert made.state is state
    assert draft(state).answers == ()


@pytest.mark.parametrize("state", [room(), room(deleted_at=NOW)], ids=["private", "deleted"])
@pytest.mark.parametrize("leave", [LeaveRoom(NOBODY), RemoveMember(NOBODY, NOBODY)], ids=["leave", "remove"])
def test_a_stranger_who_leaves_does_not_hear_whether_there_is_a_room(state: RoomState, leave: Command) -> None:
    """The answer is the same to the letter as for a room that never was."""
    assert draft(state, leave).answers == draft(None, leave).answers


def test_whoever_was_in_hears_where_the_room_ended() -> None:
    """Also of a room that is deleted, which they may not look at any more."""
    assert draft(room(Role.MEMBER, deleted_at=NOW), LeaveRoom(ACTOR)).answers == (Accepted(10, changed=False),)


def test_a_draft_without_a_room_cannot_be_appended() -> None:
    """Asking for it is a mistake of the caller, and said so."""
    with pytest.raises(ValueError, match="nothing to append"):
        draft(None, JoinRoom(ACTOR)).append()


def test_a_dropped_draft_leaves_no_trace() -> None:
    """If the entries cannot be written, the same commands give the same draft again."""
    state = room(Role.MODERATOR)
    batch = (post("a"), RemoveMember(ACTOR, MEMBER), DeleteMessage(ACTOR, "m_other"), post("a"))
    first = draft(state, *batch)
    assert state == room(Role.MODERATOR)
    assert draft(state, *batch) == first


def test_a_message_deleted_twice_in_one_batch_is_deleted_once() -> None:
    """The second deletion already sees the tombstone of the first."""
    made = draft(room(Role.MODERATOR), DeleteMessage(ACTOR, "m_other"), DeleteMessage(ACTOR, "m_other"))
    assert made.answers == (Accepted(11), Accepted(11, changed=False))
    assert [entry.type for entry in made.entries] == ["message.deleted"]


def test_what_is_remembered_of_a_post_is_read_from_its_entry() -> None:
    """After a crash the journal tells what the memory knew."""
    made = draft(room(Role.MEMBER), post("a"))
    assert made.state is not None
    assert sent_of(made.entries[0]) == made.state.sent[ACTOR, "a"] == Sent(ACTOR, "a", 11, 7, "m_1", b"words")


def test_nothing_is_remembered_of_other_entries() -> None:
    """An entry that is not a post, or only half of one, is said to be none."""
    whole = draft(room(Role.MEMBER), post("a")).entries[0]
    other = draft(room(Role.MODERATOR), RemoveMember(ACTOR, MEMBER)).entries[0]
    halves = [replace(whole, **{field: None}) for field in ("sender", "client_msg_id", "digest")]
    for entry in (other, *halves):
        with pytest.raises(ValueError, match=r"r_1 11 is not a post"):
            sent_of(entry)
    for field in ("message_id", "msg_no"):
        with pytest.raises(ValueError, match=r"r_1 11 has no message"):
            sent_of(replace(whole, **{field: None}))


@given(created, sequences, st.sets(st.integers(0, 29)))
def test_the_same_commands_in_other_batches_give_the_same_entries(
    create: CreateRoom, batch: list[Command], cuts: set[int]
) -> None:
    """Where one batch ends and the next begins is chance, and nobody can tell afterwards.

    The messages that the commands refer to are unknown here: a client cannot know of one that its batch only makes.
    """
    whole = draft(None, create, *batch)
    pieces: list[list[Command]] = [[create]]
    for index, command in enumerate(batch):
        if index in cuts:
            pieces.append([])
        pieces[-1].append(command)
    parts: list[Draft] = []
    for piece in pieces:
        served = sum(len(part.answers) for part in parts)
        parts.append(draft(parts[-1].state if parts else None, *piece, ids=served))
    assert tuple(entry for part in parts for entry in part.entries) == whole.entries
    assert tuple(answer for part in parts for answer in part.answers) == whole.answers
    assert tuple(change for part in parts for change in part.changes) == whole.changes
    assert parts[-1].state == whole.state

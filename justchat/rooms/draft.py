"""A batch of commands, decided against a tentative state: entries to append, and answers to give once they are in.

Pure. Nothing of a draft is visible until its entries are durable; if they cannot be written, the draft is dropped and
the room's state was never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from justchat.rooms.commands import Accepted, Answer, Command, PostMessage
from justchat.rooms.decide import Context, Decision, Repeat, Unchanged, decide
from justchat.rooms.evolve import evolve
from justchat.rooms.permissions import Permission
from justchat.rooms.project import project, project_room
from justchat.rooms.state import RoomState, Stamp, remember
from justchat.wire.errors import Refusal
from justchat.wire.events import Event, MessageCreated, encode_event, event_name
from storage.records import Append, Change, Entry, Sent

_NO_EVENT: Final = (Refusal, Unchanged, Repeat)


class Draft(Struct, frozen=True):
    """What a batch amounts to. `answers` are in the order of the commands, `events` in that of the entries."""

    state: RoomState | None
    entries: tuple[Entry, ...]
    events: tuple[Event, ...]
    changes: tuple[Change, ...]
    answers: tuple[Answer, ...]

    def append(self) -> Append:
        """Give what is to be committed; only for a draft that has entries."""
        if self.state is None:
            raise ValueError("a draft without a room has nothing to append")
        return Append(self.state.id, self.entries, (*self.changes, project_room(self.state)))

    def taken_back(self, state: RoomState | None, refusal: Refusal) -> Draft:
        """Give what is left of a draft that was not written: whatever was decided on its first entry never held."""
        first = next(index for index, answer in enumerate(self.answers) if is_change(answer))
        answers = (*self.answers[:first], *[refusal] * (len(self.answers) - first))
        return Draft(state, (), (), (), answers)


def draft_batch(
    state: RoomState | None,
    commands: Sequence[Command],
    *,
    room: str,
    now: int,
    new_id: Callable[[str], str],
    named: Mapping[str, str] | None = None,
    blocked: bool = False,
    deaf: Mapping[str, frozenset[str]] | None = None,
) -> Draft:
    """Decide the commands one by one. `now` is milliseconds since the epoch, `new_id("m")` makes message ids.

    `named`, `blocked` and `deaf` are what `Context` says that they are.
    """
    entries: list[Entry] = []
    events: list[Event] = []
    changes: list[Change] = []
    answers: list[Answer] = []
    for command in commands:
        decision = decide(state, command, Context(room, now, new_id("m"), named or {}, blocked, deaf or {}))
        if isinstance(decision, _NO_EVENT):
            answers.append(_answer(state, decision, actor=command.actor))
            continue
        seq = 1 if state is None else state.head_seq + 1
        stamp = Stamp(room, seq, now, command.actor)
        entry = _entry(decision, stamp, command)
        state = evolve(state, decision, stamp)
        if isinstance(decision, MessageCreated) and isinstance(command, PostMessage):
            state = remember(state, [sent_of(entry)])
        entries.append(entry)
        events.append(decision)
        changes.extend(project(state, decision, stamp))
        answers.append(Accepted(seq, msg_no=entry.msg_no, message_id=entry.message_id))
    return Draft(state, tuple(entries), tuple(events), tuple(changes), tuple(answers))


def is_change(answer: Answer) -> bool:
    """Tell whether an answer stands for an entry."""
    return isinstance(answer, Accepted) and answer.changed


def sent_of(entry: Entry) -> Sent:
    """Give what is remembered of a post's entry. Raises ValueError for an entry that is not a post."""
    if entry.sender is None or entry.client_msg_id is None or entry.digest is None:
        raise ValueError(f"{entry.room} {entry.seq} is not a post")
    if entry.msg_no is None or entry.message_id is None:
        raise ValueError(f"{entry.room} {entry.seq} has no message")
    return Sent(entry.sender, entry.client_msg_id, entry.seq, entry.msg_no, entry.message_id, entry.digest)


def _answer(state: RoomState | None, decision: Decision, *, actor: str) -> Answer:
    match decision:
        case Repeat(sent=sent):
            return Accepted(sent.seq, changed=False, duplicate=True, msg_no=sent.msg_no, message_id=sent.message_id)
        case Refusal():
            return decision
        case _:
            # The head is told to those who may know of the room; a stranger who leaves learns nothing.
            visible = state is not None and (actor in state.members or Permission.ROOM_VIEW in state.allowed(actor))
            return Accepted(state.head_seq if state is not None and visible else 0, changed=False)


def _entry(event: Event, stamp: Stamp, command: Command) -> Entry:
    body = encode_event(event, room=stamp.room, seq=stamp.seq, ts=stamp.ts, actor=stamp.actor)
    name = event_name(event)
    if isinstance(event, MessageCreated) and isinstance(command, PostMessage):
        message = event.message
        return Entry(
            stamp.room,
            stamp.seq,
            stamp.ts,
            name,
            stamp.actor,
            body,
            sender=command.actor,
            client_msg_id=command.client_msg_id,
            digest=command.digest,
            message_id=message.id,
            msg_no=message.msg_no,
        )
    return Entry(stamp.room, stamp.seq, stamp.ts, name, stamp.actor, body)

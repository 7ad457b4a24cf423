"""Any sequence of commands, in any batches: the rules answer as the model does, and journal, state and rows agree.

The room is made of its pure parts; a commit is done by hand and always succeeds, and now and then the room crashes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Accepted, Answer, Command, CreateRoom, DeleteMessage, PostMessage
from justchat.rooms.draft import Draft, draft_batch, sent_of
from justchat.rooms.fold import Fold
from justchat.rooms.state import RoomState, Stamp, evolve, from_snapshot, remember, settled
from justchat.wire.errors import Refusal
from justchat.wire.events import decode_event, decode_message
from storage.records import Entry, MessageRecord
from tests.rooms import model
from tests.rooms.command_values import batches, created, numbered
from tests.rooms.rows import Rows
from tests.rooms.scenes import NOW, ROOM


def spoken(answer: Answer) -> model.Answer:
    """Say an answer as the model does."""
    if isinstance(answer, Refusal):
        return ("no", answer.code.value)
    message = () if answer.message_id is None else (answer.msg_no, answer.message_id)
    return ("repeat" if answer.duplicate else "yes" if answer.changed else "unchanged", answer.seq, *message)


def bare(state: RoomState | None) -> RoomState | None:
    """Leave out what is only remembered in memory."""
    return None if state is None else replace(state, sent=Map(), loaded=Map())


def folded(state: RoomState | None, entries: Sequence[Entry]) -> RoomState | None:
    """Read a state from the bytes of the journal alone."""
    for entry in entries:
        state = evolve(state, decode_event(entry.body), Stamp(entry.room, entry.seq, entry.ts, entry.actor))
    return state


class RoomMachine(RuleBasedStateMachine):
    """A room beside its model."""

    def __init__(self) -> None:
        super().__init__()
        self.state: RoomState | None = None
        self.from_journal: RoomState | None = None
        self.journal: list[Entry] = []
        self.rows = Rows()
        self.rows_before: list[Rows] = [Rows()]
        self.model = model.Model()
        self.served: list[Command] = []

    @initialize(early=batches, create=created, late=batches)
    def begin(self, early: list[Command], create: CreateRoom, late: list[Command]) -> None:
        """Before its creation the room does not exist, also within one batch."""
        self.serve([*early, create, *late])

    @rule(batch=batches.filter(bool))
    def serve(self, batch: list[Command]) -> None:
        """Decide a batch and commit it; each answer is the model's."""
        newest = list(reversed(self.rows.messages))
        new_id, model_id = numbered(len(self.served)), numbered(len(self.served))
        commands = [self.referring(command, newest) for command in batch]
        expected = [self.model.answer(command, model_id("m")) for command in commands]
        state = self.rows.with_messages(self.state, commands)
        draft = draft_batch(state, commands, room=ROOM, now=NOW, new_id=new_id)
        for command, answer, wanted in zip(commands, draft.answers, expected, strict=True):
            assert spoken(answer)[: len(wanted)] == wanted, command
        self.served += commands
        self.commit(draft)

    @rule()
    def crash(self) -> None:
        """Lose all memory: the rows and the posts of the journal give back everything that matters."""
        if self.rows.room is not None:
            posts_made = [sent_of(entry) for entry in self.journal if entry.sender is not None]
            reloaded = remember(from_snapshot(self.rows.snapshot()), posts_made)
            assert bare(reloaded) == bare(self.state)
            self.state = reloaded

    @invariant()
    def the_journal_gives_the_state(self) -> None:
        """Events read from their bytes lead to the very state that the commands led to."""
        assert bare(self.from_journal) == bare(self.state)

    @invariant()
    def the_rows_show_the_state(self) -> None:
        """Members and the room's own row are what the state says; messages are what the model says."""
        if self.state is None:
            assert (self.rows.room, self.rows.members) == (None, {})
            return
        assert self.rows.members == dict(self.state.members)
        row = self.rows.room
        assert row is not None
        assert (row.applied_seq, row.last_msg_no) == (len(self.journal), len(self.model.messages))
        assert (row.kind, row.visibility, row.name, row.topic) == (
            self.model.kind,
            self.model.visibility,
            self.model.name,
            self.model.topic,
        )
        assert (row.deleted_at is not None) == self.model.deleted
        assert {user: member.role for user, member in self.rows.members.items()} == self.model.roles
        shown = {name: decode_message(record.doc) for name, record in self.rows.messages.items()}
        assert {name: [each.author, each.body, each.deleted] for name, each in shown.items()} == self.model.messages
        for record in self.rows.messages.values():
            message = shown[record.id]
            assert (record.room, record.seq, record.msg_no) == (ROOM, message.seq, message.msg_no)
            assert (record.author, record.deleted, message.rev) == (
                message.author,
                message.deleted,
                1 + message.deleted,
            )

    @invariant()
    def the_room_has_an_owner(self) -> None:
        """Whatever happens, somebody can still delete the room."""
        assert not self.journal or "owner" in self.model.roles.values()

    def teardown(self) -> None:
        """Read the whole journal from the start, and serve the same commands one at a time: nothing differs."""
        assert bare(folded(None, self.journal)) == bare(self.state)
        entries: list[Entry] = []
        state, rows, new_id = None, Rows(), numbered()
        for command in self.served:
            draft = draft_batch(rows.with_messages(state, [command]), [command], room=ROOM, now=NOW, new_id=new_id)
            entries += draft.entries
            if draft.entries:
                rows.apply(draft.append().changes)
                state = draft.state
        assert entries == self.journal
        assert (rows.room, rows.members, rows.messages) == (self.rows.room, self.rows.members, self.rows.messages)
        for before in self.rows_before:
            for messages in (before.messages, self.rows.messages):
                self.repair(before, messages)

    def repair(self, before: Rows, messages: dict[str, MessageRecord]) -> None:
        """Fold the journal onto rows that stayed behind, whose messages may be as new as can be: nothing differs."""
        rows = before.copy()
        rows.messages = dict(messages)
        fold = Fold(ROOM, None if rows.room is None else from_snapshot(rows.snapshot()))
        rest = self.journal[fold.head_seq :]
        if not rest:
            return
        fold.know(rows.messages[name] for name in fold.unknown(rest) if name in rows.messages)
        rows.apply(fold.apply(rest).changes)
        assert bare(fold.state) == bare(self.state)
        assert (rows.room, rows.members, rows.messages) == (self.rows.room, self.rows.members, self.rows.messages)

    def referring(self, command: Command, newest: list[str]) -> Command:
        """Let a number stand for a message that is there before the batch, as clients can only know those."""

        def name(number: str) -> str:
            return newest[int(number) % len(newest)] if newest else "m_unknown"

        match command:
            case DeleteMessage(message=number):
                return replace(command, message=name(number))
            case PostMessage(reply_to=str(number)):
                return replace(command, reply_to=name(number))
        return command

    def commit(self, draft: Draft) -> None:
        """Keep what the draft amounts to, and check that it is one gapless piece."""
        head, numbers = len(self.journal), sum(entry.msg_no is not None for entry in self.journal)
        changed = [answer for answer in draft.answers if isinstance(answer, Accepted) and answer.changed]
        assert [entry.seq for entry in draft.entries] == [answer.seq for answer in changed]
        assert [entry.seq for entry in draft.entries] == list(range(head + 1, head + 1 + len(changed)))
        made = [entry.msg_no for entry in draft.entries if entry.msg_no is not None]
        assert made == list(range(numbers + 1, numbers + 1 + len(made)))
        assert [entry.type for entry in draft.entries] == self.model.log[head:]
        for entry, event in zip(draft.entries, draft.events, strict=True):
            assert decode_event(entry.body) == event
            frame = json.loads(entry.body)
            assert (frame["type"], frame["room"], frame["seq"]) == (entry.type, ROOM, entry.seq)
            assert (frame["actor"], entry.ts) == (entry.actor, NOW)
        self.journal += draft.entries
        self.from_journal = folded(self.from_journal, draft.entries)
        if draft.entries:
            self.rows.apply(draft.append().changes)
            self.rows_before.append(self.rows.copy())
        self.state = None if draft.state is None else settled(draft.state)


TestRoomMachine = RoomMachine.TestCase

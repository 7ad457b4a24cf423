"""The batch that a room has handed to the journal, until it is over: what a crash leaves in doubt.

The journal decides what became of it. What was written was written for these commands, so their answers are those that
were decided then; to decide them again could refuse what has happened, or do it once more. What was not written is
decided anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from justchat.rooms.commands import Answer, Command
from justchat.rooms.draft import Draft, is_change
from storage.records import Entry


class Unsure:
    """The batch in hand, and the answers of one that a crash cut off, as far as they hold. Never more than a batch."""

    __slots__ = ("_answers", "_commands", "_entries", "_known")

    def __init__(self) -> None:
        self._commands: Sequence[Command] = ()
        self._answers: Sequence[Answer] = ()
        self._entries: tuple[Entry, ...] = ()
        self._known: list[tuple[Command, Answer]] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What may have been written; empty where nothing is in doubt."""
        return self._entries

    def begin(self, commands: Sequence[Command], draft: Draft) -> None:
        """Remember a batch that is about to be written."""
        self._commands, self._answers, self._entries = commands, draft.answers, draft.entries

    def over(self) -> None:
        """Forget the batch in hand: its callers are about to be answered, or nothing of it was written."""
        self._commands, self._answers, self._entries = (), (), ()

    def settle(self, found: Sequence[Entry]) -> None:
        """Keep the answers that hold, given what the journal has in the places of the batch's entries."""
        left = 0
        for entry, stored in zip(self._entries, found, strict=False):
            if not _is_same(entry, stored):
                break
            left += 1
        for command, answer in zip(self._commands, self._answers, strict=True) if left else ():
            left -= is_change(answer)
            if left < 0:
                break
            self._known.append((command, answer))
        self.over()

    def answer_to(self, command: Command) -> Answer | None:
        """Give the answer to a command that was in hand at the crash, once; None for one that has to be decided."""
        for index, (known, answer) in enumerate(self._known):
            if known is command:
                # They come in their order: those before it have nobody left to be answered.
                del self._known[: index + 1]
                return answer
        return None

    def answers_to(self, commands: Sequence[Command]) -> tuple[Answer, ...]:
        """Give the answers to the first of these commands, as far as they are known; they stay so."""
        found = zip(commands, self._known, strict=False)
        return tuple(answer for _, (_, answer) in takewhile(lambda pair: pair[1][0] is pair[0], found))

    def forget(self) -> None:
        """Forget the answers: nobody is left who was in hand at a crash."""
        self._known.clear()


def _is_same(entry: Entry, stored: Entry) -> bool:
    # Of one that is trimmed already nothing is left but where, when and by whom, and the id of the message.
    return stored.body == entry.body or (not stored.body and _traits(stored) == _traits(entry))


def _traits(entry: Entry) -> tuple[object, ...]:
    return entry.seq, entry.type, entry.ts, entry.actor, entry.message_id

"""The comparison of a room's messages with those that its journal amounts to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from justchat.operate.difference import Difference, wrong_fields
from justchat.operate.replay import Replay
from justchat.operate.stored import differing, each_message, messages_at
from storage.ports import Journal
from storage.records import DropMessage, MessageRecord, PutMessage, RoomSnapshot


class MessageComparison:
    """Compares messages by the seqs at which they were created."""

    __slots__ = ("_journal", "_replay")

    def __init__(self, journal: Journal, replay: Replay) -> None:
        self._journal = journal
        self._replay = replay

    async def suspects(self) -> AsyncGenerator[int, None]:
        """Give the seqs at which there is not exactly the one message that belongs there. Close it if left early."""
        stored = each_message(self._journal, self._replay.room)
        async with aclosing(differing(self._expected(), stored)) as found:
            async for seq, _, _ in found:
                yield seq

    async def compare(self, seqs: Sequence[int], _: RoomSnapshot) -> list[Difference]:
        """Compare what is stored at these seqs as of the replay's head."""
        return [difference for seq in seqs for difference in await self._compare_at(seq)]

    async def _expected(self) -> AsyncGenerator[tuple[int, list[MessageRecord]], None]:
        for message in self._replay.expected.each_message():
            yield message.seq, [message]

    async def _compare_at(self, seq: int) -> list[Difference]:
        stored = await messages_at(self._journal, self._replay.room, seq)
        expected = self._replay.expected.message_at(seq)
        found: list[Difference] = []
        if expected is not None and expected.id not in {message.id for message in stored}:
            found.append(Difference(self._replay.room, _what(expected), "missing", PutMessage(expected)))
        for message in stored:
            if expected is None or message.id != expected.id:
                drop = DropMessage(self._replay.room, message.id)
                found.append(Difference(self._replay.room, _what(message), "superfluous", drop))
            elif message != expected:
                problem = wrong_fields(expected, message)
                found.append(Difference(self._replay.room, _what(message), problem, PutMessage(expected)))
        return found


def _what(message: MessageRecord) -> str:
    return f"message {message.id} (seq {message.seq})"

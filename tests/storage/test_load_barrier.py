"""A room that loads sees the append that its former incarnation had under way, if it was written."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import trio
from trio.testing import wait_all_tasks_blocked

from actors import RestartPolicy, Supervisor
from storage.journal_actor import JournalActor
from storage.memory import MemoryJournal, MemoryStore
from storage.records import Append, Entry, PutRoom, RoomRecord, RoomSnapshot


class HeldJournal(MemoryJournal):
    """Commits when told to."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.go = trio.Event()

    async def append(self, appends: Sequence[Append]) -> None:
        await self.go.wait()
        await super().append(appends)


def creation(room: str) -> Append:
    record = RoomRecord(room, "group", "private", "n", "n", "", "u_1", 0, "e_1", b"{}", 1, 0)
    return Append(room, (Entry(room, 1, 0, "room.created", "u_1", b"{}"),), (PutRoom(record),))


async def test_a_load_waits_for_the_commit_of_its_room_and_for_no_other(autojump_clock: object) -> None:
    """The appender is gone, its append is still under way: loading its room waits, loading another does not."""
    backend = HeldJournal()
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=RestartPolicy(), random=Random(1))
        journal = JournalActor(backend)
        journal.start(supervisor)
        loaded: list[RoomSnapshot | None] = []

        async def load() -> None:
            loaded.append(await journal.load_room("r_1"))

        with trio.move_on_after(1):
            await journal.append([creation("r_1")])
        nursery.start_soon(load)
        await wait_all_tasks_blocked()
        assert loaded == []
        assert await journal.load_room("r_2") is None
        backend.go.set()
        await wait_all_tasks_blocked()
        assert [snapshot.head_seq for snapshot in loaded if snapshot is not None] == [1]
        nursery.cancel_scope.cancel()

"""A room's alarm: does what is due by now, as ordinary commands, batch by batch.

It owns the order of a firing: take what is due, have its commands carried out, then see to those timers that led to
nothing. What is carried out is durable before anything else happens, so a crash at any point fires again what was not
committed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from justchat.rooms.commands import NOT_WRITTEN, Command
from justchat.rooms.draft import Draft
from justchat.rooms.due import authors_of, firing_of, outcome_of
from justchat.rooms.items import ItemKind
from justchat.rooms.keeper import Keeper
from justchat.rooms.people import disabled_of
from justchat.rooms.room_ports import RoomPorts
from justchat.rooms.state import RoomState
from justchat.rooms.sweep import NOTHING, sweep
from justchat.rooms.timers import Timers
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.records import DropItem, PutItem

_FIRINGS_MAX: Final = 8
"""Batches of timers between two batches of commands: many thousands may be due together, and nobody waits for all."""


class Alarm:
    """The alarm of one room."""

    __slots__ = ("_carry_out", "_keeper", "_ports", "_room", "_timers")

    def __init__(
        self,
        room: str,
        *,
        ports: RoomPorts,
        timers: Timers,
        keeper: Keeper,
        carry_out: Callable[[Sequence[Command]], Awaitable[Draft]],
    ) -> None:
        """Have the commands of timers decided, committed and fanned out by `carry_out`."""
        self._room = room
        self._ports = ports
        self._timers = timers
        self._keeper = keeper
        self._carry_out = carry_out

    async def ring(self, state_now: Callable[[], RoomState | None]) -> None:
        """Do what is due by now; of very much a part, so that others get their turn.

        Raises OutcomeUnknown, and what crashes the room besides.
        """
        for _ in range(_FIRINGS_MAX):
            state = state_now()
            if state is None or not self._timers.is_due():
                return
            try:
                await self._fire(state)
            except OutcomeUnknown:
                raise
            except StorageUnavailable:
                # Nothing was written, and the timers are where they were.
                self._timers.retry()
                return

    async def _fire(self, state: RoomState) -> None:
        due = await self._timers.take()
        self._ports.reach("firing", self._room)
        sweeps = any(item.kind == ItemKind.SWEEP for item in due)
        found = await sweep(self._ports.journal, state, now=self._ports.now_ms()) if sweeps else NOTHING
        firing = firing_of(due, sweep=found, disabled=await disabled_of(self._ports, authors_of(due)))
        draft = await self._carry_out(firing.commands)
        if draft.state is None or NOT_WRITTEN in draft.answers:
            self._timers.retry()
            return
        outcome = outcome_of(firing, draft.answers, draft.state, now=self._ports.now_ms())
        self._timers.done(resting=outcome.resting)
        await self._keep(outcome.changes)

    async def _keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Set timers anew that led to nothing; what cannot be written is due again in a moment."""
        if not changes:
            return
        try:
            await self._keeper.keep(changes)
        except StorageUnavailable:
            self._timers.retry()
        else:
            self._timers.note(changes)

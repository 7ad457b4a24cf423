"""Rooms over any journal, without actors: real commands are decided, and what comes out is appended.

What was done once can be done again to another store, in few large writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import trio
from msgspec import Struct

from justchat.operate.site import Site
from justchat.rooms.commands import Accepted, Answer, Command
from justchat.rooms.draft import Draft, draft_batch
from justchat.rooms.reload import load_referred, load_state
from justchat.rooms.state import RoomState, settled
from storage.records import Append, DropItem, PutItem

START_MS = 1_800_000_000_000
APPENDS_AT_ONCE = 200

Step = Append | tuple[PutItem | DropItem, ...]


class Story(Struct):
    """What was written, in order, and what became of the rooms."""

    steps: list[Step]
    states: dict[str, RoomState | None]
    now: int
    numbers: int


class World:
    """Rooms that are awake from the first command on, on a clock that goes on by a second with each batch."""

    def __init__(self, site: Site, story: Story | None = None) -> None:
        """Go on from a story that the site has been told."""
        self.site = site
        self.now = START_MS if story is None else story.now
        self.states: dict[str, RoomState | None] = {} if story is None else dict(story.states)
        self._steps: list[Step] = []
        self._numbers = 0 if story is None else story.numbers
        self._turns: defaultdict[str, trio.Lock] = defaultdict(trio.Lock)

    async def draft(self, room: str, *commands: Command) -> Draft:
        """Decide commands as one batch, and do nothing else."""
        if room not in self.states:
            self.states[room] = await load_state(self.site.journal, room)
        state = self.states[room]
        if state is not None:
            state = await load_referred(self.site.journal, state, commands)
        self.now += 1000
        return draft_batch(state, commands, room=room, now=self.now, new_id=self._new_id)

    async def batch(self, room: str, *commands: Command) -> tuple[Answer, ...]:
        """Carry out commands as one batch."""
        async with self._turns[room]:
            draft = await self.draft(room, *commands)
            if draft.entries:
                await self.site.journal.append([draft.append()])
                self._steps.append(draft.append())
            self.states[room] = draft.state and settled(draft.state)
        return draft.answers

    async def reload(self, room: str) -> RoomState | None:
        """Wake the room up anew, and give its state."""
        self.states[room] = await load_state(self.site.journal, room)
        return self.states[room]

    async def keep(self, *changes: PutItem | DropItem) -> None:
        """Keep items that follow from no entry."""
        await self.site.directory.keep(changes)
        self._steps.append(changes)

    def story(self) -> Story:
        """Tell what was done."""
        return Story(list(self._steps), dict(self.states), self.now, self._numbers)

    def _new_id(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}_{self._numbers}"


async def tell(site: Site, steps: Sequence[Step]) -> None:
    """Do the same to another store, as many appends at a time as it may be given."""
    appends: list[Append] = []
    for step in steps:
        if not isinstance(step, Append) or len(appends) == APPENDS_AT_ONCE:
            await site.journal.append(appends)
            appends = []
        if isinstance(step, Append):
            appends.append(step)
        else:
            await site.directory.keep(step)
    await site.journal.append(appends)


async def do(world: World, room: str, *commands: Command) -> list[Accepted]:
    """Have commands carried out, one after the other."""
    return [answer for command in commands for answer in await do_at_once(world, room, command)]


async def do_at_once(world: World, room: str, *commands: Command) -> list[Accepted]:
    """Have commands carried out in one batch."""
    done: list[Accepted] = []
    for command, answer in zip(commands, await world.batch(room, *commands), strict=True):
        assert isinstance(answer, Accepted), (command, answer)
        done.append(answer)
    return done

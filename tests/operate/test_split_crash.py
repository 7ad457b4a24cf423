"""A server with its journal in a database of its own ends in mid-commit: real rooms wake up, and all rows are right.

What ends it is planted at every point of a commit, with rooms that were current and with rooms whose rows had been
waiting for a database for a while, among which the very messages that are trimmed then.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest.mark.structures import ParameterSet

from justchat.operate.check_site import check_site
from justchat.rooms.commands import (
    BanMember,
    BulkDelete,
    Command,
    DeleteMessage,
    EditMessage,
    PinMessage,
    React,
    TrimHistory,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.wire.events import SYSTEM, SettingsChanges
from storage.errors import StorageUnavailable
from storage.split import FAULT_POINTS, SplitLimits
from tests.operate.drafted import World, do, tell
from tests.operate.rooms import EMOJI, the_story
from tests.operate.sites import FRIEND, GUEST, OWNER, TRIMMED, say
from tests.operate.test_check import Found
from tests.storage.contract.backends import Stores, postgres_stores
from tests.storage.split.house import Crash, House, empty_databases, open_house

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

NEVER = SplitLimits(retry_seconds=1000.0, close_seconds=0.1, project_seconds=60.0)
DOWN = StorageUnavailable("down")


def site_of(house: House) -> Stores:
    return postgres_stores(house.journal, house.store.pool)


async def commands_on(world: World) -> list[Command]:
    """Make commands that change old messages in every way, then trim them, and go on with what is left."""
    posted = await do(world, TRIMMED, *(say(f"old again {number}", actor=GUEST) for number in range(5)))
    stays = (await do(world, TRIMMED, say("stays again")))[0].message_id or ""
    old = [answer.message_id or "" for answer in posted]
    (reply,) = await do(world, TRIMMED, say("reply to what goes", thread=old[0]))
    await do(world, TRIMMED, React(OWNER, old[0], EMOJI[0]), PinMessage(OWNER, old[1]))
    return [
        React(FRIEND, old[0], EMOJI[0]),
        EditMessage(GUEST, old[1], "edited, and gone"),
        Unreact(OWNER, old[0], EMOJI[0]),
        DeleteMessage(OWNER, old[2]),
        BulkDelete(OWNER, (old[3], reply.message_id or "")),
        UnpinMessage(OWNER, old[1]),
        say("in a thread that goes", thread=old[0]),
        TrimHistory(SYSTEM, posted[-1].seq),
        React(OWNER, stays, EMOJI[1]),
        EditMessage(OWNER, stays, "edited, and there"),
        BanMember(OWNER, FRIEND),
        UpdateRoom(OWNER, settings=SettingsChanges(slow_mode_seconds=5)),
        say("newest", thread=stays),
    ]


async def end_at(point: str, *, at_once: bool) -> World:
    """Have a process end at this point of a commit, with everything or only that commit on its way."""
    world: World | None = None
    try:
        async with open_house(limits=NEVER) as house:
            story = await the_story(big=False)
            await tell(site_of(house), story.steps)
            world = World(site_of(house), story)
            commands = await commands_on(world)
            if at_once:
                house.fault.set(point, Crash())
                await world.batch(TRIMMED, *commands)
            else:
                house.fault.set("before_rooms", DOWN)
                await talk_without_rows(world, commands)
                house.fault.set(point, Crash())
                await house.journal.load_room(TRIMMED)
    except* Crash:
        pass
    assert world is not None
    return world


async def talk_without_rows(world: World, commands: list[Command]) -> None:
    """Have commands carried out while nothing can be projected: those that need items have to do without."""
    for command in commands:
        if not isinstance(command, React | Unreact):
            await do(world, TRIMMED, command)


async def check_afterwards(former: World, *, behind: bool) -> None:
    """Wake the room up, check everything, talk, and check again."""
    async with open_house() as house:
        world = World(site_of(house), former.story())
        assert (TRIMMED in await house.journal.behind()) is behind
        assert await world.reload(TRIMMED) is not None
        assert await house.journal.behind() == []
        found = Found()
        await check_site(world.site, report=found)
        assert found.lines == []
        posted = await do(world, TRIMMED, say("after the crash"))
        await do(
            world, TRIMMED, React(OWNER, posted[0].message_id or "", EMOJI[0]), TrimHistory(SYSTEM, posted[0].seq - 1)
        )
        await check_site(world.site, report=found, room=TRIMMED)
        assert found.lines == []
        assert [message.id for message in await house.journal.messages(TRIMMED, limit=99)] == [posted[0].message_id]


def each(points: Sequence[str]) -> list[ParameterSet]:
    """Make these points the values of a parameter: most of them are left to the long tests."""
    marks = {point: () if point in ("after_texts", "after_trim") else pytest.mark.soak for point in points}
    return [pytest.param(point, marks=marks[point]) for point in points]


@pytest.mark.parametrize("point", each(FAULT_POINTS))
async def test_a_commit_that_changes_and_trims_old_messages(point: str) -> None:
    """All of it is one append."""
    await empty_databases()
    former = await end_at(point, at_once=True)
    await check_afterwards(former, behind=point not in ("before_entries", "after_projection"))


@pytest.mark.parametrize("point", each(FAULT_POINTS[2:-1]))
async def test_rows_that_had_waited_for_their_database(point: str) -> None:
    """The messages that earlier entries change are trimmed before the rows of those entries are there."""
    await empty_databases()
    await check_afterwards(await end_at(point, at_once=False), behind=True)

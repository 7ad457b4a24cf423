"""A whole departure over real stores: what is left is the same in each of them, and sound."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from justchat.departures.departure import Departure, Surroundings
from justchat.operate.check_site import check_site
from justchat.rooms.blocks import Blocks
from justchat.rooms.room_actor import RoomLimits
from storage.facts import COPYING
from storage.records import UserRecord
from tests.departures.stage import (
    ALONE,
    BEN,
    BOT,
    DIRECT,
    EVE,
    GOING,
    GUEST,
    MEMBER,
    OWNED,
    REACTED,
    ROOMS,
    SECRET,
    account,
    live,
)
from tests.operate.test_check import Found
from tests.rooms.world import World, open_world
from tests.storage.contract.backends import Stores, open_stores, ram_folder

pytestmark = pytest.mark.real_clock

KINDS = (
    "memory",
    "sqlite",
    "sqlite behind actors",
    pytest.param("postgres", marks=pytest.mark.thorough),
    pytest.param("postgres+mongo", marks=pytest.mark.thorough),
)


async def begin(stores: Stores, state: str) -> UserRecord:
    """Have somebody begin to depart."""
    found = await stores.directory.user(GOING)
    assert found is not None
    user = replace(found, state=state, disabled=True, rev=found.rev + 1)
    await stores.directory.change_user(user)
    return user


async def depart(world: World, stores: Stores, user: UserRecord) -> None:
    """Do it, without anybody who tries again."""

    async def settle(user: str) -> None:
        await stores.relations.drop_relations(user)

    departure = Departure(user, Surroundings(world.rooms, stores.journal, stores.directory, settle))
    await departure.leave()
    await departure.clear()
    await departure.end()


async def everything(stores: Stores) -> bytes:
    """Give all bytes in which a text could stand."""
    parts: list[bytes] = []
    for room in await stores.journal.rooms(limit=100):
        entries = await stores.journal.read(room, after=0, limit=1000)
        parts += [entry.body + (entry.digest or b"") for entry in entries]
        parts += [message.doc for message in await stores.journal.messages(room, after=-1, limit=1000)]
        parts += [item.doc for item in await stores.directory.all_items(room, limit=1000)]
    return b"\n".join(parts)


async def members(stores: Stores, room: str) -> dict[str, str]:
    page = await stores.directory.members(room, cursor=None, limit=100)
    return {member.user: str(member.role) for member in page.items}


async def a_whole_departure(stores: Stores) -> None:
    for user, role in ((GOING, "user"), (BEN, "user"), (EVE, "user"), (BOT, "bot"), (GUEST, "guest")):
        await stores.directory.create_user(account(user, role=role))
    async with open_world(
        journal=stores.journal,  # type: ignore[arg-type]
        directory=stores.directory,
        blocks=Blocks(stores.relations),
        limits=RoomLimits(idle_seconds=0.2),
    ) as world:
        await live(world)
        assert (await everything(stores)).count(SECRET.encode()) > 20
        await depart(world, stores, await begin(stores, "erasing"))
        found = await stores.directory.user(GOING)
        assert found is not None
        assert found.state == "gone"
        assert SECRET.encode() not in await everything(stores)
        assert await members(stores, MEMBER) == {BEN: "owner", EVE: "member"}
        assert await members(stores, OWNED) == {BEN: "owner", EVE: "member"}
        assert await members(stores, REACTED) == {BEN: "owner"}
        assert await members(stores, DIRECT) == {GOING: "owner", BEN: "member"}
        room = await stores.directory.room(ALONE)
        assert room is not None
        assert room.deleted_at is not None
        for name in ROOMS:
            for message in await stores.journal.messages(name, after=-1, limit=1000):
                assert message.deleted is (message.author == GOING)
    assert await stores.directory.fact(COPYING) is None
    found_wrong = Found()
    await check_site(stores, report=found_wrong)
    assert found_wrong.lines == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_erased_account_leaves_no_word_and_a_sound_store(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memberships, rooms that pass on, messages, entries, items: and the check finds every row as its journal says."""
    if "mongo" in kind:
        # The server of the tests reads a whole collection for each message that changes.
        monkeypatch.setattr("tests.departures.stage.POSTS", 10)
    with ram_folder() as folder, trio.fail_after(60):
        async with open_stores(kind, folder) as stores:
            await a_whole_departure(stores)

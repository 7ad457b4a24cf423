"""Departures that meet with failures and with changes, on a virtual clock: they go on, and hinder nobody."""

from __future__ import annotations

import trio
from msgspec.structs import replace

from justchat.departures.departure import Surroundings
from justchat.departures.departures import RETRY_SECONDS, Departures
from justchat.rooms.items import ItemKind
from justchat.rooms.room_actor import RoomLimits
from storage.errors import StorageUnavailable
from storage.memory import MemoryDirectory
from tests.departures.stage import (
    ANN,
    BANNED,
    BEN,
    EVE,
    GOING,
    LEFT,
    MEMBER,
    OWNED,
    SECRET,
    after_a_life,
    departing,
    everything,
    make_accounts,
    members,
    new_room,
    state_of,
    to_state,
)
from tests.rooms.world import SwitchedJournal, open_world


async def test_a_room_that_does_not_answer_keeps_no_other_waiting(autojump_clock: object) -> None:
    """It is tried again later and later; meanwhile all other rooms are left, and others depart."""
    journal = await after_a_life()
    down = True

    class Journal(SwitchedJournal):
        async def load_room(self, room: str):  # type: ignore[no-untyped-def]
            if down and room == MEMBER:
                raise RuntimeError("planted")
            return await super().load_room(room)

    flaky = Journal()
    flaky._store = journal._store
    await to_state(journal, ANN, "leaving")
    async with departing(flaky) as (world, departures):
        await trio.sleep(20)
        assert await state_of(journal) == "leaving"
        assert BEN in await members(world, OWNED)
        assert ANN not in await members(world, OWNED)
        await new_room(world, "r_new", EVE, BEN)
        await to_state(journal, EVE, "leaving")
        departures.depart(EVE)
        await trio.sleep(5)
        assert await members(world, "r_new") == {BEN: "owner"}
        down = False
        await trio.sleep(600)
        assert await state_of(journal, ANN) == await state_of(journal, EVE) == "gone"


async def test_a_store_that_does_not_answer_is_waited_for(autojump_clock: object) -> None:
    """At the look, and in the middle of a departure; then it goes on by itself."""
    journal = await after_a_life()
    await to_state(journal, GOING, "erasing")
    down = True

    class Directory(MemoryDirectory):
        async def users_in_state(self, state: str, *, limit: int):  # type: ignore[no-untyped-def]
            if down:
                raise StorageUnavailable("planted")
            return await super().users_in_state(state, limit=limit)

        async def members(self, room: str, *, cursor: str | None, limit: int):  # type: ignore[no-untyped-def]
            if trio.current_time() < began + 100:
                raise StorageUnavailable("planted")
            return await super().members(room, cursor=cursor, limit=limit)

    began = trio.current_time()
    async with open_world(journal=journal, directory=Directory(journal._store)) as world:

        async def settle(user: str) -> None:
            await trio.lowlevel.checkpoint()

        departures = Departures(Surroundings(world.rooms, journal, world.directory, settle))
        child = departures.start(world.supervisor)
        await trio.sleep(50)
        assert await state_of(journal) == "erasing"
        down = False
        await trio.sleep(45)
        assert await state_of(journal) == "erasing"
        await trio.sleep(400)
        assert await state_of(journal) == "gone"
        assert child.statistics().restarts == 0


async def test_an_account_that_changes_meanwhile_departs_all_the_same(autojump_clock: object) -> None:
    """Its `rev` moves on under the departure's hands; what else was changed stays changed."""
    journal = await after_a_life()
    await to_state(journal, GOING, "demoting")
    directory = MemoryDirectory(journal._store)
    meddled = False

    def fault(point: str, user: str) -> None:
        nonlocal meddled
        if point == "rooms_cleared" and not meddled:
            meddled = True
            found = journal._store.users[user]
            journal._store.put_user(replace(found, bio="new", rev=found.rev + 1))

    async with departing(journal, fault=fault):
        await trio.sleep(30)
    found = await directory.user(GOING)
    assert found is not None
    assert (found.state, found.bio) == ("active", "new")


async def test_an_account_that_is_deleted_while_it_becomes_a_guest_goes_for_good(autojump_clock: object) -> None:
    """What was begun for the one ends as the other."""
    journal = await after_a_life()
    await to_state(journal, GOING, "demoting")
    changed = False

    def fault(point: str, user: str) -> None:
        nonlocal changed
        if point == "rooms_cleared" and not changed:
            changed = True
            found = journal._store.users[user]
            journal._store.put_user(replace(found, state="erasing", disabled=True, rev=found.rev + 1))

    async with departing(journal, fault=fault) as (world, _):
        await trio.sleep(60)
        assert await state_of(journal) == "gone"
        assert SECRET.encode() not in everything(journal)
        assert await world.items(ItemKind.BAN, BANNED) == []


async def test_retries_are_further_and_further_apart(autojump_clock: object) -> None:
    """A departure that always fails is tried some times in an hour, and not thousands."""
    journal = await after_a_life()
    await to_state(journal, GOING, "leaving")
    begun = 0

    def fault(point: str, user: str) -> None:
        nonlocal begun
        if point == "begun":
            begun += 1
            raise RuntimeError("planted")

    async with departing(journal, fault=fault):
        await trio.sleep(3600)
    assert 5 <= begun <= 30
    assert RETRY_SECONDS == 1.0


async def test_departures_leave_places_for_rooms_that_others_need(autojump_clock: object) -> None:
    """Somebody goes who is in more rooms than may be awake: there is place for others all the while."""
    journal = SwitchedJournal()
    await make_accounts(journal)
    rooms = [f"r_{number:03d}" for number in range(200)]
    async with open_world(journal=journal, limits=RoomLimits(idle_seconds=1)) as world:
        for room in rooms:
            await new_room(world, room, BEN, ANN)
            await trio.sleep(0.1)
    await to_state(journal, ANN, "leaving")
    most = 0
    async with departing(journal) as (world, _):
        for _ in range(2000):
            await trio.sleep(0.5)
            most = max(most, world.rooms.statistics().active)
        assert 50 < most <= 80
        assert world.rooms.statistics().refused == 0
        assert await state_of(journal, ANN) == "gone"
        page = await world.directory.rooms_of(ANN, cursor=None, limit=1000)
        assert page.items == ()


async def test_a_server_that_stops_is_not_asked_room_by_room(autojump_clock: object) -> None:
    """The first room says that it is restarting, and that is all there is to know; the next process goes on."""
    journal = await after_a_life()
    await to_state(journal, GOING, "leaving")
    before = 0
    async with departing(journal) as (world, _):
        world.rooms.start_draining()
        before = world.rooms.statistics().activated
        await trio.sleep(60)
        assert world.rooms.statistics().activated == before
        assert await state_of(journal) == "leaving"
    async with departing(journal):
        await trio.sleep(10)
    assert await state_of(journal) == "gone"


async def test_a_room_whose_journal_is_damaged_keeps_no_other_from_being_erased(autojump_clock: object) -> None:
    """It is for an operator to look at; the account is not said to be gone before that."""
    journal = await after_a_life()
    await to_state(journal, GOING, "erasing")
    store = journal._store
    entries = store.entries[LEFT]
    place = next(place for place, entry in enumerate(entries) if entry.type == "message.created")
    sound, entries[place] = entries[place], replace(entries[place], body=SECRET.encode())
    async with departing(journal):
        await trio.sleep(100)
        assert await state_of(journal) == "erasing"
        assert everything(journal).count(SECRET.encode()) <= 2
        entries[place] = sound
        await trio.sleep(1000)
        assert await state_of(journal) == "gone"
        assert SECRET.encode() not in everything(journal)

"""Accounts that go, on a virtual clock: what becomes of their rooms, and of what they wrote."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from justchat.departures.heirs import heirs_of
from justchat.rooms.commands import AddMember, CreateInvite, SetRole
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Role
from justchat.wire.events import SYSTEM
from storage.records import Entry
from tests.departures.stage import (
    ALONE,
    ANN,
    BANNED,
    BEN,
    BOT,
    DELETED,
    DIRECT,
    EVE,
    GOING,
    GUEST,
    LEFT,
    MEMBER,
    OWNED,
    REACTED,
    ROOMS,
    SECRET,
    after_a_life,
    departing,
    everything,
    make_accounts,
    members,
    new_room,
    say,
    state_of,
    to_state,
)
from tests.rooms.world import SwitchedJournal, World, message, open_world


async def newest(world: World, room: str, count: int) -> list[tuple[str, str]]:
    """Give the type and the actor of a room's newest entries."""
    return [(entry.type, entry.actor) for entry in await world.journal.read_back(room, limit=count)]


@pytest.mark.parametrize(("state", "end"), [("leaving", "gone"), ("erasing", "gone"), ("demoting", "active")])
async def test_who_departs_is_in_no_room_but_direct_ones(autojump_clock: object, state: str, end: str) -> None:
    """Everybody hears it from the server; what they owned passes on or ends with them."""
    journal = await after_a_life()
    settled: list[str] = []
    await to_state(journal, GOING, state)
    async with departing(journal, settled=settled) as (world, _):
        await trio.sleep(30)
        assert await state_of(journal) == end
        assert settled == ([] if state == "demoting" else [GOING])
        assert await members(world, MEMBER) == {BEN: "owner", EVE: "member"}
        assert await members(world, OWNED) == {BEN: "owner", EVE: "member"}
        assert ("member.role_changed", SYSTEM) in await newest(world, OWNED, 6)
        assert ("member.removed", SYSTEM) in await newest(world, OWNED, 6)
        assert ("room.deleted", SYSTEM) in await newest(world, ALONE, 2)
        page = await world.directory.rooms_of(GOING, cursor=None, limit=100)
        assert [room.id for room, _ in page.items] == [DIRECT]
        assert await members(world, DIRECT) == {ANN: "owner", BEN: "member"}
        assert await world.refusal(message("are you there?", actor=BEN), room=DIRECT) == "forbidden"
        view = await world.room(DIRECT).view(BEN)
        assert view.settings.archived  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["leaving", "erasing"])
async def test_what_rooms_keep_of_somebody_goes_with_them(autojump_clock: object, state: str) -> None:
    """Invites, posts that wait, reports, a mute and a ban; what is others' stays."""
    journal = await after_a_life()
    await to_state(journal, GOING, state)
    async with departing(journal) as (world, _):
        await trio.sleep(30)
        assert [item.key for item in await world.items(ItemKind.INVITE, MEMBER)] == ["i_ben"]
        assert [item.key for item in await world.items(ItemKind.SCHEDULED, MEMBER)] == [f"{BEN}/s_ben"]
        assert [item.key.rpartition("/")[2] for item in await world.items(ItemKind.REPORT, MEMBER)] == [BEN]
        for kind, room in ((ItemKind.MUTE, MEMBER), (ItemKind.BAN, BANNED), (ItemKind.DEPARTURE, MEMBER)):
            assert await world.items(kind, room) == []


async def test_who_becomes_a_guest_is_banned_and_muted_as_before(autojump_clock: object) -> None:
    """Whoever makes them a user again has not lifted anything by that; what they reported is still to be looked at."""
    journal = await after_a_life()
    await to_state(journal, GOING, "demoting")
    async with departing(journal) as (world, _):
        await trio.sleep(30)
        assert [item.key for item in await world.items(ItemKind.BAN, BANNED)] == [GOING]
        assert [item.key for item in await world.items(ItemKind.MUTE, MEMBER)] == [GOING]
        assert len(await world.items(ItemKind.REPORT, MEMBER)) == 2
        assert [item.key for item in await world.items(ItemKind.INVITE, MEMBER)] == ["i_ben"]
        assert [item.key for item in await world.items(ItemKind.SCHEDULED, MEMBER)] == [f"{BEN}/s_ben"]


async def test_only_who_departs_is_touched(autojump_clock: object) -> None:
    """Rooms that they were never in sleep on."""
    journal = await after_a_life()
    async with open_world(journal=journal) as world:
        await new_room(world, "r_others", BEN, EVE)
        await say(world, "r_others", "among us", by=EVE)
        history = await world.history("r_others")
    await to_state(journal, GOING, "erasing")
    async with departing(journal) as (world, _):
        await trio.sleep(30)
        assert await world.history("r_others") == history
        assert {room for room in ROOMS if world.rooms.is_awake(room)} == set()


async def test_one_that_is_told_of_departs_at_once(autojump_clock: object) -> None:
    """Without waiting for the next look, which finds all that nobody told of."""
    journal = await after_a_life()
    async with departing(journal, seconds=1000) as (_, departures):
        await trio.sleep(1)
        await to_state(journal, ANN, "leaving")
        departures.depart(ANN)
        await trio.sleep(0.5)
        assert await state_of(journal, ANN) == "gone"
        await to_state(journal, EVE, "leaving")
        await trio.sleep(500)
        assert await state_of(journal, EVE) == "leaving"
        await trio.sleep(600)
        assert await state_of(journal, EVE) == "gone"


async def test_a_room_of_two_who_both_go_is_deleted(autojump_clock: object) -> None:
    """Direct or not: with the last one it ends, whoever of them was first."""
    journal = await after_a_life()
    await to_state(journal, ANN, "leaving")
    async with departing(journal) as (world, departures):
        await trio.sleep(10)
        await to_state(journal, BEN, "leaving")
        departures.depart(BEN)
        await trio.sleep(10)
        assert (await world.history(DIRECT))[-2:] == ["room.archived", "room.deleted"]
        assert await members(world, OWNED) == {EVE: "owner"}
        assert (await world.history(LEFT))[-1] == "room.deleted"


async def test_many_who_go_at_once_leave_every_room_in_order(autojump_clock: object) -> None:
    """All but one depart together: whoever is left has the room, and nobody who goes."""
    journal = SwitchedJournal()
    await make_accounts(journal)
    async with departing(journal) as (world, departures):
        await new_room(world, MEMBER, ANN, BEN, EVE)
        for user in (ANN, BEN):
            await world.do(SetRole(ANN, user, Role.OWNER), room=MEMBER)
        for user in (ANN, BEN):
            await to_state(journal, user, "leaving")
            departures.depart(user)
        await trio.sleep(10)
        assert await members(world, MEMBER) == {EVE: "owner"}


async def test_guests_bots_and_who_is_not_there_inherit_last_or_never(autojump_clock: object) -> None:
    """People come first, whatever their role; a bot only where there is no other, and a guest not even then."""
    journal = SwitchedJournal()
    await make_accounts(journal)
    async with open_world(journal=journal) as world:
        await new_room(world, MEMBER, ANN, BEN, EVE, BOT, GUEST)
        await world.do(SetRole(ANN, BOT, Role.ADMIN), room=MEMBER)
        directory = world.directory
        assert await heirs_of(directory, MEMBER, without=ANN) == (BEN, EVE)
        await world.do(SetRole(ANN, EVE, Role.MODERATOR), room=MEMBER)
        assert await heirs_of(directory, MEMBER, without=ANN) == (EVE, BEN)
        await to_state(journal, EVE, "leaving")
        assert await heirs_of(directory, MEMBER, without=ANN) == (BEN,)
        await to_state(journal, BEN, "demoting")
        assert await heirs_of(directory, MEMBER, without=ANN) == (BOT,)
        await to_state(journal, BOT, "leaving")
        assert await heirs_of(directory, MEMBER, without=ANN) == ()
        assert await heirs_of(directory, "r_none", without=ANN) == ()


@pytest.mark.parametrize(("state", "end"), [("leaving", "gone"), ("erasing", "gone"), ("demoting", "active")])
async def test_what_was_under_way_when_somebody_went_is_left_as_well(
    autojump_clock: object, state: str, end: str
) -> None:
    """A room made, and one joined, in their name after all rooms were left: nobody departs before these are left, too.

    Also where somebody tells of the departure again in between, and after a restart.
    """
    journal = await after_a_life()
    await to_state(journal, GOING, state)
    settled: list[str] = []
    async with departing(journal, linger_seconds=30, settled=settled) as (world, departures):
        await trio.sleep(10)
        assert GOING not in await members(world, MEMBER)
        await new_room(world, "r_late", GOING)
        await say(world, "r_late", SECRET)
        await world.do(AddMember(BEN, GOING), room=MEMBER)
        departures.depart(GOING)
        await trio.sleep(10)
        await new_room(world, "r_later", GOING, EVE)
        assert await state_of(journal) == state
    async with departing(journal, linger_seconds=30, settled=settled) as (world, _):
        await trio.sleep(20)
        assert await state_of(journal) == state
        await trio.sleep(20)
        assert await state_of(journal) == end
        assert GOING not in await members(world, MEMBER)
        assert ("room.deleted", SYSTEM) in await newest(world, "r_late", 2)
        assert await members(world, "r_later") == {EVE: "owner"}
        assert bool(settled) is (end == "gone")
        if state == "erasing":
            assert SECRET.encode() not in everything(journal)


async def test_who_is_deleted_after_having_become_a_guest_is_waited_for_anew(autojump_clock: object) -> None:
    """What was left as a guest is looked through again for what an erasure takes away, and for what came late."""
    journal = await after_a_life()
    await to_state(journal, GOING, "demoting")
    async with departing(journal, linger_seconds=30) as (world, departures):
        await trio.sleep(25)
        await to_state(journal, GOING, "erasing")
        departures.depart(GOING)
        await trio.sleep(20)
        await new_room(world, "r_late", GOING)
        assert await state_of(journal) == "erasing"
        await trio.sleep(20)
        assert await state_of(journal) == "gone"
        assert ("room.deleted", SYSTEM) in await newest(world, "r_late", 2)
        assert SECRET.encode() not in everything(journal)


async def test_only_journals_that_may_hold_a_word_are_read_and_once(autojump_clock: object) -> None:
    """Not those of rooms that just have invites or reports, and not again what was read before the last look."""
    journal = await after_a_life()
    async with open_world(journal=journal) as world:
        await new_room(world, "r_others", BEN, EVE)
        await world.do(CreateInvite(BEN, "i_others"), room="r_others")
    read: Counter[str] = Counter()

    class Journal(SwitchedJournal):
        async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
            read[room] += after == 0
            return await super().read(room, after=after, upto=upto, limit=limit)

    counted = Journal()
    counted._store = journal._store
    await to_state(journal, GOING, "erasing")
    async with departing(counted, linger_seconds=30) as (world, _):
        await trio.sleep(60)
        assert await world.items(ItemKind.DEPARTURE, DIRECT) == []
    assert await state_of(journal) == "gone"
    assert read == dict.fromkeys((MEMBER, OWNED, ALONE, LEFT, REACTED, DELETED), 1) | {DIRECT: 2}

"""Accounts that are erased, on a virtual clock: what they wrote is nowhere, and everybody hears that it is gone."""

from __future__ import annotations

import trio

from justchat.rooms.items import ItemKind
from justchat.wire.events import SYSTEM, decode_message
from tests.departures.stage import (
    ANN,
    BEN,
    DELETED,
    DIRECT,
    GOING,
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
    new_room,
    say,
    state_of,
    to_state,
)
from tests.rooms.world import ROOM, SwitchedJournal, catch_up, message


async def test_what_somebody_wrote_stays_unless_it_is_to_be_erased(autojump_clock: object) -> None:
    """Messages of a deleted account are there as they were, and so are their reactions."""
    journal = await after_a_life()
    before = {name: record.doc for name, record in journal._store.messages.items()}
    await to_state(journal, GOING, "leaving")
    async with departing(journal) as (world, _):
        await trio.sleep(30)
        assert {name: record.doc for name, record in journal._store.messages.items()} == before
        assert len(await world.items(ItemKind.REACTION, REACTED)) == 1


async def test_an_erasure_leaves_no_word(autojump_clock: object) -> None:
    """Neither in messages nor in any entry of any room, nor in what rooms keep: also where they left long ago."""
    journal = await after_a_life()
    assert everything(journal).count(SECRET.encode()) > 140
    await to_state(journal, GOING, "erasing")
    async with departing(journal) as (world, _):
        await trio.sleep(60)
        assert await state_of(journal) == "gone"
        assert SECRET.encode() not in everything(journal)
        for record in journal._store.messages.values():
            assert decode_message(record.doc).deleted is (record.author == GOING)
        assert await world.items(ItemKind.PIN, MEMBER) == []
        assert await world.items(ItemKind.REVISION, MEMBER) == []
        reactions = [item.key for room in ROOMS for item in await world.items(ItemKind.REACTION, room)]
        assert [key.rpartition("/")[2] for key in reactions] == [BEN]
        for room in ROOMS:
            assert await world.items(ItemKind.DEPARTURE, room) == []


async def test_an_erasure_is_announced_by_the_hundred(autojump_clock: object) -> None:
    """As any deletion is, by the server, to whoever listens; a room that was left long ago is no other."""
    journal = await after_a_life()
    async with departing(journal) as (_, departures):
        await to_state(journal, GOING, "erasing")
        departures.depart(GOING)
        await trio.sleep(60)
        for room, count in ((OWNED, 2), (LEFT, 1), (DELETED, 1), (DIRECT, 1)):
            entries = await journal.read(room, after=0, limit=1000)
            gone = [entry for entry in entries if entry.type == "message.bulk_deleted"]
            assert [entry.actor for entry in gone] == [SYSTEM] * count, room


async def test_who_joins_after_an_erasure_gets_no_word_from_a_room_that_is_awake(autojump_clock: object) -> None:
    """It holds the newest entries as they were made; whoever followed hears of the deletion, and nothing else."""
    journal = SwitchedJournal()
    await make_accounts(journal)
    async with departing(journal) as (world, departures):
        await new_room(world, ROOM, BEN, ANN)
        _, listener = await world.attach(BEN)
        await say(world, ROOM, SECRET)
        await world.do(message("hm", actor=BEN), room=ROOM)
        await to_state(journal, ANN, "erasing")
        departures.depart(ANN)
        await trio.sleep(10)
        assert [frame["type"] for frame in listener.frames[1:]] == [
            "message.created", "message.created", "member.removed", "message.bulk_deleted",
        ]  # fmt: skip
        for after, replay in ((0, True), (1, True), (1, False)):
            subscription, sink = await world.attach(BEN, after=after, replay=replay)
            assert not subscription.live
            sink.behind.append((subscription, 5, False))
            await catch_up(world, sink)
            assert SECRET.encode() not in sink.raw
            assert sink.seqs == list(range(after + 1, 6))
        assert SECRET.encode() in listener.raw

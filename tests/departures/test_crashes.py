"""A process that ends in the middle of a departure, at every step of it: the next one goes on to the same end."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import pytest
import trio
from trio.testing import MockClock

from justchat.departures.departure import FAULT_POINTS
from justchat.wire.events import decode_event
from tests.departures.stage import GOING, SECRET, departing, everything, live, make_accounts, state_of, to_state
from tests.rooms.house import copied
from tests.rooms.world import SwitchedJournal, open_world

STATES = ("leaving", "erasing", "demoting")
ONLY_ERASING = {
    "room_marked", "reaction_removed", "messages_deleted", "texts_rewritten", "room_erased", "mark_dropped",
}  # fmt: skip
POINTS = [
    (state, point)
    for state in STATES
    for point in FAULT_POINTS
    if (state == "erasing" or point not in ONLY_ERASING) and (state != "demoting" or point != "settled")
]


@cache
def lived() -> SwitchedJournal:
    """Keep the store in which somebody has lived: it is the same in every test."""

    async def story() -> SwitchedJournal:
        journal = SwitchedJournal()
        await make_accounts(journal)
        async with open_world(journal=journal) as world:
            await live(world)
        return journal

    return trio.run(story, clock=MockClock(autojump_threshold=0))


async def a_life(state: str) -> SwitchedJournal:
    """Give a store of one's own, in which somebody begins to depart."""
    journal = SwitchedJournal()
    journal._store = copied(lived()._store)
    journal._store.name_keys = deepcopy(lived()._store.name_keys)
    await to_state(journal, GOING, state)
    return journal


async def depart(journal: SwitchedJournal, *, until: str | None = None, times: int = 1) -> int:
    """Run a process until it has come so often by a point, at which it ends, or until all is done.

    Gives how often it came there.
    """
    came = 0

    def fault(point: str, user: str) -> None:
        nonlocal came
        came += point == until
        if came >= times:
            scope.cancel()

    with trio.CancelScope() as scope:
        async with departing(journal, fault=fault):
            await trio.sleep(60)
    return came


def outcome(journal: SwitchedJournal) -> dict[str, object]:
    """Give all that is left in the store, but for the moments at which it came about."""
    store = journal._store
    return {
        "events": {
            room: [(entry.type, entry.actor, decode_event(entry.body)) for entry in entries]
            for room, entries in store.entries.items()
        },
        "messages": {name: message.doc for name, message in store.messages.items()},
        "members": {room: sorted(members) for room, members in store.members.items()},
        "items": {
            room: sorted(name for name in items if name[0] != "audit") for room, items in store.items.items() if items
        },
        "state": store.users[GOING].state,
    }


@cache
def undisturbed(state: str) -> dict[str, object]:
    """Give what comes of a departure that nothing cuts off."""
    lived()

    async def story() -> dict[str, object]:
        journal = await a_life(state)
        await depart(journal)
        return outcome(journal)

    return trio.run(story, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(("state", "point"), POINTS)
def test_a_departure_that_is_cut_off_goes_on_and_ends_as_if_it_had_not_been(state: str, point: str) -> None:
    """At the first, the third and the last time that it comes by each point; no event is there twice or missing."""
    expected = undisturbed(state)

    async def story() -> None:
        times = await depart(await a_life(state), until=point, times=1000)
        assert times >= 1, "it never comes by"
        for time in sorted({1, min(3, times), times}):
            journal = await a_life(state)
            assert await depart(journal, until=point, times=time) == time
            await depart(journal)
            assert outcome(journal) == expected, time

    trio.run(story, clock=MockClock(autojump_threshold=0))


def test_an_erasure_that_is_cut_off_over_and_over_leaves_no_word() -> None:
    """The process ends at whatever it did, each time one step later, until there is nothing to cut off any more."""
    expected = undisturbed("erasing")

    async def story() -> None:
        journal = await a_life("erasing")
        for point in FAULT_POINTS:
            assert await depart(journal, until=point) == 1, point
        await depart(journal)
        assert await state_of(journal) == "gone"
        assert SECRET.encode() not in everything(journal)
        assert outcome(journal) == expected

    trio.run(story, clock=MockClock(autojump_threshold=0))

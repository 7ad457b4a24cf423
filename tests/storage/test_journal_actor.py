"""The journal actor on a virtual clock: what shares a commit, and who fails when it fails."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable, Unstorable
from tests.storage.journal_house import House, together
from tests.storage.samples import posts


async def test_an_append_is_committed_at_once_when_nothing_else_waits(house: House, autojump_clock: MockClock) -> None:
    """There is no timer: an idle journal adds no latency."""
    started = trio.current_time()
    await house.append(posts("r_1", 1, 3))
    assert trio.current_time() == started
    assert house.told == {"r_1": "written"}
    assert await house.heads("r_1") == [3]


async def test_what_waits_during_a_commit_is_the_next_commit(house: House, autojump_clock: MockClock) -> None:
    """All rooms that came meanwhile share one commit, in the order in which they came."""
    house.backend.seconds = 1.0
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(5)))
    assert house.backend.commits == [["r_0"], ["r_1", "r_2", "r_3", "r_4"]]
    assert set(house.told.values()) == {"written"}
    assert house.told_at["r_0"] == 1.0
    assert {house.told_at[f"r_{n}"] for n in range(1, 5)} == {2.0}


async def test_a_commit_is_bounded_in_entries_and_cuts_no_append(house: House, autojump_clock: MockClock) -> None:
    """Ten entries are a commit here: what does not fit goes into the next, whole."""
    house.backend.seconds = 0.1
    await together(
        lambda: house.append(posts("r_0", 1, 1)),
        lambda: house.append(posts("r_1", 1, 6)),
        lambda: house.append(posts("r_2", 1, 4)),
        lambda: house.append(posts("r_3", 1, 1)),
        lambda: house.append(posts("r_4", 1, 25)),
        lambda: house.append(posts("r_5", 1, 1)),
    )
    assert house.backend.commits == [["r_0"], ["r_1", "r_2"], ["r_3"], ["r_4"], ["r_5"]]
    assert set(house.told.values()) == {"written"}


async def test_appends_of_one_room_keep_their_order_in_a_commit(house: House, autojump_clock: MockClock) -> None:
    """Two appends of a room may share a commit when the second builds on the first."""
    house.backend.seconds = 0.1
    await together(
        lambda: house.append(posts("r_0", 1, 1)),
        lambda: house.append(posts("r_1", 1, 2), name="first"),
        lambda: house.append(posts("r_1", 3, 3), name="second"),
    )
    assert house.backend.commits == [["r_0"], ["r_1", "r_1"]]
    assert set(house.told.values()) == {"written"}


async def test_only_the_guilty_room_of_a_commit_fails(house: House, autojump_clock: MockClock) -> None:
    """After a conflict the innocent are committed together and the suspect alone: two commits more, not one each."""
    house.backend.seconds = 0.1
    await together(
        lambda: house.append(posts("r_0", 1, 1)),
        lambda: house.append(posts("r_1", 1, 1)),
        lambda: house.append(posts("r_2", 5, 5)),
        lambda: house.append(posts("r_3", 1, 1)),
    )
    assert house.backend.commits == [["r_0"], ["r_1", "r_2", "r_3"], ["r_1", "r_3"], ["r_2"]]
    assert house.told == {"r_0": "written", "r_1": "written", "r_2": "conflict seq r_2", "r_3": "written"}
    assert await house.heads("r_1", "r_2", "r_3") == [1, 0, 1]


async def test_several_guilty_rooms_are_all_found(house: House, autojump_clock: MockClock) -> None:
    """Each conflict names one room; the next one is found in the next try."""
    house.backend.seconds = 0.1
    wrong = {1, 3, 4}
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 9 if n in wrong else 1, 9)) for n in range(6)))
    assert {room for room, told in house.told.items() if told == f"conflict seq {room}"} == {"r_1", "r_3", "r_4"}
    assert {room for room, told in house.told.items() if told == "written"} == {"r_0", "r_2", "r_5"}


async def test_who_shares_a_room_with_a_suspect_stays_behind_it(house: House, autojump_clock: MockClock) -> None:
    """Trying again never changes the order in which the appends of one room are tried."""
    house.backend.seconds = 0.1
    await together(
        lambda: house.append(posts("r_0", 1, 1)),
        lambda: house.append(posts("r_1", 1, 1), posts("r_2", 1, 1), name="both"),
        lambda: house.append(posts("r_2", 2, 2), posts("r_4", 1, 1), name="after"),
        lambda: house.append(posts("r_4", 2, 2), name="after that"),
        lambda: house.append(posts("r_1", 7, 7), name="guilty"),
        lambda: house.append(posts("r_3", 1, 1)),
    )
    assert house.backend.commits[2:] == [["r_3"], ["r_1", "r_2"], ["r_2", "r_4"], ["r_4"], ["r_1"]]
    assert house.told.pop("guilty") == "conflict seq r_1"
    assert set(house.told.values()) == {"written"}


async def test_an_append_that_fails_with_its_predecessor_is_told_so(house: House, autojump_clock: MockClock) -> None:
    """What builds on a refused append of its room is a hole, and refused too."""
    house.backend.seconds = 0.1
    await house.append(posts("r_1", 1, 1), name="before")
    await together(
        lambda: house.append(posts("r_0", 1, 1)),
        lambda: house.append(posts("r_1", 1, 1), name="repeat"),
        lambda: house.append(posts("r_1", 3, 3), name="on top"),
    )
    assert (house.told["repeat"], house.told["on top"]) == ("conflict seq r_1", "conflict seq r_1")
    assert await house.heads("r_1") == [1]


@pytest.mark.parametrize("error", [StorageUnavailable("too large"), Unstorable("a lone surrogate")])
async def test_a_room_that_the_store_does_not_take_fails_alone(
    house: House, autojump_clock: MockClock, error: StorageError
) -> None:
    """Known not written and nobody named: all are tried one by one, and those that can be written are."""
    house.backend.seconds = 0.1
    house.backend.poison["r_2"] = error
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(5)))
    assert house.told.pop("r_2") == type(error).__name__
    assert set(house.told.values()) == {"written"}
    assert house.backend.commits == [["r_0"], ["r_1", "r_2", "r_3", "r_4"], ["r_1"], ["r_2"], ["r_3"], ["r_4"]]


async def test_a_store_that_is_slow_to_fail_fails_for_all_in_time(house: House, autojump_clock: MockClock) -> None:
    """When every try takes a while, the callers are not made to wait for one try each: they are told by then."""
    for n in range(6):
        house.backend.poison[f"r_{n}"] = StorageUnavailable("locked")
    house.backend.seconds_to_fail = 1.5
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(6)))
    assert set(house.told.values()) == {"StorageUnavailable"}
    assert max(house.told_at.values()) == 4.5
    assert len(house.backend.commits) == 3
    house.backend.poison.clear()
    await house.append(posts("r_1", 1, 1))
    assert house.told["r_1"] == "written"


async def test_an_unknown_outcome_is_everybodys(house: House, autojump_clock: MockClock) -> None:
    """A commit that was cut off may hold all or nothing, so it is not tried again and nobody is told that it failed."""
    house.backend.seconds = 0.1
    house.backend.to_raise_after.extend((None, OutcomeUnknown("cut off")))
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(4)))
    assert house.backend.commits == [["r_0"], ["r_1", "r_2", "r_3"]]
    assert house.told == {"r_0": "written"} | {f"r_{n}": "OutcomeUnknown" for n in range(1, 4)}
    assert await house.heads("r_1", "r_2", "r_3") == [1, 1, 1]


async def test_every_caller_gets_an_error_of_its_own(house: House, autojump_clock: MockClock) -> None:
    """An exception that several tasks raise would collect all their tracebacks."""
    house.backend.seconds = 0.1
    house.backend.to_raise.extend((None, OutcomeUnknown("cut off")))
    caught: list[StorageError] = []

    async def append(room: str) -> None:
        try:
            await house.actor.append([posts(room, 1, 1)])
        except StorageError as error:
            caught.append(error)

    await together(*(lambda n=n: append(f"r_{n}") for n in range(3)))
    assert len({id(error) for error in caught}) == len(caught) == 2


async def test_a_store_that_fails_a_commit_is_suspected_and_one_that_refuses_is_not(
    house: House, autojump_clock: MockClock
) -> None:
    """Whoever watches over the store is told at once; a conflict says that it is well."""
    await house.append(posts("r_1", 1, 1))
    await house.append(posts("r_1", 1, 1))
    assert house.told["r_1"] == "conflict seq r_1"
    assert house.suspected_at == []
    house.backend.to_raise.append(StorageUnavailable("gone"))
    await house.append(posts("r_1", 2, 2))
    assert house.told["r_1"] == "StorageUnavailable"
    assert house.suspected_at == [0.0]

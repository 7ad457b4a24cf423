"""Whose turn it is, on the virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.split.turns import Turns


def note(log: list[str], name: str, *, seconds: float = 1.0) -> Callable[[], Awaitable[None]]:
    """Make work that takes a while and notes its begin and end."""

    async def work() -> None:
        log.append(f"{name} begins at {trio.current_time():g}")
        await trio.sleep(seconds)
        log.append(f"{name} ends at {trio.current_time():g}")

    return work


async def test_one_room_is_worked_on_once_at_a_time(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """In the order of the calls, while other rooms go on."""
    turns, log = Turns(nursery), list[str]()
    async with trio.open_nursery() as callers:
        for rooms, name in (({"r_1", "r_2"}, "a"), ({"r_2", "r_3"}, "b"), ({"r_4"}, "c"), ({"r_3"}, "d")):
            callers.start_soon(turns.run, rooms, note(log, name))
            await wait_all_tasks_blocked()
    begins = {line.split()[0]: float(line.split()[-1]) for line in log if "begins" in line}
    assert begins == {"a": 0, "c": 0, "d": 0, "b": 1}


async def test_work_goes_on_when_its_caller_leaves(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The caller leaves at once; who asks for it to be settled waits, and who asks about another room does not."""
    turns, log = Turns(nursery), list[str]()
    with trio.move_on_after(0.25):
        await turns.run({"r_1"}, note(log, "a"))
    assert trio.current_time() == 0.25
    await turns.settled("r_2")
    await turns.quiet("r_2")
    assert trio.current_time() == 0.25
    await turns.settled("r_1")
    assert log[-1] == "a ends at 1"
    assert turns.under_way == 0


async def test_work_whose_caller_waits_is_settled(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Only what was left behind is waited for; for a quiet room everything is."""
    turns, log = Turns(nursery), list[str]()
    nursery.start_soon(turns.run, {"r_1"}, note(log, "a"))
    await wait_all_tasks_blocked()
    await turns.settled("r_1")
    assert trio.current_time() == 0
    await turns.quiet("r_1")
    assert trio.current_time() == 1


async def test_a_caller_that_leaves_while_it_waits_has_begun_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It was not its turn yet."""
    turns, log = Turns(nursery), list[str]()
    nursery.start_soon(turns.run, {"r_1"}, note(log, "a"))
    await wait_all_tasks_blocked()
    with trio.move_on_after(0.5):
        await turns.run({"r_1"}, note(log, "b"))
    await turns.run({"r_1"}, note(log, "c"))
    assert log == ["a begins at 0", "a ends at 1", "c begins at 1", "c ends at 2"]


async def test_an_error_is_its_callers(
    nursery: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """And ends nobody else's work; without a caller it is logged, with its traceback if it is a bug."""
    turns = Turns(nursery)

    async def fail() -> None:
        await trio.sleep(1)
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await turns.run({"r_1"}, fail)
    with trio.move_on_after(0.5):
        await turns.run({"r_1"}, fail)
    await turns.quiet("r_1")
    (record,) = caplog.records
    assert record.exc_info is not None


async def test_closing_lets_work_end_and_refuses_more(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Who waits for a turn is told; who has one keeps it, for a while."""
    turns, log = Turns(nursery), list[str]()
    refused: list[StorageUnavailable] = []

    async def wait() -> None:
        with pytest.raises(StorageUnavailable) as caught:
            await turns.run({"r_1"}, note(log, "b"))
        refused.append(caught.value)

    nursery.start_soon(turns.run, {"r_1"}, note(log, "a"))
    await wait_all_tasks_blocked()
    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    await turns.aclose(seconds=5)
    assert trio.current_time() == 1
    await wait_all_tasks_blocked()
    assert log == ["a begins at 0", "a ends at 1"]
    assert type(refused[0]) is StorageUnavailable


async def test_work_that_is_cut_off_at_the_end_is_of_unknown_outcome(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its caller must not take it for done."""
    told: list[OutcomeUnknown] = []

    async def ask(turns: Turns) -> None:
        with pytest.raises(OutcomeUnknown) as caught:
            await turns.run({"r_1"}, note([], "a", seconds=100))
        told.append(caught.value)

    async with trio.open_nursery() as own:
        turns = Turns(own)
        nursery.start_soon(ask, turns)
        await wait_all_tasks_blocked()
        await turns.aclose(seconds=2)
        assert trio.current_time() == 2
        own.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert len(told) == 1

"""The gate, where it differs from what the actors' tests show of it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from storage.errors import StorageUnavailable
from storage.gate import Gate


async def test_a_caller_that_leaves_frees_its_place(autojump_clock: MockClock) -> None:
    """Cancelled callers hold neither a place in the line nor one inside."""
    gate = Gate(concurrency=1, waiting=1, deadline_seconds=5.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gate.call, trio.sleep_forever)
        await wait_all_tasks_blocked()
        nursery.start_soon(gate.call, trio.sleep_forever)
        await wait_all_tasks_blocked()
        assert (gate.statistics().in_use, gate.statistics().waiting) == (1, 1)
        nursery.cancel_scope.cancel()
    assert (gate.statistics().in_use, gate.statistics().waiting) == (0, 0)
    await gate.call(trio.lowlevel.checkpoint)


async def test_a_call_that_ends_just_at_its_deadline_keeps_its_value(autojump_clock: MockClock) -> None:
    """A result that is there is not thrown away."""
    gate = Gate(concurrency=1, waiting=0, deadline_seconds=5.0)

    async def work() -> int:
        with trio.CancelScope(shield=True):
            await trio.sleep(6.0)
        return 7

    assert await gate.call(work) == 7


async def test_a_bug_passes_through_and_is_no_failure_of_the_store(autojump_clock: MockClock) -> None:
    """Only the store's own errors count as the store's."""
    failures: list[int] = []
    gate = Gate(concurrency=1, waiting=0, deadline_seconds=5.0, on_failure=lambda: failures.append(1))

    async def bug() -> None:
        raise ZeroDivisionError

    async def down() -> None:
        raise StorageUnavailable("down")

    with pytest.raises(ZeroDivisionError):
        await gate.call(bug)
    assert (gate.statistics().failed, failures) == (0, [])
    with pytest.raises(StorageUnavailable):
        await gate.call(down)
    assert (gate.statistics().failed, gate.statistics().last_error, failures) == (1, "down", [1])

"""The journal actor on a virtual clock: deadlines, bounds, crashes, and what it tells of itself."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from storage.errors import StorageUnavailable
from tests.storage.journal_house import House, together
from tests.storage.samples import posts


async def test_a_deadline_tells_begun_from_not_begun(house: House, autojump_clock: MockClock) -> None:
    """At five seconds: who had begun may have been written, who had not has not been and never will be."""
    house.backend.seconds = 4.9
    await together(
        lambda: house.append(posts("r_1", 1, 1)),
        lambda: house.append(posts("r_2", 1, 1)),
        lambda: house.append(posts("r_3", 1, 1)),
    )
    assert house.told == {"r_1": "written", "r_2": "OutcomeUnknown", "r_3": "OutcomeUnknown"}
    assert house.told_at["r_2"] == pytest.approx(5.0, abs=0.1)
    await trio.sleep(10)
    assert await house.heads("r_2", "r_3") == [1, 1]


async def test_what_was_not_begun_by_its_deadline_is_never_written(house: House, autojump_clock: MockClock) -> None:
    """StorageUnavailable is a promise: the append is dropped from the line, not merely given up by its caller."""
    house.backend.seconds = 60.0
    await together(lambda: house.append(posts("r_1", 1, 1)), lambda: house.append(posts("r_2", 1, 1)))
    assert house.told == {"r_1": "OutcomeUnknown", "r_2": "StorageUnavailable"}
    assert house.told_at == {"r_1": 5.0, "r_2": pytest.approx(5.0, abs=0.1)}
    house.backend.seconds = 0.0
    await house.append(posts("r_3", 1, 1))
    await trio.sleep(100)
    assert await house.heads("r_1", "r_2", "r_3") == [0, 0, 1]


async def test_a_backend_that_hangs_holds_the_actor_no_longer_than_a_deadline(
    house: House, autojump_clock: MockClock
) -> None:
    """The next commit is tried although the last one never came back."""
    house.backend.seconds = 1e9
    await house.append(posts("r_1", 1, 1))
    house.backend.seconds = 0.0
    await house.append(posts("r_2", 1, 1))
    assert house.told == {"r_1": "OutcomeUnknown", "r_2": "written"}
    assert house.actor.statistics().last_error == "no commit within 5 s"


async def test_a_caller_that_leaves_before_its_append_begins_takes_it_back(
    house: House, autojump_clock: MockClock
) -> None:
    """Nobody waits for it and nobody was told anything: it is not written."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_1", 1, 1))
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.5):
            await house.append(posts("r_2", 1, 1))
    await house.append(posts("r_3", 1, 1))
    assert house.backend.commits == [["r_1"], ["r_3"]]


async def test_a_caller_that_leaves_later_changes_nothing(house: House, autojump_clock: MockClock) -> None:
    """A begun append goes on without its caller, and the others that share its commit do not notice."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_0", 1, 1))
        await wait_all_tasks_blocked()
        nursery.start_soon(house.append, posts("r_1", 1, 1))
        with trio.move_on_after(1.5):
            await house.append(posts("r_2", 1, 1))
    assert house.told == {"r_0": "written", "r_1": "written"}
    assert await house.heads("r_2") == [1]


async def test_a_caller_that_leaves_before_its_append_is_tried_again_takes_it_back(
    house: House, autojump_clock: MockClock
) -> None:
    """After a commit that failed as a whole nothing is begun, so who leaves then leaves nothing behind."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_0", 1, 1))
        await wait_all_tasks_blocked()
        nursery.start_soon(house.append, posts("r_1", 7, 7))
        nursery.start_soon(house.append, posts("r_2", 1, 1))
        await wait_all_tasks_blocked()
        with trio.move_on_after(2.5):  # its first commit failed at 2, and r_2 alone is under way until 3
            await house.append(posts("r_1", 1, 1), name="leaves")
    assert house.backend.commits[2:] == [["r_2"], ["r_1"]]
    assert house.told == {"r_0": "written", "r_1": "conflict seq r_1", "r_2": "written"}
    assert await house.heads("r_1") == [0]


async def test_a_full_inbox_refuses_at_once(house: House, autojump_clock: MockClock) -> None:
    """When more appends wait than may, the next one is told so without waiting."""
    house.backend.seconds = 1.0
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(10)))
    assert house.told["r_9"] == "StorageUnavailable"
    assert house.told_at["r_9"] == 0.0
    assert [told for room, told in house.told.items() if room != "r_9"] == ["written"] * 9
    assert house.actor.statistics().refused == 1


async def test_a_bug_in_the_backend_crashes_the_actor_and_costs_only_the_append_that_meets_it(
    house: House, autojump_clock: MockClock
) -> None:
    """The commit that crashed is tried again append by append; the guilty one is given up after its second crash."""
    house.backend.seconds = 0.1
    house.backend.poison["r_2"] = ZeroDivisionError("a bug")
    await together(*(lambda n=n: house.append(posts(f"r_{n}", 1, 1)) for n in range(4)))
    assert house.told == {"r_0": "written", "r_1": "written", "r_2": "OutcomeUnknown", "r_3": "written"}
    assert house.child.restarts == 2
    assert house.child.quarantined == 1


async def test_after_a_crash_in_mid_commit_nothing_is_called_unwritten(house: House, autojump_clock: MockClock) -> None:
    """The first try may have been written, so a second one that fails does not make the outcome known."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_1", 1, 1))
        await wait_all_tasks_blocked()
        house.backend.to_raise.append(StorageUnavailable("locked"))
        assert house.child.kill(RuntimeError("killed"))
    assert house.told == {"r_1": "OutcomeUnknown"}
    assert house.child.restarts == 1


async def test_a_crash_in_mid_commit_loses_no_append(house: House, autojump_clock: MockClock) -> None:
    """What was in hand and what waited is committed by the next incarnation."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        for room in ("r_1", "r_2", "r_3"):
            nursery.start_soon(house.append, posts(room, 1, 1))
            await wait_all_tasks_blocked()
        assert house.child.kill(RuntimeError("killed"))
    assert house.told == {"r_1": "written", "r_2": "written", "r_3": "written"}


async def test_stopping_answers_everybody(house: House, autojump_clock: MockClock) -> None:
    """At a shutdown who had begun is told that nobody knows, and who had not that nothing was written."""
    house.backend.seconds = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_1", 1, 1))
        await wait_all_tasks_blocked()
        nursery.start_soon(house.append, posts("r_2", 1, 1))
        await wait_all_tasks_blocked()
        house.child.stop()
    await house.append(posts("r_3", 1, 1))
    assert house.told == {"r_1": "OutcomeUnknown", "r_2": "StorageUnavailable", "r_3": "StorageUnavailable"}
    assert house.actor.statistics().state == "stopped"


async def test_reads_are_bounded_and_keep_their_deadline(house: House, autojump_clock: MockClock) -> None:
    """Two at a time, two in line, and the fifth is refused: a slow store does not pile up readers."""
    house.backend.seconds = 3.0
    outcomes: list[tuple[str, float]] = []

    async def read() -> None:
        try:
            await house.actor.read("r_1", after=0, limit=10)
        except StorageUnavailable as error:
            outcomes.append((str(error)[:12], trio.current_time()))
        else:
            outcomes.append(("read", trio.current_time()))

    await together(*(read for _ in range(5)))
    assert outcomes == [
        ("2 calls alre", 0.0),
        ("read", 3.0),
        ("read", 3.0),
        ("no answer fr", 5.0),
        ("no answer fr", 5.0),
    ]
    assert house.backend.reading == 0
    figures = house.actor.statistics().reads
    assert (figures.calls, figures.refused, figures.timed_out, figures.in_use) == (5, 1, 2, 0)


async def test_reads_go_on_while_a_commit_takes_its_time(house: House, autojump_clock: MockClock) -> None:
    """History and catch-up do not wait behind writes."""
    house.backend.seconds = 0.0
    await house.append(posts("r_1", 1, 2))
    house.backend.seconds = 4.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_2", 1, 1))
        await wait_all_tasks_blocked()
        assert len(await house.actor.read_back("r_1", limit=10)) == 2
        assert trio.current_time() == 0.0


async def test_statistics_tell_what_an_operator_asks(house: House, autojump_clock: MockClock) -> None:
    """How deep, how long, how fast, how large, how often it failed, and why."""
    assert house.actor.statistics().commit_p50_seconds is None
    house.backend.seconds = 2.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.append, posts("r_1", 1, 1))
        await wait_all_tasks_blocked()
        nursery.start_soon(house.append, posts("r_2", 1, 3))
        nursery.start_soon(house.append, posts("r_3", 1, 2))
        await trio.sleep(1.5)
        busy = house.actor.statistics()
    assert (busy.state, busy.inbox_depth, busy.oldest_wait_seconds, busy.commits) == ("running", 2, 1.5, 0)
    figures = house.actor.statistics()
    assert (figures.inbox_depth, figures.commits, figures.failed_commits, figures.entries) == (0, 2, 0, 6)
    assert (figures.batch_mean, figures.batch_max, figures.batch_last) == (3.0, 5, 5)
    assert (figures.commit_p50_seconds, figures.commit_p99_seconds, figures.last_error) == (2.0, 2.0, None)
    house.backend.to_raise.append(StorageUnavailable("the disk is full"))
    await house.append(posts("r_4", 1, 1))
    figures = house.actor.statistics()
    assert (figures.commits, figures.failed_commits, figures.last_error) == (2, 1, "the disk is full")


async def test_trouble_is_logged_when_it_starts_and_when_it_ends(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is down for an hour does not fill the log with one line for every commit."""
    house.backend.to_raise.extend(StorageUnavailable("down") for _ in range(3))
    for _ in range(5):
        await house.append(posts("r_1", 1, 1))
    events = [record.getMessage().split()[1] for record in caplog.records]
    assert events == ["event=commits_fail", "event=commits_again"]

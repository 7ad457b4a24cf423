"""The directory actor on a virtual clock: readiness, bounds and deadlines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import RestartPolicy, Supervisor
from storage.directory_actor import DirectoryActor, DirectoryLimits
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from tests.storage.fakes import ScriptedDirectory
from tests.storage.samples import a_user

LIMITS = DirectoryLimits(calls=2, calls_waiting=3, deadline_seconds=5.0, probe_seconds=10.0, probe_failing_seconds=1.0)


class House:
    """A running directory actor and its scripted backend."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.backend = ScriptedDirectory()
        self.actor = DirectoryActor(self.backend, limits=LIMITS)
        self.child = self.actor.start(Supervisor(nursery, policy=RestartPolicy(jitter=0.0), random=Random(1)))


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    """Start a directory actor that has probed once."""
    opened = House(nursery)
    await wait_all_tasks_blocked()
    yield opened
    nursery.cancel_scope.cancel()


async def test_a_store_that_answers_is_ready(house: House, autojump_clock: MockClock) -> None:
    """It is probed at once and then every ten seconds."""
    assert house.actor.ready
    await trio.sleep(35)
    assert house.backend.probed_at == [0.0, 10.0, 20.0, 30.0]
    assert house.actor.statistics().reconnects == 0


async def test_a_store_that_fails_is_probed_more_often_until_it_is_back(
    house: House, autojump_clock: MockClock
) -> None:
    """Readiness goes and comes by itself, and the way back is noticed within a second."""
    house.backend.down = StorageUnavailable("gone")
    await trio.sleep(12.5)
    assert not house.actor.statistics().ready
    assert house.backend.probed_at == [0.0, 10.0, 11.0, 12.0]
    house.backend.down = None
    await trio.sleep(1)
    figures = house.actor.statistics()
    assert (figures.ready, figures.reconnects, figures.last_error, figures.probes) == (True, 1, "gone", 5)


async def test_a_failing_call_has_the_store_probed_at_once(house: House, autojump_clock: MockClock) -> None:
    """Nobody is told "ready" for ten seconds after the first call has shown that it is not."""
    house.backend.down = StorageUnavailable("gone")
    with pytest.raises(StorageUnavailable, match="gone"):
        await house.actor.user("u_0001")
    await wait_all_tasks_blocked()
    assert not house.actor.ready
    assert house.backend.probed_at == [0.0, 0.0]


async def test_a_probe_that_hangs_is_a_probe_that_fails(house: House, autojump_clock: MockClock) -> None:
    """A frozen store is noticed although it never says no."""
    house.backend.seconds = 1e9
    with pytest.raises(StorageUnavailable, match="within 5 s"):
        await house.actor.probe()
    assert trio.current_time() == 5.0
    assert not house.actor.ready
    house.backend.seconds = 0.0
    await house.actor.probe()
    assert house.actor.ready


async def test_calls_are_bounded_and_so_is_their_line(house: House, autojump_clock: MockClock) -> None:
    """Two at a time and three in line; more are refused at once and do not wait for nothing."""
    house.backend.seconds = 1.0
    ended: list[tuple[str, float]] = []

    async def call() -> None:
        try:
            await house.actor.user("u_0001")
        except StorageUnavailable:
            ended.append(("refused", trio.current_time()))
        else:
            ended.append(("answered", trio.current_time()))

    async with trio.open_nursery() as nursery:
        for _ in range(7):
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
        figures = house.actor.statistics().calls
        assert (figures.in_use, figures.waiting, figures.concurrency) == (2, 3, 2)
    assert ended == [("refused", 0.0)] * 2 + [("answered", 1.0)] * 2 + [("answered", 2.0)] * 2 + [("answered", 3.0)]
    assert house.backend.most_in_calls == 2
    assert house.actor.ready  # a full line says nothing about the store
    assert house.backend.probed_at == [0.0]


async def test_a_write_at_its_deadline_is_unknown_and_a_read_is_not_there(
    house: House, autojump_clock: MockClock
) -> None:
    """Only what may have been written is of unknown outcome, and only if it had begun."""
    house.backend.seconds = 4.0
    outcomes: dict[int, type[Exception]] = {}

    async def create(number: int) -> None:
        try:
            await house.actor.create_user(a_user(number))
        except StorageUnavailable as error:
            outcomes[number] = type(error)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(create, number)
            await wait_all_tasks_blocked()
    assert outcomes == {2: OutcomeUnknown, 3: OutcomeUnknown, 4: StorageUnavailable}
    house.backend.seconds = 1e9
    with pytest.raises(StorageUnavailable) as caught:
        await house.actor.user("u_0001")
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_a_conflict_is_an_answer_and_no_failure(house: House, autojump_clock: MockClock) -> None:
    """A taken name passes through and leaves the store ready."""
    await house.actor.create_user(a_user(1))
    with pytest.raises(Conflict):
        await house.actor.create_user(a_user(1))
    figures = house.actor.statistics()
    assert (figures.calls.failed, figures.probes, figures.ready) == (0, 1, True)


async def test_the_watch_survives_a_crash(house: House, autojump_clock: MockClock) -> None:
    """It is restarted and goes on probing; calls do not depend on it."""
    assert house.child.kill(RuntimeError("killed"))
    await trio.sleep(10.5)
    assert house.child.restarts == 1
    assert house.actor.statistics().state == "running"
    assert house.backend.probed_at == [0.0, 0.0, 10.0]

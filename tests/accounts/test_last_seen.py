"""When people were last there: together, every few seconds, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from justchat.accounts.last_seen import LastSeen
from storage.account_ports import Relations
from storage.errors import StorageUnavailable


class Store:
    """What is written, and whether anything can be."""

    def __init__(self) -> None:
        self.writes: list[dict[str, int]] = []
        self.down = False
        self.meanwhile: Callable[[], None] = lambda: None

    async def seen(self, users: Mapping[str, int]) -> None:
        await trio.lowlevel.checkpoint()
        self.meanwhile()
        if self.down:
            raise StorageUnavailable("planted")
        self.writes.append(dict(users))


def make(store: Store, **options: int) -> LastSeen:
    return LastSeen(cast("Relations", store), now_ms=lambda: int(trio.current_time() * 1000), **options)


@pytest.fixture
def store() -> Store:
    """Make a store."""
    return Store()


async def test_people_are_written_together_every_few_seconds(autojump_clock: MockClock, store: Store) -> None:
    """However often somebody comes and goes, they are one row in one write, with the latest time."""
    last_seen = make(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(last_seen.run)
        begun = int(trio.current_time() * 1000)
        for _ in range(3):
            last_seen.note("u_ann")
            await trio.sleep(1)
        last_seen.note("u_bob")
        assert last_seen.since("u_ann") == begun + 2000
        assert store.writes == []
        await trio.sleep(3)
        assert store.writes == [{"u_ann": begun + 2000, "u_bob": begun + 3000}]
        assert last_seen.since("u_ann") is None
        await trio.sleep(60)
        assert len(store.writes) == 1, "nothing to write is no write"
        nursery.cancel_scope.cancel()


async def test_what_is_left_at_the_end_is_written(autojump_clock: MockClock, store: Store) -> None:
    """Whoever was there until the server stopped is seen until then."""
    last_seen = make(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(last_seen.run)
        await trio.sleep(0.1)
        last_seen.note("u_ann")
        nursery.cancel_scope.cancel()
    assert [list(write) for write in store.writes] == [["u_ann"]]


async def test_what_cannot_be_written_is_written_later(autojump_clock: MockClock, store: Store) -> None:
    """The store is down for a while: nothing is lost, and the task goes on."""
    last_seen, store.down = make(store), True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(last_seen.run)
        last_seen.note("u_ann")
        await trio.sleep(12)
        assert store.writes == []
        store.down = False
        last_seen.note("u_bob")
        await trio.sleep(5)
        assert [set(write) for write in store.writes] == [{"u_ann", "u_bob"}]
        nursery.cancel_scope.cancel()


async def test_who_is_seen_while_the_others_are_written_is_written_next(store: Store) -> None:
    """A write in flight does not swallow what is noted meanwhile."""
    now = [1]
    last_seen = LastSeen(cast("Relations", store), now_ms=lambda: now[0])
    last_seen.note("u_ann")

    def again() -> None:
        now[0] = 2
        last_seen.note("u_ann")

    store.meanwhile = again
    await last_seen.flush()
    store.meanwhile = lambda: None
    assert last_seen.since("u_ann") == 2
    await last_seen.flush()
    assert store.writes == [{"u_ann": 1}, {"u_ann": 2}]


async def test_the_memory_is_bounded_and_writes_are_no_larger_than_a_page(store: Store) -> None:
    """Of too many at once those who come last are not noted; who is known is always noted anew."""
    last_seen = make(store, users_max=1200)
    for number in range(2000):
        last_seen.note(f"u_{number}")
    assert len(last_seen) == 1200
    await last_seen.flush()
    assert [len(write) for write in store.writes] == [500, 500, 200]
    assert len(last_seen) == 0


async def test_a_store_that_hangs_does_not_keep_the_server_from_stopping(
    autojump_clock: MockClock, store: Store
) -> None:
    """The last write has a deadline."""

    async def hang(_: Mapping[str, int]) -> None:
        await trio.sleep_forever()

    store.seen = hang  # type: ignore[method-assign, assignment]
    last_seen = make(store)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(last_seen.run)
            await trio.sleep(0.1)
            last_seen.note("u_ann")
            nursery.cancel_scope.cancel()

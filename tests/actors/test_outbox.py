"""The outbox: bounds, exact accounting, and waiting for room."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from actors import Outbox


def test_offers_are_accepted_up_to_both_bounds() -> None:
    """What would exceed either bound is refused whole, and what fits is accepted after it."""
    outbox = Outbox(max_items=3, max_bytes=10)
    assert outbox.offer(b"12345")
    assert not outbox.offer(b"123456")
    assert outbox.offer(b"12345")
    assert outbox.full
    assert not outbox.offer(b"1")
    by_items = Outbox(max_items=2, max_bytes=10)
    assert not by_items.offer(b"", items=3)
    assert by_items.offer(b"1", items=2)
    assert by_items.full
    assert not by_items.offer(b"2")
    assert by_items.statistics().refused == 4


def test_what_may_not_be_dropped_is_forced_beyond_the_bounds() -> None:
    """Force always queues, in order, and is accounted for."""
    outbox = Outbox(max_items=1, max_bytes=4)
    outbox.offer(b"1234")
    outbox.force(b"56")
    assert (outbox.items, outbox.size, len(outbox)) == (2, 6, 2)
    assert outbox.full
    assert outbox.take(100) == b"123456"
    assert outbox.empty
    assert outbox.statistics().peak_bytes == 6


def test_a_take_joins_whole_offers_up_to_its_limit() -> None:
    """Offers are never cut; a single one may be larger than the limit; nothing gives nothing."""
    outbox = Outbox(max_items=9, max_bytes=99)
    for data in (b"aaa", b"bbb", b"cc", b"dddddddd"):
        outbox.offer(data)
    assert outbox.take(8) == b"aaabbbcc"
    assert outbox.take(5) == b"dddddddd"
    assert outbox.take(5) == b""


def test_a_single_offer_is_taken_without_a_copy() -> None:
    """The bytes that were encoded once are the bytes that are written."""
    outbox = Outbox(max_items=9, max_bytes=99)
    data = bytes(range(50))
    outbox.offer(data)
    assert outbox.take(99) is data


def test_the_unsent_tail_goes_back_to_the_front() -> None:
    """It comes first again, and counts as its share of the items taken, rounded up."""
    outbox = Outbox(max_items=9, max_bytes=99)
    for data in (b"aaaa", b"bbbb", b"cccc", b"dddd"):
        outbox.offer(data)
    taken = outbox.take(12)
    outbox.put_back(taken[5:])
    assert (outbox.items, outbox.size) == (3, 11)
    assert outbox.take(99) == b"bbbccccdddd"
    outbox.put_back(b"")
    assert outbox.empty


def test_more_cannot_be_put_back_than_was_taken() -> None:
    """Neither larger than the take nor twice."""
    outbox = Outbox(max_items=9, max_bytes=99)
    outbox.offer(b"abc")
    outbox.take(9)
    with pytest.raises(ValueError, match="more put back"):
        outbox.put_back(b"abcd")
    outbox.put_back(b"bc")
    with pytest.raises(ValueError, match="more put back"):
        outbox.put_back(b"c")


def test_bounds_must_be_positive() -> None:
    """A queue that can hold nothing is a mistake; an empty one is still true."""
    with pytest.raises(ValueError, match="at least 1"):
        Outbox(max_items=0, max_bytes=1)
    assert Outbox(max_items=1, max_bytes=1)


async def test_wait_room_waits_until_less_than_half_is_used() -> None:
    """Of both bounds; several waiters are woken together."""
    outbox = Outbox(max_items=10, max_bytes=100)
    for _ in range(6):
        outbox.offer(b"x" * 10)
    woken: list[int] = []

    async def wait(number: int) -> None:
        await outbox.wait_room()
        woken.append(outbox.items)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 1)
        nursery.start_soon(wait, 2)
        for remaining in (5, 4):
            await wait_all_tasks_blocked()
            assert woken == []
            outbox.take(1)
            assert outbox.items == remaining
    assert woken == [4, 4]
    with assert_checkpoints():
        await outbox.wait_room()


async def test_a_put_back_keeps_the_waiter_waiting() -> None:
    """Room that is gone again before the waiter runs is no room."""
    outbox = Outbox(max_items=10, max_bytes=100)
    outbox.offer(b"x" * 80)
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def wait() -> None:
            await outbox.wait_room()
            done.set()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        outbox.put_back(outbox.take(100)[1:])
        await wait_all_tasks_blocked()
        assert not done.is_set()
        outbox.take(100)
        await wait_all_tasks_blocked()
        assert done.is_set()


async def test_a_cancelled_waiter_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    """The outbox works on as if it had never waited."""
    outbox = Outbox(max_items=2, max_bytes=100)
    outbox.offer(b"x", items=2)
    with trio.move_on_after(1) as scope:
        await outbox.wait_room()
    assert scope.cancelled_caught
    assert outbox.take(9) == b"x"


DATA = st.binary(max_size=8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), DATA, st.integers(1, 3)),
        st.tuples(st.just("force"), DATA, st.integers(1, 3)),
        st.tuples(st.just("take"), st.integers(0, 20), st.integers(0, 20)),
    ),
    max_size=50,
)


@given(STEPS)
def test_every_accepted_byte_comes_out_once_and_in_order(steps: list[tuple[str, bytes | int, int]]) -> None:
    """Whatever is taken and partly put back; size is exact, offers keep the bounds, items never run below or over."""
    outbox = Outbox(max_items=6, max_bytes=24)
    accepted = sent = b""
    items = peak = 0
    for kind, data, number in steps:
        if isinstance(data, int):
            taken = outbox.take(data)
            rest = taken[len(taken) - min(number, len(taken)) :]
            outbox.put_back(rest)
            sent += taken[: len(taken) - len(rest)]
        elif kind == "offer":
            fits = outbox.items + number <= 6 and outbox.size + len(data) <= 24
            assert outbox.offer(data, number) is fits
            accepted += data if fits else b""
            items += number if fits else 0
        else:
            outbox.force(data, number)
            accepted += data
            items += number
        peak = max(peak, outbox.size)
        assert outbox.size == len(accepted) - len(sent)
        assert 0 <= outbox.items <= items
        assert outbox.full == (outbox.items >= 6 or outbox.size >= 24)
    while not outbox.empty:
        sent += outbox.take(5)
    assert sent == accepted
    assert (outbox.items, outbox.size) == (0, 0)
    assert (outbox.statistics().offered, outbox.statistics().peak_bytes) == (items, peak)

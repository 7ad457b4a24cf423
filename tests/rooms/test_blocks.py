"""The memory of who blocks whom: what it asks the store, what it remembers, and what it forgets in time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from justchat.rooms.blocks import Blocks
from justchat.wire.events import Message
from storage.errors import StorageUnavailable

ANN, BEN, EVE = "u_ann", "u_ben", "u_eve"


class Blocking:
    """A store of blocks that counts what it is asked, and answers when it is let."""

    def __init__(self, *blocks: tuple[str, str]) -> None:
        self.blocks = set(blocks)  # (who blocks, whom)
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.gate: trio.Event | None = None
        self.error: Exception | None = None

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        self.asked.append((user, tuple(others)))
        found = [other for other in others if (other, user) in self.blocks]
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        return found


async def test_the_store_is_asked_once_for_each_pair(autojump_clock: object) -> None:
    """Whether there is a block or not; only for those of whom nothing is known."""
    store = Blocking((BEN, ANN))
    blocks = Blocks(store)
    for _ in range(3):
        assert await blocks.blockers(ANN, [BEN, EVE]) == {BEN}
    assert await blocks.blockers(ANN, [EVE, "u_new", EVE]) == frozenset()
    assert await blocks.blockers(ANN, []) == frozenset()
    assert store.asked == [(ANN, (BEN, EVE)), (ANN, ("u_new",))]


@pytest.mark.parametrize("pair", [(ANN, BEN), (BEN, ANN)])
async def test_a_block_stands_between_both_whoever_asks(pair: tuple[str, str], autojump_clock: object) -> None:
    """One blocks the other, and that is all there is to know; between others there is none."""
    blocks = Blocks(Blocking(pair))
    assert await blocks.between(ANN, BEN)
    assert await blocks.between(BEN, ANN)
    assert not await blocks.between(ANN, EVE)


async def test_what_has_changed_is_asked_anew(autojump_clock: object) -> None:
    """For that pair, both ways, and for no other."""
    store = Blocking()
    blocks = Blocks(store)
    assert not await blocks.between(ANN, BEN)
    assert not await blocks.between(ANN, EVE)
    store.blocks.add((BEN, ANN))
    blocks.changed(BEN, ANN)
    asked = len(store.asked)
    assert await blocks.between(ANN, BEN)
    assert not await blocks.between(ANN, EVE)
    assert len(store.asked) == asked + 1
    store.blocks.clear()
    blocks.changed(BEN, ANN)
    assert not await blocks.between(ANN, BEN)


async def test_an_answer_from_before_a_change_is_not_remembered(autojump_clock: object) -> None:
    """The store answers late what was true when it was asked; the next question goes there again."""
    store = Blocking()
    blocks = Blocks(store)
    store.gate = trio.Event()
    answers: list[frozenset[str]] = []

    async def ask() -> None:
        answers.append(await blocks.blockers(ANN, [BEN]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        store.blocks.add((BEN, ANN))
        blocks.changed(BEN, ANN)
        store.gate.set()
    assert answers == [frozenset()]
    assert await blocks.blockers(ANN, [BEN]) == {BEN}


async def test_what_was_used_longest_ago_is_forgotten_first(autojump_clock: object) -> None:
    """However many people there are, so many pairs are remembered."""
    store = Blocking()
    blocks = Blocks(store, most=3)
    for other in ("u_1", "u_2", "u_3"):
        await blocks.blockers(ANN, [other])
    await blocks.blockers(ANN, ["u_1"])
    await blocks.blockers(ANN, ["u_4"])
    assert blocks.pairs == 3
    store.asked.clear()
    await blocks.blockers(ANN, ["u_1", "u_3", "u_4"])
    assert store.asked == []
    await blocks.blockers(ANN, ["u_2"])
    assert store.asked == [(ANN, ("u_2",))]


async def test_more_at_once_than_are_remembered_are_answered_all_the_same(autojump_clock: object) -> None:
    """The bound is on what is kept, not on what may be asked."""
    others = [f"u_{number}" for number in range(10)]
    blocks = Blocks(Blocking(*((other, ANN) for other in others)), most=3)
    assert await blocks.blockers(ANN, others) == set(others)
    assert blocks.pairs == 3


async def test_a_store_that_does_not_answer_leaves_nothing_behind(autojump_clock: object) -> None:
    """Its error is the answer, and the next question goes there again."""
    store = Blocking((BEN, ANN))
    blocks = Blocks(store)
    store.error = StorageUnavailable("planted")
    with pytest.raises(StorageUnavailable):
        await blocks.blockers(ANN, [BEN])
    store.error = None
    assert await blocks.blockers(ANN, [BEN]) == {BEN}


@pytest.mark.parametrize(
    ("mentions", "everybody", "reader", "called"),
    [
        ((), False, BEN, False),
        ((BEN,), False, BEN, True),
        ((), True, BEN, True),
        ((), True, ANN, False),
        ((EVE,), True, EVE, False),
    ],
)
async def test_a_message_calls_who_does_not_block_its_author(
    mentions: tuple[str, ...], everybody: bool, reader: str, called: bool, autojump_clock: object
) -> None:
    """By id or with everybody else; whoever blocks the author is not called by either, and nobody calls themselves."""
    at = "2026-01-31T09:30:00.123Z"
    message = Message("m_1", "r_1", 2, 1, 1, ANN, "hello", at, mentions=mentions, mentions_all=everybody)
    assert await Blocks(Blocking((EVE, ANN))).calls(message, reader) is called

"""Hashing off the loop: what fits, what never does, equal work for equal questions, and a bounded line.

Real bcrypt at its lowest cost, in real threads, on the real clock.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

import bcrypt
import pytest
import trio
import trio.testing

from justchat.accounts.passwords import Passwords
from justchat.wire.errors import ErrorCode, Refusal

pytestmark = pytest.mark.real_clock
COST = 4


def passwords(*, threads: int = 2, waiting_max: int = 20, cost: int = COST) -> Passwords:
    """Passwords at the lowest cost."""
    return Passwords(cost=cost, threads=threads, waiting_max=waiting_max)


async def hashed(using: Passwords, password: str) -> str:
    """A hash, where the line is not full."""
    made = await using.hash(password)
    assert isinstance(made, str)
    return made


async def test_a_password_fits_its_own_hash_only() -> None:
    """The hash is bcrypt of the configured cost, salted, and never the password."""
    ours = passwords()
    made = await hashed(ours, "correct horse")
    assert made.startswith("$2b$04$")
    assert "correct" not in made
    assert made != await hashed(ours, "correct horse")
    assert await ours.check("correct horse", made) is True
    assert await ours.check("correct horsf", made) is False
    assert await ours.check("", made) is False


@pytest.mark.parametrize(
    "impossible", ["x" * 72 + "y", "é" * 37, "x" * 100_000, "correct\x00horse", "correct\ud800horse"]
)
async def test_a_password_that_bcrypt_cannot_take_whole_is_wrong_and_no_crash(impossible: str) -> None:
    """At login such text is just a wrong password, after the same work; hashing it is a bug of the caller."""
    ours = passwords()
    made = await hashed(ours, "x" * 72)
    assert await ours.check(impossible, made) is False
    assert ours.statistics().checks == 1
    with pytest.raises(ValueError, match="rules"):
        await ours.hash(impossible)


async def test_text_that_cannot_be_a_password_does_not_fit_the_hash_of_an_empty_one() -> None:
    """The stand-in that is hashed to take the time never counts as a match."""
    empty = bcrypt.hashpw(b"", bcrypt.gensalt(COST)).decode()
    assert await passwords().check("x" * 73, empty) is False


async def test_an_unknown_account_costs_the_same_work_as_a_wrong_password() -> None:
    """One bcrypt check each, at the same cost: there is nothing for a stopwatch to see."""
    ours = passwords()
    made = await hashed(ours, "correct horse")
    before = ours.statistics().checks
    assert await ours.check("wrong horse", made) is False
    wrong = ours.statistics().checks - before
    assert await ours.check("wrong horse", None) is False
    assert ours.statistics().checks - before - wrong == wrong == 1


@pytest.mark.parametrize("cost", [4, 5])
def test_the_hash_of_nobody_has_the_cost_of_a_real_one(cost: int) -> None:
    """Otherwise one of the two answers would come sooner."""
    nobody = passwords(cost=cost)._hash_of_nobody
    assert nobody.startswith(f"$2b${cost:02}$")
    assert len(nobody) == len(bcrypt.hashpw(b"x", bcrypt.gensalt(cost)))


async def test_nobodys_hash_fits_no_password() -> None:
    """Not even the ones that are tried first."""
    ours = passwords()
    assert [await ours.check(word, None) for word in ("", "password", "." * 31)] == [False] * 3


async def test_the_line_is_bounded_and_the_next_is_told_when_to_come_back() -> None:
    """One running and two waiting are the limit here; the fourth is refused at once and the three get their answers."""
    ours = passwords(threads=1, waiting_max=2)
    made = await hashed(ours, "correct horse")
    # Holding the thread's only token keeps all three in the line for as long as the test needs.
    await ours._limiter.acquire_on_behalf_of(made)
    answers: list[bool | Refusal] = []

    async def ask() -> None:
        answers.append(await ours.check("correct horse", made))

    # Without the bound the fourth would wait for ever: then this fails and does not hang.
    with trio.fail_after(30):
        await _fill_the_line(ours, made, ask)
    assert answers == [True] * 3
    statistics = ours.statistics()
    assert (statistics.running, statistics.waiting, statistics.refused, statistics.checks) == (0, 0, 2, 3)


async def _fill_the_line(ours: Passwords, made: str, ask: Callable[[], Awaitable[None]]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert ours.statistics().waiting == 2
        refused = await ours.check("correct horse", made)
        assert isinstance(refused, Refusal)
        assert refused.code is ErrorCode.RATE_LIMITED
        assert refused.retry_after_seconds is not None
        assert refused.retry_after_seconds >= 1
        assert isinstance(await ours.hash("correct horse"), Refusal)
        ours._limiter.release_on_behalf_of(made)


async def test_a_caller_who_gives_up_leaves_the_line() -> None:
    """A cancelled check frees its place."""
    ours = passwords(threads=1, waiting_max=0)
    await ours._limiter.acquire_on_behalf_of(ours)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.check, "correct horse", None)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    ours._limiter.release_on_behalf_of(ours)
    assert await ours.check("correct horse", None) is False


async def test_the_loop_goes_on_while_a_password_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tasks run in the meantime: the work is in a thread, which waits here until they have."""
    ours, begun, may_end = passwords(cost=4), threading.Event(), threading.Event()
    hashpw = bcrypt.hashpw

    def slow(secret: bytes, salt: bytes) -> bytes:
        begun.set()
        assert may_end.wait(30), "nothing else ran"
        return hashpw(secret, salt)

    async def turn() -> None:
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        may_end.set()

    monkeypatch.setattr(bcrypt, "hashpw", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn)
        assert str(await ours.hash("correct horse")).startswith("$2b$04$")

"""Hashing and checking passwords with bcrypt, off the event loop.

Owns a bounded number of threads (one per core; bcrypt releases the interpreter lock) and a bounded waiting line before
them. A flood of logins is refused beyond that line: it costs neither memory nor the rooms' time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import bcrypt
import trio
from msgspec import Struct

from justchat.accounts.password_rules import password_bytes
from justchat.wire.errors import ErrorCode, Refusal

T = TypeVar("T")

WAITING_MAX = 20
# A quarter of a second at cost 12 on a small machine; doubles with each step.
_SECONDS_AT_COST_12 = 0.25
# Any well-formed hash will do: nobody knows its password, and checking against it takes as long as against a real one.
_DIGEST_OF_NOTHING = "." * 31


class PasswordStatistics(Struct, frozen=True):
    """The work now, and counts since the start. `checks` includes those made only to take their time."""

    running: int
    waiting: int
    hashes: int
    checks: int
    refused: int


class Passwords:
    """Makes and checks bcrypt hashes of a given cost."""

    def __init__(self, *, cost: int, threads: int, waiting_max: int = WAITING_MAX) -> None:
        self._cost = cost
        self._limiter = trio.CapacityLimiter(threads)
        self._inside = 0
        self._inside_max = threads + waiting_max
        self._line_seconds = max(1.0, waiting_max / threads * _SECONDS_AT_COST_12 * 2.0 ** (cost - 12))
        self._hash_of_nobody = bcrypt.gensalt(cost).decode() + _DIGEST_OF_NOTHING
        self._hashes = self._checks = self._refused = 0

    async def hash(self, password: str) -> str | Refusal:
        """Hash a password that has passed its rules. Raises ValueError for one that bcrypt would cut or choke on."""
        secret = password_bytes(password)
        if secret is None:
            raise ValueError("a password is checked against its rules before it is hashed")

        def work() -> str:
            return bcrypt.hashpw(secret, bcrypt.gensalt(self._cost)).decode()

        made = await self._off_the_loop(work)
        self._hashes += not isinstance(made, Refusal)
        return made

    async def check(self, password: str, password_hash: str | None) -> bool | Refusal:
        """Tell whether a password fits a hash; None stands for an account that does not exist.

        Does the same work whatever is wrong, so that time does not tell an unknown account from a wrong password.
        """
        secret = password_bytes(password)
        possible = secret is not None and password_hash is not None

        def work() -> bool:
            return bcrypt.checkpw(secret or b"", (password_hash or self._hash_of_nobody).encode())

        fits = await self._off_the_loop(work)
        if isinstance(fits, Refusal):
            return fits
        self._checks += 1
        return possible and fits

    def is_weaker(self, password_hash: str) -> bool:
        """Tell whether a hash was made at a lower cost than hashes are made at now."""
        # $2b$12$…: the second part is the cost.
        return int(password_hash.split("$")[2]) < self._cost

    def statistics(self) -> PasswordStatistics:
        """Say how busy the threads are and what has been done."""
        running = self._limiter.borrowed_tokens
        return PasswordStatistics(
            running=int(running),
            waiting=self._inside - int(running),
            hashes=self._hashes,
            checks=self._checks,
            refused=self._refused,
        )

    async def _off_the_loop(self, work: Callable[[], T]) -> T | Refusal:
        # No await between the check and the count.
        if self._inside >= self._inside_max:
            self._refused += 1
            detail = "too many logins at once; try again shortly"
            return Refusal(ErrorCode.RATE_LIMITED, detail, retry_after_seconds=self._line_seconds)
        self._inside += 1
        try:
            # Not abandoned when cancelled: one hash is short, and an abandoned one would use the core uncounted.
            return await trio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1

"""Who blocks whom, as rooms ask for it: a bounded memory in front of the store, so that a message costs no question.

Blocks are facts about people and in no room's order. Whoever changes one tells this memory, and it holds from the next
batch of every room on. Bounded: what was asked for longest ago is forgotten first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from justchat.wire.events import Message

BLOCKS_KEPT: Final = 20_000
"""How many pairs are remembered."""


class Blocking(Protocol):
    """What is asked of the store: a part of its port for relations."""

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Which of these block the user."""
        ...


class Blocks:
    """The blocks between people."""

    __slots__ = ("_changes", "_known", "_most", "_store")

    def __init__(self, store: Blocking, *, most: int = BLOCKS_KEPT) -> None:
        """Remember at most so many pairs of what the store says."""
        self._store = store
        self._most = most
        self._known: dict[tuple[str, str], bool] = {}  # (user, other) -> other blocks user; what was used last is last
        self._changes = 0

    @property
    def pairs(self) -> int:
        """How many pairs are remembered."""
        return len(self._known)

    def changed(self, user: str, other: str) -> None:
        """Take note that `user` has blocked `other` or lifted that, or may have: tell it after the store was told."""
        # Both ways: who has to tell it need not think about which of the two it is.
        self._known.pop((user, other), None)
        self._known.pop((other, user), None)
        # Whoever asks the store at this moment may hear what was true before, and must not remember it.
        self._changes += 1

    async def blockers(self, user: str, others: Iterable[str]) -> frozenset[str]:
        """Say which of these block the user. Raises what the store raises."""
        found: set[str] = set()
        unknown: list[str] = []
        for other in dict.fromkeys(others):
            known = self._known.pop((user, other), None)
            if known is None:
                unknown.append(other)
                continue
            self._known[user, other] = known
            if known:
                found.add(other)
        if unknown:
            found.update(await self._ask(user, unknown))
        return frozenset(found)

    async def between(self, one: str, other: str) -> bool:
        """Say whether either of the two blocks the other. Raises what the store raises."""
        return bool(await self.blockers(one, (other,)) or await self.blockers(other, (one,)))

    async def calls(self, message: Message, user: str) -> bool:
        """Say whether a message calls this user: by their id or with everybody, unless they block who wrote it.

        What everybody reads cannot say it, for `mentions_all` is one fact for all. Raises what the store raises.
        """
        if message.author == user or not (message.mentions_all or user in message.mentions):
            return False
        return user not in await self.blockers(message.author, (user,))

    async def _ask(self, user: str, others: Sequence[str]) -> set[str]:
        changes = self._changes
        found = set(await self._store.blocked_by(user, others))
        if changes == self._changes:
            self._known.update({(user, other): other in found for other in others})
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return found

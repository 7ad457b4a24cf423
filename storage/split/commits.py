"""Numbers the commits of this process, and knows up to which of them everything is projected.

A number is the time of the commit in milliseconds, or one more than the one before. So what a former process committed
lately can be asked for, without a counter that every process would have to share. Pure.
"""

from __future__ import annotations

from collections.abc import Callable


class Commits:
    """The commits that are not projected yet, and the rooms that hold others up."""

    __slots__ = ("_held", "_last", "_now", "_open")

    def __init__(self, *, now: Callable[[], int], mark: int) -> None:
        """Begin above `mark`; `now` gives the time in milliseconds since the epoch."""
        self._now = now
        self._last = mark
        self._open: set[int] = set()
        self._held: dict[str, int] = {}  # room -> the first of its commits that may not be projected

    @property
    def held(self) -> int:
        """How many rooms are held."""
        return len(self._held)

    def begin(self) -> int:
        """Return the number of a new commit, which is open from now on."""
        self._last = max(self._last + 1, self._now())
        self._open.add(self._last)
        return self._last

    def end(self, commit: int) -> None:
        """Note that a commit is projected, or accounted for in another way."""
        self._open.discard(commit)

    def hold(self, room: str, commit: int) -> None:
        """Note that this commit of the room may not be projected, until the room is released."""
        self._held[room] = min(commit, self._held.get(room, commit))

    def release(self, room: str) -> None:
        """Note that the room is projected."""
        self._held.pop(room, None)

    def mark(self, *, behind: int | None, ending: int | None = None) -> int:
        """Return the commit up to which everything is projected, as soon as `ending` is.

        `behind` is the first commit that is known to be behind.
        """
        waiting = [commit for commit in self._open if commit != ending]
        waiting += self._held.values()
        if behind is not None:
            waiting.append(behind)
        return min(waiting) - 1 if waiting else self._last

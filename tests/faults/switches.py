"""How a test tells a faulty server in another process what to break: one small file a fault, in one folder.

A file is the simplest thing that both processes see at once, that survives neither the test nor its folder, and that
can be looked at when a test hangs.
"""

from __future__ import annotations

from pathlib import Path

POISON = "poison:"
"""A post whose body begins so crashes its room each time it is decided."""


class Switches:
    """The switches of one server; both sides use this class."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / name

    # The test's side.

    def crash_at(self, room: str, point: str) -> None:
        """Crash this room each time it reaches this fault point, until `mend`."""
        self._write(f"{room}.crash", point)

    def crash_once_at(self, room: str, point: str) -> None:
        """Crash this room the next time it reaches this fault point."""
        self._write(f"{room}.once", point)

    def crash_in_removal(self, room: str, point: str) -> None:
        """Crash this room at this fault point of the next batch in which a member is removed."""
        self._write(f"{room}.removal", point)

    def mend(self, room: str) -> None:
        """Let the room work again."""
        for kind in ("crash", "once"):
            self._path(f"{room}.{kind}").unlink(missing_ok=True)

    def stall(self, room: str) -> None:
        """Hold this room's commits back until `release`."""
        self._write(f"{room}.stall", "")

    def release(self, room: str) -> None:
        """Let the commits go on."""
        self._path(f"{room}.stall").unlink(missing_ok=True)

    def storm(self, seed: int, *, every_seconds: float, rooms_at_most: int) -> None:
        """Crash a room at a random point about every so often, each at most so many times, until `calm`."""
        self._write("storm", f"{seed} {every_seconds} {rooms_at_most}")

    def calm(self) -> None:
        """End the storm."""
        self._path("storm").unlink(missing_ok=True)

    # The server's side.

    def crashes(self, room: str, point: str) -> bool:
        """Tell whether the room is to crash here."""
        if self._read(f"{room}.crash") == point:
            return True
        if self._read(f"{room}.once") != point:
            return False
        self._path(f"{room}.once").unlink(missing_ok=True)
        return True

    def removes(self, room: str) -> None:
        """Note that the batch at hand removes a member."""
        point = self._read(f"{room}.removal")
        if point:
            self._path(f"{room}.removal").unlink(missing_ok=True)
            self.crash_once_at(room, point)

    def stalled(self, room: str) -> bool:
        """Tell whether the room's commits are held back."""
        return self._path(f"{room}.stall").exists()

    def storm_orders(self) -> tuple[int, float, int] | None:
        """Give the seed, the seconds between crashes and the most for one room; None in calm weather."""
        orders = self._read("storm").split()
        return (int(orders[0]), float(orders[1]), int(orders[2])) if len(orders) == 3 else None

    def _write(self, name: str, text: str) -> None:
        # Written aside and moved, so that the other side never reads half of it.
        aside = self._path(f"{name}.new")
        aside.write_text(text)
        aside.rename(self._path(name))

    def _read(self, name: str) -> str:
        try:
            return self._path(name).read_text()
        except FileNotFoundError:
            return ""

"""`python -m tests.faults.faulty_server serve --switches=FOLDER …`: the product's own server, with faults on demand.

Everything is the real thing but the room actor's fault points and two of its steps, which look at the switches first.
"""

from __future__ import annotations

import os
import random
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import trio

from justchat.app import Hooks, run
from justchat.config.load import load_config
from justchat.rooms.commands import Command, PostMessage, RemoveMember
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import FAULT_POINTS, RoomActor
from tests.faults.switches import POISON, Switches

_LOOK_SECONDS = 0.005


class Planted(Exception):
    """A fault that the test asked for."""


class Storm:
    """Random crashes: the next one is due at a random time, and hits the first room to reach a random point.

    Every point has its turn before any has another, so that none is missing from a short storm.
    """

    def __init__(self, orders: tuple[int, float, int]) -> None:
        self.orders = orders
        seed, self._every_seconds, self._most = orders
        self._choice = random.Random(seed)
        self._hits: Counter[str] = Counter()
        self._again: set[str] = set()
        self._points: list[str] = []
        self._plan()

    def _plan(self) -> None:
        self._due = time.monotonic() + self._choice.uniform(0.5, 1.5) * self._every_seconds
        if not self._points:
            self._points = self._choice.sample(FAULT_POINTS, len(FAULT_POINTS))
        self._point = self._points.pop()

    def hits(self, room: str, point: str) -> bool:
        """Tell whether this is the moment."""
        if point == "loading" and room in self._again:
            self._again.remove(room)
            return True
        # Only a room that crashes loads in the middle of a talk, so a crash at loading is always the second of two.
        twice = self._point == "loading"
        if time.monotonic() < self._due or not (twice or point == self._point) or self._hits[room] >= self._most:
            return False
        self._hits[room] += 2 if twice else 1
        if twice:
            self._again.add(room)
        self._plan()
        return True


class Faults:
    """The fault hook, over the switches."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._storm: Storm | None = None

    def reach(self, point: str, room: str) -> None:
        """Raise if the test wants a crash here."""
        if self._switches.crashes(room, point):
            raise Planted(f"switched on at {point}")
        orders = self._switches.storm_orders()
        if orders is None:
            self._storm = None
            return
        if self._storm is None or self._storm.orders != orders:
            self._storm = Storm(orders)
        if self._storm.hits(room, point):
            raise Planted(f"storm at {point}")


def faulty_room(switches: Switches) -> type[RoomActor]:
    """Make a room actor that can be poisoned and held back."""

    class FaultyRoom(RoomActor):
        """A room that crashes on poison, and whose commits wait while its switch is on."""

        async def _draft(self, commands: Sequence[Command]) -> Draft:
            if any(isinstance(command, PostMessage) and command.body.startswith(POISON) for command in commands):
                raise Planted("poison")
            if any(isinstance(command, RemoveMember) for command in commands):
                switches.removes(self.room)
            return await super()._draft(commands)

        async def _append(self, draft: Draft) -> None:
            while switches.stalled(self.room):  # noqa: ASYNC110 - the event is in another process
                await trio.sleep(_LOOK_SECONDS)
            await super()._append(draft)

    return FaultyRoom


def main(argv: Sequence[str]) -> int:
    """Run the server with faults."""
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--switches", type=Path, required=True)
    ours, flags = parser.parse_known_args(argv)
    config = load_config(flags, os.environ)
    if isinstance(config, list):
        for problem in config:
            print(problem, file=sys.stderr)
        return 2
    switches = Switches(ours.switches)
    return run(config, hooks=Hooks(room_actor=faulty_room(switches), fault=Faults(switches).reach))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

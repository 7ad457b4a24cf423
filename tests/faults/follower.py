"""A client that stays: it subscribes to rooms, reads everything, and after any end comes back and resumes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import trio

from tests.faults.participant import NO_CLOSE_FRAME, Frame, Gone, Participant
from tests.faults.reading import Reading


class Follower:
    """One user's connection, renewed as often as it takes; `run` ends when it is cancelled."""

    def __init__(self, port: int, token: str, rooms: Sequence[str], *, choice: random.Random) -> None:
        self.port = port
        self.token = token
        self.readings = {room: Reading(room) for room in rooms}
        self.closes: Counter[int] = Counter()
        self.goodbyes = 0
        self.connects = 0
        self.resumes = 0
        self.cut_in_a_frame = 0
        self.line: Participant | None = None
        self.choice = choice
        self.silence_seconds = 30.0
        """After this long without a frame the line is given up, as a client with a heartbeat does."""
        self.longest_gap_seconds = 0.0
        """The longest that a room was silent."""
        self.receive_bytes = 0
        """Bound on what the kernel takes in while this client does not read; 0 leaves it to the kernel."""
        self.doze: Callable[[], float] = lambda: 0.0
        """Asked before each read: seconds to look away first."""
        self.stays_away = False
        """Set it and drop the line until `is_away`, and there is no new one before it is cleared."""
        self.is_away = False
        self._heard_at: dict[str, float] = {}
        self._subscribed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow, for ever; started once every room has been subscribed to for the first time."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report, task_status)
            while True:
                while self.stays_away:
                    self.is_away = True
                    await trio.sleep(0.01)
                self.is_away = False
                try:
                    await self._once()
                except Gone as gone:
                    self.closes[gone.code] += 1
                except OSError:
                    self.closes[0] += 1
                    await trio.sleep(self.choice.uniform(0.05, 0.2))
                await trio.sleep(self.choice.uniform(0.0, 0.05))

    async def _report(self, task_status: trio.TaskStatus[None]) -> None:
        await self._subscribed.wait()
        task_status.started()

    async def _once(self) -> None:
        try:
            with trio.move_on_after(self.silence_seconds) as opening:
                await self._open()
            if opening.cancelled_caught:
                raise Gone(NO_CLOSE_FRAME)
            await self._follow()
        finally:
            if self.line is not None:
                self.cut_in_a_frame += self.line.in_a_frame
                self.line.drop()
                self.line = None

    async def _follow(self) -> None:
        line = self.line
        assert line is not None
        while True:
            if seconds := self.doze():
                await trio.sleep(seconds)
            with trio.move_on_after(self.silence_seconds) as silence:
                self.take(await line.next())
            if silence.cancelled_caught:
                raise Gone(NO_CLOSE_FRAME)

    async def _open(self) -> None:
        resume = {room: reading.resume() for room, reading in self.readings.items() if reading.epoch}
        self.line = line = await Participant.greeted(
            self.port, self.token, resume=resume, receive_bytes=self.receive_bytes
        )
        self.connects += 1
        self.resumes += len(resume)
        for room, reading in self.readings.items():
            if not reading.epoch:
                await line.say("subscribe", room=room, data={"history": 0})

    def take(self, frame: Frame) -> None:
        """Look at one frame."""
        self.goodbyes += frame["type"] == "goodbye"
        room = frame.get("room")
        if room in self.readings:
            self.readings[room].take(frame)
        if room is not None and "actor" in frame:
            now = trio.current_time()
            self.longest_gap_seconds = max(self.longest_gap_seconds, now - self._heard_at.get(room, now))
            self._heard_at[room] = now
        if not self._subscribed.is_set() and all(reading.epoch for reading in self.readings.values()):
            self._subscribed.set()

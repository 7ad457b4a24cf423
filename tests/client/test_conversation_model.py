"""Any interleaving of duplicates, gaps, resets, refusals, slow reading and lost connections keeps the stream's law.

Tokens that run out meanwhile change nothing about it. Hypothesis plays a hostile network and a busy server against one
conversation; a judge sees every item. At the end the faults stop, and everything has to come right: each followed room
stands at its head, each command has its answer, each post is in the journal once.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from justchat.client.backoff import Backoff
from justchat.client.commands import Command
from justchat.client.conversation import Conversation
from justchat.client.errors import PositionLost
from justchat.client.inbound import read_data, read_frame
from justchat.client.items import Ack, Answer, RoomEvent, Subscribed, Unsubscribed
from justchat.client.outbound import encode_command
from justchat.client.settings import ClientSettings
from justchat.wire.frames import Send, SendData, Subscribe, SubscribeData, Unsubscribe
from justchat.wire.server_frames import WelcomeData
from tests.client.law import Judge
from tests.client.model_server import ModelServer

ROOMS = ("r_1", "r_2", "r_3")
ROOM = st.sampled_from(ROOMS)
CAPACITY = 6
FEW = st.integers(0, 12)


class Hostile(RuleBasedStateMachine):
    """The client under test with its model server, a clock, and a judge in the place of the application."""

    @initialize(everything=st.booleans())
    def begin(self, everything: bool) -> None:
        self.server = ModelServer(ROOMS)
        self.client = Conversation(
            ClientSettings(event_buffer=CAPACITY), everything=everything, jitter=lambda: self.jitter
        )
        self.judge = Judge()
        self.jitter = 0.5
        self.now = 1000.0
        self.commands: list[Command] = []

    # Every step is one thing that happens, and then some frames that move and some items that are read.

    def flow(self, arriving: int, reading: int) -> None:
        if not self.server.greeted:
            self.server.take(self.client.hello(self.now))
            welcome = self.server.outgoing.popleft().decode()
            self.client.welcomed(read_data(read_frame(welcome), WelcomeData))
        self.frames_leave()
        for _ in range(arriving):
            if self.server.outgoing and self.client.wants_frames:
                self.client.take(self.server.outgoing.popleft().decode(), self.now)
                self.the_buffer_is_bounded()
        for _ in range(min(reading, len(self.client.buffer))):
            self.judge.see(self.client.buffer.pop())
        self.frames_leave()

    def frames_leave(self) -> None:
        if self.client.renewal.due_at <= self.now:
            self.client.renewal.offer("fresh")
        while (frame := self.client.next_frame(self.now)) is not None:
            self.server.take(frame)

    # The world.

    @rule(room=ROOM, count=st.integers(1, 5), arriving=FEW, reading=FEW)
    def others_post(self, room: str, count: int, arriving: int, reading: int) -> None:
        for _ in range(count):
            self.post(room)
        self.flow(arriving, reading)

    @rule(index=st.integers(0, 20), arriving=FEW, reading=FEW)
    def an_event_is_lost(self, index: int, arriving: int, reading: int) -> None:
        self.post(ROOMS[index % len(ROOMS)])
        self.server.lose(index)
        self.flow(arriving, reading)

    @rule(index=st.integers(0, 20), arriving=FEW, reading=FEW)
    def an_event_is_repeated(self, index: int, arriving: int, reading: int) -> None:
        self.server.repeat(index)
        self.flow(arriving, reading)

    @rule(
        trouble=st.sampled_from(["broken", "restored", "removed", "busy", "late", "warned"]),
        room=ROOM,
        seconds=st.sampled_from([1.0, 11.0, 40.0]),
        jitter=st.floats(0, 0.99),
        arriving=FEW,
        reading=FEW,
    )
    def there_is_trouble(
        self, trouble: str, room: str, seconds: float, jitter: float, arriving: int, reading: int
    ) -> None:
        self.jitter = jitter
        match trouble:
            case "broken":
                self.server.disconnect()
            case "restored":
                self.server.restore(room)
            case "removed" if not self.client.following.everything:
                self.server.remove(room)
            case "busy":
                self.server.refusals = 2
            case "warned":
                self.server.warn()
            case _:
                self.now += seconds
        self.flow(arriving, reading)

    # The application.

    @rule(arriving=st.integers(5, 30), reading=st.integers(5, 30))
    def the_application_reads(self, arriving: int, reading: int) -> None:
        self.flow(arriving, reading)

    @rule(room=ROOM, arriving=FEW, reading=FEW)
    def the_application_posts(self, room: str, arriving: int, reading: int) -> None:
        frame_id = str(len(self.commands))
        self.command(Send(room, SendData(f"id-{frame_id}", f"post {frame_id}"), id=frame_id), Ack)
        self.flow(arriving, reading)

    @rule(room=ROOM, history=st.integers(0, 3), arriving=FEW, reading=FEW)
    def the_application_subscribes(self, room: str, history: int, arriving: int, reading: int) -> None:
        self.client.following.want(room)
        self.command(Subscribe(room, SubscribeData(history=history), id=str(len(self.commands))), Subscribed)
        self.flow(arriving, reading)

    @rule(room=ROOM, back=st.integers(-1, 5), arriving=FEW, reading=FEW)
    def the_application_resumes(self, room: str, back: int, arriving: int, reading: int) -> None:
        journal = self.server.journals[room]
        after = max(0, journal.head - back)
        self.client.following.want(room)
        wish = SubscribeData(after=after, epoch=journal.epoch)
        self.command(Subscribe(room, wish, id=str(len(self.commands))), Subscribed, after=after)
        self.flow(arriving, reading)

    @precondition(lambda self: not self.client.following.everything)
    @rule(room=ROOM, arriving=FEW, reading=FEW)
    def the_application_unsubscribes(self, room: str, arriving: int, reading: int) -> None:
        self.command(Unsubscribe(room, id=str(len(self.commands))), Unsubscribed)
        self.flow(arriving, reading)

    @rule(index=st.integers(0, 50))
    def a_caller_gives_up(self, index: int) -> None:
        waiting = [command for command in self.commands if command.id in self.client.commands]
        if waiting:
            self.client.commands.forget(waiting[index % len(waiting)].id)

    def post(self, room: str) -> None:
        journal = self.server.journals[room]
        self.server.post(room, f"{room} {journal.epoch} {journal.head + 1}")

    def command(
        self, frame: Send | Subscribe | Unsubscribe, expects: type[Answer], *, after: int | None = None
    ) -> None:
        text = encode_command(frame, max_bytes=16_384)
        command = Command(frame.id or "", text, expects, on_done=lambda: None, backoff=Backoff(), after=after)
        self.commands.append(command)
        self.client.commands.add(command)

    # What must always, and what must finally be true.

    def the_buffer_is_bounded(self) -> None:
        # Beginnings and ends of runs may go beyond: they answer requests, resets and removals, one for one.
        runs = sum(not isinstance(item, RoomEvent) for item in self.client.buffer._items)
        assert len(self.client.buffer) - runs <= CAPACITY

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        self.server.refusals = 0
        # A gap shows with the next event; no new connection is needed to repair it.
        for room in ROOMS:
            self.post(room)
        for _ in range(200):
            self.flow(50, 50)
            self.now += 1.0
            waiting = self.client.renewal.due_at < float("inf") or len(self.client.commands)
            if not (self.server.outgoing or self.client.following.behind or waiting):
                break
        self.flow(0, 10_000)
        self.everything_has_come_right()

    def everything_has_come_right(self) -> None:
        following = self.client.following
        assert not len(self.client.commands), "every command has been answered"
        assert following.behind == 0
        assert self.client.renewal.due_at == float("inf"), "every warning has been heeded"
        for room, journal in self.server.journals.items():
            position = following.position(room)
            assert (position is not None) == (room in self.judge.seqs) == (room in self.server.live)
            if position is not None:
                assert (position.epoch, position.seq) == (journal.epoch, journal.head)
                assert self.judge.seqs[room] == journal.head
        if following.everything:
            assert set(self.judge.seqs) == set(ROOMS)
        self.what_was_delivered_and_acknowledged_is_true()

    def what_was_delivered_and_acknowledged_is_true(self) -> None:
        for room, epoch, seq, body in self.judge.seen:
            assert self.server.journals[room].archive[epoch][seq - 1] == body
        for command in self.commands:
            assert command.failure is None or isinstance(command.failure, PositionLost)
            if isinstance(command.answer, Subscribed) and command.after is not None:
                assert command.answer.seq == command.after
            if isinstance(command.answer, Ack):
                ack = command.answer
                archive = self.server.journals[ack.room].archive
                assert any(bodies[ack.seq - 1 : ack.seq] == [f"post {command.id}"] for bodies in archive.values())
        for journal in self.server.journals.values():
            posts = [body for body in journal.archive[journal.epoch] if body.startswith("post ")]
            assert len(posts) == len(set(posts)), "no post stands in a journal twice"


Hostile.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHostile = Hostile.TestCase

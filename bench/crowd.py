"""A room full of receivers and a stream of messages into it: the load of the fan-out scenario, for any target.

Two client processes do the work: `receivers` holds most sockets and reads cheaply, `generator` sends and holds a few
receivers, spread over the order of joining, that decode everything and measure latency. A round is invalid when a
client process was itself short of CPU or late, because it then measured the client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice

from msgspec import Struct

from bench.client_process import ClientProcess, client_process
from bench.connection import Greeting
from bench.meter import Meter, doubts_about
from bench.orders import Collect, Collected, Generate, Generated, Open, Opened, OpenSenders
from bench.target import BenchRoom, Target
from bench.usage import Cpu

USERS = 8
LATE_MS = 50.0
_GRACE_SECONDS = 10.0
_OPEN_SECONDS = 120.0


class CrowdSize(Struct, frozen=True):
    """How many receivers in all, how many of them decode everything, and how many connections send."""

    receivers: int
    sampled: int
    senders: int


class Load(Struct, frozen=True):
    """What is sent in one round."""

    rate: float
    seconds: float
    body_bytes: int

    @property
    def messages(self) -> int:
        """How many messages that is."""
        return max(1, round(self.rate * self.seconds))


class Round(Struct, frozen=True):
    """One round as measured: what the clients saw, and what the server and the machine used."""

    collected: Collected
    generated: Generated
    server: Cpu
    others_cores: float

    @property
    def receivers(self) -> int:
        """All receivers."""
        return self.collected.receivers + self.generated.receivers

    @property
    def gapless(self) -> bool:
        """Whether every receiver got every message that was acknowledged once, in order, and nothing else."""
        collected, generated = self.collected, self.generated
        unwanted = collected.gaps + collected.repeats + generated.gaps + generated.repeats
        bounds = (collected.least, collected.most, generated.least, generated.most)
        return unwanted == 0 and all(bound == generated.acked for bound in bounds)

    @property
    def carried(self) -> bool:
        """Whether every message was accepted."""
        return self.generated.acked == self.generated.sent

    @property
    def lagging(self) -> int:
        """`lagging` frames that any receiver got."""
        return self.collected.lagging + self.generated.lagging

    @property
    def story(self) -> str:
        """What there is to say about completeness."""
        collected, generated = self.collected, self.generated
        least, most = min(collected.least, generated.least), max(collected.most, generated.most)
        words = (
            f"{self.receivers} receivers got {least} to {most} of {generated.acked} acknowledged messages each, "
            f"{collected.gaps + generated.gaps} missing, {collected.repeats + generated.repeats} repeated, "
            f"{self.lagging} lagging, {collected.closed + generated.closed} closed; {generated.sent} were sent"
        )
        return f"{words}, {generated.refused} refused: {generated.refusal}" if generated.refused else words

    def figures(self) -> dict[str, float]:
        """The figures of this round."""
        deliveries = self.collected.events + self.generated.sent * self.generated.receivers
        wall = max(self.collected.finished_at - self.generated.started_at, 1e-9)
        return {
            "cpu_us_per_delivery": self.server.total / max(1, deliveries) * 1e6,
            "of_which_kernel_us": self.server.system / max(1, deliveries) * 1e6,
            "of_which_own_us": self.server.user / max(1, deliveries) * 1e6,
            "server_cpu_share": self.server.total / wall,
            "deliveries_per_second": deliveries / wall,
            "deliveries": deliveries,
            "delivery_p50_ms": self.generated.delivery_p50_ms,
            "delivery_p99_ms": self.generated.delivery_p99_ms,
            "ack_p50_ms": self.generated.ack_p50_ms,
            "ack_p99_ms": self.generated.ack_p99_ms,
            "bytes_per_delivery": self.collected.received_bytes / max(1, self.collected.events),
            "receivers_cpu_share": self.collected.cpu_seconds / self.collected.wall_seconds,
            "generator_cpu_share": self.generated.cpu_seconds / self.generated.wall_seconds,
            "late_p99_ms": self.generated.late_p99_ms,
            "others_cores": self.others_cores,
        }


def story_of(rounds: Sequence[Round]) -> str:
    """Tell about the first round that was not as it should be, or about the last."""
    return next((each for each in rounds if not (each.gapless and each.carried)), rounds[-1]).story


def doubts_about_round(figures: dict[str, float]) -> tuple[str, ...]:
    """Say why the figures of a round, or the medians of several, are not to be trusted."""
    shares = {name: figures[f"{name}_cpu_share"] for name in ("receivers", "generator")}
    doubts = doubts_about(shares, figures["others_cores"])
    if figures["late_p99_ms"] > LATE_MS:
        doubts += (f"messages left up to {figures['late_p99_ms']:.0f} ms late: the load was not the one asked for",)
    return doubts


class Crowd:
    """Receivers and senders of one room of one target."""

    def __init__(self, target: Target, receivers: ClientProcess, generator: ClientProcess) -> None:
        self._target = target
        self._receivers = receivers
        self._generator = generator
        self._room = BenchRoom("", ())

    def gather(self, size: CrowdSize) -> None:
        """Open every connection; those that decode join evenly between the others. Raises ClientFailed."""
        self._room = self._target.make_room(members=USERS)
        tokens = cycle(self._room.tokens)
        cheap, port = size.receivers - size.sampled, self._target.process.port
        opened = 0
        for turn in range(size.sampled):
            until = cheap * (turn + 1) // size.sampled
            self._open(self._receivers, [Greeting(token, self._room.id) for token in islice(tokens, until - opened)])
            opened = until
            self._open(self._generator, [Greeting(next(tokens), self._room.id)])
        senders = [Greeting(token) for token in islice(tokens, size.senders)]
        self._generator.ask(OpenSenders(port, senders), Opened, seconds=_OPEN_SECONDS)

    def _open(self, client: ClientProcess, greetings: list[Greeting]) -> None:
        client.ask(Open(self._target.process.port, greetings), Opened, seconds=_OPEN_SECONDS)

    def play(self, load: Load) -> Round:
        """Send one round of messages and wait until they have arrived. Raises ClientFailed."""
        deadline = load.seconds + _GRACE_SECONDS
        meter = Meter(self._target.process.pid)
        self._receivers.tell(Collect(load.messages, deadline))
        generate = Generate(self._room.id, load.messages, load.rate, load.body_bytes, deadline)
        self._generator.tell(generate)
        generated = self._generator.answer(Generated, seconds=deadline + _GRACE_SECONDS)
        collected = self._receivers.answer(Collected, seconds=deadline + _GRACE_SECONDS)
        metered = meter.read(clients_cpu_seconds=generated.cpu_seconds + collected.cpu_seconds)
        return Round(collected, generated, metered.server, metered.others_cores)


@contextmanager
def crowd(target: Target, size: CrowdSize) -> Iterator[Crowd]:
    """Hold a crowd for the length of a block."""
    with client_process("receivers") as receivers, client_process("generator") as generator:
        gathered = Crowd(target, receivers, generator)
        gathered.gather(size)
        yield gathered

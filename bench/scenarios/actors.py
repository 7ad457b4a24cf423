"""actors: what the runtime's primitives cost, beside the plain Trio or Python thing one would use without it.

No sockets and no processes: one event loop. Rounds of ours and theirs alternate, and the middle one counts. Theirs does
less: a memory channel knows no deadline, no capacity that is refused at once, no abandoned callers and no crash.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable

import trio
import trio.testing
from msgspec import Struct

from actors.inbox import Inbox
from actors.outbox import Outbox
from actors.reply import Reply
from bench.percentile import median
from bench.report import Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name

_DEADLINE_SECONDS = 5.0
_WRITE_BYTES = 65_536
Measure = Callable[[int], Awaitable[float]]


class ActorsOptions(Struct, frozen=True):
    """`count` operations a round; `batch` messages are told before the actor takes them."""

    count: int = 20_000
    batch: int = 64
    rounds: int = 7


async def _ask(count: int) -> float:
    """Ask an actor that answers at once. Seconds."""
    inbox: Inbox[int] = Inbox(capacity=1024)

    async def actor() -> None:
        while True:
            for envelope in await inbox.take(64):
                if envelope.reply is not None:
                    envelope.reply.set(envelope.message)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
        await trio.testing.wait_all_tasks_blocked()
        began = time.perf_counter()
        for number in range(count):
            await inbox.ask(number, Reply[object](), deadline_seconds=_DEADLINE_SECONDS)
        took = time.perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


async def _channel_round_trip(count: int) -> float:
    """The same over two memory channels. Seconds."""
    send_request, receive_request = trio.open_memory_channel[int](1024)
    send_answer, receive_answer = trio.open_memory_channel[int](1024)

    async def server() -> None:
        async for number in receive_request:
            send_answer.send_nowait(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server)
        await trio.testing.wait_all_tasks_blocked()
        began = time.perf_counter()
        for number in range(count):
            with trio.move_on_after(_DEADLINE_SECONDS):
                send_request.send_nowait(number)
                await receive_answer.receive()
        took = time.perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


def _tell_and_take(batch: int) -> Measure:
    async def measure(count: int) -> float:
        inbox: Inbox[int] = Inbox(capacity=batch)
        began = time.perf_counter()
        for _ in range(count // batch):
            for number in range(batch):
                inbox.tell(number)
            await inbox.take(batch)
        return time.perf_counter() - began

    return measure


def _channel_batch(batch: int) -> Measure:
    async def measure(count: int) -> float:
        send, receive = trio.open_memory_channel[int](batch)
        began = time.perf_counter()
        for _ in range(count // batch):
            for number in range(batch):
                send.send_nowait(number)
            await trio.lowlevel.checkpoint()
            for _ in range(batch):
                receive.receive_nowait()
        return time.perf_counter() - began

    return measure


def _outbox(batch: int) -> Measure:
    async def measure(count: int) -> float:
        await trio.lowlevel.checkpoint()
        outbox = Outbox(max_items=batch, max_bytes=1 << 20)
        data = b"x" * 500
        began = time.perf_counter()
        for _ in range(count // batch):
            for _ in range(batch):
                outbox.offer(data)
            outbox.take(_WRITE_BYTES)
        return time.perf_counter() - began

    return measure


def _plain_queue(batch: int) -> Measure:
    async def measure(count: int) -> float:
        await trio.lowlevel.checkpoint()
        queue: deque[bytes] = deque()
        data = b"x" * 500
        began = time.perf_counter()
        for _ in range(count // batch):
            for _ in range(batch):
                queue.append(data)
            b"".join(queue)
            queue.clear()
        return time.perf_counter() - began

    return measure


async def compare(ours: Measure, theirs: Measure, *, count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Alternate; give microseconds per operation of each round."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for measure, values in zip((ours, theirs), found, strict=True):
            values.append(await measure(count) / count * 1e6)
    return found


def run_actors(options: ActorsOptions, site: Site) -> Outcome:
    """Compare each primitive with its plain counterpart."""
    batch = options.batch
    pairs: dict[str, tuple[Measure, Measure, str]] = {
        "ask round trip": (_ask, _channel_round_trip, "two memory channels"),
        "tell and take": (_tell_and_take(batch), _channel_batch(batch), "a memory channel"),
        "outbox offer and take": (_outbox(batch), _plain_queue(batch), "a deque and a join"),
    }
    site.steps.expect(len(pairs))
    rows, findings = [], []
    for name, (ours, theirs, plain) in pairs.items():
        site.steps.step(name)
        count = max(batch, options.count // batch * batch)

        async def both(
            ours: Measure = ours, theirs: Measure = theirs, count: int = count
        ) -> tuple[list[float], list[float]]:
            return await compare(ours, theirs, count=count, rounds=options.rounds)

        mine, others = trio.run(both)
        figures = {"us": median(mine), "plain_us": median(others)}
        rows.append(Row(name, figures, rounds={"us": mine, "plain_us": others}))
        ratio = median([us / plain_us for us, plain_us in zip(mine, others, strict=True)])
        findings.append(Finding(f"{name} / {plain}", ratio))
    return Outcome("actors", by_name(options), tuple(rows), tuple(findings))


ACTORS = Scenario(
    "actors",
    "microseconds of ask, tell and take, and outbox offer, beside plain Trio",
    full=ActorsOptions(),
    short=ActorsOptions(count=10_000, rounds=5),
    run=run_actors,
)

"""idle: what an open, subscribed, silent connection costs in memory, beside the `websockets` library.

Resident memory of the server, before and after the connections, each of which has exchanged one ping and pong so that
its path has been walked once. A few connections come first and are not counted: they pay for what every process loads
once. The kernel's socket buffers belong to no process and are not in the figure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from bench.connection import Connection, Greeting, connections
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.target import COMPARATOR, JUSTCHAT, BenchRoom, Target, comparator_target, justchat_target
from bench.usage import cpu_of, resident_bytes

KB_GOAL = 35.0
USERS = 8
_WARM_UP = 50
_KB = "kb_per_connection"


class IdleOptions(Struct, frozen=True):
    """`own_rooms` connections get a room of their own each, in a run of their own; 0 leaves that run out."""

    connections: int = 2000
    own_rooms: int = 500
    settle_seconds: float = 2.0


def echo(opened: Sequence[Connection]) -> int:
    """Ping on every connection; count the pongs. Raises ServerRefused."""
    for connection in opened:
        connection.send(msgspec.json.encode({"type": "ping"}))
    for connection in opened:
        connection.wait_for("pong")
    return len(opened)


def measure(label: str, target: Target, greetings: Sequence[Greeting], settle_seconds: float) -> Row:
    """Open one connection per greeting and see what the server has grown by. Raises ServerRefused."""
    pid, port = target.process.pid, target.process.port
    warm_up = greetings[:_WARM_UP]
    with connections(port, warm_up) as first:
        echo(first)
        time.sleep(settle_seconds)
        before = resident_bytes(pid)
        with connections(port, greetings) as opened:
            echoed = echo(opened)
            used = cpu_of(pid)
            time.sleep(settle_seconds)
            after = resident_bytes(pid)
            idle = cpu_of(pid).since(used)
    figures = {
        "connections": len(greetings),
        "echoed": echoed,
        "before_mb": before / 1e6,
        "after_mb": after / 1e6,
        _KB: (after - before) / 1024 / len(greetings),
        "idle_cpu_share": idle.total / settle_seconds,
    }
    return Row(label, figures)


def shared_room(target: Target, count: int) -> list[Greeting]:
    """Greetings that all subscribe to one room."""
    room = target.make_room(members=USERS)
    return [Greeting(room.tokens[number % USERS], room.id) for number in range(count)]


def own_rooms(rooms: Sequence[BenchRoom]) -> list[Greeting]:
    """Greetings of users that each subscribe to a room of their own."""
    return [Greeting(room.tokens[0], room.id) for room in rooms]


def run_idle(options: IdleOptions, site: Site) -> Outcome:
    """Measure each server in a process of its own."""
    rows = []
    site.steps.expect(3)
    count, settle = options.connections, options.settle_seconds
    site.steps.step(f"{count} connections to {COMPARATOR}")
    with comparator_target(site.directory) as comparator:
        rows.append(measure(COMPARATOR, comparator, shared_room(comparator, count), settle))
    site.steps.step(f"{count} connections to {JUSTCHAT}")
    with justchat_target(site.directory, "--sockets-per-user", "100000") as target:
        rows.append(measure(JUSTCHAT, target, shared_room(target, count), settle))
    site.steps.step(f"{options.own_rooms} connections to {JUSTCHAT}, a room each")
    if options.own_rooms:
        flags = ("--sockets-per-user", "100000", "--rooms-active-max", "100000")
        with justchat_target(site.directory, *flags) as target:
            rooms = [target.make_room(members=1) for _ in range(options.own_rooms)]
            rows.append(measure(f"{JUSTCHAT}, a room each", target, own_rooms(rooms), settle))
    comparator_row, shared, *_ = rows
    findings = (
        Finding(f"KB per connection of {JUSTCHAT}, one shared room", shared.figures[_KB], KB_GOAL),
        Finding(
            f"KB per connection, {JUSTCHAT} / {COMPARATOR}",
            shared.figures[_KB] / max(comparator_row.figures[_KB], 1e-9),
        ),
    )
    check = Check("every connection answered", all(row.figures["echoed"] == row.figures["connections"] for row in rows))
    return Outcome("idle", by_name(options), tuple(rows), findings, (check,))


IDLE = Scenario(
    "idle",
    "memory of an idle connection, 2,000 of them, beside the websockets library",
    full=IdleOptions(),
    short=IdleOptions(connections=1000, own_rooms=200, settle_seconds=1.0),
    run=run_idle,
)

"""resume: many clients dropped at once come back at once, and each must get exactly what it missed.

The first storm has missed nothing and is what the others are compared with: it pays for the handshakes only. A few
missed events come from the ring of newest entries that an active room keeps; more come from the journal.
"""

from __future__ import annotations

from contextlib import closing
from itertools import cycle

import msgspec
from msgspec import Struct

from bench.connection import Connection, Greeting, close_all, connections, open_connections
from bench.frames import TEXT
from bench.inbound import decode_head
from bench.meter import Meter, Metered, doubts_about
from bench.percentile import percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.storm import Returned, Storm
from bench.streams import Reader, Reference, Tally
from bench.target import BenchRoom, JustChatTarget, justchat_target

USERS = 8
_WINDOW = 32


class ResumeOptions(Struct, frozen=True):
    """`few` and `many` are how many messages each client has missed; `many` should be more than a room's ring."""

    clients: int = 1000
    few: int = 100
    many: int = 500
    body_bytes: int = 100
    seconds: float = 30.0


def post_messages(sender: Connection, room: str, *, run: int, count: int, body_bytes: int) -> None:
    """Post messages one after another, some at a time, and wait for every acknowledgement. Raises ServerRefused."""
    for start in range(0, count, _WINDOW):
        numbers = range(start, min(count, start + _WINDOW))
        for number in numbers:
            data = {"client_msg_id": f"{run}-{number}", "body": "x" * body_bytes}
            sender.send(msgspec.json.encode({"type": "send", "id": str(number), "room": room, "data": data}))
        for _ in numbers:
            sender.wait_for("ack")


def witness(listener: Connection, count: int) -> Reference:
    """Read `count` events from a connection that stayed: what the others have missed. Raises ServerRefused."""
    reference = Reference(listener.seq)
    reader = Reader(Tally(listener.seq), reference.append)
    while reader.tally.last_seq < listener.seq + count:
        for frame in listener.receive():
            if frame.opcode == TEXT and "." not in decode_head(frame.payload).type:
                continue
            reader.feed(frame.raw)
    return reference


def one_storm(target: JustChatTarget, room: BenchRoom, missed: int, options: ResumeOptions) -> tuple[Returned, Metered]:
    """Connect everybody, drop them, post what they miss, and let them come back. Gives what it took, too."""
    port = target.process.port
    tokens = cycle(room.tokens)
    greetings = [Greeting(next(tokens), room.id) for _ in range(options.clients)]
    opened = open_connections(port, greetings)
    seqs, epoch = [connection.seq for connection in opened], opened[0].epoch
    with connections(port, [Greeting(room.tokens[0]), Greeting(room.tokens[1], room.id)]) as (sender, listener):
        close_all(opened)
        post_messages(sender, room.id, run=listener.seq, count=missed, body_bytes=options.body_bytes)
        reference = witness(listener, missed)
        back = [Greeting(g.token, g.room, epoch, seq) for g, seq in zip(greetings, seqs, strict=True)]
        meter = Meter(target.process.pid)
        with closing(Storm(port, reference)) as storm:
            returned = storm.break_out(back, seconds=options.seconds)
        return returned, meter.read()


def _row(label: str, missed: int, returned: Returned, metered: Metered) -> Row:
    share = returned.cpu_seconds / returned.wall_seconds
    seconds = returned.seconds or [0.0]
    figures = {
        "clients": returned.clients,
        "caught_up": returned.caught_up,
        "gapless": returned.gapless,
        "missed_events": missed,
        "caught_up_p50_ms": percentile(seconds, 50) * 1e3,
        "caught_up_p99_ms": percentile(seconds, 99) * 1e3,
        "server_cpu_ms_per_client": metered.server.total / returned.clients * 1e3,
        "client_cpu_share": share,
        "others_cores": metered.others_cores,
    }
    return Row(label, figures, doubts_about({"client": share}, metered.others_cores))


def run_resume(options: ResumeOptions, site: Site) -> Outcome:
    """Three storms."""
    sizes = {"nothing missed": 0, f"{options.few} missed": options.few, f"{options.many} missed": options.many}
    site.steps.expect(1 + len(sizes))
    site.steps.step("the server starts")
    rows = []
    with justchat_target(site.directory, "--sockets-per-user", "100000") as target:
        room = target.make_room(members=USERS)
        for label, missed in sizes.items():
            site.steps.step(f"{options.clients} clients come back, {label}")
            rows.append(_row(label, missed, *one_storm(target, room, missed, options)))
    bare, *others = rows
    figure = "caught_up_p99_ms"
    findings = [
        Finding(f"p99 until caught up, {row.label} / nothing missed", row.figures[figure] / bare.figures[figure])
        for row in others
    ]
    found = ", ".join(f"{row.label}: {row.figures['gapless']} of {row.figures['clients']}" for row in rows)
    check = Check("every client got exactly what it missed", all(r.figures["gapless"] == options.clients for r in rows))
    return Outcome("resume", by_name(options), tuple(rows), tuple(findings), (Check(check.name, check.passed, found),))


RESUME = Scenario(
    "resume",
    "time until 1,000 clients that were dropped at once have all they missed",
    full=ResumeOptions(),
    short=ResumeOptions(),
    run=run_resume,
)

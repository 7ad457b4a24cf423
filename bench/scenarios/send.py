"""send: durable messages in rooms of two, from one busy room to many.

A room of two is where a message's own cost shows, since there is hardly any fan-out to spread it over. Beside it: the
forgetful comparator under the same load, and the bare commit of one row on the same disk, which is as fast as a
durable answer can be.
"""

from __future__ import annotations

from contextlib import closing

from msgspec import Struct

from bench.bare_commit import bare_commits_ms
from bench.meter import Meter, doubts_about
from bench.percentile import median, percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.talk import Said, Talk
from bench.target import COMPARATOR, JUSTCHAT, BenchRoom, Target, comparator_target, justchat_target

_ROW_BYTES = 500  # about what one event is
_CPU = "cpu_us_per_message"
_P50 = "ack_p50_ms"


class SendOptions(Struct, frozen=True):
    """`rooms` and `windows` are lists of numbers with commas: every pair of them is measured for `seconds`."""

    rooms: str = "1,8,64"
    windows: str = "1,16"
    body_bytes: int = 100
    seconds: float = 3.0
    bare_commits: int = 200


def numbers(text: str) -> list[int]:
    """Read a list such as `1,8,64`. Raises ValueError."""
    return [int(part) for part in text.split(",")]


def measure(label: str, target: Target, rooms: list[BenchRoom], window: int, options: SendOptions) -> tuple[Row, Said]:
    """Let the members of some rooms talk, and make a row of it. Raises ServerRefused."""
    with closing(Talk(target.process.port, rooms, body_bytes=options.body_bytes)) as talk:
        meter = Meter(target.process.pid)
        said = talk.converse(window=window, seconds=options.seconds)
        metered = meter.read()
    used, share = metered.server.total, said.cpu_seconds / said.wall_seconds
    answers = max(1, len(said.ack_ms))
    figures = {
        "rooms": len(rooms),
        "window": window,
        "messages_per_second": said.acked / said.wall_seconds,
        _P50: percentile(said.ack_ms or [0.0], 50),
        "ack_p99_ms": percentile(said.ack_ms or [0.0], 99),
        **_durability(said),
        _CPU: used / answers * 1e6,
        "server_cpu_share": used / metered.wall_seconds,
        "client_cpu_share": share,
        "others_cores": metered.others_cores,
    }
    return Row(label, figures, doubts_about({"client": share}, metered.others_cores)), said


def _durability(said: Said) -> dict[str, float]:
    """What the acks say of queue and commit; nothing for a server that does not commit."""
    if not any(said.commit_ms):
        return {}
    parts = {"queued": said.queued_ms, "commit": said.commit_ms}
    return {f"{name}_p{rank}_ms": percentile(values, rank) for name, values in parts.items() for rank in (50, 99)}


def complete(said: Said) -> bool:
    """Whether every post was acknowledged and reached both members once, in order."""
    faults = said.refused + said.unanswered + said.gaps + said.repeats
    return faults == 0 and said.delivered == 2 * len(said.ack_ms)


def run_send(options: SendOptions, site: Site) -> Outcome:
    """Measure each number of rooms and each window on both servers, one right after the other."""
    pairs = [(rooms, window) for window in numbers(options.windows) for rooms in numbers(options.rooms)]
    site.steps.expect(1 + 2 * len(pairs))
    site.steps.step("rooms are made")
    rows: list[Row] = []
    findings: list[Finding] = []
    kept = True
    with justchat_target(site.directory) as ours, comparator_target(site.directory) as theirs:
        most = max(numbers(options.rooms))
        made = [ours.make_room(members=2) for _ in range(most)]
        others_made = [theirs.make_room(members=2) for _ in range(most)]
        floor = _bare_commits(options, site)
        for rooms, window in pairs:
            load = f"{rooms} x {window}"
            site.steps.step(f"{JUSTCHAT}, rooms x window {load}")
            mine, said = measure(f"{JUSTCHAT} {load}", ours, made[:rooms], window, options)
            if not rows:
                # Around the row it is compared with, since a disk has moods.
                floor += _bare_commits(options, site)
                findings.append(_above_floor(mine, floor))
            site.steps.step(f"{COMPARATOR}, rooms x window {load}")
            other, _ = measure(f"{COMPARATOR} {load}", theirs, others_made[:rooms], window, options)
            rows += [mine, other]
            kept = kept and complete(said)
            ratio = mine.figures[_CPU] / max(other.figures[_CPU], 1e-9)
            name = f"CPU per message, {JUSTCHAT} (durable) / {COMPARATOR} (in memory), rooms x window {load}"
            findings.append(Finding(name, ratio, valid=mine.valid and other.valid))
    check = Check("every post was acknowledged and reached both members once, in order", kept)
    return Outcome("send", by_name(options), tuple(rows), tuple(findings), (check,))


def _bare_commits(options: SendOptions, site: Site) -> list[float]:
    return bare_commits_ms(site.directory, count=options.bare_commits, row_bytes=_ROW_BYTES)


def _above_floor(row: Row, commits_ms: list[float]) -> Finding:
    floor = median(commits_ms)
    return Finding(f"ack p50, {row.label} / bare commit of {floor:.3f} ms", row.figures[_P50] / floor, valid=row.valid)


SEND = Scenario(
    "send",
    "durable messages per second, latency and CPU in 1, 8 and 64 rooms of two",
    full=SendOptions(),
    short=SendOptions(seconds=1.5),
    run=run_send,
)

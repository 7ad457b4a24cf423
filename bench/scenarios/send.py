"""send: durable messages in rooms of two, from one busy room to many.

A room of two is where a message's own cost shows, since there is hardly any fan-out to spread it over. Beside it: the
forgetful comparator under the same load, and the bare commit of one row on the same disk, which is as fast as a
durable answer can be.
"""

from __future__ import annotations

from contextlib import closing

from msgspec import Struct

from bench.bare_commit import bare_commits_ms
from bench.percentile import median, percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.talk import Said, Talk
from bench.target import COMPARATOR, JUSTCHAT, BenchRoom, Target, comparator_target, justchat_target
from bench.usage import cpu_seconds

_SATURATED_SHARE = 0.85
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
    pid = target.process.pid
    with closing(Talk(target.process.port, rooms, body_bytes=options.body_bytes)) as talk:
        used = cpu_seconds(pid)
        said = talk.converse(window=window, seconds=options.seconds)
        used = cpu_seconds(pid) - used
    share = said.cpu_seconds / said.wall_seconds
    doubts = (f"the client used {share:.0%} of a core: it measured itself",) if share > _SATURATED_SHARE else ()
    answers = max(1, len(said.ack_ms))
    figures = {
        "rooms": len(rooms),
        "window": window,
        "messages_per_second": said.acked / said.wall_seconds,
        _P50: percentile(said.ack_ms or [0.0], 50),
        "ack_p99_ms": percentile(said.ack_ms or [0.0], 99),
        "queued_p50_ms": percentile(said.queued_ms or [0.0], 50),
        "queued_p99_ms": percentile(said.queued_ms or [0.0], 99),
        "commit_p50_ms": percentile(said.commit_ms or [0.0], 50),
        "commit_p99_ms": percentile(said.commit_ms or [0.0], 99),
        _CPU: used / answers * 1e6,
        "server_cpu_share": used / said.wall_seconds,
        "client_cpu_share": share,
    }
    return Row(label, figures, doubts), said


def complete(said: Said) -> bool:
    """Whether every post was acknowledged and reached both members once, in order."""
    faults = said.refused + said.unanswered + said.gaps + said.repeats
    return faults == 0 and said.delivered == 2 * len(said.ack_ms)


def run_send(options: SendOptions, site: Site) -> Outcome:
    """Measure each number of rooms and each window on both servers, one right after the other."""
    pairs = [(rooms, window) for window in numbers(options.windows) for rooms in numbers(options.rooms)]
    site.steps.expect(2 + 2 * len(pairs))
    site.steps.step("bare commits")
    floor = median(bare_commits_ms(site.directory, count=options.bare_commits, row_bytes=_ROW_BYTES))
    rows, findings, kept = [], [], True
    with justchat_target(site.directory) as ours, comparator_target(site.directory) as theirs:
        site.steps.step("rooms are made")
        most = max(numbers(options.rooms))
        made = [ours.make_room(members=2) for _ in range(most)]
        others_made = [theirs.make_room(members=2) for _ in range(most)]
        for rooms, window in pairs:
            load = f"{rooms} rooms x {window}"
            site.steps.step(f"{load}: {JUSTCHAT}")
            mine, said = measure(f"{JUSTCHAT} {load}", ours, made[:rooms], window, options)
            site.steps.step(f"{load}: {COMPARATOR}")
            other, _ = measure(f"{COMPARATOR} {load}", theirs, others_made[:rooms], window, options)
            rows += [mine, other]
            kept = kept and complete(said)
            ratio = mine.figures[_CPU] / max(other.figures[_CPU], 1e-9)
            findings.append(Finding(f"CPU per message, {JUSTCHAT} (durable) / {COMPARATOR} (in memory), {load}", ratio))
    first = rows[0]
    findings.insert(0, Finding(f"ack p50, {first.label} / bare commit ({floor:.3f} ms)", first.figures[_P50] / floor))
    check = Check("every post was acknowledged and reached both members once, in order", kept)
    return Outcome("send", by_name(options), tuple(rows), tuple(findings), (check,))


SEND = Scenario(
    "send",
    "durable messages per second, latency and CPU in 1, 8 and 64 rooms of two",
    full=SendOptions(),
    short=SendOptions(seconds=1.5),
    run=run_send,
)

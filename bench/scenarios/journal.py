"""journal: durable entries per second and the latency of an append, by store and by number of busy rooms.

Beside it, on the same server and into the same tables: the same store with one commit per message, and the plainest
thing that could be written instead, one insert per message over a pool. Rounds of all alternate. No sockets and no room
actors; the storage actors are those of the server.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bench.busy_rooms import Appended, append_busily
from bench.meter import NOISY_CORES
from bench.model_room import ModelRoom
from bench.modes import MODES, Mode, in_store, not_there, opened_modes
from bench.percentile import median, percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.scenarios.send import numbers
from bench.single_inserts import Inserts, insert_singly
from storage.open import Storage

SHARE_GOAL = 0.1
"""One commit per message may do a tenth of what group commit does."""
JUDGED_ROOMS = 64
_RATE = "entries_per_second"


class JournalOptions(Struct, frozen=True):
    """`rooms` and `modes` are lists with commas; servers are started where `postgres` and `mongo` name none.

    `far_ms` puts the servers that many milliseconds away, each way, as a database on another machine is.
    """

    modes: str = ",".join(MODES)
    rooms: str = "1,8,64"
    senders: int = 16
    body_bytes: int = 100
    seconds: float = 2.0
    rounds: int = 5
    postgres: str = ""
    mongo: str = ""
    far_ms: float = 0.0


def run_journal(options: JournalOptions, site: Site) -> Outcome:
    """Measure each mode with each number of rooms. Raises StoreFailed."""
    rows: list[Row] = []
    findings: list[Finding] = []
    rounds: list[Appended] = []
    counts = numbers(options.rooms)
    site.steps.expect(1 + len(options.modes.split(",")) * len(counts))
    site.steps.step("servers start")
    servers = opened_modes(
        options.modes, site.directory, postgres=options.postgres, mongo=options.mongo, far_ms=options.far_ms
    )
    with servers as (modes, missing):
        for mode in modes:
            in_store(mode, _nothing)  # so that the tables are there
            for count in counts:
                site.steps.step(f"{mode.name}, {count} rooms")
                found = _alternate(mode, count, options)
                rounds += found.ours + found.alone
                ours, others = _rows(mode, count, found)
                rows += [ours, *(row for _, row in others)]
                findings += [_share(mode, count, ours, way, row) for way, row in others]
    rows += [not_there(name, reason) for name, reason in missing.items()]
    failed = next((each.failed for each in rounds if each.failed), "")
    checks = (Check("every append was acknowledged and is there", all(each.kept for each in rounds), failed),)
    return Outcome("journal", shown(by_name(options)), tuple(rows), tuple(findings), checks)


def shown(options: dict[str, int | float | str]) -> dict[str, float | str]:
    """Give options as a report may have them: a URL names a host and may hold a password."""
    return {name: "a URL" if name in ("postgres", "mongo") and value else value for name, value in options.items()}


async def _nothing(_: Storage) -> None:
    pass


class _Rounds:
    """What the rounds of one mode and one number of rooms found."""

    def __init__(self) -> None:
        self.ours: list[Appended] = []
        self.alone: list[Appended] = []
        self.singles: list[Inserts] = []
        self.whole: list[Inserts] = []


def _alternate(mode: Mode, count: int, options: JournalOptions) -> _Rounds:
    found = _Rounds()
    size, seconds = options.body_bytes, options.seconds
    for _ in range(options.rounds):
        found.ours.append(append_busily(mode, rooms=count, senders=options.senders, body_bytes=size, seconds=seconds))
        found.alone.append(append_busily(mode, rooms=count, senders=1, body_bytes=size, seconds=seconds, grouped=False))
        found.singles.append(insert_singly(mode, _rooms(count, size), seconds))
        if count >= JUDGED_ROOMS and mode.journal is None:
            found.whole.append(insert_singly(mode, _rooms(count, size), seconds, whole=True))
    return found


def _rooms(count: int, body_bytes: int) -> list[ModelRoom]:
    return [ModelRoom(body_bytes=body_bytes) for _ in range(count)]


class _Way(Struct, frozen=True):
    """Another way to store messages: its name in the row, and in the finding; `judged` holds the goal against it."""

    row: str
    finding: str
    judged: bool = False


_ALONE = _Way("ungrouped", "the same store with one commit per message", judged=True)
_SINGLY = _Way("singly", "one insert of one row per message, over a pool")
_WHOLE = _Way("singly, whole", "one message with all its rows per transaction, over a pool")


def _rows(mode: Mode, count: int, found: _Rounds) -> tuple[Row, list[tuple[_Way, Row]]]:
    """Make the row of group commit, and those of the other ways."""
    label = f"{mode.name} {count}"
    others = [(_ALONE, _row(f"{label} {_ALONE.row}", found.alone, _batch(found.alone)))]
    for way, inserts in ((_SINGLY, found.singles), (_WHOLE, found.whole)):
        if inserts:
            others.append((way, _row(f"{label} {way.row}", inserts, {"connections": inserts[0].connections})))
    return _row(label, found.ours, _batch(found.ours)), others


def _batch(rounds: Sequence[Appended]) -> dict[str, float]:
    commits = max(1, sum(each.commits for each in rounds))
    return {"entries_per_commit": sum(each.entries for each in rounds) / commits}


def _row(label: str, rounds: Sequence[Appended | Inserts], figures: dict[str, float]) -> Row:
    """Make a row of what all rounds have; `figures` are further ones."""
    ms = [value for each in rounds for value in each.ms] or [0.0]
    entries = max(1, sum(each.entries for each in rounds))
    rates = [each.entries / each.seconds for each in rounds]
    others = median([each.others_cores for each in rounds])
    common = {
        _RATE: median(rates),
        "p50_ms": percentile(ms, 50),
        "p99_ms": percentile(ms, 99),
        **figures,
        "own_cpu_us_per_entry": sum(each.own_cpu_seconds for each in rounds) / entries * 1e6,
        "server_cpu_us_per_entry": sum(each.server_cpu_seconds for each in rounds) / entries * 1e6,
        "others_cores": others,
    }
    doubts = (f"others used {others:.2f} cores meanwhile",) if others > NOISY_CORES else ()
    return Row(label, common, doubts, {_RATE: rates})


def _share(mode: Mode, count: int, ours: Row, way: _Way, other: Row) -> Finding:
    """Compare round by round. The goal is for many rooms."""
    pairs = list(zip(ours.rounds[_RATE], other.rounds[_RATE], strict=True))
    share = median([single / max(rate, 1e-9) for rate, single in pairs])
    times = f"{1 / max(share, 1e-9):.1f} times as much"
    goal = SHARE_GOAL if way.judged and count >= JUDGED_ROOMS else None
    name = f"{mode.label}, {count} rooms: {way.finding} / group commit, which does {times}"
    return Finding(name, share, goal, ours.valid and other.valid)


JOURNAL = Scenario(
    "journal",
    "durable entries per second of each store, beside one commit per message",
    full=JournalOptions(),
    short=JournalOptions(seconds=0.7, rounds=3),
    run=run_journal,
)

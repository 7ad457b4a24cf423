"""journal: durable entries per second and the latency of an append, by store and by number of busy rooms.

Beside it, on the same server and into the same table: one insert per message, each durable before the next. Rounds of
the two alternate. No sockets and no room actors; the storage actors are those of the server.
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
"""One insert per message may do a tenth of what group commit does."""
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
                rounds += found.ours
                ours, *others = _rows(mode, count, found)
                rows += [ours, *others]
                findings += _shares(mode, count, ours, others)
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
    """What the rounds of one mode and one number of rooms found: ours, single rows, and whole messages singly."""

    def __init__(self) -> None:
        self.ours: list[Appended] = []
        self.singles: list[Inserts] = []
        self.whole: list[Inserts] = []


def _alternate(mode: Mode, count: int, options: JournalOptions) -> _Rounds:
    found = _Rounds()
    size, seconds = options.body_bytes, options.seconds
    for _ in range(options.rounds):
        found.ours.append(append_busily(mode, rooms=count, senders=options.senders, body_bytes=size, seconds=seconds))
        found.singles.append(insert_singly(mode, _rooms(count, size), seconds))
        if count >= JUDGED_ROOMS and mode.journal is None:
            found.whole.append(insert_singly(mode, _rooms(count, size), seconds, whole=True))
    return found


def _rooms(count: int, body_bytes: int) -> list[ModelRoom]:
    return [ModelRoom(body_bytes=body_bytes) for _ in range(count)]


def _rows(mode: Mode, count: int, found: _Rounds) -> list[Row]:
    commits = max(1, sum(each.commits for each in found.ours))
    batch = sum(each.entries for each in found.ours) / commits
    rows = [_row(f"{mode.name} {count}", found.ours, {"entries_per_commit": batch})]
    for name, inserts in (("singly", found.singles), ("singly, whole", found.whole)):
        if inserts:
            rows.append(_row(f"{mode.name} {count} {name}", inserts, {"connections": inserts[0].connections}))
    return rows


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


def _shares(mode: Mode, count: int, ours: Row, others: Sequence[Row]) -> list[Finding]:
    """Compare round by round. The goal is for the plainest way, one row per message, and for many rooms."""
    found = []
    goals = (SHARE_GOAL if count >= JUDGED_ROOMS else None, None)
    ways = ("one insert per message", "one message with all its rows per transaction")
    for other, way, goal in zip(others, ways, goals, strict=False):
        pairs = list(zip(ours.rounds[_RATE], other.rounds[_RATE], strict=True))
        share = median([single / max(rate, 1e-9) for rate, single in pairs])
        name = f"{mode.label}, {count} rooms: {way} / group commit, which does {1 / max(share, 1e-9):.1f} times as much"
        found.append(Finding(name, share, goal, ours.valid and other.valid))
    return found


JOURNAL = Scenario(
    "journal",
    "durable entries per second of each store, beside one insert per message",
    full=JournalOptions(),
    short=JournalOptions(seconds=0.7, rounds=3),
    run=run_journal,
)

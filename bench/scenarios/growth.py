"""growth: what a long history and many accounts cost those who read one page.

Pages of 50 entries and of 50 messages from a room with a million entries, in turns with the same pages from a room with
a thousand, at random places; and the search for users by the first characters of their names. Everything goes through
the storage actors, as the server's own reads do. The ratio of medians says whether a page costs more in a long room.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from bench.filler import fill_rooms, fill_users
from bench.meter import NOISY_CORES
from bench.model_room import ModelRoom
from bench.modes import MODES, Mode, StoreMeter, in_store, not_there, opened_modes
from bench.people import people, prefixes
from bench.percentile import median, percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.scenarios.journal import shown
from storage.open import Storage
from storage.ports import Journal
from storage.records import Entry, MessageRecord

RATIO_GOAL = 1.5
SEARCH_GOAL_MS = 50.0
_SEED = 1
_WARM_UP = 10
_FOUND = 20
_SCANNED_SHARE = 50
"""A server that scans takes about a second for a page: it is asked for so many times fewer."""


class GrowthOptions(Struct, frozen=True):
    """`entries` and `few_entries` are the two rooms' lengths; `scanned_entries` is the most for a server that scans."""

    modes: str = ",".join(MODES)
    entries: int = 1_000_000
    few_entries: int = 1_000
    scanned_entries: int = 2_000
    page: int = 50
    pages: int = 300
    users: int = 100_000
    searches: int = 400
    body_bytes: int = 100
    postgres: str = ""
    mongo: str = ""


Page = Callable[[Journal, str, int], Awaitable[Sequence[Entry | MessageRecord]]]


def ways(limit: int) -> dict[str, Page]:
    """Name the ways to read the `limit` entries or messages that come after a seq."""
    return {
        "read": lambda journal, room, after: journal.read(room, after=after, limit=limit),
        "read_back": lambda journal, room, after: journal.read_back(room, before=after + limit + 1, limit=limit),
        "messages_after": lambda journal, room, after: journal.messages(room, after=after, limit=limit),
        "messages_before": lambda journal, room, after: journal.messages(room, before=after + limit + 1, limit=limit),
    }


class Read(Struct, frozen=True):
    """What the pages of one store took in milliseconds, by way of reading: in the long room and in the short one."""

    long_ms: dict[str, list[float]]
    short_ms: dict[str, list[float]]
    search_ms: list[float]
    right: bool
    others_cores: float


def run_growth(options: GrowthOptions, site: Site) -> Outcome:
    """Fill and measure each mode. Raises StoreFailed."""
    rows: list[Row] = []
    findings: list[Finding] = []
    right = True
    site.steps.expect(1 + 2 * len(options.modes.split(",")))
    site.steps.step("servers start")
    with opened_modes(options.modes, site.directory, postgres=options.postgres, mongo=options.mongo) as (
        modes,
        missing,
    ):
        for mode in modes:
            sized = _sized(options, mode)
            site.steps.step(f"{mode.name}: {sized.entries:,} entries and {sized.users:,} users are stored")
            rooms, names = _fill(mode, sized)
            site.steps.step(f"{mode.name}: pages and searches")
            read = in_store(mode, lambda storage: _read(storage, mode, rooms, names, sized))  # noqa: B023
            right = right and read.right
            rows += _rows(mode, read, sized)
            findings += _findings(mode, read, valid=rows[-1].valid)
    rows += [not_there(name, reason) for name, reason in missing.items()]
    checks = (Check("every page and every search gave exactly what belongs there", right),)
    return Outcome("growth", shown(by_name(options)), tuple(rows), tuple(findings), checks)


def _sized(options: GrowthOptions, mode: Mode) -> GrowthOptions:
    """Give what a server that scans can do in the time."""
    if not mode.scans:
        return options
    entries = min(options.entries, options.scanned_entries)
    return replace(options, entries=entries, pages=max(1, options.pages // _SCANNED_SHARE))


def _fill(mode: Mode, options: GrowthOptions) -> tuple[tuple[ModelRoom, ModelRoom], list[str]]:
    in_store(mode, _nothing)  # so that the tables are there
    few, many = ModelRoom(body_bytes=options.body_bytes), ModelRoom(body_bytes=options.body_bytes)
    fill_rooms(mode.url, mode.journal, {many: options.entries, few: options.few_entries})
    users = list(people(options.users, seed=_SEED))
    fill_users(mode.url, users)
    return (many, few), sorted(user.name_key for user in users)


async def _nothing(_: Storage) -> None:
    pass


async def _read(
    storage: Storage, mode: Mode, rooms: tuple[ModelRoom, ModelRoom], names: list[str], options: GrowthOptions
) -> Read:
    random = Random(_SEED)
    found: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    meter, cpu, began = StoreMeter(mode), time.process_time(), time.perf_counter()
    right = True
    for name, page in ways(options.page).items():
        for number in range(-min(_WARM_UP, options.pages // 2), options.pages):
            for room, times in zip(rooms, found, strict=True):
                after = random.randint(0, room.seq - options.page)
                at = time.perf_counter()
                records = await page(storage.journal, room.id, after)
                if number >= 0:
                    times.setdefault(name, []).append((time.perf_counter() - at) * 1e3)
                right = right and [record.seq for record in records] == [*range(after + 1, after + options.page + 1)]
    search_ms, found_right = await _search(storage, names, options.searches)
    wall = time.perf_counter() - began
    _, others = meter.read(time.process_time() - cpu, wall)
    return Read(*found, search_ms, right and found_right, others)


async def _search(storage: Storage, names: list[str], count: int) -> tuple[list[float], bool]:
    """Search by prefixes; `names` are sorted. Give the milliseconds of each, and whether all found the right ones."""
    ms: list[float] = []
    right = True
    for prefix in prefixes(names, count, seed=_SEED):
        began = time.perf_counter()
        users = await storage.directory.search_users(prefix, limit=_FOUND)
        ms.append((time.perf_counter() - began) * 1e3)
        start = bisect_left(names, prefix)
        expected = [name for name in names[start : start + _FOUND] if name.startswith(prefix)]
        right = right and [user.name_key for user in users] == expected
    return ms, right


def _rows(mode: Mode, read: Read, options: GrowthOptions) -> list[Row]:
    doubts = (f"others used {read.others_cores:.2f} cores",) if read.others_cores > NOISY_CORES else ()
    rows = []
    for entries, times in ((options.entries, read.long_ms), (options.few_entries, read.short_ms)):
        figures: dict[str, float] = {"entries": entries}
        for name, ms in times.items():
            figures |= {f"{name}_p50_ms": median(ms), f"{name}_p99_ms": percentile(ms, 99)}
        rows.append(Row(f"{mode.label} {entries:,}", figures, doubts))
    search = {
        "users": options.users,
        "search_p50_ms": median(read.search_ms),
        "search_p95_ms": percentile(read.search_ms, 95),
        "others_cores": read.others_cores,
    }
    return [*rows, Row(f"{mode.label} search", search, doubts)]


def _findings(mode: Mode, read: Read, *, valid: bool) -> list[Finding]:
    """Hold the figures against the goals; that of the pages is not for a server that has to scan."""
    goal, said = (None, ", not judged") if mode.scans else (RATIO_GOAL, "")
    found = [
        Finding(
            f"{mode.label}: median of a page by {name}, long room / short room{said}",
            median(ms) / median(read.short_ms[name]),
            goal,
            valid,
        )
        for name, ms in read.long_ms.items()
    ]
    p95 = percentile(read.search_ms, 95)
    return [*found, Finding(f"{mode.label}: p95 of a search for users, ms", p95, SEARCH_GOAL_MS, valid)]


GROWTH = Scenario(
    "growth",
    "pages of a room with a million entries beside one with a thousand, and user search",
    full=GrowthOptions(),
    short=GrowthOptions(entries=50_000, scanned_entries=1_000, users=10_000, pages=100, searches=200),
    run=run_growth,
)

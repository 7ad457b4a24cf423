"""A process that ends at any point of an append: what the next one finds, and that nothing is missing afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from storage.records import Append, DropItems, DropMember, PutItem, PutMember, PutMessage, Trim
from storage.split import FAULT_POINTS
from tests.storage.mongo import server as mongo
from tests.storage.postgres import server as postgres
from tests.storage.samples import a_change, a_member, a_message, a_post, an_item, appended, joined, posts
from tests.storage.split.house import Crash, assert_same, empty_databases, open_house

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

ROOT = Path(__file__).parents[3]
BETWEEN_DATABASES = ("after_entries", "after_texts", "after_trim", "after_messages", "before_projection_commit")
"""Where one database has been written to and the other has not; the long tests kill at every point."""


def history() -> tuple[list[Append], list[Append]]:
    """Make what is acknowledged, and the call in which the process ends: posts, an edit, joins and a leave.

    Items come and go, alone and by the many, and the history of two rooms is trimmed.
    """
    items = [
        an_item(key, kind="reaction", seq=seq, due_at=seq) for key, seq in (("m_2/a", 2), ("m_3/a", 3), ("m_4/a", 4))
    ]
    first = [
        joined("r_1", 1, "u_0001", "u_0002"),
        posts("r_1", 2, 4),
        appended(a_change("r_1", 5), changes=(*map(PutItem, items), PutItem(an_item("m_3", seq=3, held=True)))),
        joined("r_2", 1, "u_0001"),
    ]
    edit = replace(a_message(a_post("r_1", 4), doc=b"edited"), applied_seq=6)
    changes = (
        PutMessage(edit),
        DropMember("r_1", "u_0002"),
        PutMember(a_member("r_1", "u_0003", seq=6)),
        PutItem(an_item("u_0002", kind="ban", held=True)),
        DropItems("r_1", "reaction", "m_4/"),
        PutItem(an_item("m_4/b", kind="reaction", seq=4, due_at=9)),
        Trim("r_1", 3),
    )
    last = [
        appended(a_change("r_1", 6), a_post("r_1", 7), changes=changes),
        appended(
            a_post("r_2", 2), a_post("r_2", 3), changes=(Trim("r_2", 2), PutItem(an_item("2", room="r_2", held=True)))
        ),
        joined("r_3", 1, "u_0001"),
    ]
    return first, last


async def check_after_the_end(point: str) -> None:
    """Check what the next process finds, have it catch up, and compare everything with a store in RAM."""
    first, last = history()
    written = point != "before_entries"
    missing = written and point != "after_projection"
    async with open_house() as house:
        behind = await house.journal.behind()
        assert behind == (["r_1", "r_2", "r_3"] if missing else [])
        assert await house.journal.behind() == behind
        for append in last:
            before = append.entries[0].seq - 1
            after = append.entries[-1].seq
            head, applied = await house.places(append.room)
            assert (head, applied) == (after if written else before, before if missing else head)
            stored = await house.journal.read(append.room, after=before, limit=10)
            assert [replace(entry, body=b"") for entry in stored] == (
                [replace(entry, body=b"") for entry in append.entries] if written else []
            )
        assert house.journal.statistics().rooms_held == len(behind)
        await house.catch_up(last)
        assert await house.journal.behind() == []
        assert house.journal.statistics().rooms_held == 0
        if not written:
            await house.journal.append(last)
        await assert_same(house, [*first, *last])
        await house.journal.append([posts("r_1", 8, 8), posts("r_2", 4, 4)])
        await assert_same(house, [*first, *last, posts("r_1", 8, 8), posts("r_2", 4, 4)])


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_an_end_by_an_error_at_any_point(point: str) -> None:
    """The error comes out, nothing is projected behind its back, and the next process finds what is missing."""
    await empty_databases()
    first, last = history()
    async with open_house() as house:
        for append in first:
            await house.journal.append([append])
        house.fault.set(point, Crash())
        with pytest.raises(Crash):
            await house.journal.append(last)
    await check_after_the_end(point)


KILLED = """
import os, signal, sys
import trio
from storage.mongo import mongo_settings
from storage.postgres import PostgresSettings
from storage.split import open_split_store
from tests.storage.split.test_crash import history

point, dsn, uri = sys.argv[1:]
armed = False

def fault(passed):
    if armed and passed == point:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    global armed
    first, last = history()
    settings = PostgresSettings(dsn), mongo_settings(uri)
    async with open_split_store(*settings, migrate=True, fault=fault) as store:
        for append in first:
            await store.journal.append([append])
        armed = True
        await store.journal.append(last)

trio.run(main)
"""


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, marks=() if point in BETWEEN_DATABASES else pytest.mark.soak) for point in FAULT_POINTS],
)
async def test_an_end_by_sigkill_at_any_point(point: str) -> None:
    """No handler runs, transactions stay open and connections drop: the next process finds the same."""
    await empty_databases()
    command = [sys.executable, "-c", KILLED, point, postgres.shared_database(), mongo.shared_database()]
    done = await trio.to_thread.run_sync(
        partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    await check_after_the_end(point)

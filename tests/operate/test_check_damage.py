"""Damage to a journal itself: it is found and named, nothing is made up from it, and other rooms are checked as ever.

Planted with SQL in a SQLite file, because no store lets it happen through its ports.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from justchat.operate.check import Totals
from justchat.operate.check_site import check_site
from justchat.operate.difference import Difference
from justchat.operate.flaws import flaw
from storage.records import Entry
from tests.operate.sites import GUEST, PAIR, TEA, Talked, a_site, everything
from tests.storage.contract.backends import ram_folder

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


class Damaged:
    """A site in a file, and a way to damage it."""

    def __init__(self, site: Talked, path: Path) -> None:
        self.site = site
        self._path = path

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0, statement

    async def check(self, *, repair: bool = False) -> tuple[list[str], Totals]:
        found: list[str] = []

        def report(difference: Difference, repaired: bool) -> None:
            found.append(str(difference))

        return found, await check_site(self.site, report=report, repair=repair)


@pytest.fixture
async def damaged() -> AsyncIterator[Damaged]:
    """Open a site in a SQLite file."""
    with ram_folder() as folder:
        async with a_site("sqlite", folder) as site:
            yield Damaged(site, folder / "chat.db")


NOT_COMPARED = "what is made of it and of what follows is not compared"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entries SET body = CAST('{' AS BLOB)", "its body is not an event"),
        ("UPDATE entries SET body = CAST(replace(body, 'created', 'shredded') AS BLOB)", "its body is not an event"),
        ("UPDATE entries SET body = CAST(replace(body, '\"seq\":3', '\"seq\":8') AS BLOB)", "its body says seq 8"),
        ("UPDATE entries SET body = CAST(replace(body, 'r_tea', 'r_big') AS BLOB)", "its body says another room"),
        ("UPDATE entries SET type = 'room.deleted'", "its body says another type"),
        ("UPDATE entries SET actor = 'u_ghost'", "its body says another actor"),
        ("UPDATE entries SET ts = ts + 1", "its body says another time"),
        ("UPDATE entries SET ts = 9e18", "its time is impossible"),
        ("UPDATE entries SET client_msg_id = 'other'", "its message is indexed as another one"),
        ("UPDATE entries SET digest = NULL", "its digest is missing"),
    ],
)
async def test_an_entry_that_says_something_else_than_its_place_is_damage(
    damaged: Damaged, statement: str, found: str
) -> None:
    """It is reported once, a repair leaves it and the room's rows alone, and other rooms are compared as ever."""
    damaged.execute(f"{statement} WHERE room = ? AND seq = 3", TEA)
    damaged.execute("DELETE FROM members WHERE user = ?", GUEST)
    held = await everything(damaged.site)
    before, entries = [row for row in held.members if row.room == TEA], len(held.entries)
    for repaired in (0, 4):
        lines, totals = await damaged.check(repair=bool(repaired))
        assert f"{TEA}: entry 3: damaged: {found}; {NOT_COMPARED}" in lines
        assert f"{PAIR}: member {GUEST}: missing" in lines
        assert (len(lines), totals.differences, totals.repaired) == (5, 5, repaired)
        assert totals.entries == entries
    assert [row for row in (await everything(damaged.site)).members if row.room == TEA] == before


async def test_every_flaw_of_a_room_is_found_in_one_go(damaged: Damaged) -> None:
    """The look for flaws goes on behind the first one, up to the head."""
    damaged.execute("DELETE FROM entries WHERE room = ? AND seq IN (3, 6, 7)", TEA)
    damaged.execute("UPDATE entries SET body = x'00' WHERE room = ? AND seq = 10", TEA)
    lines, totals = await damaged.check(repair=True)
    assert lines == [
        f"{TEA}: entry 3: damaged: it is missing; {NOT_COMPARED}",
        f"{TEA}: entry 6: damaged: it is missing, and all up to 7; {NOT_COMPARED}",
        f"{TEA}: entry 10: damaged: its body is not an event; {NOT_COMPARED}",
    ]
    assert (totals.differences, totals.repaired, totals.rooms) == (3, 0, 5)


async def test_a_journal_without_its_beginning_is_damage(damaged: Damaged) -> None:
    """Nothing can be folded without the room's creation."""
    damaged.execute("DELETE FROM entries WHERE room = ? AND seq = 1", TEA)
    assert (await damaged.check())[0] == [f"{TEA}: entry 1: damaged: it is missing; {NOT_COMPARED}"]


async def test_a_journal_without_its_end_shows_in_the_rows(damaged: Damaged) -> None:
    """What lost its last entries is sound in itself, but the rows know of more; a repair follows the journal."""
    damaged.execute("DELETE FROM entries WHERE room = ? AND seq >= 2", PAIR)
    lines, _ = await damaged.check()
    assert lines[0] == f"{PAIR}: row: wrong in settings, applied_seq, last_msg_no"
    assert lines[1].startswith(f"{PAIR}: message ")
    assert lines[1].endswith("(seq 2): superfluous")
    assert (await damaged.check(repair=True))[1].repaired == len(lines) == 2
    assert (await damaged.check())[0] == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        # The deletion names a message that was never posted; a member who is not one gets another role.
        (
            "UPDATE entries SET body = CAST(replace(body, '\"m_7\"', '\"m_7777\"') AS BLOB) WHERE seq = 8",
            "it changes a message that is not there",
        ),
        (
            "UPDATE entries SET body = CAST(replace(body, 'u_0002', 'u_ghost') AS BLOB) WHERE seq = 9",
            "it does not follow from the entries before it",
        ),
    ],
)
async def test_an_entry_that_cannot_follow_is_damage(damaged: Damaged, statement: str, found: str) -> None:
    """It is an event and in its place, and yet nothing can be made of it."""
    damaged.execute(f"{statement} AND room = ?", TEA)
    (line,), _ = await damaged.check()
    assert line.startswith(f"{TEA}: entry")
    assert found in line


async def test_every_field_of_a_real_entry_is_looked_at(damaged: Damaged) -> None:
    """No entry of a real site is flawed, and none may be changed in any field without being so."""
    entries: list[Entry] = (await everything(damaged.site)).entries
    assert [flaw(entry) for entry in entries] == [None] * len(entries)
    post = next(entry for entry in entries if entry.message_id is not None)
    change = next(entry for entry in entries if entry.message_id is None)
    others: dict[str, object] = {
        "room": "r_x",
        "seq": 99,
        "ts": 5,
        "type": "room.updated",
        "actor": "u_x",
        "body": b"{}",
        "sender": "u_x",
        "client_msg_id": "x",
        "digest": None,
        "message_id": "m_x",
        "msg_no": 99,
    }
    assert set(others) == set(Entry.__struct_fields__)
    for field, value in others.items():
        assert flaw(replace(post, **{field: value})) is not None, field
        assert flaw(replace(change, **{field: b"x" if field == "digest" else value})) is not None, field

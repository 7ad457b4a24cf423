"""How SQLite answers each statement of the ports: always by an index, never by reading a whole table."""

from __future__ import annotations

import sqlite3

import pytest

from storage.sqlite import statements as sql
from storage.sqlite.session import Session

STATEMENTS = {name: text for name, text in vars(sql).items() if name.isupper()}

INDEXES = {
    "ENTRIES_AFTER": "PRIMARY KEY (room=? AND seq>? AND seq<?)",
    "ENTRIES_UPTO": "PRIMARY KEY (room=? AND seq<?)",
    "IS_ENTRY": "PRIMARY KEY (room=? AND seq=?)",
    "HEAD": "PRIMARY KEY (room=?)",
    "SENT": "INDEX entries_sent (room=? AND sender=? AND client_msg_id=?)",
    "MESSAGE": "(id=?)",
    "MESSAGES_AFTER": "INDEX messages_room (room=? AND seq>? AND seq<?)",
    "MESSAGES_UPTO": "INDEX messages_room (room=? AND seq<?)",
    "PROBE": "(id=?)",
    "FACT": "PRIMARY KEY (name=?)",
    "USER": "(id=?)",
    "ALL_USERS": "(id>?)",
    "USER_BY_NAME": "INDEX users_name_key (name_key=?)",
    "USER_BY_EMAIL": "INDEX users_email (email=?)",
    "USERS_BY_PREFIX": "INDEX users_name_key (name_key>? AND name_key<?)",
    "ROOM": "(id=?)",
    "MEMBER": "PRIMARY KEY (room=? AND user=?)",
    "ALL_MEMBERS": "PRIMARY KEY (room=?)",
    "MEMBERS_AFTER": "PRIMARY KEY (room=? AND user>?)",
    "ROOMS_OF": "INDEX members_user (user=? AND room<?)",
    "PUBLIC_ROOMS": "INDEX rooms_listed (",
}
"""What the plan of each read must say."""


def plan(session: Session, statement: str) -> list[str]:
    """Ask SQLite how it would run a statement, with NULL for every value."""
    numbered = [number for number in range(1, 12) if f"?{number}" in statement]
    values = (None,) * (len(numbered) or statement.count("?"))

    def explain(connection: sqlite3.Connection) -> list[str]:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]

    return session.read(explain)


def faults(steps: list[str]) -> list[str]:
    """Return the steps that read a whole table or sort what they found; walking the rows of its own answer is fine."""
    scans = [step for step in steps if step.startswith("SCAN") and step not in ("SCAN CONSTANT ROW", "SCAN found")]
    return scans + [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table_or_sorts(session: Session, name: str) -> None:
    """Each answer costs as much as it is long, however large the tables get."""
    assert faults(plan(session, STATEMENTS[name])) == []


@pytest.mark.parametrize("name", INDEXES)
def test_every_read_uses_the_index_made_for_it(session: Session, name: str) -> None:
    """Not just any index: a wrong one also "searches", and walks through every room."""
    steps = plan(session, STATEMENTS[name])
    assert INDEXES[name] in steps[0]


def test_every_read_is_looked_at() -> None:
    """A new query without its plan here fails this test."""
    reads = {name for name, text in STATEMENTS.items() if text.strip().startswith("SELECT")}
    assert reads == set(INDEXES)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM entries WHERE actor = ?",
        "SELECT * FROM messages ORDER BY author",
        "SELECT id FROM rooms WHERE name_key > ? ORDER BY name_key",
        "SELECT room FROM members WHERE room = ? ORDER BY joined_at",
    ],
)
def test_a_bad_plan_is_recognised(session: Session, statement: str) -> None:
    """The check above can fail."""
    assert faults(plan(session, statement)) != []

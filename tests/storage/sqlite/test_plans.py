"""How SQLite answers each statement of the ports: always by an index, never by reading a whole table."""

from __future__ import annotations

import sqlite3

import pytest

from storage.sqlite import account_statements, statements
from storage.sqlite.session import Session

STATEMENTS = {
    name: text
    for name, text in (vars(statements) | vars(account_statements)).items()
    if name.isupper() and not name.startswith("_") and not name.endswith("_COLUMNS")
    # Values and parts of statements.
    if name not in ("OVERALL", "TRIMMED", "REPLACE_USER")
}

INDEXES = {
    "ENTRIES_AFTER": "PRIMARY KEY (room=? AND seq>? AND seq<?)",
    "ENTRIES_UPTO": "PRIMARY KEY (room=? AND seq<?)",
    "IS_ENTRY": "PRIMARY KEY (room=? AND seq=?)",
    "HEAD": "PRIMARY KEY (room=?)",
    "SENT": "INDEX entries_sent (room=? AND sender=? AND client_msg_id=?)",
    "WROTE": "INDEX entries_sent (room=? AND sender=?",
    "MESSAGE": "(id=?)",
    "MESSAGES_AFTER": "INDEX messages_room (room=? AND seq>? AND seq<?)",
    "MESSAGES_UPTO": "INDEX messages_room (room=? AND seq<?)",
    "ITEM": "PRIMARY KEY (room=? AND kind=? AND key=?)",
    "KEEPS": "PRIMARY KEY (room=? AND kind=? AND key>? AND key<?)",
    "HELD_ITEMS": "INDEX items_held (room=?)",
    "DUE": "INDEX items_due (due_at<?)",
    "DUE_OF_ROOM": "INDEX items_due_of_room (room=? AND due_at<?)",
    "ALL_ITEMS": "PRIMARY KEY (room=? AND (kind,key)>(?,?))",
    "ITEMS": "PRIMARY KEY (room=? AND kind=? AND key>? AND key<?)",
    "NEWEST_ITEMS": "PRIMARY KEY (room=? AND kind=? AND key>? AND key<?)",
    "OVERALL_ITEMS": "INDEX items_overall (key>? AND key<?)",
    "NEWEST_OVERALL_ITEMS": "INDEX items_overall (key>? AND key<?)",
    "PROBE": "(id=?)",
    "FACT": "PRIMARY KEY (name=?)",
    "USER": "(id=?)",
    "ALL_USERS": "(id>?)",
    "USER_BY_NAME": "INDEX users_name_key (name_key=?)",
    "USER_BY_EMAIL": "INDEX users_email (email=?)",
    "USERS_BY_PREFIX": "INDEX users_name_key (name_key>? AND name_key<?)",
    "USERS_IN_STATE": "INDEX users_state (state=?)",
    "IS_SESSION": "INDEX sessions_family (family=?)",
    "SESSION": "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id=?)",
    "SESSION_OF_FAMILY": "SEARCH s USING INDEX sessions_family (family=?)",
    "SESSIONS_OF": "INDEX sessions_user (user=?)",
    "ALL_SESSIONS": "(id>?)",
    "IS_CREDENTIAL": "INDEX credentials_digest (kind=? AND digest=?)",
    "CREDENTIAL": "SEARCH c USING INDEX credentials_digest (kind=? AND digest=?)",
    "CREDENTIALS_OF": "INDEX credentials_kind (kind=?)",
    "CREDENTIALS_OF_USER": "INDEX credentials_user (user=? AND kind=?)",
    "LASTING_CREDENTIALS": "INDEX credentials_user (user=? AND kind=?)",
    "ALL_CREDENTIALS": "(id>?)",
    "CONTACT": "PRIMARY KEY (low=? AND high=?)",
    "CONTACTS_ABOVE": "PRIMARY KEY (low=? AND high>?)",
    "CONTACTS_BELOW": "INDEX contacts_high (high=? AND low>?)",
    "ALL_CONTACTS": "PRIMARY KEY ((low,high)>(?,?))",
    "CONTACTS_MADE": "SCAN CONSTANT ROW",
    "CONTACTS_AWAITING": "SCAN CONSTANT ROW",
    "BLOCKS_MADE": "PRIMARY KEY (user=?)",
    "IS_BLOCKED": "(user=? AND other=?)",
    "BLOCKS_OF": "PRIMARY KEY (user=? AND other>?)",
    "ALL_BLOCKS": "PRIMARY KEY ((user,other)>(?,?))",
    "AVATAR": "(user=?)",
    "ALL_AVATARS": "(user>?)",
    "READ_MARK": "PRIMARY KEY (user=? AND room=?)",
    "ALL_READ_MARKS": "PRIMARY KEY ((user,room)>(?,?))",
    "ROOM": "(id=?)",
    "ALL_ROOMS": "(id>?)",
    "MEMBER": "PRIMARY KEY (room=? AND user=?)",
    "ALL_MEMBERS": "PRIMARY KEY (room=?)",
    "MEMBERS_AFTER": "PRIMARY KEY (room=? AND user>?)",
    "ROOMS_OF": "INDEX members_user (user=? AND room<?)",
    "PUBLIC_ROOMS": "INDEX rooms_listed (",
}
"""What the plan of each read must say."""

WRITES = {
    "DELETE_MEMBER": "PRIMARY KEY (room=? AND user=?)",
    "DELETE_MESSAGE": "(id=?)",
    "DELETE_ITEM": "PRIMARY KEY (room=? AND kind=? AND key=?)",
    "SWEEP": "PRIMARY KEY (room=? AND kind=? AND key>? AND key<?)",
    "TRIM_MESSAGES": "INDEX messages_room (room=? AND seq<?)",
    "TRIM_ITEMS": "INDEX items_of_message (room=? AND seq>? AND seq<?)",
    "TRIM_ENTRIES": "PRIMARY KEY (room=? AND seq>? AND seq<?)",
    "REWRITE": "PRIMARY KEY (room=? AND seq=?)",
    "DELETE_FACT": "PRIMARY KEY (name=?)",
    "CHANGE_USER": "(id=?)",
    "SEEN": "(id=?)",
    "ROTATE_SESSION": "(id=?)",
    "END_OLDEST": "(id=?)",
    "END_SESSIONS": "INDEX sessions_user (user=?)",
    "END_SESSION": "(id=?)",
    "DROP_SESSIONS": "(id=?)",
    "USE_CREDENTIAL": "INDEX credentials_digest (kind=? AND digest=?)",
    "DROP_CREDENTIALS": "INDEX credentials_user (user=? AND kind=?)",
    "DROP_CREDENTIAL": "(id=?)",
    "DROP_EXPIRED": "(id=?)",
    "DROP_USED_UP": "(id=?)",
    "DROP_CONTACT": "PRIMARY KEY (low=? AND high=?)",
    "DROP_CONTACTS_ABOVE": "PRIMARY KEY (low=?)",
    "DROP_CONTACTS_BELOW": "INDEX contacts_high (high=?)",
    "UNBLOCK": "(user=? AND other=?)",
    "DROP_BLOCKS_OF": "PRIMARY KEY (user=?)",
    "DROP_BLOCKS_ON": "INDEX blocks_other (other=?)",
    "DROP_AVATAR": "(user=?)",
    "DROP_READ_MARK": "PRIMARY KEY (user=? AND room=?)",
    "DROP_READ_MARKS_OF": "PRIMARY KEY (user=?)",
}
"""What the plan of each write must say that looks for its rows."""


INNER = {
    "SESSION": "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
    "SESSION_OF_FAMILY": "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
    "CREDENTIAL": "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?) LEFT-JOIN",
    "CONTACTS_MADE": "SEARCH contacts USING INDEX contacts_high (high=?)",
    "CONTACTS_AWAITING": "SEARCH contacts USING PRIMARY KEY (low=?)",
    "END_OLDEST": "SEARCH sessions USING COVERING INDEX sessions_user (user=?)",
    "DROP_SESSIONS": "SEARCH sessions USING INDEX sessions_over (<expr><?)",
    "DROP_EXPIRED": "SEARCH credentials USING INDEX credentials_expired (expires_at<?)",
    "DROP_USED_UP": "SEARCH credentials USING INDEX credentials_used_up (uses_left<?)",
}
"""What the plan of some must say besides: of the rows that belong to those, or that tell which they are."""


def plan(session: Session, statement: str) -> list[str]:
    """Ask SQLite how it would run a statement, with NULL for every value."""
    numbered = [number for number in range(1, 20) if f"?{number}" in statement]
    values = (None,) * (max(numbered, default=0) or statement.count("?"))

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


@pytest.mark.parametrize("name", INDEXES | WRITES)
def test_every_statement_uses_the_index_made_for_it(session: Session, name: str) -> None:
    """Not just any index: a wrong one also "searches", and walks through every room."""
    steps = plan(session, STATEMENTS[name])
    assert (INDEXES | WRITES)[name] in steps[0]


@pytest.mark.parametrize("name", INNER)
def test_what_is_looked_for_besides_has_its_index(session: Session, name: str) -> None:
    """The user of a session, and which rows are to be deleted."""
    assert INNER[name] in plan(session, STATEMENTS[name])[1:]


def test_every_statement_is_looked_at() -> None:
    """A new query without its plan here fails this test."""
    reads = {name for name, text in STATEMENTS.items() if text.strip().startswith("SELECT")}
    assert reads == set(INDEXES)
    writes = {name for name, text in STATEMENTS.items() if text.strip().startswith(("DELETE", "UPDATE"))}
    assert writes == set(WRITES)


def test_a_trim_looks_for_the_last_one_from_above(session: Session) -> None:
    """It goes down the entries of its room only, and to no other place."""
    _, *inner = plan(session, STATEMENTS["TRIM_ENTRIES"])
    assert [step for step in inner if step.startswith("SEARCH")] == ["SEARCH e USING PRIMARY KEY (room=? AND seq<?)"]


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

"""How PostgreSQL answers each statement of the ports: always by an index, never by reading a whole table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, partial

import pytest

from storage.asyncio_seam import AsyncioSeam
from storage.postgres import PostgresSettings, account_statements, directory_statements, statements
from storage.postgres.connection import Connection
from storage.postgres.schema import known_migrations, prepare, up
from tests.storage.postgres import account_plans as accounts
from tests.storage.postgres.server import shared_server
from tests.support.postgres_server import PostgresServer

STATEMENTS = {
    name: text
    for name, text in (vars(statements) | vars(directory_statements) | vars(account_statements)).items()
    if name.isupper() and not name.startswith("_") and not name.endswith("_COLUMNS")
    # A value, and a part of a statement.
    if name not in ("OVERALL", "REPLACE_USER")
}

TEXTS, NUMBERS, BYTES, FLAGS = ["r_0007", "r_0008"], [7, 8], [b"x", b"y"], [True, False]
MEMBERS = (TEXTS, TEXTS, TEXTS, NUMBERS, NUMBERS)
MESSAGES = (TEXTS, TEXTS, NUMBERS, NUMBERS, TEXTS, FLAGS, BYTES, NUMBERS)
ITEMS = (TEXTS, TEXTS, TEXTS, BYTES, FLAGS, NUMBERS, NUMBERS)
MARKS = (TEXTS, TEXTS, NUMBERS, NUMBERS)
ROOMS = (TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, NUMBERS, TEXTS, BYTES, NUMBERS, NUMBERS, NUMBERS)

USER = ("u_1", "n", "n", "n", None, "h", "user", 1, False, 1, "active", "", None, False, None)

VALUES: dict[str, tuple[object, ...]] = {
    "INSERT_ENTRIES": (
        *(TEXTS, NUMBERS, NUMBERS, TEXTS, TEXTS, BYTES, TEXTS, TEXTS, BYTES, TEXTS, NUMBERS),
        *(TEXTS, NUMBERS),
    ),
    "HEADS": ([f"r_{number:04d}" for number in range(64)],),
    "ENTRIES_AFTER": ("r_0007", 50, 2**63 - 1, 100),
    "ENTRIES_UPTO": ("r_0007", 2**63 - 1, 300),
    "SENT": ("r_0007", ["u_00001"] * 30, [f"c{number}" for number in range(30)]),
    "ALREADY_SENT": (["r_0007"] * 30, ["u_00001"] * 30, [f"c{number}" for number in range(30)]),
    "WRITTEN_IN": ([f"r_{number:04d}" for number in range(64)], "u_00001"),
    "REWRITE": ("r_0007", 7, b"{}", b""),
    "ROOMS": ("r_0007", 100),
    "MESSAGES_BY_ID": ([f"m_r_0007_{number}" for number in range(50)],),
    "MESSAGES_AFTER": ("r_0007", 50, 2**63 - 1, 100),
    "MESSAGES_UPTO": ("r_0007", 150, 50),
    "LATEST_MESSAGES": ([f"r_{number:04d}" for number in range(100)], [2**63 - 1] * 100),
    "LOAD_ROOM": ("r_0007",),
    "PUT_MEMBERS": MEMBERS,
    "PUT_MESSAGES": MESSAGES,
    "PUT_ROOMS": ROOMS,
    "PUT_ALL": (*MEMBERS, *MESSAGES, *ROOMS),
    "PUT_ALL_WITH_ITEMS": (*MEMBERS, *MESSAGES, *ITEMS, *MARKS, *ROOMS),
    "MOVE_READ_MARKS": MARKS,
    "PUT_ITEMS": ITEMS,
    "CLAIM_ROOMS": ROOMS,
    "DELETE_ITEM": ("r_0007", "pin", "m_1"),
    "SWEEP_FROM": ("r_0007", "spoke", ""),
    "SWEEP_BETWEEN": ("r_0007", "reaction", "m_7/", "m_70"),
    "TRIM": ("r_0007", 100, ("message.created", "message.updated")),
    "DELETE_MEMBER": ("r_0007", "u_00001"),
    "DELETE_MESSAGE": ("m_r_0007_1",),
    "LOCK_ROOMS": ([f"r_{number:04d}" for number in range(64)],),
    "MARK": (),
    "MOVE_MARK": (7,),
    "ITEMS_BY_KEY": ("r_0007", ["reaction"] * 30, [f"m_{number}/u" for number in range(30)]),
    "ROOMS_KEEPING": ([f"r_{number:04d}" for number in range(64)], ["pin", "ban"], ["", "u_1"], ["~", "u_2"]),
    "DUE": (500, 100),
    "DUE_OF_ROOM": (500, 100, "r_0007"),
    "ITEMS_FROM": ("r_0007", "reaction", "", 51),
    "ITEMS_BETWEEN": ("r_0007", "reaction", "m_7/", 51, "m_70"),
    "NEWEST_ITEMS_FROM": ("r_0007", "audit", "", 51),
    "NEWEST_ITEMS_BETWEEN": ("r_0007", "audit", "", 51, "000100.r_0007"),
    "OVERALL_ITEMS_FROM": ("", 51),
    "OVERALL_ITEMS_BETWEEN": ("", 51, "000100"),
    "NEWEST_OVERALL_ITEMS_FROM": ("", 51),
    "NEWEST_OVERALL_ITEMS_BETWEEN": ("", 51, "000100"),
    "FACT": ("copying",),
    "PUT_FACT": ("copying", "x"),
    "DELETE_FACT": ("copying",),
    "PROBE": (),
    "INSERT_USER": USER,
    "PUT_USER": USER,
    "CHANGE_USER": ("u_1", "n", "n", "n", None, "h", "user", False, 2, "active", "", None, False),
    "LOCK_USER": ("u_00001",),
    "LOCK_USERS": (["u_00001", "u_00002"],),
    "SEEN": ("u_00001", 7),
    "USERS_IN_STATE": ("leaving", 100),
    "USER": ("u_00001",),
    "USER_BY_NAME": ("name00001",),
    "USER_BY_EMAIL": ("00001@example.org",),
    "USERS": ([f"u_{number:05d}" for number in range(50)], ["name00001", "name00002"]),
    "USERS_BETWEEN": ("name000", 10, True, "name001"),
    "USERS_FROM": ("", 10, False),
    "ALL_USERS": ("u_00100", 100),
    "ALL_ITEMS": ("r_0007", "pin", "x", 100),
    "ROOM": ("r_0007",),
    "ROOMS_BY_ID": ([f"r_{number:04d}" for number in range(100)],),
    "ALL_ROOMS": ("r_0007", 100),
    "MEMBER": ("r_0007", "u_00001"),
    "MEMBERSHIPS": ("u_00001", [f"r_{number:04d}" for number in range(100)]),
    "MEMBERS_AFTER": ("r_0007", "u_00020", 50),
    "ROOMS_OF": ("u_00020", 50),
    "ROOMS_OF_BELOW": ("u_00020", "r_0100", 50),
    "PUBLIC_ROOMS_BETWEEN": ("name0", "", "name1", 50),
    "PUBLIC_ROOMS_FROM": ("name0", "", 50),
    **accounts.VALUES,
}
"""Values such as the product asks with."""

MEMBERSHIP = {"members_pkey", "members_user"}  # one membership is found by either, at the same cost
EITHER = (MEMBERSHIP, *accounts.EITHER)

INDEXES = {
    "INSERT_ENTRIES": {"entries_pkey"},
    "HEADS": {"entries_pkey"},
    "ENTRIES_AFTER": {"entries_pkey"},
    "ENTRIES_UPTO": {"entries_pkey"},
    "SENT": {"entries_sent"},
    "ALREADY_SENT": {"entries_sent"},
    "WRITTEN_IN": {"entries_sent"},
    "REWRITE": {"entries_pkey"},
    "ROOMS": {"entries_pkey"},
    "MESSAGES_BY_ID": {"messages_pkey"},
    "MESSAGES_AFTER": {"messages_room"},
    "MESSAGES_UPTO": {"messages_room"},
    "LATEST_MESSAGES": {"messages_room"},
    "LOAD_ROOM": {"entries_pkey", "items_held", "members_pkey", "rooms_pkey"},
    "ITEMS_BY_KEY": {"items_pkey"},
    "ROOMS_KEEPING": {"items_pkey"},
    "DUE": {"items_due"},
    "ROOMS_BY_ID": {"rooms_pkey"},
    "MEMBERSHIPS": MEMBERSHIP,
    "DUE_OF_ROOM": {"items_due_of_room"},
    "ITEMS_FROM": {"items_pkey"},
    "ITEMS_BETWEEN": {"items_pkey"},
    "NEWEST_ITEMS_FROM": {"items_pkey"},
    "NEWEST_ITEMS_BETWEEN": {"items_pkey"},
    "OVERALL_ITEMS_FROM": {"items_overall"},
    "OVERALL_ITEMS_BETWEEN": {"items_overall"},
    "NEWEST_OVERALL_ITEMS_FROM": {"items_overall"},
    "NEWEST_OVERALL_ITEMS_BETWEEN": {"items_overall"},
    "PUT_MEMBERS": {"members_pkey"},
    "PUT_MESSAGES": {"messages_pkey"},
    "PUT_ROOMS": {"rooms_pkey"},
    "PUT_ALL": {"members_pkey", "messages_pkey", "rooms_pkey"},
    "PUT_ALL_WITH_ITEMS": {"items_pkey", "members_pkey", "messages_pkey", "read_marks_pkey", "rooms_pkey"},
    "MOVE_READ_MARKS": {"read_marks_pkey"},
    "PUT_ITEMS": {"items_pkey"},
    "CLAIM_ROOMS": {"rooms_pkey"},
    "DELETE_ITEM": {"items_pkey"},
    "SWEEP_FROM": {"items_pkey"},
    "SWEEP_BETWEEN": {"items_pkey"},
    "TRIM": {"entries_pkey", "items_of_message", "messages_room"},
    "DELETE_MEMBER": MEMBERSHIP,
    "DELETE_MESSAGE": {"messages_pkey"},
    "LOCK_ROOMS": {"rooms_pkey"},
    "MOVE_MARK": {"journal_mark_pkey"},
    "PUT_FACT": {"facts_pkey"},
    "INSERT_USER": set[str](),
    "PUT_USER": {"users_pkey"},
    "CHANGE_USER": {"users_pkey"},
    "LOCK_USER": {"users_pkey"},
    "LOCK_USERS": {"users_pkey"},
    "SEEN": {"users_pkey"},
    "USERS_IN_STATE": {"users_state"},
    "PROBE": {"users_pkey"},
    "USER": {"users_pkey"},
    "USER_BY_NAME": {"users_name_key"},
    "USER_BY_EMAIL": {"users_email"},
    "USERS": {"users_name_key", "users_pkey"},
    "USERS_BETWEEN": {"users_name_key"},
    "USERS_FROM": {"users_name_key"},
    "ALL_USERS": {"users_pkey"},
    "ALL_ITEMS": {"items_pkey"},
    "ROOM": {"rooms_pkey"},
    "ALL_ROOMS": {"rooms_pkey"},
    "MEMBER": MEMBERSHIP,
    "MEMBERS_AFTER": {"members_pkey"},
    "ROOMS_OF": {"members_user", "rooms_pkey"},
    "ROOMS_OF_BELOW": {"members_user", "rooms_pkey"},
    "PUBLIC_ROOMS_BETWEEN": {"rooms_listed"},
    "PUBLIC_ROOMS_FROM": {"rooms_listed"},
    **accounts.INDEXES,
}
"""The indexes that each plan must use, and no other; one of them, where it is one of EITHER."""

TINY = {"MARK", "FACT", "DELETE_FACT"}
"""Those that read a table of a few rows, where no index could help."""

SORTED = {"SENT", "LOCK_ROOMS", "LOCK_USERS"}
"""Those that sort: a few rows, as many as were asked for."""

FILL = """
INSERT INTO users
SELECT 'u_' || lpad(n::text, 5, '0'), 'Name' || n, 'name' || lpad(n::text, 5, '0'), 'Name ' || n,
       lpad(n::text, 5, '0') || '@example.org', repeat('h', 60), 'user', n, n % 50 = 0, 1,
       CASE WHEN n % 100 = 0 THEN 'leaving' ELSE 'active' END, '', NULL, false, n
FROM generate_series(1, 10000) AS n;
INSERT INTO rooms
SELECT 'r_' || lpad(n::text, 4, '0'), 'group', CASE WHEN n % 3 = 0 THEN 'private' ELSE 'public' END, 'Name',
       'name' || n, repeat('t', 100), 'u_00001', n, 'e', 'x', 100, 100, CASE WHEN n % 20 = 0 THEN 1 END
FROM generate_series(1, 3000) AS n;
INSERT INTO members
SELECT 'r_' || lpad(r::text, 4, '0'), 'u_' || lpad((1 + (r * 7 + u) % 2000)::text, 5, '0'), 'member', u, u
FROM generate_series(1, 300) AS r, generate_series(1, 60) AS u;
INSERT INTO entries
SELECT 'r_' || lpad(r::text, 4, '0'), s, s, 'message.created', 'u_00001', repeat('b', 200)::bytea, 'u_00001', 'c' || s,
       'd', 'm_r_' || r || '_' || s, s
FROM generate_series(1, 150) AS r, generate_series(1, 150) AS s;
INSERT INTO messages
SELECT 'm_r_' || lpad(r::text, 4, '0') || '_' || s, 'r_' || lpad(r::text, 4, '0'), s, s, 'u_00001', false,
       repeat('b', 200)::bytea, s
FROM generate_series(1, 150) AS r, generate_series(1, 150) AS s;
INSERT INTO items
SELECT 'r_' || lpad(r::text, 4, '0'), 'reaction', 'm_' || s || '/u', '{}', false, NULL, s
FROM generate_series(1, 150) AS r, generate_series(1, 200) AS s;
INSERT INTO items
SELECT 'r_' || lpad(r::text, 4, '0'), kind, 'key' || s, '{}', kind = 'pin', CASE WHEN kind = 'expiry' THEN s * 100 END,
       s
FROM generate_series(1, 150) AS r, generate_series(1, 10) AS s, unnest(ARRAY['pin', 'expiry', 'spoke']) AS kind;
INSERT INTO items
SELECT 'r_' || lpad(r::text, 4, '0'), 'audit', lpad(s::text, 6, '0') || '.r_' || lpad(r::text, 4, '0'), '{}', false,
       NULL, 0
FROM generate_series(1, 150) AS r, generate_series(1, 20) AS s;
INSERT INTO facts VALUES ('copying', 'x');
INSERT INTO journal_mark VALUES (1, 1);
ANALYZE;
"""


@cache
def filled() -> PostgresSettings:
    """Make a database for the tests of this file."""
    return PostgresSettings(shared_server().fresh_database())


@pytest.fixture
async def settings(server: PostgresServer, seam: AsyncioSeam) -> PostgresSettings:
    """Return a database with so many rows that reading a whole table would be a mistake."""

    async def fill(connection: Connection) -> None:
        if await up(connection, known_migrations()):
            await connection.execute(accounts.FILL + FILL)

    await prepare(seam, filled(), fill)
    return filled()


def nodes(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    """Go through a plan."""
    yield plan
    inner = plan.get("Plans", [])
    assert isinstance(inner, list)
    for child in inner:
        yield from nodes(child)


def faults(plan: dict[str, object]) -> list[str]:
    """Name the steps of a plan that read a whole table or sort what they found."""
    kinds = [f"{node['Node Type']} {node.get('Relation Name', '')}".strip() for node in nodes(plan)]
    return [kind for kind in kinds if "Seq Scan" in kind or "Sort" in kind]


def indexes(plan: dict[str, object]) -> set[object]:
    """Name the indexes that a plan uses."""
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    for node in nodes(plan):
        arbiters = node.get("Conflict Arbiter Indexes", [])
        assert isinstance(arbiters, list)
        used |= set(arbiters)
    return used


async def explain(connection: Connection, name: str, *, generic: bool) -> dict[str, object]:
    """Ask for the plan of a statement: with its values, or one for any values."""
    if generic:
        await connection.execute(f"PREPARE q_{name} AS {STATEMENTS[name]}")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        nulls = f"({', '.join(['NULL'] * len(VALUES[name]))})" if VALUES[name] else ""
        ((said,),) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE q_{name} {nulls}")
    else:
        ((said,),) = await connection.fetch(f"EXPLAIN (FORMAT JSON) {STATEMENTS[name]}", *VALUES[name])
    ((plan,),) = [one.values() for one in json.loads(str(said))]
    assert isinstance(plan, dict)
    return plan


async def plans(connection: Connection, *, generic: bool) -> dict[str, dict[str, object]]:
    """Ask for all plans."""
    return {name: await explain(connection, name, generic=generic) for name in STATEMENTS}


@pytest.mark.parametrize("generic", [False, True], ids=["for these values", "for any values"])
async def test_every_statement_uses_the_indexes_made_for_it(
    seam: AsyncioSeam, settings: PostgresSettings, generic: bool
) -> None:
    """Each answer costs as much as it is long, however large the tables get.

    A prepared statement may get either kind of plan, as PostgreSQL sees fit.
    """
    found = await prepare(seam, settings, partial(plans, generic=generic))
    for name, plan in found.items():
        wrong = [fault for fault in faults(plan) if not (name in SORTED and "Sort" in fault)]
        assert name in TINY or wrong == [], name
        used = indexes(plan)
        wanted = INDEXES.get(name, set())
        is_either = any(wanted is pair for pair in EITHER)
        assert name in TINY or (len(used) == 1 and used < wanted if is_either else used == wanted), (name, used)


def test_every_statement_is_looked_at() -> None:
    """A new one without its values and its indexes here fails this test."""
    assert set(VALUES) == set(STATEMENTS)
    assert set(INDEXES) | TINY == set(STATEMENTS)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM entries WHERE actor = 'u_00001'",
        "SELECT * FROM messages ORDER BY author",
        "SELECT room FROM members WHERE room = 'r_0007' ORDER BY joined_at",
    ],
)
async def test_a_bad_plan_is_recognised(seam: AsyncioSeam, settings: PostgresSettings, statement: str) -> None:
    """The check above can fail."""

    async def ask(connection: Connection) -> dict[str, object]:
        ((said,),) = await connection.fetch(f"EXPLAIN (FORMAT JSON) {statement}")
        plan = json.loads(str(said))[0]["Plan"]
        assert isinstance(plan, dict)
        return plan

    assert faults(await prepare(seam, settings, ask)) != []

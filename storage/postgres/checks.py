"""What a PostgreSQL server must be like for JustChat to trust it with messages, looked at before anything is served.

Each problem is one line that says what is wrong and how to mend it. Some of it can change while we run, by an operator
or because another server took over, so that part is looked at again on every new connection.
"""

from __future__ import annotations

import time

from msgspec import Struct

from storage.errors import StorageUnavailable
from storage.postgres.connection import Connection

OLDEST_VERSION = 13
MAX_CLOCK_SECONDS = 5.0
DURABLE = ("on", "remote_apply")

SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('fsync') = 'on',
       pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
       current_database()::text, current_schema()::text,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint
"""

MAY_CREATE = "SELECT has_schema_privilege(current_schema(), 'CREATE'), current_user::text, current_schema()::text"

SESSION = """
SELECT current_setting('synchronous_commit'), pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'
"""

# Which of our tables are there and may not be used by the role; the record of the schema need only be read.
FORBIDDEN = """
SELECT string_agg(name, ', ' ORDER BY name), current_user::text
FROM unnest('schema_migrations'::text || $1::text[]) AS name
WHERE to_regclass(name) IS NOT NULL AND NOT (
    has_table_privilege(name, 'SELECT') AND (
        name = 'schema_migrations' OR has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE')
        AND has_table_privilege(name, 'DELETE')
    )
)
"""

TABLES = (
    "avatars",
    "blocks",
    "contacts",
    "credentials",
    "entries",
    "facts",
    "items",
    "journal_mark",
    "members",
    "messages",
    "read_marks",
    "rooms",
    "sessions",
    "users",
)


class ServerFacts(Struct, frozen=True):
    """What a server says about itself; times in milliseconds since the epoch, read at the same moment."""

    version_number: int
    version: str
    encoding: str
    synchronous_commit: str
    fsync: bool
    in_recovery: bool
    read_only: bool
    database: str
    schema: str | None
    server_time: int
    our_time: int


async def check_server(connection: Connection) -> None:
    """Look at everything but the tables; raise StorageUnavailable that names every problem."""
    before = time.time_ns()
    (row,) = await connection.fetch(SERVER)
    facts = ServerFacts(*row, our_time=(before + time.time_ns()) // 2_000_000)  # type: ignore[arg-type, misc]
    _refuse(problems(facts))


async def check_session(connection: Connection) -> None:
    """Look at what may have changed since the start. Raises StorageUnavailable."""
    (row,) = await connection.fetch(SESSION)
    _refuse(_session_problems(*row))  # type: ignore[arg-type]


async def check_may_create(connection: Connection) -> None:
    """Look whether the role may create tables. Raises StorageUnavailable."""
    ((allowed, role, schema),) = await connection.fetch(MAY_CREATE)
    if not allowed:
        _refuse(
            [f"role {role} may not create tables in schema {schema}: GRANT CREATE, USAGE ON SCHEMA {schema} TO {role}"]
        )


async def check_tables(connection: Connection) -> None:
    """Look whether the role may use the tables of ours that are there. Raises StorageUnavailable."""
    ((tables, role),) = await connection.fetch(FORBIDDEN, TABLES)
    if tables is not None:
        _refuse([f"role {role} may not use all tables: GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}"])


def problems(facts: ServerFacts) -> list[str]:
    """Name what is wrong, a line each."""
    found: list[str] = []
    if facts.version_number < OLDEST_VERSION * 10_000:
        found.append(f"PostgreSQL {facts.version} is too old: use version {OLDEST_VERSION} or newer")
    if facts.encoding != "UTF8":
        found.append(
            f"the encoding of database {facts.database} is {facts.encoding}: "
            "create it with ENCODING 'UTF8' TEMPLATE template0"
        )
    if not facts.fsync:
        found.append("fsync is off, so a crash may lose acknowledged messages: set fsync = on in postgresql.conf")
    found += _session_problems(facts.synchronous_commit, facts.in_recovery, facts.read_only)
    if facts.schema is None:
        found.append("the search_path names no schema that exists: create one, or set the role's search_path")
    ahead = (facts.server_time - facts.our_time) / 1000
    if abs(ahead) > MAX_CLOCK_SECONDS:
        direction = "ahead of" if ahead > 0 else "behind"
        found.append(f"the server's clock is {abs(ahead):.1f} s {direction} ours: let both be set by NTP")
    return found


def _session_problems(synchronous_commit: str, in_recovery: bool, read_only: bool) -> list[str]:
    found: list[str] = []
    if synchronous_commit not in DURABLE:
        found.append(
            f"synchronous_commit is {synchronous_commit}, so a crash may lose acknowledged messages: "
            "set it to on for this role and database"
        )
    if in_recovery:
        found.append("this server is a standby, which cannot be written: connect to the primary")
    elif read_only:
        found.append("transactions are read-only: set default_transaction_read_only = off for this role and database")
    return found


def _refuse(found: list[str]) -> None:
    if found:
        raise StorageUnavailable("; ".join(found))

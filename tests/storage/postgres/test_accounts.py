"""Two who write the same accounts at once, as two servers do, and a sign-in that is cut off in its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from msgspec.structs import replace

from storage.account_records import ContactRecord
from storage.errors import Conflict, OutcomeUnknown
from storage.postgres import PostgresDirectory, PostgresPool, PostgresRelations, PostgresSessions
from storage.postgres.connection import Connection
from tests.storage.postgres.waiting import until_waiting
from tests.storage.samples import a_credential, a_session, a_user

# Every commit of a session or a credential waits, in the commit itself, for a lock that the test may hold.
SLOW_COMMIT = """
CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(42);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON sessions DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON credentials DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
"""
NO_SLOW_COMMIT = "DROP FUNCTION wait_in_commit CASCADE"

KILL = """
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
"""


@asynccontextmanager
async def held(pool: PostgresPool, statement: str) -> AsyncIterator[Callable[[], None]]:
    """Run a statement in a transaction that stays open until what this gives is called, or the body ends."""
    begun, let_go = trio.Event(), asyncio.Event()

    async def work(connection: Connection) -> None:
        await connection.execute(statement)
        begun.set()
        await let_go.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.write, work)
        await begun.wait()
        try:
            yield let_go.set
        finally:
            let_go.set()


async def meet(pool: PostgresPool, statement: str, *calls: Callable[[], Awaitable[object]]) -> None:
    """Have all calls begin while somebody else holds what they want."""

    async def run(call: Callable[[], Awaitable[object]]) -> None:
        await call()

    async with trio.open_nursery() as nursery, held(pool, statement) as let_go:
        for call in calls:
            nursery.start_soon(run, call)
        await until_waiting(pool, len(calls))
        let_go()


async def test_sign_ins_of_one_user_come_one_after_the_other(pool: PostgresPool) -> None:
    """Each sees what the one before has done, so that both together leave no more than the most."""
    await PostgresDirectory(pool).create_user(a_user(1))
    sessions = PostgresSessions(pool)
    await sessions.create_session(a_session(1), most=1)
    ended: list[str] = []

    async def sign_in(number: int) -> None:
        ended.extend(await sessions.create_session(a_session(number), most=1))

    lock = "SELECT 1 FROM users WHERE id = 'u_0001' FOR UPDATE"
    await meet(pool, lock, partial(sign_in, 2), partial(sign_in, 3))
    (left,) = await sessions.sessions_of("u_0001")
    assert sorted([*ended, left.id]) == ["s_0001", "s_0002", "s_0003"]
    assert left.id != "s_0001"


async def test_a_sign_in_behind_a_log_out_everywhere_stays(pool: PostgresPool) -> None:
    """Whichever comes second sees all that the first has done: nobody is left half signed out."""
    await PostgresDirectory(pool).create_user(a_user(1))
    sessions = PostgresSessions(pool)
    await sessions.create_session(a_session(1), most=9)
    ended: list[str] = []

    async def end() -> None:
        ended.extend(await sessions.end_sessions("u_0001"))

    lock = "SELECT 1 FROM users WHERE id = 'u_0001' FOR UPDATE"
    await meet(pool, lock, end, partial(sessions.create_session, a_session(2), most=9))
    left = [session.id for session in await sessions.sessions_of("u_0001")]
    assert (sorted(ended), left) in ((["s_0001"], ["s_0002"]), (["s_0001", "s_0002"], []))


async def test_rotations_that_wait_for_each_other_see_who_was_first(pool: PostgresPool) -> None:
    """The second one compares with what the first has set, and not with what it saw when it began."""
    await PostgresDirectory(pool).create_user(a_user(1))
    sessions, session = PostgresSessions(pool), a_session(1)
    await sessions.create_session(session, most=1)
    won: list[bool] = []

    async def rotate(digest: bytes) -> None:
        won.append(await sessions.rotate_session(replace(session, digest=digest), replacing=session.digest))

    await meet(pool, "SELECT 1 FROM sessions FOR UPDATE", partial(rotate, b"one"), partial(rotate, b"other"))
    assert sorted(won) == [False, True]


async def test_a_session_that_ends_while_it_is_rotated_is_not_rotated(pool: PostgresPool) -> None:
    """Nor is one brought back that is gone when its turn comes."""
    await PostgresDirectory(pool).create_user(a_user(1))
    sessions, session = PostgresSessions(pool), a_session(1)
    await sessions.create_session(session, most=1)
    won: list[bool] = []

    async def rotate() -> None:
        won.append(await sessions.rotate_session(replace(session, digest=b"next"), replacing=session.digest))

    await meet(pool, "DELETE FROM sessions", rotate)
    assert won == [False]
    assert await sessions.sessions_of("u_0001") == []


async def test_a_session_that_is_continued_while_it_is_dropped_stays(pool: PostgresPool) -> None:
    """Dropping what is over leaves alone whatever somebody else is at, and does not wait for it."""
    await PostgresDirectory(pool).create_user(a_user(1))
    sessions = PostgresSessions(pool)
    for number in (1, 2):
        await sessions.create_session(replace(a_session(number), expires_at=5), most=9)
    async with held(pool, "UPDATE sessions SET expires_at = 900 WHERE id = 's_0001'"):
        assert await sessions.drop_expired(now=10) == 1
    assert [session.id for session in await sessions.sessions_of("u_0001")] == ["s_0001"]


async def test_uses_that_wait_for_each_other_are_counted_one_by_one(pool: PostgresPool) -> None:
    """The last use goes to one of them."""
    sessions = PostgresSessions(pool)
    await sessions.create_credential(a_credential(1, uses_left=1))
    used: list[bool] = []

    async def use() -> None:
        used.append(await sessions.use_credential("token", b"digest-1", now=5))

    await meet(pool, "SELECT 1 FROM credentials FOR UPDATE", use, use)
    assert sorted(used) == [False, True]


async def test_changes_that_wait_for_each_other_do_not_overwrite_each_other(pool: PostgresPool) -> None:
    """The second one finds another rev than it read."""
    directory = PostgresDirectory(pool)
    await directory.create_user(a_user(1))
    outcomes: list[str] = []

    async def change(bio: str) -> None:
        try:
            await directory.change_user(replace(a_user(1), rev=2, bio=bio))
        except Conflict as conflict:
            outcomes.append(conflict.kind)
        else:
            outcomes.append("changed")

    await meet(pool, "SELECT 1 FROM users FOR UPDATE", partial(change, "one"), partial(change, "other"))
    assert sorted(outcomes) == ["changed", "rev"]


async def test_a_request_that_waits_for_the_one_from_the_other_side_accepts_it(pool: PostgresPool) -> None:
    """Although it was not there when it began."""
    relations = PostgresRelations(pool)
    asked = "INSERT INTO contacts VALUES ('u_1', 'u_2', 'u_1', 5)"
    answers: list[ContactRecord] = []

    async def ask() -> None:
        answers.append(await relations.ask_contact("u_2", "u_1", at=6))

    await meet(pool, asked, ask)
    assert answers == [ContactRecord("u_1", "u_2", None, 6)]


async def test_who_waits_for_one_account_holds_none_that_comes_later(pool: PostgresPool, nursery: trio.Nursery) -> None:
    """Two servers that saw the same people wait for each other in the order of the ids, and so never in a circle."""
    for number in (1, 2):
        await PostgresDirectory(pool).create_user(a_user(number))
    async with held(pool, "SELECT 1 FROM users WHERE id = 'u_0001' FOR UPDATE"):
        nursery.start_soon(PostgresRelations(pool).seen, {"u_0002": 5, "u_0001": 5})
        await until_waiting(pool, 1)
        free = "SELECT id FROM users WHERE id = 'u_0002' FOR UPDATE NOWAIT"
        assert await pool.write(lambda connection: connection.fetch(free)) != []


async def test_who_leave_go_one_after_the_other(pool: PostgresPool, nursery: trio.Nursery) -> None:
    """Two who block each other would otherwise wait for each other's rows in a circle."""
    relations = PostgresRelations(pool)
    await relations.put_contacts([ContactRecord("u_1", "u_2", None, 5)])
    async with held(pool, "SELECT 1 FROM contacts FOR UPDATE"):
        for user in ("u_1", "u_2"):
            nursery.start_soon(relations.drop_relations, user)
        await until_waiting(pool, 2)
        waiting = await pool.fetch("SELECT locktype FROM pg_locks WHERE NOT granted ORDER BY locktype")
        assert [row[0] for row in waiting] == ["advisory", "transactionid"]


async def test_a_creation_that_is_cut_off_in_its_commit_may_be_tried_again(
    pool: PostgresPool, nursery: trio.Nursery
) -> None:
    """It is of unknown outcome; again it works, whether or not it was written."""
    await pool.read(lambda connection: connection.execute(SLOW_COMMIT))
    sessions = PostgresSessions(pool)

    async def kill() -> None:
        await until_waiting(pool, 1)
        await pool.fetch(KILL)

    try:
        for create in (
            partial(sessions.create_session, a_session(1), most=5),
            partial(sessions.create_credential, a_credential(1)),
        ):
            async with held(pool, "SELECT pg_advisory_xact_lock(42)"):
                nursery.start_soon(kill)
                with pytest.raises(OutcomeUnknown, match="the commit failed"):
                    await create()
            for _ in range(2):
                await create()
    finally:
        await pool.read(lambda connection: connection.execute(NO_SLOW_COMMIT))
    assert await sessions.all_sessions(limit=9) == [a_session(1)]
    assert await sessions.all_credentials(limit=9) == [a_credential(1)]

"""Sessions: who is signed in with what, and the one refresh token that continues each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from msgspec.structs import replace

from storage.account_records import SessionRecord
from storage.errors import Conflict, Unstorable
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_append import MAX_INT, MIN_INT, TEXTS
from tests.storage.samples import a_session, a_user

MANY = 100


async def furnish(stores: Stores, *numbers: int, user: str = "u_0001") -> list[SessionRecord]:
    """Create sessions of a user, and the user."""
    if await stores.directory.user(user) is None:
        await stores.directory.create_user(a_user(int(user.removeprefix("u_"))))
    made = [a_session(number, user=user) for number in numbers]
    for session in made:
        assert await stores.sessions.create_session(session, most=MANY) == []
    return made


async def ids_of(stores: Stores, user: str = "u_0001") -> list[str]:
    """Name the sessions of a user, the one seen latest first."""
    return [session.id for session in await stores.sessions.sessions_of(user)]


async def test_a_session_is_kept_as_it_was_made(stores: Stores) -> None:
    """Guarantee: every field survives, digests byte for byte, and comes with its user. Each request relies on it."""
    await stores.directory.create_user(user := replace(a_user(1), rev=7, bio="x", avatar="a", email_verified=True))
    odd = [
        replace(a_session(number), user_agent=text, address=text, nonce=text.encode(), previous=b"")
        for number, text in enumerate(TEXTS, start=10)
    ]
    far = [
        replace(a_session(number), created_at=at, seen_at=at, expires_at=at, ends_at=at, rotated_at=at)
        for number, at in enumerate((0, -1, MIN_INT, MAX_INT, 2**53 + 1), start=100)
    ]
    every_byte = replace(a_session(1), digest=bytes(range(256)), previous=bytes(range(256)), nonce=b"\x00\xff")
    for session in (every_byte, *odd, *far):
        await stores.sessions.create_session(session, most=MANY)
        assert await stores.sessions.session(session.id) == (session, user)
    assert await stores.sessions.session("s_none") is None


async def test_a_session_comes_with_its_user_as_they_are_now(stores: Stores) -> None:
    """Guarantee: no copy of the user is kept. A ban or a new role counts for the very next request."""
    (session,) = await furnish(stores, 1)
    changed = replace(a_user(1), rev=2, role="admin", disabled=True)
    await stores.directory.change_user(changed)
    assert await stores.sessions.session(session.id) == (session, changed)
    assert await stores.sessions.session_of_family(session.family) == (session, changed)
    assert await stores.sessions.living([session.id]) == [(session.id, changed)]


async def test_a_session_of_nobody_is_none(stores: Stores) -> None:
    """Guarantee: without an account there is nobody to be let in."""
    session = a_session(1, user="u_none")
    await stores.sessions.create_session(session, most=MANY)
    assert await stores.sessions.session(session.id) is None
    assert await stores.sessions.session_of_family(session.family) is None
    assert await stores.sessions.living([session.id]) == []


async def test_a_session_is_found_by_its_family(stores: Stores) -> None:
    """Guarantee: whatever refresh token of a session is presented leads to it, also one that was replaced."""
    one, other = await furnish(stores, 1, 2)
    rotated = replace(one, digest=b"next", previous=one.digest, nonce=b"n", rotated_at=5)
    assert await stores.sessions.rotate_session(rotated, replacing=one.digest)
    for expected in (rotated, other):
        found = await stores.sessions.session_of_family(expected.family)
        assert found is not None
        assert found[0] == expected
    for family in (b"", b"family", one.digest, b"family-1\x00"):
        assert await stores.sessions.session_of_family(family) is None


async def test_creating_the_same_session_again_changes_nothing(stores: Stores) -> None:
    """Guarantee: a sign-in whose outcome was unknown may be tried again, also when it has been continued since."""
    (session,) = await furnish(stores, 1)
    rotated = replace(session, digest=b"next", previous=session.digest)
    assert await stores.sessions.create_session(session, most=MANY) == []
    assert await stores.sessions.rotate_session(rotated, replacing=session.digest)
    assert await stores.sessions.create_session(session, most=MANY) == []
    assert await stores.sessions.sessions_of("u_0001") == [rotated]


async def test_what_another_session_has_is_a_conflict(stores: Stores) -> None:
    """Guarantee: an id and a family belong to one session; nobody comes in as somebody else."""
    (session,) = await furnish(stores, 1)
    for other, kind in (
        (replace(a_session(2), family=session.family), "family"),
        (replace(session, user="u_0002"), "id"),
        (replace(session, family=b"other"), "id"),
    ):
        with pytest.raises(Conflict) as caught:
            await stores.sessions.create_session(other, most=1)
        assert caught.value.kind == kind
    assert await stores.sessions.sessions_of("u_0001") == [session]
    assert await stores.sessions.sessions_of("u_0002") == []


async def test_beyond_the_most_the_oldest_end(stores: Stores) -> None:
    """Guarantee: a user has so many sessions at most, and those seen least recently go, whose sockets are closed."""
    await furnish(stores, 1, 2, 3, 4)
    (other,) = await furnish(stores, 9, user="u_0002")
    one = (await stores.sessions.sessions_of("u_0001"))[-1]
    assert await stores.sessions.rotate_session(replace(one, seen_at=one.seen_at + 50), replacing=one.digest)
    assert await stores.sessions.create_session(a_session(5), most=4) == ["s_0002"]
    assert await stores.sessions.create_session(a_session(6), most=2) == ["s_0003", "s_0004", "s_0005"]
    assert await ids_of(stores) == ["s_0001", "s_0006"]
    assert await stores.sessions.session_of_family(a_session(5).family) is None
    assert await stores.sessions.sessions_of("u_0002") == [other]


async def test_the_new_session_is_never_the_one_that_ends(stores: Stores) -> None:
    """Guarantee: whoever just signed in is in, also if this machine's clock is behind."""
    await furnish(stores, 1, 2)
    new = a_session(3, seen_at=0)
    assert await stores.sessions.create_session(new, most=2) == ["s_0001"]
    assert await stores.sessions.create_session(new, most=0) == ["s_0002"]
    assert await ids_of(stores) == ["s_0003"]


async def test_many_who_sign_in_at_once_leave_no_more_than_the_most(stores: Stores) -> None:
    """Guarantee: the bound holds when all come at once, and each that ended is named once."""
    await stores.directory.create_user(a_user(1))
    ended: list[str] = []

    async def sign_in(number: int) -> None:
        ended.extend(await stores.sessions.create_session(a_session(number), most=3))

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(sign_in, number)
    left = await ids_of(stores)
    assert len(left) == 3
    assert sorted(ended + left) == [f"s_{number:04d}" for number in range(12)]


async def test_a_rotation_replaces_what_was_there(stores: Stores) -> None:
    """Guarantee: after a rotation the session is as it was given, but for whose it is and since when."""
    (session,) = await furnish(stores, 1)
    rotated = SessionRecord(
        id=session.id,
        user=session.user,
        family=session.family,
        digest=b"next",
        created_at=session.created_at,
        seen_at=1,
        expires_at=2,
        ends_at=3,
        user_agent="Other",
        address="::1",
        previous=session.digest,
        nonce=b"nonce",
        rotated_at=4,
    )
    stolen = replace(rotated, user="u_0002", family=b"other", created_at=0)
    assert await stores.sessions.rotate_session(stolen, replacing=session.digest)
    assert await stores.sessions.sessions_of("u_0001") == [rotated]
    assert await stores.sessions.session_of_family(b"other") is None


async def test_only_the_present_token_rotates(stores: Stores) -> None:
    """Guarantee: compare and set. A token that was used before, or of a session that has ended, continues nothing."""
    (session,) = await furnish(stores, 1)
    rotated = replace(session, digest=b"next", previous=session.digest)
    for wrong in (b"", b"digest", b"digest-1\x00", session.family):
        assert not await stores.sessions.rotate_session(rotated, replacing=wrong)
    assert await stores.sessions.rotate_session(rotated, replacing=session.digest)
    assert not await stores.sessions.rotate_session(replace(rotated, digest=b"stolen"), replacing=session.digest)
    assert await stores.sessions.sessions_of("u_0001") == [rotated]
    assert await stores.sessions.end_sessions("u_0001") == [session.id]
    assert not await stores.sessions.rotate_session(rotated, replacing=b"next")
    assert await stores.sessions.session(session.id) is None


async def test_of_many_who_rotate_one_token_one_does(stores: Stores) -> None:
    """Guarantee: of twenty at the same moment one succeeds. Reuse of a stolen token is told apart by this."""
    (session,) = await furnish(stores, 1)
    won: list[int] = []

    async def rotate(number: int) -> None:
        rotated = replace(session, digest=f"next-{number}".encode(), previous=session.digest)
        if await stores.sessions.rotate_session(rotated, replacing=session.digest):
            won.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(rotate, number)
    assert len(won) == 1
    assert [found.digest for found in await stores.sessions.sessions_of("u_0001")] == [f"next-{won[0]}".encode()]


async def test_a_session_that_was_ended_is_not_rotated_back(stores: Stores) -> None:
    """Guarantee: a log-out and a rotation at the same moment leave no session, whoever was first."""
    for number in range(10):
        (session,) = await furnish(stores, number)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stores.sessions.end_sessions, "u_0001")
            nursery.start_soon(_rotate, stores, session)
        assert await stores.sessions.session(session.id) is None


async def _rotate(stores: Stores, session: SessionRecord) -> None:
    await stores.sessions.rotate_session(replace(session, digest=b"next"), replacing=session.digest)


async def test_sessions_are_listed_by_when_they_were_seen(stores: Stores) -> None:
    """Guarantee: the list that a user sees begins with the device in use; ties have one order."""
    await stores.directory.create_user(a_user(1))
    for number, seen_at in ((1, 5), (2, 9), (3, 5), (4, -1)):
        await stores.sessions.create_session(a_session(number, seen_at=seen_at), most=MANY)
    assert await ids_of(stores) == ["s_0002", "s_0003", "s_0001", "s_0004"]
    assert await stores.sessions.sessions_of("u_none") == []


async def test_those_that_are_still_there_are_named(stores: Stores) -> None:
    """Guarantee: whoever was signed out is not among them. Open sockets are closed by what is missing here."""
    await furnish(stores, 1, 2)
    await furnish(stores, 3, user="u_0002")
    asked = ["s_0003", "s_none", "s_0001", "s_0002", "s_0001"]
    await stores.sessions.end_sessions("u_0001", only=["s_0002"])
    found = await stores.sessions.living(asked)
    assert sorted((session, user.id) for session, user in found) == [("s_0001", "u_0001"), ("s_0003", "u_0002")]
    assert await stores.sessions.living([]) == []


@pytest.mark.parametrize(
    ("only", "keep", "ended"),
    [
        (None, None, [1, 2, 3]),
        (None, "s_0002", [1, 3]),
        (None, "s_0009", [1, 2, 3]),
        (["s_0001", "s_0003"], None, [1, 3]),
        (["s_0001", "s_0003", "s_0001"], "s_0003", [1]),
        (["s_0009", "s_none"], None, []),
        ([], None, []),
    ],
)
async def test_sessions_end(stores: Stores, only: Sequence[str] | None, keep: str | None, ended: list[int]) -> None:
    """Guarantee: all, some or all others, of this user and nobody else; who was there is named, once."""
    await furnish(stores, 1, 2, 3)
    await furnish(stores, 9, user="u_0002")
    names = [f"s_{number:04d}" for number in ended]
    assert sorted(await stores.sessions.end_sessions("u_0001", only=only, keep=keep)) == names
    assert sorted(await ids_of(stores)) == sorted({"s_0001", "s_0002", "s_0003"} - set(names))
    assert await ids_of(stores, "u_0002") == ["s_0009"]
    assert await stores.sessions.end_sessions("u_0001", only=names) == []


async def test_sessions_that_are_over_are_dropped(stores: Stores) -> None:
    """Guarantee: what nobody can continue goes, and is counted; until then it is there for who looks at the time."""
    await stores.directory.create_user(a_user(1))
    times = {1: (100, 900), 2: (101, 900), 3: (900, 100), 4: (900, 101), 5: (-1, 900)}
    for number, (expires_at, ends_at) in times.items():
        session = replace(a_session(number), expires_at=expires_at, ends_at=ends_at)
        await stores.sessions.create_session(session, most=MANY)
    assert await stores.sessions.drop_expired(now=-2) == 0
    assert await stores.sessions.drop_expired(now=100) == 3
    assert sorted(await ids_of(stores)) == ["s_0002", "s_0004"]
    assert await stores.sessions.drop_expired(now=100) == 0


async def test_a_backlog_of_sessions_is_dropped_whole(stores: Stores) -> None:
    """Guarantee: also more than a store deletes in one step."""
    await stores.sessions.put_sessions([replace(a_session(number), expires_at=number) for number in range(1, 1102)])
    assert await stores.sessions.drop_expired(now=1_100) == 1_100
    assert await ids_of(stores) == ["s_1101"]


async def test_all_sessions_are_listed_in_pages(stores: Stores) -> None:
    """Guarantee: every one once, by id, of whomever. A copy of the site reads them so."""
    for number in (3, 1, 5, 2, 4):
        await stores.sessions.create_session(a_session(number, user=f"u_{number % 2}"), most=MANY)
    assert [session.id[-1] for session in await stores.sessions.all_sessions(limit=2)] == ["1", "2"]
    rest = await stores.sessions.all_sessions(after="s_0002", limit=10)
    assert rest == [a_session(number, user=f"u_{number % 2}") for number in (3, 4, 5)]
    assert await stores.sessions.all_sessions(after="s_0005", limit=10) == []
    assert await stores.sessions.all_sessions(limit=0) == []


async def test_sessions_are_put_just_as_they_are(stores: Stores) -> None:
    """Guarantee: also over older ones, with another user or family; all or none. A copy of the site writes them so."""
    await furnish(stores, 1, 2)
    moved = replace(a_session(1, user="u_0002"), family=b"moved", rotated_at=3, created_at=0)
    await stores.sessions.put_sessions([moved, a_session(3)])
    await stores.sessions.put_sessions([])
    assert await stores.sessions.all_sessions(limit=9) == [moved, a_session(2), a_session(3)]
    assert await stores.sessions.sessions_of("u_0002") == [moved]
    assert await stores.sessions.session_of_family(a_session(1).family) is None
    with pytest.raises(Conflict) as caught:
        await stores.sessions.put_sessions([a_session(4), replace(a_session(5), family=a_session(2).family)])
    assert caught.value.kind == "family"
    assert [session.id for session in await stores.sessions.all_sessions(limit=9)] == ["s_0001", "s_0002", "s_0003"]


async def test_a_session_that_no_store_can_hold_is_refused(stores: Stores) -> None:
    """Guarantee: what a client sends as its user agent fails its own call at worst, and nobody else's."""
    (session,) = await furnish(stores, 1)
    for broken in (
        replace(a_session(2), user_agent="\ud800"),
        replace(a_session(2), user_agent="a\0b"),
        replace(a_session(2), address="\0"),
        replace(a_session(2), id="\0"),
        replace(a_session(2), seen_at=2**63),
    ):
        with pytest.raises(Unstorable):
            await stores.sessions.create_session(broken, most=1)
        with pytest.raises(Unstorable):
            await stores.sessions.put_sessions([a_session(3), broken])
        with pytest.raises(Unstorable):
            await stores.sessions.rotate_session(broken, replacing=b"x")
    for user, only, keep in (("\ud800", None, None), ("u\0", None, None), ("u", ["\0"], None), ("u", None, "\ud800")):
        with pytest.raises(Unstorable):
            await stores.sessions.end_sessions(user, only=only, keep=keep)
    assert await stores.sessions.session("s_0001\0") is None
    assert await stores.sessions.sessions_of("u_0001") == [session]

"""Credentials: personal tokens, invitations and mailed codes, each good for what it says and for so long."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from storage.account_ports import MOST_LISTED, Sessions
from storage.account_records import CredentialRecord
from storage.errors import Conflict, Unstorable
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_append import MAX_INT, MIN_INT, TEXTS
from tests.storage.samples import a_credential, a_user


async def found(sessions: Sessions, credential: CredentialRecord) -> CredentialRecord | None:
    """Look for a credential by what is presented."""
    pair = await sessions.credential(credential.kind, credential.digest)
    return None if pair is None else pair[0]


async def ids_of(sessions: Sessions, kind: str = "token", user: str | None = None) -> list[str]:
    """Name the credentials of a kind, the newest first."""
    return [credential.id for credential in await sessions.credentials_of(kind, user=user)]


async def test_a_credential_is_kept_as_it_was_made(stores: Stores) -> None:
    """Guarantee: every field survives, the digest byte for byte, and comes with its user. Bots live by them."""
    await stores.directory.create_user(user := a_user(1))
    made = [
        a_credential(1),
        replace(a_credential(2), digest=bytes(range(256)), scopes=(), user="", expires_at=5, uses_left=3, used_at=4),
        replace(a_credential(3), scopes=("a,b", '"', "", "{}", "☕", "a b"), name=""),
        *(replace(a_credential(number), name=text, scopes=(text, text)) for number, text in enumerate(TEXTS, start=10)),
        *(
            replace(a_credential(number), created_at=at, expires_at=at, uses_left=at, used_at=at)
            for number, at in enumerate((0, -1, MIN_INT, MAX_INT, 2**53 + 1), start=100)
        ),
    ]
    for credential in made:
        await stores.sessions.create_credential(credential)
        expected = user if credential.user else None
        assert await stores.sessions.credential("token", credential.digest) == (credential, expected)


async def test_a_credential_is_found_by_what_is_presented(stores: Stores) -> None:
    """Guarantee: an exact look-up within its kind; what is a code for one thing is none for another."""
    await stores.sessions.create_credential(a_credential(1))
    await stores.sessions.create_credential(other := replace(a_credential(2, kind="code"), digest=b"digest-1"))
    assert await found(stores.sessions, a_credential(1)) == a_credential(1)
    assert await stores.sessions.credential("code", b"digest-1") == (other, None)
    for kind, digest in (("token", b"digest-"), ("token", b""), ("Token", b"digest-1"), ("", b"digest-1")):
        assert await stores.sessions.credential(kind, digest) is None


async def test_a_credential_comes_with_its_user_as_they_are_now(stores: Stores) -> None:
    """Guarantee: no copy of the user is kept. The token of somebody who was banned lets nobody in."""
    await stores.directory.create_user(a_user(1))
    await stores.sessions.create_credential(a_credential(1))
    await stores.directory.change_user(changed := replace(a_user(1), rev=2, disabled=True))
    assert await stores.sessions.credential("token", b"digest-1") == (a_credential(1), changed)


async def test_creating_the_same_credential_again_changes_nothing(sessions: Sessions) -> None:
    """Guarantee: a creation whose outcome was unknown may be tried again, also when it has been used since."""
    await sessions.create_credential(made := a_credential(1, uses_left=5))
    assert await sessions.use_credential("token", b"digest-1", now=7)
    await sessions.create_credential(made)
    assert await found(sessions, made) == replace(made, uses_left=4, used_at=7)


async def test_what_another_credential_has_is_a_conflict(sessions: Sessions) -> None:
    """Guarantee: an id, and a digest within its kind, belong to one credential. Two invitations are never mixed up."""
    await sessions.create_credential(made := a_credential(1))
    for other, kind in (
        (replace(a_credential(2), digest=b"digest-1"), "digest"),
        (replace(made, user="u_0002"), "id"),
        (replace(made, kind="code"), "id"),
        (replace(made, digest=b"other"), "id"),
    ):
        with pytest.raises(Conflict) as caught:
            await sessions.create_credential(other)
        assert caught.value.kind == kind
    assert await sessions.all_credentials(limit=9) == [made]


async def test_of_many_who_want_one_code_one_gets_it(sessions: Sessions) -> None:
    """Guarantee: uniqueness holds when all come at once."""
    won: list[int] = []

    async def create(number: int) -> None:
        try:
            await sessions.create_credential(replace(a_credential(number), digest=b"same"))
        except Conflict:
            return
        won.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(create, number)
    assert await ids_of(sessions) == [f"t_{number:04d}" for number in won]
    assert len(won) == 1


async def test_a_use_is_counted_and_remembered(sessions: Sessions) -> None:
    """Guarantee: so many uses and no more; without a number, for ever. A mailed code works once."""
    await sessions.create_credential(once := a_credential(1, uses_left=1))
    await sessions.create_credential(ever := a_credential(2))
    assert await sessions.use_credential("token", once.digest, now=5)
    assert not await sessions.use_credential("token", once.digest, now=6)
    assert await found(sessions, once) == replace(once, uses_left=0, used_at=5)
    for now in (7, 9, 8):
        assert await sessions.use_credential("token", ever.digest, now=now)
        assert await found(sessions, ever) == replace(ever, used_at=now)
    assert not await sessions.use_credential("token", b"other", now=5)
    assert not await sessions.use_credential("code", ever.digest, now=5)


async def test_what_has_expired_is_of_no_use(sessions: Sessions) -> None:
    """Guarantee: it is good before that moment and not at it; being refused changes nothing."""
    await sessions.create_credential(made := a_credential(1, expires_at=100, uses_left=5))
    assert not await sessions.use_credential("token", made.digest, now=100)
    assert not await sessions.use_credential("token", made.digest, now=101)
    assert await found(sessions, made) == made
    assert await sessions.use_credential("token", made.digest, now=99)


@pytest.mark.parametrize("uses", [1, 7])
async def test_no_more_uses_are_taken_than_there_are(sessions: Sessions, uses: int) -> None:
    """Guarantee: of twenty at the same moment so many succeed. An invitation for seven lets in seven."""
    await sessions.create_credential(made := a_credential(1, uses_left=uses))
    taken: list[bool] = []

    async def use() -> None:
        taken.append(await sessions.use_credential("token", made.digest, now=5))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(use)
    assert sum(taken) == uses
    assert await found(sessions, made) == replace(made, uses_left=0, used_at=5)


async def test_nobody_has_more_credentials_than_they_may(stores: Stores) -> None:
    """Guarantee: so many of a kind that have not expired; other kinds, other people and former ones do not count.

    A repeat of one that is there is none more. The limit of personal tokens is this.
    """
    sessions = stores.sessions
    await stores.directory.create_user(a_user(1))
    await stores.directory.create_user(a_user(2))
    await sessions.put_credentials(
        [a_credential(1, kind="code"), a_credential(2, user="u_0002"), replace(a_credential(3), expires_at=1000)]
    )
    for number in (4, 5):
        await sessions.create_credential(replace(a_credential(number), created_at=1000), most=2)
    with pytest.raises(Conflict) as caught:
        await sessions.create_credential(replace(a_credential(6), created_at=1000), most=2)
    assert caught.value.kind == "full"
    assert await sessions.credential("token", a_credential(6).digest) is None
    await sessions.create_credential(replace(a_credential(5), created_at=1000), most=2)
    assert sorted(await ids_of(sessions, user="u_0001")) == ["t_0003", "t_0004", "t_0005"]
    with pytest.raises(Conflict) as caught:
        await sessions.create_credential(replace(a_credential(7), created_at=999), most=3)
    assert caught.value.kind == "full", "at that moment one more has not expired"
    await sessions.create_credential(replace(a_credential(7), created_at=1000), most=3)


async def test_of_many_who_want_the_last_place_one_gets_it(stores: Stores) -> None:
    """Guarantee: the limit holds when all come at once."""
    await stores.directory.create_user(a_user(1))
    full: list[str] = []

    async def create(number: int) -> None:
        try:
            await stores.sessions.create_credential(a_credential(number), most=3)
        except Conflict as conflict:
            full.append(conflict.kind)

    async with trio.open_nursery() as nursery:
        for number in range(1, 13):
            nursery.start_soon(create, number)
    assert (full, len(await ids_of(stores.sessions))) == (["full"] * 9, 3)


async def test_a_use_and_the_account_it_is_for_are_one(stores: Stores) -> None:
    """Guarantee: both are stored, or neither: no invitation is used up by somebody who gets no account."""
    sessions, directory = stores.sessions, stores.directory
    await sessions.create_credential(made := a_credential(1, kind="invite", uses_left=2))
    await directory.create_user(a_user(1, name="zoe", email="zoe@example.org"))
    for other, kind in (
        (a_user(2, name="zoe"), "username"),
        (a_user(2, email="zoe@example.org"), "email"),
        (a_user(1, name="amy"), "username"),
    ):
        with pytest.raises(Conflict) as caught:
            await sessions.enrol(other, "invite", made.digest, now=5)
        assert caught.value.kind == kind
    assert await found(sessions, made) == made
    assert await sessions.enrol(a_user(2), "invite", made.digest, now=5)
    assert await found(sessions, made) == replace(made, uses_left=1, used_at=5)
    assert await directory.user("u_0002") == a_user(2)


async def test_without_a_use_there_is_no_account(stores: Stores) -> None:
    """Guarantee: what is used up, expired, dropped or of another kind makes nobody; without a bound it goes on."""
    sessions = stores.sessions
    await sessions.create_credential(once := a_credential(1, kind="invite", uses_left=1))
    await sessions.create_credential(timed := a_credential(2, kind="invite", expires_at=100, uses_left=9))
    await sessions.create_credential(ever := a_credential(3, kind="invite"))
    assert await sessions.enrol(a_user(1), "invite", once.digest, now=5)
    for kind, digest, now in (
        ("invite", once.digest, 5),
        ("invite", timed.digest, 100),
        ("token", ever.digest, 5),
        ("invite", b"none", 5),
    ):
        assert not await sessions.enrol(a_user(9), kind, digest, now=now)
    for number in (2, 3):
        assert await sessions.enrol(a_user(number), "invite", ever.digest, now=5)
    assert [user.id for user in await stores.directory.all_users(limit=9)] == ["u_0001", "u_0002", "u_0003"]


async def test_of_many_with_one_invitation_as_many_come_in_as_it_says(stores: Stores) -> None:
    """Guarantee: also while others take the names: uses left and accounts made are together what there was."""
    await stores.sessions.create_credential(made := a_credential(1, kind="invite", uses_left=5))
    answers: list[bool | str] = []

    async def come(number: int) -> None:
        user = a_user(number, name=f"name{number % 8}")
        try:
            answers.append(await stores.sessions.enrol(user, "invite", made.digest, now=5))
        except Conflict as conflict:
            answers.append(conflict.kind)

    async with trio.open_nursery() as nursery:
        for number in range(16):
            nursery.start_soon(come, number)
    assert answers.count(True) == len(await stores.directory.all_users(limit=99)) == 5
    assert await found(stores.sessions, made) == replace(made, uses_left=0, used_at=5)


async def test_credentials_are_listed_newest_first(sessions: Sessions) -> None:
    """Guarantee: those of one user, or all of a kind, in one order. Token and invitation lists show them."""
    for number, user, kind in ((1, "u_1", "token"), (2, "u_2", "token"), (3, "u_1", "token"), (4, "u_1", "code")):
        await sessions.create_credential(a_credential(number, user=user, kind=kind))
    tie = replace(a_credential(5, user="u_1"), created_at=a_credential(3).created_at)
    await sessions.create_credential(tie)
    assert await ids_of(sessions) == ["t_0005", "t_0003", "t_0002", "t_0001"]
    assert await ids_of(sessions, user="u_1") == ["t_0005", "t_0003", "t_0001"]
    assert await ids_of(sessions, "code", user="u_2") == []
    assert await sessions.credentials_of("token", user="u_2") == [a_credential(2, user="u_2")]


async def test_a_list_of_credentials_ends_somewhere(sessions: Sessions) -> None:
    """Guarantee: the newest thousand, however many there are."""
    await sessions.put_credentials([a_credential(number) for number in range(1, MOST_LISTED + 3)])
    for user in (None, "u_0001"):
        listed = await ids_of(sessions, user=user)
        assert (len(listed), listed[0], listed[-1]) == (MOST_LISTED, f"t_{MOST_LISTED + 2:04d}", "t_0003")


async def test_credentials_are_dropped(sessions: Sessions) -> None:
    """Guarantee: of this user and kind all, or the one; who was there is named. Only its owner revokes a token."""
    for number, user, kind in ((1, "u_1", "token"), (2, "u_2", "token"), (3, "u_1", "token"), (4, "u_1", "code")):
        await sessions.create_credential(a_credential(number, user=user, kind=kind))
    for only in ("t_0002", "t_0004", "t_none", ""):
        assert await sessions.drop_credentials("token", "u_1", only=only) == []
    assert await sessions.drop_credentials("token", "u_1", only="t_0001") == ["t_0001"]
    assert await sessions.credential("token", b"digest-1") is None
    assert not await sessions.use_credential("token", b"digest-1", now=0)
    await sessions.create_credential(a_credential(5, user="u_1"))
    assert sorted(await sessions.drop_credentials("token", "u_1")) == ["t_0003", "t_0005"]
    assert await sessions.drop_credentials("token", "u_1") == []
    assert [credential.id for credential in await sessions.all_credentials(limit=9)] == ["t_0002", "t_0004"]


async def test_spent_credentials_are_dropped(sessions: Sessions) -> None:
    """Guarantee: what is of no use to anybody goes, and is counted; what is for ever stays."""
    for number, expires_at, uses_left in (
        *((1, 100, None), (2, 101, None), (3, None, 0), (4, None, 1), (5, None, None)),
        *((6, 100, 0), (7, 900, -1), (8, -5, 3)),
    ):
        await sessions.create_credential(a_credential(number, expires_at=expires_at, uses_left=uses_left))
    assert await sessions.drop_expired(now=100) == 5
    assert [credential.id[-1] for credential in await sessions.all_credentials(limit=9)] == ["2", "4", "5"]
    assert await sessions.drop_expired(now=100) == 0


async def test_all_credentials_are_listed_and_put(sessions: Sessions) -> None:
    """Guarantee: every one once, by id; put over older ones, all or none. A copy of the site goes by this."""
    first = [a_credential(number, kind=f"k{number}", user=f"u_{number}") for number in (3, 1, 2)]
    await sessions.put_credentials(first)
    moved = replace(first[0], kind="k9", digest=b"moved", user="u_9", scopes=("x",), used_at=4, uses_left=1)
    await sessions.put_credentials([moved, a_credential(4)])
    await sessions.put_credentials([])
    assert await sessions.all_credentials(limit=2) == [first[1], first[2]]
    assert await sessions.all_credentials(after="t_0002", limit=9) == [moved, a_credential(4)]
    assert await sessions.all_credentials(limit=0) == []
    assert await sessions.credential("k3", b"digest-3") is None
    assert await found(sessions, moved) == moved
    with pytest.raises(Conflict) as caught:
        await sessions.put_credentials([a_credential(5), replace(a_credential(6), digest=b"digest-4")])
    assert caught.value.kind == "digest"
    with pytest.raises(Conflict):
        await sessions.put_credentials([a_credential(5), replace(a_credential(6), digest=b"digest-5")])
    assert len(await sessions.all_credentials(limit=9)) == 4


async def test_a_credential_that_no_store_can_hold_is_refused(sessions: Sessions) -> None:
    """Guarantee: poison fails its own call, and what was there lives on."""
    await sessions.create_credential(a_credential(1))
    for broken in (
        replace(a_credential(2), name="\ud800"),
        replace(a_credential(2), name="a\0"),
        replace(a_credential(2), scopes=("a", "\0")),
        replace(a_credential(2), scopes=("\ud800",)),
        replace(a_credential(2), expires_at=2**63),
    ):
        with pytest.raises(Unstorable):
            await sessions.create_credential(broken)
        with pytest.raises(Unstorable):
            await sessions.put_credentials([a_credential(3), broken])
    with pytest.raises(Unstorable):
        await sessions.use_credential("\0", b"digest-1", now=1)
    with pytest.raises(Unstorable):
        await sessions.enrol(replace(a_user(1), bio="\0"), "token", b"digest-1", now=1)
    for kind, user, only in (("\0", "u", None), ("token", "\ud800", None), ("token", "u_0001", "\0")):
        with pytest.raises(Unstorable):
            await sessions.drop_credentials(kind, user, only=only)
    assert await sessions.all_credentials(limit=9) == [a_credential(1)]

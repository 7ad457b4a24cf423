"""Accounts: unique names and addresses, finding them, and changing them."""

from __future__ import annotations

from itertools import product

import pytest
import trio
from msgspec.structs import replace

from storage.errors import Conflict, Unstorable
from storage.ports import Directory
from storage.records import UserRecord
from tests.storage.contract.backends import Stores
from tests.storage.samples import a_user


async def test_an_account_is_kept_as_it_was_made(directory: Directory) -> None:
    """Guarantee: every field survives. The password's hash is compared byte for byte at each login."""
    user = replace(a_user(1, email="a@example.org"), display_name="Zoë 👩‍🚀", password_hash="$2b$12$" + "x" * 53)
    off = a_user(2, disabled=True)
    told = replace(a_user(3), rev=9, state="leaving", bio="a\nb ☕", avatar="a_1", email_verified=True, last_seen_at=-1)
    for made in (user, off, told):
        await directory.create_user(made)
        assert await directory.user(made.id) == made
    assert await directory.user("u_none") is None


async def test_an_account_is_found_by_what_one_logs_in_with(directory: Directory) -> None:
    """Guarantee: an exact lookup by folded name or by folded address. Login relies on it."""
    user = a_user(1, name="zoë", email="zoe@example.org")
    await directory.create_user(user)
    await directory.create_user(a_user(2))
    assert await directory.user_by_login(name_key="zoë") == user
    assert await directory.user_by_login(email="zoe@example.org") == user
    for name in ("zoe", "Zoë", "zoë ", "zo%", "", "zoe\u0308"):
        assert await directory.user_by_login(name_key=name) is None
    for email in ("zoe@example.or_", "ZOE@example.org", ""):
        assert await directory.user_by_login(email=email) is None


async def test_login_takes_a_name_or_an_address(directory: Directory) -> None:
    """Guarantee: an ambiguous question is refused, not guessed at."""
    with pytest.raises(ValueError, match="not both"):
        await directory.user_by_login()
    with pytest.raises(ValueError, match="not both"):
        await directory.user_by_login(name_key="a", email="b")


async def test_a_taken_name_is_a_conflict(directory: Directory) -> None:
    """Guarantee: a name belongs to one account. Mentions and logins rely on it."""
    await directory.create_user(a_user(1, name="zoë"))
    with pytest.raises(Conflict) as caught:
        await directory.create_user(a_user(2, name="zoë"))
    assert caught.value.kind == "username"
    assert await directory.user("u_0002") is None


async def test_a_taken_address_is_a_conflict(directory: Directory) -> None:
    """Guarantee: an address belongs to one account, and any number of accounts have none."""
    await directory.create_user(a_user(1, email="a@example.org"))
    with pytest.raises(Conflict) as caught:
        await directory.create_user(a_user(2, email="a@example.org"))
    assert caught.value.kind == "email"
    assert await directory.user("u_0002") is None
    await directory.create_user(a_user(3))
    await directory.create_user(a_user(4))


async def test_creating_the_same_account_again_is_a_conflict(directory: Directory) -> None:
    """Guarantee: a repeat is refused. A registration whose outcome was unknown is settled by trying it again."""
    await directory.create_user(a_user(1, email="a@example.org"))
    with pytest.raises(Conflict) as caught:
        await directory.create_user(a_user(1, email="a@example.org"))
    assert caught.value.kind in ("username", "email")
    with pytest.raises(Conflict) as caught:
        await directory.create_user(a_user(1, name="another"))
    assert caught.value.kind == "username"


async def test_of_many_who_want_one_name_one_gets_it(directory: Directory) -> None:
    """Guarantee: uniqueness holds when all come at once. Two tabs register the same name."""
    won: list[int] = []

    async def register(number: int) -> None:
        try:
            await directory.create_user(a_user(number, name="zoë"))
        except Conflict:
            return
        won.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(register, number)
    assert len(won) == 1
    assert await directory.user_by_login(name_key="zoë") == a_user(won[0], name="zoë")


async def test_a_change_replaces_everything_but_what_stays(stores: Stores) -> None:
    """Guarantee: every field, and at once; but an account is as old as it is, and last seen is not its owner's to say.

    Profile, password, ban, role and deletion are all written by this.
    """
    await stores.directory.create_user(a_user(1, name="zoe", email="zoe@example.org"))
    await stores.directory.create_user(other := a_user(2))
    await stores.relations.seen({"u_0001": 77})
    changed = UserRecord(
        id="u_0001",
        username="Chloé",
        name_key="chloé",
        display_name="Chloé ☕",
        email="chloe@example.org",
        password_hash="another",
        role="admin",
        created_at=5,
        disabled=True,
        rev=2,
        state="erasing",
        bio="about me",
        avatar="a_1",
        email_verified=True,
        last_seen_at=6,
    )
    kept = replace(changed, created_at=a_user(1).created_at, last_seen_at=77)
    await stores.directory.change_user(changed)
    assert await stores.directory.user("u_0001") == kept
    assert await stores.directory.user_by_login(name_key="chloé") == kept
    assert await stores.directory.user_by_login(email="chloe@example.org") == kept
    assert await stores.directory.user_by_login(name_key="zoe") is None
    assert await stores.directory.user_by_login(email="zoe@example.org") is None
    back = replace(kept, rev=3, disabled=False, email=None, avatar=None, email_verified=False, state="active", bio="")
    await stores.directory.change_user(back)
    assert await stores.directory.search_users("", limit=9) == [back, other]
    assert await stores.directory.user_by_login(email="chloe@example.org") is None


async def test_a_name_that_was_given_up_is_free(directory: Directory) -> None:
    """Guarantee: name and address go with the change to whoever asks next. Deleting an account relies on it."""
    await directory.create_user(a_user(1, name="zoe", email="zoe@example.org"))
    await directory.change_user(replace(a_user(1, name="gone-1"), rev=2, disabled=True, state="leaving"))
    await directory.create_user(a_user(2, name="zoe", email="zoe@example.org"))
    assert [user.id for user in await directory.search_users("zoe", limit=9)] == ["u_0002"]
    with pytest.raises(Conflict) as caught:
        await directory.change_user(replace(a_user(1, name="zoe"), rev=3))
    assert caught.value.kind == "username"


async def test_a_change_keeps_names_and_addresses_apart(directory: Directory) -> None:
    """Guarantee: a change that would take another one's changes nothing; keeping one's own is no conflict."""
    await directory.create_user(one := a_user(1, name="zoe", email="zoe@example.org"))
    await directory.create_user(other := a_user(2, name="amy", email="amy@example.org"))
    for changed, kind in (
        (replace(one, rev=2, name_key="amy"), "username"),
        (replace(one, rev=2, email="amy@example.org"), "email"),
        (replace(one, rev=2, name_key="amy", email="amy@example.org"), "username"),
    ):
        with pytest.raises(Conflict) as caught:
            await directory.change_user(changed)
        assert caught.value.kind == kind
    assert await directory.users(ids=["u_0001"]) == [one]
    await directory.change_user(bold := replace(one, rev=2, bio="new"))
    assert await directory.search_users("", limit=9) == [other, bold]


@pytest.mark.parametrize("rev", [1, 3, 0, -1, 2**40])
async def test_a_change_of_something_else_than_what_is_there_is_a_conflict(directory: Directory, rev: int) -> None:
    """Guarantee: who changes what they read loses to whoever was faster, and knows it; before any other conflict."""
    await directory.create_user(a_user(1))
    await directory.create_user(a_user(2))
    for changed in (replace(a_user(1), rev=rev), replace(a_user(1, name="user0002"), rev=rev)):
        with pytest.raises(Conflict) as caught:
            await directory.change_user(changed)
        assert caught.value.kind == "rev"
    assert await directory.user("u_0001") == a_user(1)


async def test_a_change_of_nobody_is_a_conflict(directory: Directory) -> None:
    """Guarantee: a change creates no account."""
    for rev in (0, 1, 2):
        with pytest.raises(Conflict) as caught:
            await directory.change_user(replace(a_user(1), rev=rev))
        assert caught.value.kind == "rev"
    assert await directory.user("u_0001") is None


async def test_of_many_who_change_an_account_one_does(directory: Directory) -> None:
    """Guarantee: of twenty at the same moment one wins and all others are told. No change of a password is lost."""
    await directory.create_user(a_user(1))
    won: list[int] = []
    lost: list[str] = []

    async def change(number: int) -> None:
        try:
            await directory.change_user(replace(a_user(1), rev=2, bio=str(number)))
        except Conflict as conflict:
            lost.append(conflict.kind)
        else:
            won.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(change, number)
    assert (len(won), lost) == (1, ["rev"] * 19)
    assert await directory.user("u_0001") == replace(a_user(1), rev=2, bio=str(won[0]))


async def test_accounts_that_are_being_cleared_up_are_listed(directory: Directory) -> None:
    """Guarantee: those in that state, by id, however they came to it. A start goes on with what was left undone."""
    for number, state in ((3, "leaving"), (1, "leaving"), (2, "erasing"), (4, "active"), (5, "gone")):
        await directory.create_user(replace(a_user(number), state=state))
    await directory.change_user(replace(a_user(4), rev=2, state="leaving", disabled=True))
    await directory.change_user(replace(a_user(3), rev=2, state="gone"))
    for state, limit, expected in (
        ("leaving", 9, ["u_0001", "u_0004"]),
        ("leaving", 1, ["u_0001"]),
        ("leaving", 0, []),
        ("erasing", 9, ["u_0002"]),
        ("gone", 9, ["u_0003", "u_0005"]),
        ("other", 9, []),
    ):
        assert [user.id for user in await directory.users_in_state(state, limit=limit)] == expected
    assert await directory.users_in_state("active", limit=9) == []


async def test_an_account_is_put_just_as_it_is(directory: Directory) -> None:
    """Guarantee: new, or in place of what there is under its id, and never in place of another. A copy goes by this."""
    whole = replace(a_user(1, email="a@example.org"), rev=9, state="gone", last_seen_at=7, disabled=True, created_at=1)
    await directory.put_user(whole)
    assert await directory.all_users(limit=9) == [whole]
    older = replace(a_user(1, name="old"), rev=4, last_seen_at=3)
    await directory.put_user(older)
    assert await directory.all_users(limit=9) == [older]
    await directory.create_user(a_user(2, name="amy", email="amy@example.org"))
    for taken, kind in ((a_user(1, name="amy"), "username"), (a_user(3, email="amy@example.org"), "email")):
        with pytest.raises(Conflict) as caught:
            await directory.put_user(taken)
        assert caught.value.kind == kind
    assert [user.id for user in await directory.all_users(limit=9)] == ["u_0001", "u_0002"]


async def test_accounts_are_found_in_bulk(directory: Directory) -> None:
    """Guarantee: a set of ids and names gives the set of their accounts. Mentions and member lists resolve so."""
    for number in range(1, 6):
        await directory.create_user(a_user(number, disabled=number == 2))
    found = await directory.users(
        ids=["u_0001", "u_none", "u_0002", "u_0001"], name_keys=["user0004", "none", "user0001"]
    )
    assert sorted(user.id for user in found) == ["u_0001", "u_0002", "u_0004"]
    assert await directory.users() == []


NAMES = (
    "a",
    "ab",
    "ab%",
    "ab_",
    "abc",
    "a\U0010ffff",
    "a\U0010ffffb",
    "b",
    "ä",
    "äb",
    "\ud7ff",
    "\ue000",
    "\U0010ffff",
    "*",
    "[a]",
)


SEARCHED = ("", *NAMES, "%", "_", "a%", "?", "A", "abcd", "\U0010ffff\U0010ffff")


async def test_accounts_are_searched_by_prefix(directory: Directory) -> None:
    """Guarantee: a prefix is literal text compared by code point; disabled accounts are left out.

    Completion in the message box relies on it, and gets whatever is typed.
    """
    for number, name in enumerate(NAMES):
        await directory.create_user(a_user(number, name=name))
        await directory.create_user(a_user(100 + number, name=f"{name}-off", disabled=True))
    for prefix, limit in product(SEARCHED, (100, 3, 1, 0)):
        expected = sorted(name for name in NAMES if name.startswith(prefix))
        found = await directory.search_users(prefix, limit=limit)
        assert [user.name_key for user in found] == expected[:limit], prefix


async def test_disabled_accounts_are_searched_for_on_request(directory: Directory) -> None:
    """Guarantee: then they are found among the others, page by page, and deleted ones are not.

    Administrators find by it whom they have shut out.
    """
    for number, (name, off, state) in enumerate(
        [("amy", False, "active"), ("ana", True, "active"), ("ann", True, "gone"), ("ant", True, "active")]
    ):
        await directory.create_user(replace(a_user(number, name=name, disabled=off), state=state))
    await directory.create_user(a_user(9, name="\U0010ffffoff", disabled=True))
    for prefix, after, limit, expected in (
        ("a", None, 9, ["amy", "ana", "ant"]),
        ("an", None, 1, ["ana"]),
        ("an", "ana", 9, ["ant"]),
        ("\U0010ffff", None, 9, ["\U0010ffffoff"]),
    ):
        found = await directory.search_users(prefix, after=after, limit=limit, disabled=True)
        assert [user.name_key for user in found] == expected


async def test_a_search_goes_on_where_it_ended(directory: Directory) -> None:
    """Guarantee: pages that begin above the last name of the one before give every account once, in order.

    Lists of people rely on it. Any text may be where to begin.
    """
    for number, name in enumerate(NAMES):
        await directory.create_user(a_user(number, name=name))
    for prefix in SEARCHED:
        expected = sorted(name for name in NAMES if name.startswith(prefix))
        found: list[str] = []
        while page := await directory.search_users(prefix, after=found[-1] if found else None, limit=2):
            found += [user.name_key for user in page]
        assert found == expected, prefix
        for after in SEARCHED:
            above = await directory.search_users(prefix, after=after, limit=100)
            assert [user.name_key for user in above] == [name for name in expected if name > after], (prefix, after)


async def test_an_account_that_no_store_can_hold_is_refused(directory: Directory) -> None:
    """Guarantee: poison that slipped past the edge fails its own call, and the directory lives on."""
    await directory.create_user(a_user(2))
    for broken in (
        replace(a_user(1), display_name="\ud800"),
        replace(a_user(1), display_name="a\0b"),
        replace(a_user(1), created_at=2**63),
        replace(a_user(2), rev=2, bio="\0"),
    ):
        for write in (directory.create_user, directory.change_user, directory.put_user):
            with pytest.raises(Unstorable):
                await write(broken)
    await directory.create_user(a_user(1))
    assert await directory.all_users(limit=9) == [a_user(1), a_user(2)]


async def test_a_store_answers_a_probe(directory: Directory) -> None:
    """Guarantee: a healthy store says so. Readiness relies on it."""
    await directory.probe()

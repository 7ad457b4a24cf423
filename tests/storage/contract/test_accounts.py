"""Accounts: unique names and addresses, and finding them."""

from __future__ import annotations

from itertools import product

import pytest
import trio
from msgspec.structs import replace

from storage.errors import Conflict, Unstorable
from storage.ports import Directory
from tests.storage.samples import a_user


async def test_an_account_is_kept_as_it_was_made(directory: Directory) -> None:
    """Guarantee: every field survives. The password's hash is compared byte for byte at each login."""
    user = replace(a_user(1, email="a@example.org"), display_name="Zoë 👩‍🚀", password_hash="$2b$12$" + "x" * 53)
    off = a_user(2, disabled=True)
    await directory.create_user(user)
    await directory.create_user(off)
    assert await directory.user(user.id) == user
    assert await directory.user(off.id) == off
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


async def test_an_account_that_no_store_can_hold_is_refused(directory: Directory) -> None:
    """Guarantee: poison that slipped past the edge fails its own call, and the directory lives on."""
    with pytest.raises(Unstorable):
        await directory.create_user(replace(a_user(1), display_name="\ud800"))
    with pytest.raises(Unstorable):
        await directory.create_user(replace(a_user(1), created_at=2**63))
    await directory.create_user(a_user(1))
    assert await directory.user("u_0001") == a_user(1)


async def test_a_store_answers_a_probe(directory: Directory) -> None:
    """Guarantee: a healthy store says so. Readiness relies on it."""
    await directory.probe()

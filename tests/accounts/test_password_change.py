"""Changing a password: who may, what is refused, and who is out afterwards."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from justchat.accounts.identity import Scope
from justchat.accounts.passwords import Passwords
from justchat.accounts.personal_tokens import MadeToken
from justchat.accounts.sessions import SignedIn
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from tests.accounts.house import DEVICE, ELSEWHERE, PASSWORD, House, identity_of, refused

pytestmark = pytest.mark.real_clock
BETTER = "wrong horse, right stable"


async def change(
    house: House, session: SignedIn, new_password: str = BETTER, *, password: str = PASSWORD
) -> Refusal | None:
    """Change a password as somebody who is signed in, and stay."""
    return await house.accounts.change_password(
        house.store.users[session.user.id],
        password=password,
        new_password=new_password,
        address=DEVICE.address,
        keep=session.session,
    )


async def test_all_other_sessions_end_and_this_one_stays() -> None:
    """Whoever knew the former password is out; programs with tokens of their own are not, and nobody else is."""
    house = House()
    here = await house.register()
    there, stranger = await house.login(device=ELSEWHERE), await house.register("bob")
    assert isinstance(there, SignedIn)
    token = await house.personal.create(here.user, name="x", scopes=[Scope.ACCOUNT], expires_in_seconds=None)
    assert isinstance(token, MadeToken)
    assert await change(house, here) is None
    assert house.ended == [there.session]
    refused(await house.accounts.authenticate(there.access_token), ErrorCode.UNAUTHENTICATED)
    refused(await house.sessions.renew(there.refresh_token, ELSEWHERE), ErrorCode.UNAUTHENTICATED)
    for text in (here.access_token, stranger.access_token, token.text):
        identity_of(await house.accounts.authenticate(text))
    await house.renew(here.refresh_token)


async def test_from_then_on_the_new_password_counts_and_the_former_does_not() -> None:
    """Another hash is stored, and the account's revision counts the change."""
    house = House()
    here = await house.register()
    assert await change(house, here) is None
    stored = house.store.users[here.user.id]
    assert stored == replace(here.user, password_hash=stored.password_hash, rev=here.user.rev + 1)
    assert stored.password_hash != here.user.password_hash
    refused(await house.login(), ErrorCode.UNAUTHENTICATED)
    assert isinstance(await house.login(BETTER), SignedIn)


async def test_who_does_not_know_the_password_changes_nothing() -> None:
    """A stolen session is not enough; guesses are slowed down like those of logins."""
    house = House(failures=3)
    here = await house.register()
    for _ in range(3):
        problems = refused(await change(house, here, password="not this one"), ErrorCode.FORBIDDEN).errors
        assert [problem.pointer for problem in problems] == ["/password"]
    refused(await change(house, here), ErrorCode.RATE_LIMITED)
    refused(await house.login(), ErrorCode.RATE_LIMITED)
    assert house.store.users[here.user.id] == here.user
    assert house.ended == []


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "too_short"),
        ("password1", "too_common"),
        ("PassWord1", "too_common"),
        ("annannann", "too_common"),
        ("x" * 73, "too_long"),
        ("\u00e4" * 37, "too_long"),
        ("\0" * 9, "characters"),
    ],
)
async def test_a_new_password_that_is_none_is_refused_at_its_place_and_costs_no_hash(password: str, code: str) -> None:
    """Before the present one is even looked at."""
    house = House()
    here = await house.register("annannann")
    before = house.passwords.statistics()
    problems = refused(await change(house, here, password), ErrorCode.VALIDATION_FAILED).errors
    assert ("/new_password", code) in {(problem.pointer, problem.code) for problem in problems}
    assert house.passwords.statistics() == before
    assert house.store.users[here.user.id] == here.user


async def test_of_two_changes_at_the_same_moment_one_is_told_to_try_again() -> None:
    """Neither is lost without a word."""
    house = House()
    here = await house.register()
    seen = house.store.users[here.user.id]
    house.change(here.user.id, bio="meanwhile", rev=seen.rev + 1)
    answer = await house.accounts.change_password(
        seen, password=PASSWORD, new_password=BETTER, address=DEVICE.address, keep=here.session
    )
    refused(answer, ErrorCode.CONFLICT)
    assert house.store.users[here.user.id].bio == "meanwhile"
    assert isinstance(await house.login(), SignedIn)


@pytest.mark.parametrize("written", [True, False])
async def test_a_change_that_was_cut_off_is_decided_by_reading_back(written: bool) -> None:
    """It was stored: it is done. It was not: the failure is raised, and the former password counts."""
    house = House()
    here, there = await house.register(), await house.login()
    assert isinstance(there, SignedIn)
    house.directory.cut_off = "after" if written else "before"
    if written:
        assert await change(house, here) is None
    else:
        with pytest.raises(OutcomeUnknown):
            await change(house, here)
    house.directory.cut_off = None
    assert isinstance(await house.login(BETTER if written else PASSWORD), SignedIn)
    assert house.ended == [there.session]


async def test_no_session_outlives_a_change_because_the_store_failed_after_it() -> None:
    """The others are out before the password is another one."""
    house = House()
    here, there = await house.register(), await house.login()
    assert isinstance(there, SignedIn)

    def fail(call: str) -> None:
        house.stored.down = house.store.users[here.user.id].rev > here.user.rev

    house.stored.before = fail
    with pytest.raises(StorageUnavailable):
        await change(house, here)
    house.stored.before, house.stored.down = None, False
    assert isinstance(await house.login(BETTER), SignedIn)
    refused(await house.accounts.authenticate(there.access_token), ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("what", ["password_hash", "disabled"])
async def test_a_login_by_the_former_password_does_not_outlive_a_change_at_the_same_moment(what: str) -> None:
    """Checking takes a while: all sessions were ended before the one of this login began."""
    house = House()
    here = await house.register()
    kept = list(house.store.sessions)
    another = await house.passwords.hash(BETTER)

    def change_meanwhile(call: str) -> None:
        if call == "create_session":
            now = house.store.users[here.user.id]
            house.change(now.id, **{what: another if what == "password_hash" else True}, rev=now.rev + 1)

    house.stored.before = change_meanwhile
    refused(await house.login(), ErrorCode.UNAUTHENTICATED)
    assert list(house.store.sessions) == kept
    assert len(house.ended) == 1


async def test_a_hash_of_a_lower_cost_is_made_anew_by_a_login() -> None:
    """Raising the cost reaches the accounts that are there: each once, whoever else logs in at the same moment."""
    house = House()
    here = await house.register()
    house.accounts.passwords = Passwords(cost=5, threads=2)
    answers: list[SignedIn | Refusal] = []

    async def log_in() -> None:
        answers.append(await house.login())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(log_in)
    assert [type(answer) for answer in answers] == [SignedIn] * 3
    stored = house.store.users[here.user.id]
    assert (stored.password_hash[:7], stored.rev) == ("$2b$05$", here.user.rev + 1)
    assert isinstance(await house.login(), SignedIn)
    assert house.store.users[here.user.id] == stored
    assert house.ended == []
    refused(await house.login(BETTER), ErrorCode.UNAUTHENTICATED)


async def test_a_hash_that_cannot_be_made_anew_hinders_no_login() -> None:
    """The store takes no change, or the line is full: the next login tries again."""
    house = House()
    here = await house.register()
    house.accounts.passwords = Passwords(cost=5, threads=2)
    house.directory.cut_off = "before"
    assert isinstance(await house.login(), SignedIn)
    assert house.store.users[here.user.id] == here.user


async def test_a_hash_that_was_made_anew_meanwhile_is_of_the_same_password() -> None:
    """Who logs in at that moment is not taken for somebody who knows a former one."""
    house = House()
    here = await house.register()
    anew = await house.passwords.hash(PASSWORD)

    def make_anew(call: str) -> None:
        if call == "create_session":
            house.change(here.user.id, password_hash=anew, rev=here.user.rev + 1)

    house.stored.before = make_anew
    assert isinstance(await house.login(), SignedIn)
    assert house.ended == []

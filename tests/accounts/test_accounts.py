"""Accounts over a directory in RAM, with real bcrypt at its lowest cost: who gets in, and what the others hear."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from justchat.accounts.factory import make_accounts
from justchat.accounts.identity import Identity
from justchat.accounts.sessions import SignedIn
from justchat.config import Config
from justchat.ids import is_id, new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.memory import MemoryDirectory, MemoryRelations, MemorySessions, MemoryStore
from tests.accounts.house import DEVICE, ELSEWHERE, NOW, PASSWORD, House, identity_of, refused

pytestmark = pytest.mark.real_clock
ADDRESS = DEVICE.address


async def test_a_registered_user_is_recognised_by_token_and_by_password() -> None:
    """Register, use the token, log in by name in any writing and by address, use that token."""
    house = House()
    done = await house.register("Ann", email="Ann@Example.org")
    assert is_id("u", done.user.id)
    assert (done.user.username, done.user.name_key, done.user.email) == ("Ann", "ann", "ann@example.org")
    assert (done.user.role, done.user.disabled) == ("user", False)
    assert done.user.created_at == 1_700_000_000_000
    assert done.expires_in_seconds == 600
    ends_at = int(house.now + 600) * 1000
    identity = Identity(done.user, session=done.session, expires_at=ends_at)
    assert await house.accounts.authenticate(done.access_token) == identity
    for who in ({"username": "ANN"}, {"username": "Ａnn"}, {"email": "ANN@example.ORG"}):
        again = await house.accounts.login(password=PASSWORD, device=DEVICE, **who)
        assert isinstance(again, SignedIn)
        assert (again.access_token != done.access_token, again.session != done.session) == (True, True)
        assert identity_of(await house.accounts.authenticate(again.access_token)).user == done.user


async def test_the_password_is_kept_only_as_a_hash_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the record nor a log line nor a repr has the password, and no log line or repr has the token."""
    caplog.set_level(logging.DEBUG)
    house = House()
    done = await house.register()
    refused(await house.login("not the password"), ErrorCode.UNAUTHENTICATED)
    assert done.user.password_hash.startswith("$2b$")
    shown = caplog.text + repr(done) + repr(house.store.users) + repr(house.store.sessions)
    assert PASSWORD not in shown
    assert "not the password" not in shown
    assert done.access_token not in shown
    assert not any(part in shown for part in done.refresh_token.split("."))
    assert f"user={done.user.id} address={ADDRESS} reason=wrong" in caplog.text


async def test_a_registration_with_problems_names_all_of_them_and_costs_no_hash() -> None:
    """The store is not even asked."""
    house = House()
    answer = await house.accounts.register(username="a b", password="x" * 73, email="nowhere", device=DEVICE)
    problems = refused(answer, ErrorCode.VALIDATION_FAILED).errors
    assert [problem.pointer for problem in problems] == ["/username", "/password", "/email"]
    assert house.passwords.statistics().hashes == 0
    assert house.directory.lookups == 0


async def test_a_name_or_an_address_is_taken_once() -> None:
    """In any writing; the refusal says which field, and a taken name costs no hash."""
    house = House()
    await house.register("Ann", email="ann@example.org")
    hashes = house.passwords.statistics().hashes
    answer = await house.accounts.register(username="ＡNN", password=PASSWORD, device=DEVICE)
    assert [problem.pointer for problem in refused(answer, ErrorCode.USERNAME_TAKEN).errors] == ["/username"]
    assert house.passwords.statistics().hashes == hashes
    answer = await house.accounts.register(username="bob", password=PASSWORD, email="ANN@example.org", device=DEVICE)
    assert [problem.pointer for problem in refused(answer, ErrorCode.EMAIL_TAKEN).errors] == ["/email"]
    assert len(house.store.users) == 1


@pytest.mark.parametrize("names", [("ann",) * 4, ("сосо", "coco", "ᴄᴏᴄᴏ", "ＣＯＣＯ")])
async def test_of_two_who_register_a_name_at_once_one_gets_it(names: tuple[str, ...]) -> None:
    """The directory decides, after both have been told that the name is free; also if it is only drawn the same."""
    house = House()
    answers: list[SignedIn | Refusal] = []

    async def register(name: str) -> None:
        answers.append(await house.accounts.register(username=name, password=PASSWORD, device=DEVICE))

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(register, name)
    assert sum(isinstance(answer, SignedIn) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {ErrorCode.USERNAME_TAKEN}
    assert len(house.store.users) == 1


async def test_an_unknown_user_and_a_wrong_password_cannot_be_told_apart() -> None:
    """The same answer, and the same work: one lookup and one bcrypt check each, whatever is wrong."""
    house = House()
    await house.register()
    answers, work = [], []
    attempts = [("ann", "wrong horse"), ("nobody", PASSWORD), ("ann", "x" * 73), ("nobody", "x" * 73)]
    attempts += [("ann", "\x00"), ("a b", "x"), ("\ud800\x00", "\ud800"), ("n" * 100_000, "x")]
    for username, password in attempts:
        checks, lookups = house.passwords.statistics().checks, house.directory.lookups
        answers.append(await house.login(password, username=username))
        work.append((house.passwords.statistics().checks - checks, house.directory.lookups - lookups))
    assert work == [(1, 1)] * len(attempts)
    assert answers == [refused(answers[0], ErrorCode.UNAUTHENTICATED)] * len(attempts)


async def test_exactly_one_of_name_and_address_says_who_logs_in() -> None:
    """Both or neither is a mistake of the caller, said as such."""
    house = House()
    refused(await house.accounts.login(password=PASSWORD, device=DEVICE), ErrorCode.VALIDATION_FAILED)
    both = await house.accounts.login(password=PASSWORD, device=DEVICE, username="ann", email="ann@example.org")
    refused(both, ErrorCode.VALIDATION_FAILED)


async def test_the_eleventh_failure_has_to_wait_even_with_the_right_password() -> None:
    """Known or unknown alike; from another address the owner still gets in."""
    house = House(failures=10)
    await house.register()
    for username in ("ann", "nobody"):
        for _ in range(10):
            refused(await house.login("wrong horse", username=username), ErrorCode.UNAUTHENTICATED)
        limited = refused(await house.login(username=username), ErrorCode.RATE_LIMITED)
        assert limited.retry_after_seconds is not None
        assert 500 < limited.retry_after_seconds <= 600
    assert isinstance(await house.accounts.login(username="ann", password=PASSWORD, device=ELSEWHERE), SignedIn)


async def test_a_success_in_between_starts_the_count_anew() -> None:
    """Nine mistakes, the right password, nine mistakes, the right password."""
    house = House(failures=10)
    await house.register()
    for _ in range(2):
        for _ in range(9):
            refused(await house.login("wrong horse"), ErrorCode.UNAUTHENTICATED)
        assert isinstance(await house.login(), SignedIn)
    assert house.throttle.statistics().pairs == 0


async def test_a_cancelled_login_is_no_failure_and_holds_no_place() -> None:
    """A caller who hangs up leaves nothing behind."""
    house = House(failures=1)
    await house.register()
    with trio.CancelScope() as scope:
        scope.cancel()
        await house.login("wrong horse")
    assert scope.cancelled_caught
    assert house.throttle.statistics().pairs == 0
    assert isinstance(await house.login(), SignedIn)


async def test_a_full_line_of_logins_refuses_and_counts_no_failure() -> None:
    """A flood is told to come back; nobody's account is throttled for it."""
    house = House(waiting_max=0)
    await house.register()
    held = [object(), object()]
    answers: list[SignedIn | Refusal] = []

    async def login() -> None:
        answers.append(await house.login())

    for one in held:
        await house.passwords._limiter.acquire_on_behalf_of(one)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login)
        nursery.start_soon(login)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(30):
            limited = refused(await house.login(), ErrorCode.RATE_LIMITED)
        assert limited.retry_after_seconds
        for one in held:
            house.passwords._limiter.release_on_behalf_of(one)
    assert all(isinstance(answer, SignedIn) for answer in answers)
    assert house.throttle.statistics().pairs == 0


async def test_a_disabled_user_neither_logs_in_nor_goes_on() -> None:
    """The right password hears why, a wrong one hears what everybody hears, and old tokens stop working at once."""
    house = House()
    done = await house.register()
    house.change(done.user.id, disabled=True)
    refused(await house.login(), ErrorCode.FORBIDDEN)
    refused(await house.login("wrong horse"), ErrorCode.UNAUTHENTICATED)
    refused(await house.accounts.authenticate(done.access_token), ErrorCode.UNAUTHENTICATED)


async def test_tokens_of_nobody_garbage_and_old_tokens_are_refused() -> None:
    """Expired is said to be expired; everything else is not."""
    house = House()
    done = await house.register()
    refused(await house.accounts.authenticate("garbage"), ErrorCode.UNAUTHENTICATED)
    tokens = house.sessions._tokens
    for user, session in ((new_id("u"), done.session), (done.user.id, new_id("s"))):
        token, _ = tokens.issue(user, session)
        refused(await house.accounts.authenticate(token), ErrorCode.UNAUTHENTICATED)
    house.now += 3600
    refused(await house.accounts.authenticate(done.access_token), ErrorCode.TOKEN_EXPIRED)


CALLS: list[Callable[[House, SignedIn], Awaitable[object]]] = [
    lambda house, done: house.accounts.register(username="bob", password=PASSWORD, device=DEVICE),
    lambda house, done: house.login(),
    lambda house, done: house.accounts.authenticate(done.access_token),
]


@pytest.mark.parametrize("call", CALLS, ids=["register", "login", "authenticate"])
async def test_a_store_that_is_away_is_no_refusal_and_lets_nobody_in(
    call: Callable[[House, SignedIn], Awaitable[object]],
) -> None:
    """Its failure is raised, nothing is counted as a wrong password, and all is well when the store is back."""
    house = House(failures=1)
    done = await house.register()
    house.directory.down = house.stored.down = True
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await call(house, done)
    house.directory.down = house.stored.down = False
    assert not isinstance(await call(house, done), Refusal)


async def test_a_login_whose_session_cannot_be_stored_gives_no_token() -> None:
    """The password was right, but what it leads to is not there."""
    house = House(failures=1)
    done = await house.register()
    house.stored.down = True
    with pytest.raises(StorageUnavailable):
        await house.login()
    house.stored.down = False
    assert [session.id for session in await house.sessions.of_user(done.user.id)] == [done.session]


async def test_a_registration_that_was_cut_off_is_decided_by_reading_back() -> None:
    """It was stored: the user is in. It was not: the caller may try again and is no stranger to their own name."""
    house = House()
    house.directory.cut_off = "after"
    assert isinstance(await house.accounts.register(username="ann", password=PASSWORD, device=DEVICE), SignedIn)
    house.directory.cut_off = "before"
    with pytest.raises(OutcomeUnknown):
        await house.accounts.register(username="bob", password=PASSWORD, device=DEVICE)
    house.directory.cut_off = None
    await house.register("bob")
    assert isinstance(await house.login(username="bob"), SignedIn)


async def test_the_factory_makes_accounts_that_work_from_a_configuration() -> None:
    """Cost, lifetime, limits and key all come from the settings."""
    config = Config(
        database="memory://", signing_key="0123456789abcdef" * 4, bcrypt_cost=4, access_token_seconds=60,
        login_failures=1, session_idle_seconds=120, session_max_seconds=90, sessions_per_user=1, ticket_seconds=7,
        registration_role="guest",
    )  # fmt: skip
    store, ended = MemoryStore(), list[str]()
    accounts = make_accounts(
        config,
        MemoryDirectory(store),
        MemorySessions(store),
        MemoryRelations(store),
        ended=ended.extend,
        clock=lambda: NOW,
    )
    first = await accounts.register(username="ann", password=PASSWORD, device=DEVICE)
    done = await accounts.login(username="ann", password=PASSWORD, device=DEVICE)
    assert isinstance(first, SignedIn)
    assert isinstance(done, SignedIn)
    assert ended == [first.session]
    assert (done.user.password_hash[:7], done.user.role) == ("$2b$04$", "guest")
    assert (done.expires_in_seconds, done.refresh_seconds, accounts.tickets.seconds) == (60, 90, 7)
    assert identity_of(await accounts.authenticate(done.access_token)).user == done.user
    refused(await accounts.login(username="ann", password="wrong horse", device=DEVICE), ErrorCode.UNAUTHENTICATED)
    refused(await accounts.login(username="ann", password=PASSWORD, device=DEVICE), ErrorCode.RATE_LIMITED)

"""Sessions: continued by refresh tokens that are good once, and over at once for whoever shows one that is not."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio

from justchat.accounts.refresh_tokens import fresh_token, parse_token
from justchat.accounts.sessions import GRACE_MS, Device, SessionLimits, SignedIn
from justchat.accounts.tokens import Claims
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.records import UserRecord
from tests.accounts.house import DEVICE, ELSEWHERE, LIMITS, House, identity_of, refused


async def signed_in(*, limits: SessionLimits = LIMITS) -> tuple[House, UserRecord, SignedIn]:
    """A house, a user, and a session of theirs."""
    house = House(limits=limits)
    user = house.add_user()
    return house, user, await house.start(user)


async def is_open(house: House, session: SignedIn) -> bool:
    """Whether a session still lets its user in."""
    return not isinstance(await house.accounts.authenticate(session.access_token), Refusal)


async def test_a_session_is_continued_by_each_refresh_token_once() -> None:
    """Each renewal gives another of the same family and an access token of the same session."""
    house, user, first = await signed_in()
    seen, token = [first.refresh_token], first.refresh_token
    for _ in range(5):
        house.now += 600
        renewed = await house.renew(token)
        assert (renewed.user, renewed.session, renewed.expires_in_seconds) == (user, first.session, 600)
        assert identity_of(await house.accounts.authenticate(renewed.access_token)).session == first.session
        token = renewed.refresh_token
        seen.append(token)
    assert len(set(seen)) == 6
    assert len({token.partition(".")[0] for token in seen}) == 1
    assert house.ended == []
    assert house.seen == [user.id] * 6


async def test_a_token_shown_again_ends_the_session_and_what_is_open_by_it() -> None:
    """Nobody can tell the thief from the robbed: the newest token is worth nothing any more, either."""
    house, user, first = await signed_in()
    other = await house.start(user)
    renewed = await house.renew(first.refresh_token)
    house.now += GRACE_MS / 1000 + 0.001
    refused(await house.sessions.renew(first.refresh_token, ELSEWHERE), ErrorCode.UNAUTHENTICATED)
    assert house.ended == [first.session]
    refused(await house.sessions.renew(renewed.refresh_token, DEVICE), ErrorCode.UNAUTHENTICATED)
    refused(await house.accounts.authenticate(renewed.access_token), ErrorCode.UNAUTHENTICATED)
    assert await is_open(house, other)
    assert house.ended == [first.session]


async def test_an_older_token_is_reuse_at_once() -> None:
    """The grace is for the one token whose answer may have been lost, not for those before it."""
    house, _, first = await signed_in()
    second = await house.renew(first.refresh_token)
    await house.renew(second.refresh_token)
    refused(await house.sessions.renew(first.refresh_token, DEVICE), ErrorCode.UNAUTHENTICATED)
    assert house.ended == [first.session]


async def test_another_secret_under_a_known_family_is_reuse(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody had a token of this session, or the family would not be known; the log says where they were."""
    house, user, first = await signed_in()
    family = first.refresh_token.partition(".")[0]
    secret = fresh_token().text.partition(".")[2]
    caplog.set_level(logging.INFO)
    refused(await house.sessions.renew(f"{family}.{secret}", ELSEWHERE), ErrorCode.UNAUTHENTICATED)
    assert house.ended == [first.session]
    assert (
        f"event=refresh_token_reused user={user.id} session={first.session} address={ELSEWHERE.address}" in caplog.text
    )
    assert family not in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b", "\ud800", fresh_token().text, fresh_token().text.replace(".", "_")],
    ids=["none", "short", "two", "no text", "another", "no dot"],
)
async def test_what_is_no_token_of_a_session_ends_nothing(text: str) -> None:
    """Refused in the same words."""
    house, _, first = await signed_in()
    answer = refused(await house.sessions.renew(text, DEVICE), ErrorCode.UNAUTHENTICATED)
    house.now += LIMITS.idle_seconds
    assert await house.sessions.renew(first.refresh_token, DEVICE) == answer
    assert house.ended == []


@pytest.mark.parametrize("seconds", [0, GRACE_MS / 1000])
async def test_within_the_grace_a_token_leads_to_the_same_successor(seconds: float) -> None:
    """For a device that never heard the answer; it goes on with what it is given."""
    house, _, first = await signed_in()
    lost = await house.renew(first.refresh_token)
    house.now += seconds
    for _ in range(3):
        again = await house.renew(first.refresh_token)
        assert (again.refresh_token, again.session) == (lost.refresh_token, lost.session)
        assert await is_open(house, again)
    house.now += 600
    await house.renew(again.refresh_token)
    assert house.ended == []


@pytest.mark.parametrize("many", [2, 8])
async def test_renewals_at_the_same_moment_lead_to_the_same_successor(many: int) -> None:
    """Two tabs with one token: one is first, the others get what it got, and nobody is taken for a thief."""
    house, _, first = await signed_in()
    renewed: list[SignedIn] = []

    async def renew() -> None:
        renewed.append(await house.renew(first.refresh_token))

    async with trio.open_nursery() as nursery:
        for _ in range(many):
            nursery.start_soon(renew)
    assert house.stored.calls.count("rotate_session") == many, "they did not meet"
    (token,) = {session.refresh_token for session in renewed}
    assert house.ended == []
    house.now += 600
    assert (await house.renew(token)).session == first.session


@pytest.mark.parametrize("written", ["before", "after"])
async def test_a_renewal_that_was_cut_off_may_be_tried_again(written: str) -> None:
    """Whether it was stored or not: the same token works once more, and the session goes on."""
    house, _, first = await signed_in()
    house.stored.cut_off = ("rotate_session", written)
    with pytest.raises(OutcomeUnknown):
        await house.sessions.renew(first.refresh_token, DEVICE)
    house.stored.cut_off = None
    again = await house.renew(first.refresh_token)
    house.now += 600
    assert (await house.renew(again.refresh_token)).session == first.session
    assert house.ended == []


async def test_a_session_ends_when_it_is_not_continued() -> None:
    """A renewal moves the end; the access token, which would be good for longer, ends too, and says so."""
    house, _, first = await signed_in(limits=SessionLimits(idle_seconds=500, max_seconds=10_000, per_user=5))
    assert first.refresh_seconds == first.expires_in_seconds == 500
    house.now += 499
    renewed = await house.renew(first.refresh_token)
    assert renewed.refresh_seconds == 500
    house.now += 499
    assert await is_open(house, renewed)
    assert len(await house.sessions.of_user(first.user.id)) == 1
    house.now += 1
    assert not await is_open(house, renewed)
    assert await house.sessions.of_user(first.user.id) == []
    refused(await house.sessions.renew(renewed.refresh_token, DEVICE), ErrorCode.UNAUTHENTICATED)


async def test_a_session_ends_in_any_case_when_its_time_is_over() -> None:
    """However often it is continued."""
    house, _, session = await signed_in(limits=SessionLimits(idle_seconds=500, max_seconds=1000, per_user=5))
    for left in (500, 200):
        house.now += 400
        session = await house.renew(session.refresh_token)
        assert session.refresh_seconds == session.expires_in_seconds == left
    house.now += 199
    assert await is_open(house, session)
    house.now += 1
    assert not await is_open(house, session)
    refused(await house.sessions.renew(session.refresh_token, DEVICE), ErrorCode.UNAUTHENTICATED)


async def test_what_is_open_by_a_session_ends_with_it() -> None:
    """Not with the access token, where that says that it is good for longer."""
    house, user, session = await signed_in(limits=SessionLimits(idle_seconds=500, max_seconds=550, per_user=5))
    start = house.now_ms
    assert identity_of(await house.accounts.authenticate(session.access_token)).expires_at == start + 500_000
    house.now += 100
    session = await house.renew(session.refresh_token)
    assert identity_of(await house.accounts.authenticate(session.access_token)).expires_at == start + 550_000
    found = await house.sessions.identity(session.session, expires_at=None, user=user.id)
    assert identity_of(found).expires_at == start + 550_000


async def test_of_too_many_sessions_the_one_used_longest_ago_ends() -> None:
    """Not the oldest, if that one was continued."""
    house, user, first = await signed_in(limits=SessionLimits(idle_seconds=500, max_seconds=1000, per_user=3))
    others = []
    for _ in range(2):
        house.now += 1
        others.append(await house.start(user))
    house.now += 1
    first = await house.renew(first.refresh_token)
    house.now += 1
    await house.start(user)
    assert house.ended == [others[0].session]
    assert [await is_open(house, session) for session in (first, *others)] == [True, False, True]
    assert len(await house.sessions.of_user(user.id)) == 3


async def test_a_disabled_user_is_out_and_back_when_enabled() -> None:
    """Neither the access token nor the refresh token lets them in; the session itself stays."""
    house, user, first = await signed_in()
    house.change(user.id, disabled=True)
    assert not await is_open(house, first)
    refused(await house.sessions.renew(first.refresh_token, DEVICE), ErrorCode.UNAUTHENTICATED)
    assert house.ended == []
    house.change(user.id, disabled=False)
    assert await is_open(house, first)
    await house.renew(first.refresh_token)


async def test_who_is_behind_a_token_is_read_anew() -> None:
    """A change of role is seen with the very next request."""
    house, user, first = await signed_in()
    changed = house.change(user.id, role="guest")
    assert identity_of(await house.accounts.authenticate(first.access_token)).user == changed


CALLS: list[Callable[[House, SignedIn], Awaitable[object]]] = [
    lambda house, first: house.sessions.start(first.user, DEVICE),
    lambda house, first: house.sessions.renew(first.refresh_token, DEVICE),
    lambda house, first: house.sessions.recognise(first.access_token),
    lambda house, first: house.sessions.identity(first.session, expires_at=None, user=first.user.id),
    lambda house, first: house.sessions.of_refresh_token(first.refresh_token),
    lambda house, first: house.sessions.of_user(first.user.id),
    lambda house, first: house.sessions.end(first.user.id),
]


@pytest.mark.parametrize("call", CALLS)
async def test_a_store_that_is_down_lets_nobody_in_and_ends_nothing(
    call: Callable[[House, SignedIn], Awaitable[object]],
) -> None:
    """Every call fails; when the store is back the session is as it was."""
    house, _, first = await signed_in()
    house.stored.down = True
    with pytest.raises(StorageUnavailable):
        await call(house, first)
    house.stored.down = False
    assert house.ended == []
    assert await is_open(house, first)
    await house.renew(first.refresh_token)


async def test_a_token_is_good_for_its_own_user_and_session_only() -> None:
    """A session's id in the token of somebody else is nothing; so is a session that never was."""
    house, user, first = await signed_in()
    stranger = house.add_user("bob")
    for session, whose in ((first.session, stranger.id), (new_id("s"), user.id)):
        refused(await house.sessions.identity(session, expires_at=None, user=whose), ErrorCode.UNAUTHENTICATED)


async def test_ending_sessions_ends_those_that_are_meant_and_says_which() -> None:
    """One of several, all but one, all; of somebody else's none."""
    house, user, first = await signed_in()
    second, third = await house.start(user), await house.start(user)
    stranger = await house.start(house.add_user("bob"))
    assert await house.sessions.end(user.id, only=[first.session, stranger.session]) == [first.session]
    assert await house.sessions.end(user.id, only=[first.session]) == []
    assert await house.sessions.end(user.id, keep=third.session) == [second.session]
    assert [await is_open(house, one) for one in (first, second, third, stranger)] == [False, False, True, True]
    assert await house.sessions.end(user.id) == [third.session]
    assert house.ended == [first.session, second.session, third.session]


async def test_the_session_of_a_refresh_token_is_found_by_the_present_and_the_former_one() -> None:
    """That is what logging out is told by: also by a device that never heard the answer to its renewal."""
    house, _, first = await signed_in()
    renewed = await house.renew(first.refresh_token)
    for token in (first, renewed):
        found = await house.sessions.of_refresh_token(token.refresh_token)
        assert found is not None
        assert found.id == first.session
    family = first.refresh_token.partition(".")[0]
    for text in ("", "x.y", fresh_token().text, f"{family}.{fresh_token().text.partition('.')[2]}"):
        assert await house.sessions.of_refresh_token(text) is None
    house.now += LIMITS.idle_seconds
    assert await house.sessions.of_refresh_token(renewed.refresh_token) is None


async def test_sessions_are_listed_with_the_device_that_was_seen_last() -> None:
    """The one seen latest first."""
    house, user, first = await signed_in()
    house.now += 1
    second = await house.start(user, ELSEWHERE)
    house.now += 1
    await house.renew(first.refresh_token, Device("Browser/1.1", "192.0.2.9"))
    listed = await house.sessions.of_user(user.id)
    assert [(one.id, one.user_agent, one.address, one.seen_at) for one in listed] == [
        (first.session, "Browser/1.1", "192.0.2.9", house.now_ms),
        (second.session, ELSEWHERE.user_agent, ELSEWHERE.address, house.now_ms - 1000),
    ]
    assert [one.created_at for one in listed] == [house.now_ms - 2000, house.now_ms - 1000]


def test_a_device_is_shown_as_it_called_itself_but_not_at_any_length() -> None:
    """Control characters are left out: they could write into a terminal, or a line of their own into a log."""
    device = Device.of("Brow\x1b[31mser\r\n/1.0 " + "x" * 500, "192.0.2.1")
    assert device.user_agent == ("Brow[31mser/1.0 " + "x" * 500)[:200]
    assert Device.of("", "").user_agent == ""


async def test_nothing_that_is_stored_of_a_session_is_a_token() -> None:
    """The row has fingerprints: whoever reads the database can renew nothing."""
    house, _, first = await signed_in()
    renewed = await house.renew(first.refresh_token)
    (row,) = house.store.sessions.values()
    shown = [getattr(row, field) for field in row.__struct_fields__]
    for token in (first.refresh_token, renewed.refresh_token):
        parsed = parse_token(token)
        assert parsed is not None
        assert not {parsed.family, parsed.secret, token}.intersection(shown)
    claims = house.sessions._tokens.verify(renewed.access_token)
    assert isinstance(claims, Claims)
    assert claims.sid == row.id

"""The sources of tokens, on a virtual clock: what they give is good for a while, and no refresh token is used twice."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from justchat.client import Credentials, RefreshTokens, Refused
from justchat.client.address import parse_address
from justchat.client.sessions import EARLY_SECONDS, RENEWAL_SECONDS, LoginTokens
from justchat.client.tokens import FixedToken
from tests.client.sign_in_desk import GRACE_SECONDS, PASSWORD, Desk

URL = "http://127.0.0.1:1"
ALICE = Credentials("alice", PASSWORD)


def by_refresh(desk: Desk) -> tuple[RefreshTokens, list[str]]:
    """Make a source with a session of its own, and the list of what it hands to the application to keep."""
    kept = [desk.begin().refresh_token or ""]
    return RefreshTokens(URL, kept[0], kept.append, sign_in=desk), kept


def by_login(desk: Desk) -> LoginTokens:
    return LoginTokens(parse_address(URL), ALICE, sign_in=desk)


async def test_a_fixed_token_has_no_other(autojump_clock: MockClock) -> None:
    """A personal token is given as long as it is taken."""
    source = FixedToken("jc_x")
    assert await source.token(fresh=False) == "jc_x"
    assert await source.token(fresh=True) is None


async def test_a_token_is_kept_until_shortly_before_its_end(autojump_clock: MockClock) -> None:
    """One login; then renewals, each half a minute before the end, and never a second login."""
    desk = Desk(access_seconds=600)
    source = by_login(desk)
    first = await source.token(fresh=False)
    await trio.sleep(560)
    assert await source.token(fresh=False) == first
    await trio.sleep(20)
    second = await source.token(fresh=False)
    assert second != first
    assert desk.accepts_for(second) > 590
    assert (desk.logins, desk.refreshes) == (1, 1)


async def test_an_ended_session_is_followed_by_a_login_where_there_is_a_password(autojump_clock: MockClock) -> None:
    """Who has only a refresh token is told that it is not taken."""
    desk = Desk()
    source, (stored, _) = by_login(desk), by_refresh(desk)
    await source.token(fresh=False)
    await stored.token(fresh=False)
    desk.end_all()
    assert desk.accepts_for(await source.token(fresh=True)) > 590
    assert desk.logins == 2
    with pytest.raises(Refused, match="log in again"):
        await stored.token(fresh=True)


async def test_a_changed_password_is_said_and_not_tried_for_ever(autojump_clock: MockClock) -> None:
    """One login for each question, refused by the server's own words."""
    desk = Desk()
    source = by_login(desk)
    await source.token(fresh=False)
    desk.password = "another"
    desk.end_all()
    with pytest.raises(Refused, match="unauthenticated"):
        await source.token(fresh=True)
    assert desk.logins == 2


@pytest.mark.parametrize("trouble", ["unreachable", "busy", "cut", "lost"])
async def test_trouble_on_the_way_costs_neither_the_session_nor_a_login(
    autojump_clock: MockClock, trouble: str
) -> None:
    """What passes is raised for the caller to try again; tried again in time, the old token still leads on."""
    desk = Desk()
    source = by_login(desk)
    await source.token(fresh=False)
    desk.troubles.append(trouble)
    with pytest.raises((OSError, Refused)):
        await source.token(fresh=True)
    assert desk.accepts_for(await source.token(fresh=True)) > 590
    assert (desk.logins, desk.reuses) == (1, 0)


async def test_a_renewal_is_seen_through_when_its_caller_is_cancelled(autojump_clock: MockClock) -> None:
    """The new refresh token is heard of and kept; otherwise the old one would be taken for stolen later."""
    desk = Desk()
    source, kept = by_refresh(desk)
    desk.troubles.append("slow")
    with trio.move_on_after(0.5):
        await source.token(fresh=True)
        await trio.lowlevel.checkpoint()
        pytest.fail("not cancelled")
    assert len(kept) == 2
    await trio.sleep(5 * GRACE_SECONDS)
    await source.token(fresh=True)
    assert desk.reuses == 0


async def test_a_server_that_does_not_answer_holds_nobody_for_long(autojump_clock: MockClock) -> None:
    """Less long than the server remembers the former token, so that the next try finds it good."""
    assert RENEWAL_SECONDS < GRACE_SECONDS
    desk = Desk()
    source, _ = by_refresh(desk)
    desk.troubles.append("lost")
    with trio.CancelScope() as scope:
        scope.cancel()
        with pytest.raises((OSError, trio.Cancelled)):
            await source.token(fresh=True)
    assert trio.current_time() <= RENEWAL_SECONDS + 0.1


async def test_clients_that_share_a_source_share_its_renewals(autojump_clock: MockClock) -> None:
    """Ten who ask at the same moment cause one request and get one token."""
    desk = Desk()
    source, kept = by_refresh(desk)
    await source.token(fresh=False)
    got: list[str] = []

    async def ask() -> None:
        got.append(await source.token(fresh=True))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    assert len(set(got)) == 1
    assert (desk.refreshes, desk.most_at_once, len(kept)) == (2, 1, 3)


async def test_a_restarted_program_goes_on_with_what_it_kept(autojump_clock: MockClock) -> None:
    """The last token handed to `on_change` is the one that leads on."""
    desk = Desk()
    source, kept = by_refresh(desk)
    for _ in range(3):
        await source.token(fresh=True)
        await trio.sleep(GRACE_SECONDS + 1)
    again = RefreshTokens(URL, kept[-1], kept.append, sign_in=desk)
    assert desk.accepts_for(await again.token(fresh=False)) > 590
    assert desk.reuses == 0


async def test_what_the_application_could_not_keep_is_handed_to_it_again(autojump_clock: MockClock) -> None:
    """A full disk costs no session: nothing is given out until the new refresh token is kept."""
    desk = Desk()
    kept = [desk.begin().refresh_token or ""]
    is_full = True

    def keep(refresh_token: str) -> None:
        if is_full:
            raise OSError("no space left")
        kept.append(refresh_token)

    source = RefreshTokens(URL, kept[0], keep, sign_in=desk)
    for _ in range(2):
        with pytest.raises(OSError, match="no space left"):
            await source.token(fresh=False)
    is_full = False
    assert desk.accepts_for(await source.token(fresh=False)) > 590
    await trio.sleep(GRACE_SECONDS + 1)
    assert desk.would_renew(kept[-1])
    assert (desk.refreshes, len(kept)) == (1, 2)


async def test_after_an_unheard_answer_the_next_call_asks_again_though_the_token_is_good(
    autojump_clock: MockClock,
) -> None:
    """Else the refresh token, which the server counts as used, would be shown again when it is too late."""
    desk = Desk()
    source, _ = by_refresh(desk)
    await source.token(fresh=False)
    desk.troubles.append("cut")
    with pytest.raises(OSError, match="planted"):
        await source.token(fresh=True)
    desk.troubles.append("busy")
    with pytest.raises(Refused):
        await source.token(fresh=False)
    assert desk.accepts_for(await source.token(fresh=False)) > 590
    refreshes = desk.refreshes
    await source.token(fresh=False)
    assert desk.refreshes == refreshes
    await trio.sleep(700)
    await source.token(fresh=False)
    assert desk.reuses == 0


# How long each trouble holds up whoever asks, with the pause after it, in seconds.
TROUBLES = {"unreachable": 0.26, "busy": 1.01, "cut": 0.27, "lost": 5.26, "slow": 2.02}
STEP = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 25.0, 571.0, 700.0])),
    st.tuples(st.just("ask"), st.booleans()),
    st.tuples(st.just("trouble"), st.sampled_from(sorted(TROUBLES))),
    st.tuples(st.just("cancel"), st.sampled_from([0.005, 0.5, 1.0])),
)


@given(steps=st.lists(STEP, max_size=25), ends=st.booleans())
def test_whatever_happens_on_the_way_what_is_given_is_good(steps: list[tuple[str, object]], ends: bool) -> None:
    """Trouble, waiting and giving up in any order: a token that is given lasts, and no session is lost by reuse.

    Who asks tries again at once after trouble, as the client does. With `ends` sessions end in between as well: then
    the one with a password logs in, and nothing else changes.
    """
    trio.run(partial(_play, steps, ends), clock=MockClock(autojump_threshold=0))


async def _play(steps: list[tuple[str, object]], ends: bool) -> None:
    desk = Desk()
    source = by_login(desk) if ends else by_refresh(desk)[0]
    last = await source.token(fresh=False)
    for step, value in steps:
        match step:
            case "wait":
                await trio.sleep(float(str(value)))
                if ends and value == 1.0:
                    desk.end_all()
            case "trouble":
                # Answers that are lost for longer than the server repeats them end a session: such is rotation.
                if sum(TROUBLES[each] for each in [*desk.troubles, str(value)]) < GRACE_SECONDS - 1:
                    desk.troubles.append(str(value))
            case "cancel":
                with trio.move_on_after(float(str(value))):
                    await _asked(source, fresh=True)
                # Back within the time in which the former token is good: whoever was cancelled goes on soon.
                last = await _asked(source, fresh=False)
            case _:
                fresh = bool(value) or ends
                token = await _asked(source, fresh=fresh)
                assert desk.accepts_for(token) > EARLY_SECONDS - 1
                assert not (fresh and token == last)
                last = token
    assert desk.reuses == 0
    assert desk.most_at_once <= 1
    if not ends:
        assert desk.logins == 0


async def _asked(source: RefreshTokens | LoginTokens, *, fresh: bool) -> str:
    """Ask as the client does: again after whatever passes."""
    while True:
        try:
            return await source.token(fresh=fresh)
        except OSError:
            await trio.sleep(0.25)
        except Refused as refused:
            if refused.code != "rate_limited":
                raise
            await trio.sleep(1.0)

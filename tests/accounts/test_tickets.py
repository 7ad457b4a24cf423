"""Tickets: good once, for seconds, for whoever they were given to, as that user and session are when it is used."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from justchat.accounts.identity import Identity, Scope
from justchat.accounts.personal_tokens import MadeToken
from justchat.accounts.tickets import Tickets
from justchat.wire.errors import ErrorCode
from storage.errors import StorageUnavailable
from tests.accounts.house import House, identity_of, refused
from tests.support.signing_in import somebody

ANN, BOB = somebody("u_ann"), somebody("u_bob")


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def tickets(clock: Clock, *, most: int = 10_000) -> Tickets:
    return Tickets(seconds=30, clock=clock, most=most)


def test_a_ticket_is_good_once_for_whose_it_is() -> None:
    """In any order; a text that was none is nobody's."""
    issued = tickets(Clock())
    first, second = issued.issue(ANN), issued.issue(BOB)
    assert issued.redeem(second) == BOB
    assert issued.redeem(second) is None
    assert issued.redeem(first) == ANN
    for text in ("", "wst_", first, first + "x", "wst_" + "x" * 43):
        assert issued.redeem(text) is None


def test_a_ticket_is_good_for_its_seconds() -> None:
    """One that came too late is used up as well."""
    clock = Clock()
    issued = tickets(clock)
    texts = [issued.issue(ANN), issued.issue(ANN)]
    clock.now += 29.999
    assert issued.redeem(texts[0]) == ANN
    clock.now += 0.001
    assert issued.redeem(texts[1]) is None
    assert len(issued._open) == 0


def test_tickets_nobody_uses_are_forgotten() -> None:
    """Those that have run out go when the next is made; of too many the oldest go, so that memory is bounded."""
    clock = Clock()
    issued = tickets(clock, most=3)
    texts = [issued.issue(ANN) for _ in range(5)]
    assert len(issued._open) == 3
    assert [issued.redeem(text) for text in texts] == [None, None, ANN, ANN, ANN]
    for _ in range(3):
        issued.issue(ANN)
    clock.now += 30
    issued.issue(BOB)
    assert len(issued._open) == 1


def test_a_ticket_can_be_told_from_a_token_and_guessed_by_nobody() -> None:
    """All different, all of one shape, which needs no escaping in an address."""
    issued = tickets(Clock())
    texts = {issued.issue(ANN) for _ in range(50)}
    assert len(texts) == 50
    assert all(re.fullmatch(r"wst_[A-Za-z0-9_-]{43}", text) for text in texts)


async def test_a_redeemed_ticket_is_as_good_as_the_token_that_it_was_made_with() -> None:
    """The same session, until the same end, for the user as they are now."""
    house = House()
    session = await house.start(house.add_user())
    identity = identity_of(await house.accounts.authenticate(session.access_token))
    ticket = house.tickets.issue(identity)
    changed = house.change(session.user.id, role="guest")
    assert await house.accounts.redeem(ticket) == replace(identity, user=changed)
    refused(await house.accounts.redeem(ticket), ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("how", ["session", "disabled"])
async def test_a_ticket_of_somebody_who_is_out_meanwhile_lets_nobody_in(how: str) -> None:
    """Its session has ended, or its user was disabled."""
    house = House()
    session = await house.start(house.add_user())
    ticket = house.tickets.issue(identity_of(await house.accounts.authenticate(session.access_token)))
    if how == "session":
        await house.sessions.end(session.user.id)
    else:
        house.change(session.user.id, disabled=True)
    refused(await house.accounts.redeem(ticket), ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("how", ["revoked", "expired", "disabled"])
async def test_a_ticket_of_a_personal_token_has_its_scopes_and_its_end(how: str) -> None:
    """And is as little as the token is once that is revoked or has run out, or its user is disabled."""
    house = House()
    user = house.add_user()
    made = await house.personal.create(user, name="Robot", scopes=[Scope.MESSAGES_READ], expires_in_seconds=10)
    assert isinstance(made, MadeToken)
    identity = identity_of(await house.accounts.authenticate(made.text))
    assert await house.accounts.redeem(house.tickets.issue(identity)) == identity
    ticket = house.tickets.issue(identity)
    if how == "revoked":
        await house.personal.revoke(user.id)
    elif how == "disabled":
        house.change(user.id, disabled=True)
    else:
        house.now += 10
    refused(await house.accounts.redeem(ticket), ErrorCode.UNAUTHENTICATED)


async def test_a_store_that_is_down_lets_no_ticket_in() -> None:
    """Its failure is raised, and the ticket is used up: another one is to be had."""
    house = House()
    session = await house.start(house.add_user())
    ticket = house.tickets.issue(Identity(session.user, session=session.session))
    house.stored.down = True
    with pytest.raises(StorageUnavailable):
        await house.accounts.redeem(ticket)
    house.stored.down = False
    refused(await house.accounts.redeem(ticket), ErrorCode.UNAUTHENTICATED)

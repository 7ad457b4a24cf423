"""Invitations and the policies of registration: who may make an account, and what it is then."""

from __future__ import annotations

import pytest
import trio

from justchat.accounts.accounts import RegistrationPolicy
from justchat.accounts.identity import ServerRole
from justchat.accounts.invitations import Invitation
from justchat.accounts.sessions import SignedIn
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from tests.accounts.house import DEVICE, PASSWORD, House, refused

BY_INVITATION = RegistrationPolicy("invite")


async def invite(
    house: House, *, role: ServerRole = ServerRole.USER, uses: int | None = 1, seconds: int | None = None
) -> Invitation:
    """Make an invitation."""
    return await house.invitations.create("u_admin", name="x", role=role, uses=uses, expires_in_seconds=seconds)


async def register(
    house: House, name: str, code: str | None, *, password: str = PASSWORD, email: str | None = None
) -> SignedIn | Refusal:
    """Try to register by invitation."""
    return await house.accounts.register(username=name, password=password, email=email, device=DEVICE, invitation=code)


def uses_left(house: House, invitation: Invitation) -> int | None:
    return house.store.credentials[invitation.record.id].uses_left


async def test_an_invitation_is_good_as_often_as_it_says() -> None:
    """Then for nobody; one without a bound goes on."""
    house = House(policy=BY_INVITATION)
    twice, always = await invite(house, uses=2), await invite(house, uses=None)
    for name in ("ann", "bob"):
        assert isinstance(await register(house, name, twice.code), SignedIn)
    refused(await register(house, "cem", twice.code), ErrorCode.FORBIDDEN)
    for number in range(5):
        assert isinstance(await register(house, f"user{number}", always.code), SignedIn)


async def test_an_invitation_ends_when_it_was_to_and_when_it_is_revoked() -> None:
    """Whatever uses it has left."""
    house = House(policy=BY_INVITATION)
    timed, other = await invite(house, uses=9, seconds=60), await invite(house, uses=9)
    house.now += 59.999
    assert isinstance(await register(house, "ann", timed.code), SignedIn)
    house.now += 0.001
    refused(await register(house, "bob", timed.code), ErrorCode.FORBIDDEN)
    await house.invitations.revoke(other.record)
    refused(await register(house, "bob", other.code), ErrorCode.FORBIDDEN)


@pytest.mark.parametrize(
    ("invited", "role"), [("user", "user"), ("guest", "guest"), ("admin", "user"), ("bot", "user")]
)
async def test_an_invitation_makes_users_and_guests_and_nothing_more(invited: str, role: str) -> None:
    """No code that is passed around makes an administrator."""
    house = House(policy=BY_INVITATION)
    done = await register(house, "ann", (await invite(house, role=ServerRole(invited))).code)
    assert isinstance(done, SignedIn)
    assert (done.user.role, house.store.users[done.user.id].role) == (role, role)


@pytest.mark.parametrize("code", [None, "", "x", "x" * 200, "\ud800"])
async def test_without_a_good_invitation_nobody_registers_where_one_is_needed(code: str | None) -> None:
    """And nothing is left of it."""
    house = House(policy=BY_INVITATION)
    await invite(house)
    refused(await register(house, "ann", code), ErrorCode.FORBIDDEN)
    assert house.store.users == {}


async def test_of_many_who_use_the_last_place_at_once_one_gets_it() -> None:
    """No invitation is good for more than it says, however many come at the same moment."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house, uses=3)
    answers: list[SignedIn | Refusal] = []

    async def come(number: int) -> None:
        answers.append(await register(house, f"user{number}", invitation.code))

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(come, number)
    assert sum(isinstance(answer, SignedIn) for answer in answers) == len(house.store.users) == 3
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {ErrorCode.FORBIDDEN}


async def test_a_registration_that_is_refused_for_another_reason_keeps_the_use() -> None:
    """A bad name, a bad password, a name and an address that are taken: the same code works for the next try."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house, uses=2)
    assert isinstance(await register(house, "ann", invitation.code, email="ann@example.org"), SignedIn)
    refused(await register(house, "a b", invitation.code), ErrorCode.VALIDATION_FAILED)
    refused(await register(house, "bob", invitation.code, password="short"), ErrorCode.VALIDATION_FAILED)
    refused(await register(house, "ANN", invitation.code), ErrorCode.USERNAME_TAKEN)
    refused(await register(house, "bob", invitation.code, email="Ann@Example.org"), ErrorCode.EMAIL_TAKEN)
    assert uses_left(house, invitation) == 1
    assert isinstance(await register(house, "bob", invitation.code), SignedIn)


async def test_whoever_loses_a_name_at_the_last_moment_keeps_the_use() -> None:
    """Two with one invitation want the same name at once: one gets it, and the other comes in under another."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house, uses=2)
    answers: list[SignedIn | Refusal] = []

    async def come() -> None:
        answers.append(await register(house, "ann", invitation.code))

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(come)
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {ErrorCode.USERNAME_TAKEN}
    assert (len(house.store.users), uses_left(house, invitation)) == (1, 1)
    assert isinstance(await register(house, "bob", invitation.code), SignedIn)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_invited_registration_that_was_cut_off_is_whole_or_nothing(moment: str) -> None:
    """What was written counts, and with it the role; else nothing was taken."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house, role=ServerRole.GUEST)
    house.stored.cut_off = ("enrol", moment)
    if moment == "before":
        with pytest.raises(OutcomeUnknown):
            await register(house, "ann", invitation.code)
        assert (house.store.users, uses_left(house, invitation)) == ({}, 1)
        return
    done = await register(house, "ann", invitation.code)
    assert isinstance(done, SignedIn)
    assert (done.user.role, uses_left(house, invitation)) == ("guest", 0)


async def test_a_bad_invitation_tells_no_names_and_costs_no_hash() -> None:
    """Whoever is not invited does not find out by it who is there, nor keeps the server busy."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house, uses=1)
    assert isinstance(await register(house, "ann", invitation.code, email="ann@example.org"), SignedIn)
    hashes = house.passwords.statistics().hashes
    for code in ("nonsense", invitation.code):
        refused(await register(house, "ann", code), ErrorCode.FORBIDDEN)
        refused(await register(house, "bob", code, email="ann@example.org"), ErrorCode.FORBIDDEN)
    assert house.passwords.statistics().hashes == hashes


async def test_an_open_house_needs_no_invitation_and_honours_one() -> None:
    """A code that is given counts: an unknown one is a mistake that is told."""
    house = House()
    await house.register("ann")
    done = await register(house, "bob", (await invite(house, role=ServerRole.GUEST)).code)
    assert isinstance(done, SignedIn)
    assert done.user.role == "guest"
    refused(await register(house, "cem", "nonsense"), ErrorCode.FORBIDDEN)


async def test_a_closed_house_lets_nobody_register_not_even_with_an_invitation() -> None:
    """Nothing is hashed and no use is taken."""
    house = House(policy=RegistrationPolicy("closed"))
    invitation = await invite(house)
    for code in (None, invitation.code):
        refused(await register(house, "ann", code), ErrorCode.FORBIDDEN)
    assert (house.store.users, house.passwords.statistics().hashes, uses_left(house, invitation)) == ({}, 0, 1)


@pytest.mark.parametrize("role", [ServerRole.USER, ServerRole.GUEST])
async def test_a_policy_says_what_new_accounts_are(role: ServerRole) -> None:
    """Where everybody may register, they may be made guests."""
    house = House(policy=RegistrationPolicy(role=role))
    assert (await house.register()).user.role == role


async def test_invitations_are_listed_the_newest_first_and_without_their_codes() -> None:
    """Only a fingerprint is stored; the code is told once."""
    house = House()
    made = []
    for _ in range(3):
        made.append(await invite(house))
        house.now += 1
    listed = await house.invitations.all()
    assert [record.id for record in listed] == [each.record.id for each in reversed(made)]
    assert not any(each.code in repr(listed) or each.code in repr(each) for each in made)


async def test_a_store_that_is_down_makes_no_account() -> None:
    """Its failure is raised."""
    house = House(policy=BY_INVITATION)
    invitation = await invite(house)
    house.stored.down = True
    with pytest.raises(StorageUnavailable):
        await register(house, "ann", invitation.code)
    assert house.store.users == {}

"""Personal tokens: what they allow, until when, and what becomes of what is open by one that is revoked."""

from __future__ import annotations

import re

import pytest
import trio

from justchat.accounts.identity import Identity, Scope, ServerRole
from justchat.accounts.personal_tokens import TOKENS_MAX, MadeToken
from justchat.accounts.tokens import TokenProblem
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.records import UserRecord
from tests.accounts.house import House, identity_of, refused

READING = (Scope.ROOMS_READ, Scope.MESSAGES_READ)
CHANGING = {Scope.ROOMS_WRITE, Scope.MESSAGES_WRITE}


async def make(
    house: House, user: UserRecord, *scopes: Scope, name: str = "Robot", seconds: int | None = None
) -> MadeToken:
    """Make a token, which must work."""
    made = await house.personal.create(user, name=name, scopes=scopes or READING, expires_in_seconds=seconds)
    assert isinstance(made, MadeToken), made
    return made


async def test_a_token_is_recognised_as_its_user_with_its_scopes() -> None:
    """By the same call that recognises access tokens, and each time as the account is now."""
    house = House()
    user = house.add_user()
    made = await make(house, user, Scope.MESSAGES_WRITE, Scope.MESSAGES_READ, Scope.MESSAGES_READ)
    assert made.record.scopes == ("messages:read", "messages:write")
    expected = Identity(user, credential=made.record.id, scopes=frozenset({"messages:read", "messages:write"}))
    assert await house.accounts.authenticate(made.text) == expected
    changed = house.change(user.id, role="admin")
    assert identity_of(await house.accounts.authenticate(made.text)).user == changed
    house.change(user.id, disabled=True)
    refused(await house.accounts.authenticate(made.text), ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("role", ServerRole)
def test_a_scope_allows_what_it_names_and_nothing_else(scope: Scope, role: ServerRole) -> None:
    """Without scopes, as with a session, everything is allowed; what changes something is never allowed to guests."""
    user = UserRecord("u_1", "ann", "ann", "Ann", None, "", role.value, 0)
    token = Identity(user, credential="k_1", scopes=frozenset({scope.value}))
    session = Identity(user, session="s_1")
    for other in Scope:
        for changes in (False, True):
            may_at_all = role is not ServerRole.GUEST or not changes
            assert (session.refusal(other, changes=changes) is None) is may_at_all
            assert (token.refusal(other, changes=changes) is None) is (may_at_all and other is scope)
    refusal = token.refusal(next(other for other in Scope if other is not scope), changes=False)
    assert refused(refusal, ErrorCode.FORBIDDEN).detail.startswith("this token lacks the scope ")


async def test_a_token_ends_when_it_was_to() -> None:
    """To the millisecond; and what is open by it knows when."""
    house = House()
    made = await make(house, house.add_user(), seconds=60)
    assert identity_of(await house.accounts.authenticate(made.text)).expires_at == house.now_ms + 60_000
    house.now += 59.999
    identity_of(await house.accounts.authenticate(made.text))
    assert len(await house.personal.of_user(made.record.user)) == 1
    house.now += 0.001
    refused(await house.accounts.authenticate(made.text), ErrorCode.UNAUTHENTICATED)
    assert await house.personal.of_user(made.record.user) == []


async def test_a_token_that_is_revoked_is_nothing_and_what_is_open_by_it_closes() -> None:
    """Only one's own, and only once; the others stay."""
    house = House()
    user, stranger = house.add_user(), house.add_user("bob")
    made, other = await make(house, user), await make(house, user)
    assert await house.personal.revoke(stranger.id, only=made.record.id) == []
    assert await house.personal.revoke(user.id, only="k_none") == []
    assert house.ended == []
    assert await house.personal.revoke(user.id, only=made.record.id) == [made.record.id]
    assert await house.personal.revoke(user.id, only=made.record.id) == []
    refused(await house.accounts.authenticate(made.text), ErrorCode.UNAUTHENTICATED)
    identity_of(await house.accounts.authenticate(other.text))
    assert await house.personal.revoke(user.id) == [other.record.id]
    assert house.ended == [made.record.id, other.record.id]


async def test_signing_out_everywhere_ends_sessions_and_tokens() -> None:
    """Whatever was open is told."""
    house = House()
    user = house.add_user()
    session, made = await house.start(user), await make(house, user)
    stranger = await make(house, house.add_user("bob"))
    await house.accounts.sign_out_everywhere(user.id)
    assert sorted(house.ended) == sorted([session.session, made.record.id])
    identity_of(await house.accounts.authenticate(stranger.text))


@pytest.mark.parametrize("failing", ["drop_credentials", "end_sessions"])
async def test_signing_out_everywhere_can_be_asked_again_if_the_store_fails(failing: str) -> None:
    """The session that asked is still there, unless all is done."""
    house = House()
    user = house.add_user()
    session, made = await house.start(user), await make(house, user)

    def fail(call: str) -> None:
        house.stored.down = call == failing

    house.stored.before = fail
    with pytest.raises(StorageUnavailable):
        await house.accounts.sign_out_everywhere(user.id)
    house.stored.before, house.stored.down = None, False
    identity_of(await house.accounts.authenticate(session.access_token))
    await house.accounts.sign_out_everywhere(user.id)
    for text in (session.access_token, made.text):
        refused(await house.accounts.authenticate(text), ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("moment", ["session", "create_credential", "end_sessions"])
async def test_no_token_is_made_that_signing_out_everywhere_does_not_see(moment: str) -> None:
    """Whoever holds a session that is being ended gets no token by it, at whatever moment it is asked for."""
    house = House()
    session = await house.start(house.add_user())
    made: list[MadeToken | Refusal] = []

    async def make_one() -> None:
        made.append(
            await house.personal.create(
                session.user, name="x", scopes=READING, expires_in_seconds=None, session=session.session
            )
        )

    async def sign_out() -> None:
        await house.accounts.sign_out_everywhere(session.user.id)

    first, meanwhile = (make_one, sign_out) if moment != "end_sessions" else (sign_out, make_one)
    house.stored.meanwhile[moment] = meanwhile
    await first()
    assert not house.stored.meanwhile
    assert not house.store.sessions
    for each in made:
        if isinstance(each, MadeToken):
            refused(await house.accounts.authenticate(each.text), ErrorCode.UNAUTHENTICATED)
    assert await house.personal.of_user(session.user.id) == []


async def test_a_user_has_so_many_tokens_and_no_more() -> None:
    """The next one is refused until one is revoked or has expired."""
    house = House()
    user = house.add_user()
    made = [await make(house, user, name=f"{number}", seconds=60 if number == 1 else None) for number in range(50)]
    assert TOKENS_MAX == 50
    again = house.personal.create(user, name="51", scopes=READING, expires_in_seconds=None)
    refused(await again, ErrorCode.CONFLICT)
    await house.personal.revoke(user.id, only=made[0].record.id)
    await make(house, user)
    house.now += 60
    await make(house, user)
    assert len(await house.personal.of_user(user.id)) == 50


async def test_the_last_token_is_made_once_however_many_ask_at_once() -> None:
    """The store counts and stores in one step, so that no two both find the place free."""
    house = House()
    user = house.add_user()
    for number in range(TOKENS_MAX - 1):
        await make(house, user, name=f"{number}")
    answers: list[MadeToken | Refusal] = []

    async def ask() -> None:
        answers.append(await house.personal.create(user, name="x", scopes=READING, expires_in_seconds=None))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask)
    assert sum(isinstance(answer, MadeToken) for answer in answers) == 1
    assert len(await house.personal.of_user(user.id)) == TOKENS_MAX


async def test_guests_have_no_tokens() -> None:
    """Who may change nothing leaves no program behind that reads on."""
    house = House()
    guest = house.add_user(role="guest")
    made = await house.personal.create(guest, name="Robot", scopes=READING, expires_in_seconds=None)
    refused(made, ErrorCode.FORBIDDEN)
    assert house.store.credentials == {}


async def test_tokens_are_listed_the_newest_first() -> None:
    """With their names, and nothing by which one could call."""
    house = House()
    user = house.add_user()
    made = []
    for name in ("first", "second", "third"):
        made.append(await make(house, user, name=name))
        house.now += 1
    await make(house, house.add_user("bob"))
    listed = await house.personal.of_user(user.id)
    assert [record.name for record in listed] == ["third", "second", "first"]
    assert not any(token.text in repr(listed) or token.text in repr(token) for token in made)


async def test_a_token_looks_like_one_of_ours_and_like_no_access_token() -> None:
    """People and scanners know it by its beginning; neither kind is ever taken for the other."""
    house = House()
    user = house.add_user()
    texts = [(await make(house, user)).text for _ in range(20)]
    assert len(set(texts)) == 20
    assert all(re.fullmatch(r"jc_[A-Za-z0-9_-]{43}", text) for text in texts)
    assert {house.sessions._tokens.verify(text) for text in texts} == {TokenProblem.UNAUTHENTICATED}
    session = await house.start(user)
    refused(await house.personal.recognise(session.access_token), ErrorCode.UNAUTHENTICATED)
    house.stored.calls.clear()
    refused(await house.accounts.authenticate(f"jc_{session.access_token}"), ErrorCode.UNAUTHENTICATED)
    assert house.stored.calls == ["credential"]
    refused(await house.accounts.authenticate(texts[0].removeprefix("jc_")), ErrorCode.UNAUTHENTICATED)
    assert house.stored.calls == ["credential"], "what is no token of a session is asked of no store"


@pytest.mark.parametrize("text", ["jc_", "jc_x", "jc_\ud800", "jc_" + "x" * 4000, "JC_x", "jc-x"])
async def test_what_only_begins_like_a_token_is_none(text: str) -> None:
    """Whatever it is, it is refused and not stumbled over."""
    house = House()
    await make(house, house.add_user())
    refused(await house.accounts.authenticate(text), ErrorCode.UNAUTHENTICATED)


async def test_a_store_that_is_down_lets_no_token_in_and_makes_none() -> None:
    """Its failure is raised."""
    house = House()
    user = house.add_user()
    made = await make(house, user)
    house.stored.down = True
    with pytest.raises(StorageUnavailable):
        await house.accounts.authenticate(made.text)
    with pytest.raises(StorageUnavailable):
        await make(house, user)
    house.stored.down, house.stored.cut_off = False, ("create_credential", "after")
    with pytest.raises(OutcomeUnknown):
        await make(house, user, name="cut off")
    # It may be there, but nobody was told its text: it can be seen and revoked.
    assert [record.name for record in await house.personal.of_user(user.id)] == ["cut off", "Robot"]

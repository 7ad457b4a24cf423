"""Accounts with the real server: tokens that run out, sessions that end, and what is one's own over REST."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from justchat.client import (
    Client,
    ClosedByServer,
    Credentials,
    RefreshTokens,
    Refused,
    RoomEvent,
    Subscribed,
    open_client,
)
from justchat.client.address import parse_address
from justchat.client.rest import RestClient, open_rest
from justchat.client.sessions import RestSignIn, SignIn
from justchat.ids import new_id
from tests.client.script import take
from tests.client.sign_in_desk import PASSWORD, Desk
from tests.client.test_real_server import QUICK
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

OTHER_PASSWORD = "battery staple horse"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c636060606000000005000157a9f6dd0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tokens last as long as its warning comes ahead, so that the warning comes at once."""
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest", access_token_seconds=60) as server:
        yield server


async def registered(rest: RestClient) -> Credentials:
    credentials = Credentials(f"u{new_id('n')[-20:]}", PASSWORD)
    await rest.register(credentials.username, credentials.password)
    return credentials


async def renewals(client: Client, count: int, room: str) -> None:
    """Talk to the server until it has taken so many fresh tokens."""
    with trio.fail_after(30):
        while client.statistics().renewals < count:
            await client.fetch(room, limit=1)


async def test_a_connection_outlives_its_token(real: ServerProcess) -> None:
    """The server warns, takes a fresh token, and the run of events goes on; nobody logs in or connects again."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        room = await rest.create_room("Tea")
        async with open_client(real.url, credentials=credentials, settings=QUICK, subscribe="all") as client:
            assert isinstance(await take(client), Subscribed)
            await renewals(client, 1, room.id)
            ack = await client.send(room.id, "still here")
            item = await take(client)
            assert isinstance(item, RoomEvent)
            assert item.seq == ack.seq
            assert client.statistics().connections == 1
        # One by registering, one by the client's login.
        assert len(await rest.account.sessions()) == 2


async def test_a_kept_refresh_token_carries_a_program_over_its_restart(real: ServerProcess) -> None:
    """Each run hands out the token for the next one, and all of them are one session."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        session = await rest.login(credentials.username, PASSWORD)
        room = await rest.create_room("Tea")
        kept = [session.refresh_token or ""]
        for _ in range(2):
            source = RefreshTokens(real.url, kept[-1], kept.append)
            async with open_client(real.url, token=source, settings=QUICK) as client:
                await client.send(room.id, "hello")
                await renewals(client, 1, room.id)
        assert len(kept) == len(set(kept)) == 5
        assert len(await rest.account.sessions()) == 2
        assert session.session_id in {each.id for each in await rest.account.sessions()}


async def test_a_session_that_was_ended_ends_its_client_unless_it_can_log_in(real: ServerProcess) -> None:
    """With a password the client is back by itself; with a refresh token or an access token it says why not."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        session = await rest.login(credentials.username, PASSWORD)
        room = await rest.create_room("Tea")
        stored = RefreshTokens(real.url, session.refresh_token or "", lambda _: None)
        async with (
            open_client(real.url, credentials=credentials, settings=QUICK) as steady,
            open_client(real.url, token=stored, settings=QUICK) as renewing,
            open_client(real.url, token=session.access_token, settings=QUICK) as fixed,
        ):
            await steady.subscribe(room.id)
            assert isinstance(await take(steady), Subscribed)
            await rest.account.logout_all()
            with pytest.raises(Refused, match="log in again"):
                await take(renewing)
            with pytest.raises(ClosedByServer, match="4502"):
                await take(fixed)
            await rest.login(credentials.username, PASSWORD)
            sent = await rest.post(room.id, "are you there?", client_msg_id="1")
            item = await take(steady)
            assert isinstance(item, RoomEvent)
            assert item.seq == sent.seq
            assert steady.statistics().connections == 2


async def test_a_changed_password_keeps_this_session_and_ends_the_others(real: ServerProcess) -> None:
    """A client that logs in with the old one is told that it is not right any more."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        async with open_client(real.url, credentials=credentials, settings=QUICK) as client:
            await rest.account.change_password(PASSWORD, OTHER_PASSWORD)
            with pytest.raises(Refused, match="unauthenticated"):
                await take(client)
        assert [session.current for session in await rest.account.sessions()] == [True]
        with pytest.raises(Refused, match="unauthenticated"):
            await rest.login(credentials.username, PASSWORD)
        await rest.login(credentials.username, OTHER_PASSWORD)


async def test_sessions_are_listed_and_ended_one_by_one(real: ServerProcess) -> None:
    """The one that asks is marked; one that is ended is out at once, and logging out forgets the token."""
    async with open_rest(real.url) as rest, open_rest(real.url) as other:
        credentials = await registered(rest)
        await other.login(credentials.username, PASSWORD)
        here, there = sorted(await rest.account.sessions(), key=lambda session: not session.current)
        assert (here.current, there.current, there.address) == (True, False, "127.0.0.1")
        assert there.user_agent.startswith("justchat/")
        await rest.account.end_session(there.id)
        with pytest.raises(Refused, match="unauthenticated"):
            await other.me()
        with pytest.raises(Refused, match="not_found"):
            await rest.account.end_session(there.id)
        await rest.account.logout()
        assert rest.token is None


async def test_a_personal_token_connects_and_is_revoked(real: ServerProcess) -> None:
    """It is a token like any other for `open_client`, does what its scopes say, and closes what it opened."""
    async with open_rest(real.url) as rest:
        await registered(rest)
        room = await rest.create_room("Tea")
        made = await rest.personal_tokens.create("bot", ["messages:read"], expires_in=3600)
        assert (made.token or "").startswith("jc_")
        assert (made.token or "") not in repr(made)
        async with open_client(real.url, token=made.token, settings=QUICK) as client:
            await client.subscribe(room.id)
            assert isinstance(await take(client), Subscribed)
            with pytest.raises(Refused, match="forbidden"):
                await client.send(room.id, "hello")
            listed = await rest.personal_tokens.many()
            assert [(each.name, each.scopes, each.token) for each in listed] == [("bot", ("messages:read",), None)]
            await rest.personal_tokens.revoke(made.id)
            with pytest.raises(ClosedByServer, match="4502"):
                await take(client)
        assert await rest.personal_tokens.many() == ()


async def test_a_profile_is_changed_and_seen_by_others(real: ServerProcess) -> None:
    """What is given changes, what is not stays, None takes away; another address needs the password."""
    async with open_rest(real.url) as rest, open_rest(real.url) as other:
        credentials = await registered(rest)
        await registered(other)
        changed = await rest.account.change_profile(display_name="Alice", bio="Tea before noon.")
        assert (changed.display_name, changed.bio) == ("Alice", "Tea before noon.")
        with pytest.raises(Refused, match="validation_failed"):
            await rest.account.change_profile(email=f"{credentials.username}@example.org")
        changed = await rest.account.change_profile(email=f"{credentials.username}@example.org", password=PASSWORD)
        assert (changed.email, changed.email_verified) == (f"{credentials.username}@example.org", False)
        changed = await rest.account.change_profile(bio=None)
        assert (changed.display_name, changed.bio) == ("Alice", "")
        assert changed == await rest.account.profile()
        seen = await other.user(changed.id)
        assert (seen.display_name, seen.online, seen.deleted) == ("Alice", False, False)


async def test_a_picture_is_set_shown_and_taken_away(real: ServerProcess) -> None:
    """Its address is in what others see of the user; what is no picture is refused."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        with pytest.raises(Refused, match="validation_failed"):
            await rest.account.set_avatar(b"GIF", "image/png")
        own = await rest.account.set_avatar(PNG, "image/png")
        assert own.avatar_url
        assert [user.avatar_url for user in await rest.users(credentials.username)] == [own.avatar_url]
        await rest.account.remove_avatar()
        assert (await rest.me()).avatar_url is None


async def test_contacts_are_asked_accepted_and_ended_and_blocks_lifted(real: ServerProcess) -> None:
    """Both sides see the same contact; a block ends it, and is seen by who made it alone."""
    async with open_rest(real.url) as rest, open_rest(real.url) as other:
        await registered(rest)
        await registered(other)
        me, friend = (await rest.me()).id, (await other.me()).id
        assert (await rest.contacts.ask(friend)).state == "asked"
        assert [contact.state for contact in (await other.contacts.many()).items] == ["asks_you"]
        assert (await other.contacts.ask(me)).state == "accepted"
        assert (await rest.contacts.one(friend)).state == "accepted"
        await other.contacts.block(me)
        assert (await rest.contacts.many()).items == ()
        assert [block.user.id for block in (await other.contacts.blocks()).items] == [me]
        assert (await rest.contacts.blocks()).items == ()
        with pytest.raises(Refused, match="forbidden"):
            await rest.contacts.ask(friend)
        await other.contacts.unblock(me)
        assert (await rest.contacts.ask(friend)).state == "asked"
        await other.contacts.end(me)
        assert (await rest.contacts.many()).items == ()


async def test_leaving_ends_everything_at_once(real: ServerProcess) -> None:
    """The password is asked for; then the connection is closed, and logging in is refused like a wrong password."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
        async with open_client(real.url, credentials=credentials, settings=QUICK) as client:
            with pytest.raises(Refused, match="forbidden"):
                await rest.account.leave("not the password")
            await rest.account.leave(PASSWORD, erase=True)
            with pytest.raises(Refused, match="unauthenticated"):
                await take(client)


@pytest.fixture(params=["model", "server"])
def sign_in(request: pytest.FixtureRequest, real: ServerProcess) -> SignIn:
    return Desk() if request.param == "model" else RestSignIn(parse_address(real.url))


async def test_the_model_of_signing_in_does_what_the_server_does(sign_in: SignIn, real: ServerProcess) -> None:
    """What other tests rely on: good once, once more for a lost answer, and the end of the session after that."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
    with pytest.raises(Refused, match="unauthenticated"):
        await sign_in.login(Credentials(credentials.username, "wrong password"))
    first = await sign_in.login(credentials)
    second = await sign_in.refresh(first.refresh_token or "")
    again = await sign_in.refresh(first.refresh_token or "")
    assert second.refresh_token != first.refresh_token
    assert again.refresh_token == second.refresh_token
    assert again.session_id == second.session_id == first.session_id
    third = await sign_in.refresh(second.refresh_token or "")
    # The grandparent of the present token: nobody who is honest has it.
    with pytest.raises(Refused, match="unauthenticated"):
        await sign_in.refresh(first.refresh_token or "")
    with pytest.raises(Refused, match="unauthenticated"):
        await sign_in.refresh(third.refresh_token or "")
    assert (await sign_in.login(credentials)).session_id != first.session_id

"""Coming in by a ticket, and coming in while the store fails or one is out already."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from justchat.accounts.identity import Identity
from storage.errors import StorageUnavailable
from tests.connections.fake_socket import FakeSocket
from tests.connections.house import settle
from tests.connections.test_greeting import ANN, BOB, Entrance, open_entrance


def ticket_of(entrance: Entrance, user: str = BOB) -> str:
    """Have a ticket made by a session of this user."""
    store = entrance.house.journal._store
    (session,) = store.sessions_of[user]
    return entrance.greeter._accounts.tickets.issue(Identity(store.users[user], session=session))


async def come(entrance: Entrance, *, query: str | None = None, **data: object) -> FakeSocket:
    """Come in with a ticket in the address, or whatever else in the hello."""
    handshake = await entrance.knock(query={} if query is None else {"ticket": query})
    assert handshake.socket is not None
    handshake.socket.say("hello", data=data)
    await settle()
    return handshake.socket


def refusal(socket: FakeSocket) -> tuple[str, int]:
    """Give the code of the one error that was said, and with what the socket was closed."""
    assert socket.closed_with is not None
    (error,) = socket.seen
    return error["data"]["code"], socket.closed_with[0]


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_ticket_opens_one_socket(autojump_clock: object, in_query: bool) -> None:
    """In the address or in the hello; the second time it is nothing, wherever it stands."""
    async with open_entrance() as entrance:
        ticket = ticket_of(entrance)
        socket = await come(entrance, query=ticket) if in_query else await come(entrance, ticket=ticket)
        assert socket.seen[0]["data"]["user"]["id"] == BOB
        assert refusal(await come(entrance, query=ticket)) == ("unauthenticated", 4501)
        assert refusal(await come(entrance, ticket=ticket)) == ("unauthenticated", 4501)
        assert not socket.closed


async def test_a_ticket_goes_before_a_token(autojump_clock: object) -> None:
    """One that is not good is not made up for by a token: whoever sends both means the ticket."""
    async with open_entrance() as entrance:
        token = entrance.tokens[ANN]
        socket = await come(entrance, ticket=ticket_of(entrance), token=token)
        assert socket.seen[0]["data"]["user"]["id"] == BOB
        assert refusal(await come(entrance, ticket="wst_none", token=token)) == ("unauthenticated", 4501)


async def test_a_token_is_no_ticket_and_a_ticket_no_token(autojump_clock: object) -> None:
    """Neither is taken in the place of the other."""
    async with open_entrance() as entrance:
        ticket, token = ticket_of(entrance), entrance.tokens[BOB]
        assert refusal(await come(entrance, token=ticket)) == ("unauthenticated", 4501)
        assert refusal(await come(entrance, query=token)) == ("unauthenticated", 4501)
        assert (await come(entrance, query=ticket)).seen[0]["type"] == "welcome"


@pytest.mark.parametrize("by", ["token", "ticket"])
@pytest.mark.parametrize("out", ["ended", "disabled"])
async def test_whoever_is_out_does_not_come_in(autojump_clock: object, by: str, out: str) -> None:
    """The session has ended or the account is disabled, though the token or the ticket is still young."""
    async with open_entrance() as entrance:
        store = entrance.house.journal._store
        proof = entrance.tokens[BOB] if by == "token" else ticket_of(entrance)
        if out == "ended":
            store.drop_session(next(iter(store.sessions_of[BOB])))
        else:
            store.put_user(replace(store.users[BOB], disabled=True))
        assert refusal(await come(entrance, **{by: proof})) == ("unauthenticated", 4501)
        assert len(entrance.house.index) == 0


@pytest.mark.parametrize("by", ["token", "ticket"])
async def test_a_store_that_is_down_lets_nobody_in(autojump_clock: object, by: str) -> None:
    """1013, with which clients come back later."""
    async with open_entrance() as entrance:
        proof = entrance.tokens[BOB] if by == "token" else ticket_of(entrance)

        class Down:
            async def session(self, *_: object) -> object:
                raise StorageUnavailable("planted")

        entrance.greeter._accounts.sessions._stored = Down()  # type: ignore[assignment]
        assert refusal(await come(entrance, **{by: proof})) == ("storage_unavailable", 1013)
        assert len(entrance.house.index) == 0

"""Opening a client: from a URL and who is calling to a client that stays connected until its block is left."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import trio

from justchat.client.address import parse_address
from justchat.client.client import Client
from justchat.client.conversation import Conversation
from justchat.client.errors import ClientClosed
from justchat.client.line import Line
from justchat.client.sessions import LoginTokens
from justchat.client.settings import ClientSettings
from justchat.client.tokens import Credentials, FixedToken, TokenSource
from justchat.ids import new_id
from justchat.wire.frames import Position


def new_client_msg_id() -> str:
    """Make the idempotency key of a post."""
    return new_id("c")


@asynccontextmanager
async def open_client(
    url: str,
    *,
    token: str | TokenSource | None = None,
    credentials: Credentials | tuple[str, str] | None = None,
    subscribe: Literal["all"] | None = None,
    resume: Mapping[str, Position] | None = None,
    settings: ClientSettings | None = None,
    ssl_context: ssl.SSLContext | None = None,
    jitter: Callable[[], float] = random.random,
    message_ids: Callable[[], str] = new_client_msg_id,
) -> AsyncIterator[Client]:
    """Connect to a server, and stay connected until the block is left.

    `url` is `http(s)://host[:port]` or `ws(s)://host[:port]/ws`. Who is calling is said by a `token`, a TokenSource, or
    `credentials` (username and password; needs httpx). `subscribe="all"` follows every room of the user, also those
    joined later; `resume` gives positions that the application kept from an earlier life.

    `jitter` gives numbers in [0, 1) for the delays; all waiting is on Trio's clock. Raises Unreachable when there is no
    connection in time, ClosedByServer, UpgradeRefused or Refused when trying again is pointless.
    """
    address = parse_address(url)
    settings = settings or ClientSettings()
    conversation = Conversation(settings, everything=subscribe == "all", jitter=jitter)
    conversation.following.begin(resume or {})
    tokens = _token_source(token, None if credentials is None else LoginTokens(address, _credentials(credentials)))
    line = Line(address, tokens, conversation, settings=settings, jitter=jitter, ssl_context=ssl_context)
    client = Client(conversation, line, settings, message_ids=message_ids)
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.run)
            try:
                await _settle(line, settings)
                yield client
            finally:
                line.stop()
    except BaseExceptionGroup as group:
        # One exception comes out as it is, so that callers can catch what their own block raised; that the end of the
        # client was told to whoever waited in the block is no news beside what ended it.
        causes = [error for error in group.exceptions if not isinstance(error, ClientClosed)] or group.exceptions
        if len(causes) != 1:
            raise
        failure = causes[0]
    if failure is not None:
        raise failure


async def _settle(line: Line, settings: ClientSettings) -> None:
    seconds = settings.first_connection_seconds
    with trio.CancelScope() as scope:
        if seconds is not None:
            scope.deadline = trio.current_time() + seconds
        await line.settled.wait()
    if scope.cancelled_caught and seconds is not None:
        raise line.unreachable(seconds)
    if line.failure is not None:
        raise line.failure.again()


def _credentials(credentials: Credentials | tuple[str, str]) -> Credentials:
    return credentials if isinstance(credentials, Credentials) else Credentials(*credentials)


def _token_source(token: str | TokenSource | None, logins: LoginTokens | None) -> TokenSource:
    if (token is None) == (logins is None):
        raise ValueError("say who is calling with token= or with credentials=, and not with both")
    if isinstance(token, str):
        if not token or not token.isprintable() or token != token.strip():
            raise ValueError("a token is a word without blanks: was the end of a line read along with it?")
        return FixedToken(token)
    return token or logins  # type: ignore[return-value]  # exactly one is there

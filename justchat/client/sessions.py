"""Sessions of a client: access tokens got by a refresh token, or by logging in.

Access tokens are short-lived. What is given out lasts for a while: a token is renewed before its end. Each refresh
token is good once, so renewals of one session never overlap, and are seen through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from justchat.client.address import Address, parse_address
from justchat.client.commands import RETRYABLE
from justchat.client.errors import Refused
from justchat.client.rest_answers import Session
from justchat.client.tokens import Credentials

EARLY_SECONDS = 30.0
"""How long before its end a token is no longer given out."""

RENEWAL_SECONDS = 5.0
"""How long a renewal is waited for: not as long as the server repeats a lost answer, so that the next try gets it."""


class SignIn(Protocol):
    """Where sessions begin and go on. Raises Refused, or OSError when the server cannot be reached."""

    async def login(self, credentials: Credentials) -> Session:
        """Begin a session."""
        ...

    async def refresh(self, refresh_token: str) -> Session:
        """Go on with a session."""
        ...


class RefreshTokens:
    """Tokens got by a refresh token, which is another one after each use.

    `on_change` is called with each new one before it is used: keep it in the place of the last, or a restarted program
    has none that is good. Where it raises, nothing is given out, and it is called again with the next try: soon after
    an OSError, such as a full disk; anything else ends the client. Several clients may share one source, so that they
    share one session. Needs httpx.
    """

    def __init__(
        self, url: str, refresh_token: str, on_change: Callable[[str], object], *, sign_in: SignIn | None = None
    ) -> None:
        """`url` is the server's, as for `open_client`."""
        self._sign_in = sign_in or RestSignIn(parse_address(url))
        self._refresh_token = refresh_token
        self._on_change = on_change
        self._is_kept = True  # `on_change` has taken the refresh token
        self._access_token: str | None = None
        self._good_until = 0.0
        # Asked for, and nothing heard: the server may count the refresh token as used, and repeats what it gave for it
        # for ten seconds only.
        self._is_unheard = False
        self._turn = trio.Lock()

    async def token(self, *, fresh: bool) -> str:
        """Give the present token, or renew it. Raises Refused where the refresh token is not taken, or OSError."""
        seen = self._access_token
        async with self._turn:
            self._hand_over()
            # Whoever had the turn before may have got what is asked for here.
            is_wanted = fresh and self._access_token == seen
            is_over = trio.current_time() >= self._good_until - EARLY_SECONDS
            if self._access_token is None or is_wanted or is_over or self._is_unheard:
                return await self._renew()
            return self._access_token

    def begin(self, session: Session) -> None:
        """Go on from here: with a login, or with what a renewal gave."""
        self._is_unheard = False
        self._access_token = session.access_token
        self._good_until = trio.current_time() + session.expires_in
        if session.refresh_token is not None and session.refresh_token != self._refresh_token:
            self._refresh_token = session.refresh_token
            self._is_kept = False
        self._hand_over()

    def _hand_over(self) -> None:
        if not self._is_kept:
            self._on_change(self._refresh_token)
            self._is_kept = True

    async def _renew(self) -> str:
        session: Session | None = None
        was_unheard, self._is_unheard = self._is_unheard, True
        # Cancelled half-way, the old token might be used up and the new one unheard of.
        with trio.move_on_after(RENEWAL_SECONDS, shield=True):
            try:
                session = await self._sign_in.refresh(self._refresh_token)
            except Refused:
                # A refusal uses nothing up; what was asked for before it stays unheard.
                self._is_unheard = was_unheard
                raise
        if session is None:
            raise OSError(f"no answer to the renewal of a session within {RENEWAL_SECONDS} s")
        self.begin(session)
        return session.access_token


class LoginTokens:
    """Tokens got by logging in; renewed, and got by another login where the session has ended. Needs httpx."""

    def __init__(self, address: Address, credentials: Credentials, *, sign_in: SignIn | None = None) -> None:
        self._address = address
        self._credentials = credentials
        self._sign_in = sign_in or RestSignIn(address)
        self._session: RefreshTokens | None = None

    async def token(self, *, fresh: bool) -> str:
        """Give a token, by the shortest way. Raises Refused, or OSError when the server cannot be reached."""
        if self._session is not None:
            try:
                return await self._session.token(fresh=fresh)
            except Refused as refused:
                if refused.code in RETRYABLE:
                    raise
        session = await self._sign_in.login(self._credentials)
        self._session = RefreshTokens(
            self._address.site, session.refresh_token or "", lambda _: None, sign_in=self._sign_in
        )
        self._session.begin(session)
        return session.access_token


class RestSignIn:
    """Sessions over REST, each request on a connection of its own: there are few."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def login(self, credentials: Credentials) -> Session:
        """Begin a session."""
        # Only those who log in need an HTTP library.
        from justchat.client.rest import open_rest

        async with open_rest(self._address.site) as rest:
            return await rest.login(credentials.username, credentials.password)

    async def refresh(self, refresh_token: str) -> Session:
        """Go on with a session."""
        from justchat.client.rest import open_rest

        async with open_rest(self._address.site) as rest:
            return await rest.refresh(refresh_token)

"""Where a client's access token comes from: handed in once, or got by logging in, again when the old one expired."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from justchat.client.address import Address


class TokenSource(Protocol):
    """Gives tokens. An application may bring its own, for refresh schemes of its own."""

    async def token(self, *, fresh: bool) -> str | None:
        """Give a token. `fresh` says that the last one was not accepted; None then means that there is no other.

        Raises OSError or a retryable Refused when trying again later can help.
        """
        ...


class Credentials(Struct, frozen=True):
    """What a user logs in with. Its `repr` does not show the password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, password=...)"


class FixedToken:
    """A token that was handed in, for as long as it lasts."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool) -> str | None:
        """Give the one token; there is no fresh one."""
        return None if fresh else self._token


class LoginTokens:
    """Tokens got by logging in over REST; kept until one is refused. Needs httpx."""

    def __init__(self, address: Address, credentials: Credentials) -> None:
        self._address = address
        self._credentials = credentials
        self._token: str | None = None

    async def token(self, *, fresh: bool) -> str | None:
        """Give the kept token, or log in. Raises Refused, or OSError when the server cannot be reached."""
        if fresh or self._token is None:
            # Only those who log in need an HTTP library.
            from justchat.client.rest import open_rest

            async with open_rest(self._address.site) as rest:
                session = await rest.login(self._credentials.username, self._credentials.password)
            self._token = session.access_token
        return self._token

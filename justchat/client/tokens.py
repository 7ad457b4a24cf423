"""Where a client's access token comes from: handed in once, or a source of the application's own.

What renews tokens and logs in is in `justchat.client.sessions`.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class TokenSource(Protocol):
    """Gives tokens. An application may bring its own."""

    async def token(self, *, fresh: bool) -> str | None:
        """Give a token. `fresh` asks for another than the last one, which is not accepted, or not for much longer.

        None means that there is no other. Raises OSError or a retryable Refused when trying again later can help; any
        other Refused is the end of the client.
        """
        ...


class Credentials(Struct, frozen=True):
    """What a user logs in with. Its `repr` does not show the password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, password=...)"


class FixedToken:
    """A token that was handed in, for as long as it lasts. Personal tokens (`jc_…`) last until they are revoked."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool) -> str | None:
        """Give the one token; there is no fresh one."""
        return None if fresh else self._token

"""Personal tokens over REST: long-lived tokens for programs, with scopes. Reached as `rest.personal_tokens`."""

from __future__ import annotations

from collections.abc import Sequence

from justchat.client.rest_answers import PageOf, PersonalToken
from justchat.client.rest_requests import Requests, present, quoted


class PersonalTokens:
    """The caller's personal tokens. Making and revoking them needs a session: a token does not make tokens."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def create(self, name: str, scopes: Sequence[str], *, expires_in: int | None = None) -> PersonalToken:
        """Make a token, good for `expires_in` seconds or until it is revoked. It is told this once, so keep it.

        Scopes are `rooms:read`, `rooms:write`, `messages:read`, `messages:write` and `account`.
        """
        body = present(name=name, scopes=list(scopes), expires_in=expires_in)
        return await self._requests.call("POST", "/auth/tokens", PersonalToken, body=body)

    async def many(self) -> tuple[PersonalToken, ...]:
        """List one's tokens."""
        return (await self._requests.call("GET", "/auth/tokens", PageOf[PersonalToken])).items

    async def revoke(self, token: str) -> None:
        """Revoke a token, named by id; what is connected by it is closed."""
        await self._requests.do("DELETE", f"/auth/tokens/{quoted(token)}")

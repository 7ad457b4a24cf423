"""One user's HTTP requests: addresses and bodies in, decoded answers out, refusals and unreachable servers as errors.

It owns the connection pool and the token. What there is to ask for is in `justchat.client.rest` and its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from justchat.client.errors import Refused
from justchat.wire.errors import Problem

T = TypeVar("T")

Json = dict[str, object]
Query = dict[str, str | int]


class Requests:
    """Requests below `/api/v1`; `token` may be set at any time."""

    def __init__(self, http: httpx.AsyncClient, *, token: str | None = None) -> None:
        self._http = http
        self.token = token

    async def call(
        self, method: str, path: str, shape: type[T], *, body: Json | None = None, query: Query | None = None
    ) -> T:
        """Ask, and decode the answer.

        Raises Refused, or OSError when the server cannot be reached, also where something else answers in its place.
        """
        return _decoded(await self._api(method, path, body=body, query=query), shape)

    async def do(self, method: str, path: str, *, body: Json | None = None) -> None:
        """Ask for something that has no answer. Raises as `call` does."""
        await self._api(method, path, body=body)

    async def upload(self, method: str, path: str, shape: type[T], *, content: bytes, media_type: str) -> T:
        """Send what is no JSON, and decode the answer. Raises as `call` does."""
        headers = {"Content-Type": media_type}
        return _decoded(await self._api(method, path, content=content, headers=headers), shape)

    async def raw(self, method: str, path: str) -> httpx.Response:
        """Ask for what stands outside the API, whatever the answer is. Raises OSError."""
        return await self._send(method, path)

    async def _api(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        path = f"/api/v1{path}"
        response = await self._send(method, path, body=body, query=query, content=content, headers=headers)
        if not response.is_success:
            raise Refused(_problem(response))
        return response

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            return await self._http.request(method, path, json=body, content=content, params=query, headers=sent)
        except httpx.RequestError as error:
            raise OSError(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from error


def present(**fields: object) -> Json:
    """Make a body of the fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def query_of(**fields: str | int | None) -> Query:
    """Make a query of the fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def quoted(part: str) -> str:
    """Quote one step of an address."""
    return quote(part, safe="")


def moment(at: datetime | None) -> str | None:
    """Write a time as the server reads it. Raises ValueError for one without an offset, which could be any time."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("a time needs an offset: datetime.now(UTC), say")
    return at.isoformat()


def _decoded(response: httpx.Response, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        # A proxy's page, say, which is gone later.
        request = response.request
        raise OSError(f"{request.method} {request.url.path}: not an answer of JustChat: {error}") from error


def _problem(response: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.MsgspecError, ValueError):
        # Something in between answered, not the server.
        code = "internal" if response.status_code >= 500 else "unexpected_answer"
        return Problem(
            type="about:blank",
            title=response.reason_phrase,
            status=response.status_code,
            detail=response.text[:200],
            code=code,
        )

"""The REST side of the client: accounts, rooms, members and history, one method per request and nothing clever.

Answers are the types of `justchat.wire`; refusals raise `Refused` with the server's problem, an unreachable server
raises OSError. Nothing is retried here. Needs httpx, which runs on Trio as it is: `pip install justchat[client]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from justchat.client.address import parse_address
from justchat.client.errors import Refused
from justchat.client.inbound import read_events
from justchat.client.items import RoomEvent
from justchat.wire.errors import Problem
from justchat.wire.events import Message
from justchat.wire.server_frames import RoomView, UserView

T = TypeVar("T")

DEADLINE_SECONDS = 30.0
_Json = dict[str, object]
_Query = dict[str, str | int]


class Session(Struct, frozen=True):
    """A login. `expires_in` is in seconds."""

    user: UserView
    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a secret


class Listing(Struct, frozen=True):
    """A page of rooms; `next_cursor` fetches the next one."""

    items: tuple[RoomView, ...]
    next_cursor: str | None = None


class Member(Struct, frozen=True):
    """A member of a room; `joined_seq` is the event that made them one."""

    user: UserView
    role: str
    joined_seq: int


class Roster(Struct, frozen=True):
    """A page of members; `next_cursor` fetches the next one."""

    items: tuple[Member, ...]
    next_cursor: str | None = None


class EventPage(Struct, frozen=True):
    """A page of a room's journal, ascending; `more` says whether another page lies in the asked direction."""

    events: tuple[RoomEvent, ...]
    head_seq: int
    epoch: str
    more: bool


class _Users(Struct, frozen=True):
    items: tuple[UserView, ...]


class _Messages(Struct, frozen=True):
    items: tuple[Message, ...]


class _Events(Struct, frozen=True):
    items: tuple[msgspec.Raw, ...]
    head_seq: int
    epoch: str
    more: bool


class RestClient:
    """One user's REST calls; `token` may be set at any time. Made by `open_rest`."""

    def __init__(self, http: httpx.AsyncClient, *, token: str | None = None) -> None:
        self._http = http
        self.token = token

    # Accounts.

    async def register(
        self, username: str, password: str, *, email: str | None = None, display_name: str | None = None
    ) -> Session:
        """Make an account and use it from here on."""
        body = _present(username=username, password=password, email=email, display_name=display_name)
        return self._enter(await self._call("POST", "/auth/register", Session, body=body))

    async def login(self, username: str, password: str) -> Session:
        """Log in and use this account from here on. An `@` in the name makes it an e-mail address."""
        name = "email" if "@" in username else "username"
        body: _Json = {name: username, "password": password}
        return self._enter(await self._call("POST", "/auth/login", Session, body=body))

    async def me(self) -> UserView:
        """Ask who is calling."""
        return await self._call("GET", "/users/me", UserView)

    async def users(self, q: str) -> tuple[UserView, ...]:
        """Find users by the beginning of their name."""
        return (await self._call("GET", "/users", _Users, query={"q": q})).items

    # Rooms and members.

    async def create_room(
        self,
        name: str,
        *,
        kind: str = "group",
        visibility: str = "private",
        topic: str | None = None,
        members: Sequence[str] = (),
    ) -> RoomView:
        """Make a room, with these members (usernames or ids) besides the caller."""
        body = _present(kind=kind, name=name, visibility=visibility, topic=topic, members=list(members) or None)
        return await self._call("POST", "/rooms", RoomView, body=body)

    async def public_rooms(self, *, q: str | None = None, cursor: str | None = None) -> Listing:
        """List the rooms that anybody may join."""
        return await self._call("GET", "/rooms", Listing, query=_query(public="true", q=q, cursor=cursor))

    async def my_rooms(self, *, cursor: str | None = None) -> Listing:
        """List the rooms of the caller."""
        return await self._call("GET", "/users/me/rooms", Listing, query=_query(cursor=cursor))

    async def room(self, room: str) -> RoomView:
        """Look at a room."""
        return await self._call("GET", f"/rooms/{_path(room)}", RoomView)

    async def update_room(
        self, room: str, *, name: str | None = None, topic: str | None = None, visibility: str | None = None
    ) -> RoomView:
        """Change what is given and leave the rest."""
        body = _present(name=name, topic=topic, visibility=visibility)
        return await self._call("PATCH", f"/rooms/{_path(room)}", RoomView, body=body)

    async def delete_room(self, room: str) -> None:
        """Delete a room for everybody."""
        await self._do("DELETE", f"/rooms/{_path(room)}")

    async def join(self, room: str) -> None:
        """Join a public room; harmless for a member."""
        await self._do("PUT", f"/rooms/{_path(room)}/members/me")

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self._do("DELETE", f"/rooms/{_path(room)}/members/me")

    async def members(self, room: str, *, cursor: str | None = None) -> Roster:
        """List the members of a room."""
        return await self._call("GET", f"/rooms/{_path(room)}/members", Roster, query=_query(cursor=cursor))

    async def add_member(self, room: str, user: str, *, role: str = "member") -> None:
        """Add a user, named by id, to a room."""
        await self._do("PUT", f"/rooms/{_path(room)}/members/{_path(user)}", body={"role": role})

    async def set_role(self, room: str, user: str, role: str) -> None:
        """Give a member another role."""
        await self._do("PATCH", f"/rooms/{_path(room)}/members/{_path(user)}", body={"role": role})

    async def remove_member(self, room: str, user: str) -> None:
        """Remove a user from a room."""
        await self._do("DELETE", f"/rooms/{_path(room)}/members/{_path(user)}")

    # Messages and the journal.

    async def post(self, room: str, body: str, *, client_msg_id: str, reply_to: str | None = None) -> Message:
        """Post a message. The same `client_msg_id` again gives the same message again."""
        content = _present(client_msg_id=client_msg_id, body=body, reply_to=reply_to)
        return await self._call("POST", f"/rooms/{_path(room)}/messages", Message, body=content)

    async def messages(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int | None = None,
    ) -> tuple[Message, ...]:
        """Get a page of messages, ascending by seq."""
        query = _query(before=before, after=after, around=around, limit=limit)
        return (await self._call("GET", f"/rooms/{_path(room)}/messages", _Messages, query=query)).items

    async def message(self, message: str) -> Message:
        """Get one message."""
        return await self._call("GET", f"/messages/{_path(message)}", Message)

    async def delete_message(self, message: str) -> None:
        """Turn a message into a tombstone."""
        await self._do("DELETE", f"/messages/{_path(message)}")

    async def events(
        self, room: str, *, after: int | None = None, before: int | None = None, limit: int | None = None
    ) -> EventPage:
        """Get a page of a room's journal."""
        query = _query(after=after, before=before, limit=limit)
        page = await self._call("GET", f"/rooms/{_path(room)}/events", _Events, query=query)
        return EventPage(read_events(page.items), page.head_seq, page.epoch, page.more)

    async def ready(self) -> bool:
        """Ask whether the server is ready for work."""
        return (await self._request("GET", "/health/ready")).is_success

    # Inside.

    def _enter(self, session: Session) -> Session:
        self.token = session.access_token
        return session

    async def _call(
        self, method: str, path: str, shape: type[T], *, body: _Json | None = None, query: _Query | None = None
    ) -> T:
        response = await self._api(method, path, body=body, query=query)
        return msgspec.json.decode(response.content, type=shape)

    async def _do(self, method: str, path: str, *, body: _Json | None = None) -> None:
        await self._api(method, path, body=body)

    async def _api(
        self, method: str, path: str, *, body: _Json | None = None, query: _Query | None = None
    ) -> httpx.Response:
        response = await self._request(method, f"/api/v1{path}", body=body, query=query)
        if not response.is_success:
            raise Refused(_problem(response))
        return response

    async def _request(
        self, method: str, path: str, *, body: _Json | None = None, query: _Query | None = None
    ) -> httpx.Response:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        try:
            return await self._http.request(method, path, json=body, params=query, headers=headers)
        except httpx.TransportError as error:
            raise OSError(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from error


@asynccontextmanager
async def open_rest(
    url: str, *, token: str | None = None, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[RestClient]:
    """Talk REST to the server at `http(s)://host[:port]`. `deadline_seconds` bounds each step of a request."""
    site = parse_address(url).site
    async with httpx.AsyncClient(base_url=site, timeout=deadline_seconds) as http:
        yield RestClient(http, token=token)


def _present(**fields: object) -> _Json:
    return {name: value for name, value in fields.items() if value is not None}


def _query(**fields: str | int | None) -> _Query:
    return {name: value for name, value in fields.items() if value is not None}


def _path(part: str) -> str:
    return quote(part, safe="")


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

"""The REST side of the client: one method per request and nothing clever.

Signing in, users, rooms, members, messages and history are methods of `RestClient`; one's own account, personal tokens,
contacts, moderation, invites and scheduled posts are its attributes `account`, `personal_tokens`, `contacts`,
`moderation`, `invites` and `scheduled`. Answers are the types of `justchat.wire` and of
`justchat.client.rest_answers`; refusals raise `Refused` with the server's problem, an unreachable server raises
OSError. Nothing is retried here. Needs httpx, which runs on Trio as it is: `pip install justchat[client]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec

from justchat import __version__
from justchat.client.address import parse_address
from justchat.client.inbound import read_events
from justchat.client.rest_account import Account
from justchat.client.rest_answers import (
    EventItems,
    EventPage,
    Listing,
    Member,
    MemberDetail,
    MessageView,
    OwnRoom,
    PageOf,
    PinnedMessage,
    Profile,
    Reactions,
    Revision,
    RoomPermissions,
    Roster,
    Session,
)
from justchat.client.rest_contacts import Contacts
from justchat.client.rest_invites import Invites
from justchat.client.rest_moderation import Moderation
from justchat.client.rest_personal_tokens import PersonalTokens
from justchat.client.rest_requests import Requests, present, query_of, quoted
from justchat.client.rest_scheduled import ScheduledPosts
from justchat.wire.events import SettingsChanges
from justchat.wire.server_frames import RoomView, UserView

__all__ = ["EventPage", "Listing", "Member", "RestClient", "Roster", "Session", "open_rest"]

DEADLINE_SECONDS = 30.0
# The server gives an idle connection up after five seconds; a request that meets its end on the way would be lost.
KEEP_ALIVE_SECONDS = 2.0


class RestClient:
    """One user's REST calls; `token` may be set at any time. Made by `open_rest`."""

    def __init__(self, http: httpx.AsyncClient, *, token: str | None = None) -> None:
        self._requests = Requests(http, token=token)
        self.account = Account(self._requests)
        self.personal_tokens = PersonalTokens(self._requests)
        self.contacts = Contacts(self._requests)
        self.invites = Invites(self._requests)
        self.moderation = Moderation(self._requests)
        self.scheduled = ScheduledPosts(self._requests)

    @property
    def token(self) -> str | None:
        """The access token that requests carry; None before anybody has logged in."""
        return self._requests.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._requests.token = token

    # Signing in, and users. There are no cookies: refresh tokens are in the answers.

    async def register(
        self,
        username: str,
        password: str,
        *,
        email: str | None = None,
        display_name: str | None = None,
        invitation: str | None = None,
    ) -> Session:
        """Make an account and use it from here on; some servers want an `invitation`."""
        body = present(
            username=username,
            password=password,
            email=email,
            display_name=display_name,
            invitation=invitation,
            cookie=False,
        )
        return self._enter(await self._requests.call("POST", "/auth/register", Session, body=body))

    async def login(self, username: str, password: str) -> Session:
        """Log in and use this account from here on. An `@` in the name makes it an e-mail address."""
        name = "email" if "@" in username else "username"
        body: dict[str, object] = {name: username, "password": password, "cookie": False}
        return self._enter(await self._requests.call("POST", "/auth/login", Session, body=body))

    async def refresh(self, refresh_token: str) -> Session:
        """Go on with a session; its refresh token is good once, and the answer has the next one."""
        body: dict[str, object] = {"refresh_token": refresh_token}
        return self._enter(await self._requests.call("POST", "/auth/refresh", Session, body=body))

    async def me(self) -> UserView:
        """Ask who is calling."""
        return await self._requests.call("GET", "/users/me", UserView)

    async def users(self, q: str) -> tuple[UserView, ...]:
        """Find users by the beginning of their name."""
        return (await self._requests.call("GET", "/users", PageOf[UserView], query={"q": q})).items

    async def user(self, user: str) -> Profile:
        """Look at a user, named by id."""
        return await self._requests.call("GET", f"/users/{quoted(user)}", Profile)

    # Rooms.

    async def create_room(
        self,
        name: str,
        *,
        kind: str = "group",
        visibility: str = "private",
        topic: str | None = None,
        members: Sequence[str] = (),
        settings: SettingsChanges | None = None,
    ) -> RoomView:
        """Make a room, with these members (usernames or ids) besides the caller; `settings` deviate from the usual."""
        body = present(
            kind=kind,
            name=name,
            visibility=visibility,
            topic=topic,
            members=list(members) or None,
            settings=_settings(settings),
        )
        return await self._requests.call("POST", "/rooms", RoomView, body=body)

    async def direct_room(self, user: str) -> RoomView:
        """Get the one room that the caller shares with a user, named by id; made if need be."""
        return await self._requests.call("PUT", f"/users/me/direct/{quoted(user)}", RoomView)

    async def public_rooms(self, *, q: str | None = None, cursor: str | None = None) -> Listing:
        """List the rooms that anybody may join."""
        return await self._requests.call("GET", "/rooms", Listing, query=query_of(public="true", q=q, cursor=cursor))

    async def my_rooms(self, *, cursor: str | None = None) -> PageOf[OwnRoom]:
        """List the rooms of the caller, each with what is unread and what was said last."""
        return await self._requests.call("GET", "/users/me/rooms", PageOf[OwnRoom], query=query_of(cursor=cursor))

    async def read(self, room: str, seq: int) -> None:
        """Say that everything up to `seq` has been read; it only moves forward."""
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/read", body={"seq": seq})

    async def room(self, room: str) -> RoomView:
        """Look at a room."""
        return await self._requests.call("GET", f"/rooms/{quoted(room)}", RoomView)

    async def update_room(
        self,
        room: str,
        *,
        name: str | None = None,
        topic: str | None = None,
        visibility: str | None = None,
        settings: SettingsChanges | None = None,
    ) -> RoomView:
        """Change what is given and leave the rest, also of the settings."""
        body = present(name=name, topic=topic, visibility=visibility, settings=_settings(settings))
        return await self._requests.call("PATCH", f"/rooms/{quoted(room)}", RoomView, body=body)

    async def archive_room(self, room: str, *, archived: bool = True) -> RoomView:
        """Lay a room up, so that nobody can write in it, or (False) take it into use again."""
        body: dict[str, object] = {"settings": {"archived": archived}}
        return await self._requests.call("PATCH", f"/rooms/{quoted(room)}", RoomView, body=body)

    async def delete_room(self, room: str) -> None:
        """Delete a room for everybody."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}")

    async def permissions(self, room: str) -> RoomPermissions:
        """Look at what each role may do in a room."""
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/permissions", RoomPermissions)

    async def set_permissions(self, room: str, changes: Mapping[str, Mapping[str, bool | None]]) -> RoomPermissions:
        """Grant (True), deny (False) or leave to the default (None) permissions, by role, of roles below one's own."""
        body: dict[str, object] = {role: dict(wanted) for role, wanted in changes.items()}
        return await self._requests.call("PATCH", f"/rooms/{quoted(room)}/permissions", RoomPermissions, body=body)

    # Members.

    async def join(self, room: str) -> None:
        """Join a public room; harmless for a member."""
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/members/me")

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/members/me")

    async def members(self, room: str, *, cursor: str | None = None) -> Roster:
        """List the members of a room."""
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/members", Roster, query=query_of(cursor=cursor))

    async def member(self, room: str, user: str = "me") -> MemberDetail:
        """Look at one member, and at what they may do in the room."""
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/members/{quoted(user)}", MemberDetail)

    async def add_member(self, room: str, user: str, *, role: str = "member") -> None:
        """Add a user, named by id, to a room."""
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/members/{quoted(user)}", body={"role": role})

    async def set_role(self, room: str, user: str, role: str) -> None:
        """Give a member another role."""
        await self._requests.do("PATCH", f"/rooms/{quoted(room)}/members/{quoted(user)}", body={"role": role})

    async def remove_member(self, room: str, user: str) -> None:
        """Remove a user from a room, who may come back."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/members/{quoted(user)}")

    # Messages and the journal.

    async def post(
        self,
        room: str,
        body: str,
        *,
        client_msg_id: str,
        reply_to: str | None = None,
        thread_root: str | None = None,
        mentions: Sequence[str] = (),
        expires_in: int | None = None,
    ) -> MessageView:
        """Post a message. The same `client_msg_id` again gives the same message again.

        `thread_root` puts it into a thread, `mentions` are ids of users, and after `expires_in` seconds it is gone.
        """
        content = present(
            client_msg_id=client_msg_id,
            body=body,
            reply_to=reply_to,
            thread_root=thread_root,
            mentions=list(mentions) or None,
            expires_in=expires_in,
        )
        return await self._requests.call("POST", f"/rooms/{quoted(room)}/messages", MessageView, body=content)

    async def messages(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int | None = None,
    ) -> tuple[MessageView, ...]:
        """Get a page of messages as they read now, ascending by seq."""
        query = query_of(before=before, after=after, around=around, limit=limit)
        page = await self._requests.call("GET", f"/rooms/{quoted(room)}/messages", PageOf[MessageView], query=query)
        return page.items

    async def message(self, message: str) -> MessageView:
        """Get one message."""
        return await self._requests.call("GET", f"/messages/{quoted(message)}", MessageView)

    async def edit_message(self, message: str, body: str, *, rev: int | None = None) -> MessageView:
        """Change the text of one's own message; with the `rev` that was seen, only if it still is that one."""
        content = present(body=body, rev=rev)
        return await self._requests.call("PATCH", f"/messages/{quoted(message)}", MessageView, body=content)

    async def delete_message(self, message: str) -> None:
        """Turn a message into a tombstone."""
        await self._requests.do("DELETE", f"/messages/{quoted(message)}")

    async def revisions(self, message: str, *, cursor: str | None = None) -> PageOf[Revision]:
        """List every version of a message, the present one last; for its author and for moderators."""
        path = f"/messages/{quoted(message)}/revisions"
        return await self._requests.call("GET", path, PageOf[Revision], query=query_of(cursor=cursor))

    async def replies(self, message: str, *, cursor: str | None = None) -> PageOf[MessageView]:
        """List the thread that begins with a message, oldest first."""
        path = f"/messages/{quoted(message)}/replies"
        return await self._requests.call("GET", path, PageOf[MessageView], query=query_of(cursor=cursor))

    async def react(self, message: str, emoji: str) -> None:
        """React to a message: once with each emoji."""
        await self._requests.do("PUT", f"/messages/{quoted(message)}/reactions/{quoted(emoji)}")

    async def unreact(self, message: str, emoji: str) -> None:
        """Take one's reaction back; harmless if there is none."""
        await self._requests.do("DELETE", f"/messages/{quoted(message)}/reactions/{quoted(emoji)}")

    async def reactions(
        self, message: str, *, emoji: str | None = None, cursor: str | None = None
    ) -> PageOf[Reactions]:
        """List who reacted to a message, emoji by emoji, or with this one alone."""
        path = f"/messages/{quoted(message)}/reactions"
        return await self._requests.call("GET", path, PageOf[Reactions], query=query_of(emoji=emoji, cursor=cursor))

    async def pins(self, room: str, *, cursor: str | None = None) -> PageOf[PinnedMessage]:
        """List the pinned messages of a room, the newest pin first."""
        path = f"/rooms/{quoted(room)}/pins"
        return await self._requests.call("GET", path, PageOf[PinnedMessage], query=query_of(cursor=cursor))

    async def pin(self, room: str, message: str) -> None:
        """Pin a message for everybody in the room."""
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/pins/{quoted(message)}")

    async def unpin(self, room: str, message: str) -> None:
        """Take a pin off; harmless if there is none."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/pins/{quoted(message)}")

    async def report(self, message: str, reason: str) -> None:
        """Tell the room's moderators about a message."""
        await self._requests.do("POST", f"/messages/{quoted(message)}/reports", body={"reason": reason})

    async def events(
        self, room: str, *, after: int | None = None, before: int | None = None, limit: int | None = None
    ) -> EventPage:
        """Get a page of a room's journal."""
        query = query_of(after=after, before=before, limit=limit)
        page = await self._requests.call("GET", f"/rooms/{quoted(room)}/events", EventItems, query=query)
        events = read_events(page.items)
        return EventPage(events, page.head_seq, page.epoch, page.more, page.floor_seq, page.reset)

    async def ready(self) -> bool:
        """Ask whether the server is ready for work."""
        return (await self._requests.raw("GET", "/health/ready")).is_success

    def _enter(self, session: Session) -> Session:
        self.token = session.access_token
        return session


@asynccontextmanager
async def open_rest(
    url: str, *, token: str | None = None, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[RestClient]:
    """Talk REST to the server at `http(s)://host[:port]`. `deadline_seconds` bounds each step of a request."""
    site, headers = parse_address(url).site, {"User-Agent": f"justchat/{__version__} (Python)"}
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS)
    async with httpx.AsyncClient(base_url=site, timeout=deadline_seconds, headers=headers, limits=limits) as http:
        yield RestClient(http, token=token)


def _settings(settings: SettingsChanges | None) -> object:
    return None if settings is None else msgspec.to_builtins(settings)

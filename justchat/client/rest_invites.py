"""Invites over REST: ways into a room for whoever knows the code. Reached as `rest.invites`."""

from __future__ import annotations

from datetime import datetime

from justchat.client.rest_answers import Invite, NewInvite, PageOf
from justchat.client.rest_requests import Requests, moment, present, query_of, quoted
from justchat.wire.server_frames import RoomView


class Invites:
    """The invites of rooms. Making, listing and revoking them needs `members.invite`."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def create(
        self,
        room: str,
        *,
        role: str = "member",
        expires_in: int | None = None,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
    ) -> NewInvite:
        """Make an invite. Its code is told this once, so keep it.

        It ends after `expires_in` seconds or at `expires_at`, and after `max_uses` people; give at most one end.
        """
        body = present(role=role, expires_in=expires_in, expires_at=moment(expires_at), max_uses=max_uses)
        return await self._requests.call("POST", f"/rooms/{quoted(room)}/invites", NewInvite, body=body)

    async def many(self, room: str, *, cursor: str | None = None) -> PageOf[Invite]:
        """List a room's invites."""
        query = query_of(cursor=cursor)
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/invites", PageOf[Invite], query=query)

    async def revoke(self, room: str, invite: str) -> None:
        """Close a way in, named by its id or its code; harmless if it is closed."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/invites/{quoted(invite)}")

    async def accept(self, code: str) -> RoomView:
        """Become a member by an invite's code, and look at the room; harmless for a member."""
        return await self._requests.call("POST", f"/invites/{quoted(code)}/accept", RoomView)

"""Moderation over REST: bans, mutes, reports and the audit log. Reached as `rest.moderation`.

All of it needs a permission in the room, and power only reaches those who stand below. Each change is an event that
every member sees, and safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from justchat.client.inbound import read_events
from justchat.client.rest_answers import AuditItems, AuditPage, Ban, Mute, PageOf, Report
from justchat.client.rest_requests import Requests, moment, present, query_of, quoted


class Moderation:
    """What moderators do in rooms, and see of them."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def ban(self, room: str, user: str, *, reason: str | None = None) -> None:
        """End a user's membership, if there is one, and keep them out until the ban is lifted."""
        body = present(reason=reason)
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/bans/{quoted(user)}", body=body)

    async def unban(self, room: str, user: str) -> None:
        """Let a user come back."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/bans/{quoted(user)}")

    async def bans(self, room: str, *, cursor: str | None = None) -> PageOf[Ban]:
        """List who is banned from a room."""
        query = query_of(cursor=cursor)
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/bans", PageOf[Ban], query=query)

    async def mute(self, room: str, user: str, *, until: datetime | None = None, reason: str | None = None) -> None:
        """Take a member's voice: they may not post, edit or react, until then or until `unmute`."""
        body = present(until=moment(until), reason=reason)
        await self._requests.do("PUT", f"/rooms/{quoted(room)}/mutes/{quoted(user)}", body=body)

    async def unmute(self, room: str, user: str) -> None:
        """Give a member their voice back."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/mutes/{quoted(user)}")

    async def mutes(self, room: str, *, cursor: str | None = None) -> PageOf[Mute]:
        """List who is muted in a room."""
        query = query_of(cursor=cursor)
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/mutes", PageOf[Mute], query=query)

    async def bulk_delete(self, room: str, messages: Sequence[str]) -> None:
        """Turn up to 100 messages into tombstones in one event: all of them, or none."""
        body: dict[str, object] = {"messages": list(messages)}
        await self._requests.do("POST", f"/rooms/{quoted(room)}/messages/bulk-delete", body=body)

    async def reports(self, room: str, *, cursor: str | None = None) -> PageOf[Report]:
        """List what members reported and nobody has dismissed."""
        query = query_of(cursor=cursor)
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/reports", PageOf[Report], query=query)

    async def dismiss_report(self, room: str, message: str, user: str) -> None:
        """Be done with a user's report of a message."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/reports/{quoted(message)}/{quoted(user)}")

    async def audit_log(self, room: str | None = None, *, cursor: str | None = None) -> AuditPage:
        """Read what was done in a room, newest first; without a room in all of them, which is for server admins."""
        path = "/admin/audit-log" if room is None else f"/rooms/{quoted(room)}/audit-log"
        page = await self._requests.call("GET", path, AuditItems, query=query_of(cursor=cursor))
        return AuditPage(read_events(page.items), page.next_cursor)

"""Scheduled posts over REST: one's own posts that wait for their time. Reached as `rest.scheduled`."""

from __future__ import annotations

from datetime import datetime

from justchat.client.rest_answers import PageOf, ScheduledPost
from justchat.client.rest_requests import Requests, moment, present, query_of, quoted


class ScheduledPosts:
    """The caller's posts that wait; nobody else sees them before they are posted."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def create(
        self, room: str, body: str, *, send_at: datetime, reply_to: str | None = None, thread_root: str | None = None
    ) -> ScheduledPost:
        """Post a message at `send_at`, within a year from now. Calling again schedules another one."""
        content = present(body=body, send_at=moment(send_at), reply_to=reply_to, thread_root=thread_root)
        return await self._requests.call("POST", f"/rooms/{quoted(room)}/scheduled", ScheduledPost, body=content)

    async def many(self, room: str, *, cursor: str | None = None) -> PageOf[ScheduledPost]:
        """List what waits in a room, and what could not be posted when its time had come."""
        query = query_of(cursor=cursor)
        return await self._requests.call("GET", f"/rooms/{quoted(room)}/scheduled", PageOf[ScheduledPost], query=query)

    async def remove(self, room: str, scheduled: str) -> None:
        """Do not post it after all."""
        await self._requests.do("DELETE", f"/rooms/{quoted(room)}/scheduled/{quoted(scheduled)}")

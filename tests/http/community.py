"""People and a room, over the REST app in this process: one person for each way to stand to a room.

Everybody is named after how they stand to the room that `furnished` makes: its owner, its other members by role,
somebody muted, somebody banned, somebody who has left, and a stranger.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from storage.records import UserRecord
from tests.http.office import Office, open_office

ROLES = ("owner", "admin", "moderator", "member", "guest")
PEOPLE = (*ROLES, "muted", "banned", "gone", "stranger")
Json = dict[str, Any]


class Community:
    """The app, and calls by people's names. Paths begin below `/api/v1`."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.ids = office.ids
        for name in PEOPLE:
            office.add_user(name)

    async def call(self, caller: str, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        """Call, expect a status, and give the answer's JSON, or None where there is nothing."""
        answer = await self.office.call(method, f"/api/v1{path}", caller=caller, body=body)
        content = await answer.get_data(as_text=False)
        assert answer.status_code == status, f"{caller}: {method} {path}: {answer.status_code} {content!r}"
        if status >= 400:
            assert answer.content_type == "application/problem+json"
        return json.loads(content) if content else None

    async def refused(self, caller: str, method: str, path: str, body: object = None, *, status: int) -> str:
        """Call, expect a refusal, and give its code."""
        problem = await self.call(caller, method, path, body, status=status)
        return str(problem["code"])

    async def pointers(self, caller: str, method: str, path: str, body: object) -> list[str]:
        """Call, expect that the fields are not valid, and say which."""
        problem = await self.call(caller, method, path, body, status=422)
        assert problem["code"] == "validation_failed"
        assert all(error["detail"] and error["code"] for error in problem["errors"])
        return [error["pointer"] for error in problem["errors"]]

    async def room(
        self, *members: str, owner: str = "owner", kind: str = "group", visibility: str = "private", **more: object
    ) -> str:
        """Make a room and give its id."""
        body = {"kind": kind, "name": "Room", "visibility": visibility, "members": list(members), **more}
        return str((await self.call(owner, "POST", "/rooms", body, status=201))["id"])

    async def furnished(self, *, kind: str = "group", visibility: str = "private") -> str:
        """Make a room in which everybody stands as they are named."""
        room = await self.room(*PEOPLE[1:-1], kind=kind, visibility=visibility)
        for role in ("admin", "moderator", "guest"):
            await self.call("owner", "PATCH", f"/rooms/{room}/members/{self.ids[role]}", {"role": role}, status=204)
        await self.call("owner", "PUT", f"/rooms/{room}/mutes/{self.ids['muted']}", status=204)
        await self.call("owner", "PUT", f"/rooms/{room}/bans/{self.ids['banned']}", status=204)
        await self.call("gone", "DELETE", f"/rooms/{room}/members/me", status=204)
        return room

    async def post(self, caller: str, room: str, body: str) -> Json:
        """Post a message and give it; its text is its client_msg_id, too."""
        message = {"client_msg_id": body, "body": body}
        posted: Json = await self.call(caller, "POST", f"/rooms/{room}/messages", message, status=201)
        return posted

    async def events(self, room: str, *, caller: str = "owner") -> list[Json]:
        """Read a room's events, of which there are at most a hundred."""
        page = await self.call(caller, "GET", f"/rooms/{room}/events?limit=100")
        assert page["more"] is False
        events: list[Json] = page["items"]
        return events

    async def kinds(self, room: str) -> list[str]:
        """Name the types of a room's events."""
        return [event["type"] for event in await self.events(room)]

    async def pages(self, caller: str, path: str, *, limit: int) -> list[list[Any]]:
        """Read a listing to its end, page by page."""
        pages, cursor = [], ""
        while True:
            page = await self.call(caller, "GET", f"{path}?limit={limit}{cursor}")
            pages.append(page["items"])
            if page["next_cursor"] is None:
                return pages
            cursor = f"&cursor={page['next_cursor']}"

    def make_admin(self, name: str) -> None:
        """Make somebody an admin of the server."""
        self._change(replace(self.office.store.users[self.ids[name]], role="admin"))

    def disable(self, name: str) -> None:
        """Disable somebody's account."""
        self._change(replace(self.office.store.users[self.ids[name]], disabled=True))

    def _change(self, user: UserRecord) -> None:
        store = self.office.store
        store.users[user.id] = store.users_by_name[user.name_key] = user


@asynccontextmanager
async def open_community() -> AsyncIterator[Community]:
    # Making the documents takes longer than most tests.
    async with open_office(api_docs="no") as office:
        yield Community(office)

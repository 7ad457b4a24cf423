"""Rooms: create, list, look, change, delete."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.accounts.names import fold_name
from justchat.http.answers import (
    PageAsk,
    Refused,
    granted,
    json_answer,
    no_content,
    page_answer,
    read_body,
    read_page,
    read_text,
)
from justchat.http.caller import for_caller
from justchat.ids import is_id, new_id
from justchat.rooms.commands import CreateRoom, DeleteRoom, UpdateRoom
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.queries import view_of_record
from justchat.system import System
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal, invalid
from storage.records import MemberRecord, UserRecord

NAME_MAX_CHARACTERS = 100
TOPIC_MAX_CHARACTERS = 1000
CREATE_MEMBERS_MAX = 500


class CreateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A new room. `members` are usernames or user ids, besides the caller."""

    kind: Literal["group", "channel"]
    name: str
    visibility: Literal["private", "public"] = "private"
    topic: str = ""
    members: Annotated[tuple[str, ...], Meta(max_length=CREATE_MEMBERS_MAX)] = ()


class UpdateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396): absent fields stay as they are."""

    name: str | None = None
    topic: str | None = None
    visibility: Literal["private", "public"] | None = None


_create_body = msgspec.json.Decoder(CreateBody)
_update_body = msgspec.json.Decoder(UpdateBody)


def _check(*, name: str | None, topic: str | None) -> None:
    if name is not None and not (1 <= len(name) <= NAME_MAX_CHARACTERS and name.isprintable()):
        detail = f"a name has 1 to {NAME_MAX_CHARACTERS} printable characters"
        raise Refused(invalid("/name", detail, code="length"))
    if topic is not None and len(topic) > TOPIC_MAX_CHARACTERS:
        raise Refused(invalid("/topic", f"a topic has at most {TOPIC_MAX_CHARACTERS} characters", code="length"))


async def _find_members(system: System, named: tuple[str, ...]) -> tuple[str, ...]:
    """Resolve names and ids, or refuse with every unknown one."""
    ids = [name for name in named if is_id("u", name)]
    keys = [fold_name(name) for name in named if not is_id("u", name)]
    users = []
    if ids:
        users.extend(await system.storage.directory.users(ids=ids))
    if keys:
        users.extend(await system.storage.directory.users(name_keys=keys))
    known = {user.id for user in users if not user.disabled} | {user.name_key for user in users if not user.disabled}
    problems = tuple(
        FieldProblem(f"/members/{index}", "unknown_user", f"there is no user {name!r}")
        for index, name in enumerate(named)
        if name not in known and fold_name(name) not in known
    )
    if problems:
        raise Refused(Refusal(ErrorCode.VALIDATION_FAILED, "some members are unknown; nothing was created", problems))
    return tuple(dict.fromkeys(user.id for user in users))


class RoomRoutes:
    """`/rooms` and `/users/me/rooms`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        routes = Blueprint("rooms", __name__)
        as_caller = for_caller(self._system.accounts)
        routes.post("/rooms")(as_caller(self.create))
        routes.get("/rooms")(as_caller(self.public))
        routes.get("/users/me/rooms")(as_caller(self.mine))
        routes.get("/rooms/<room>")(as_caller(self.look))
        routes.patch("/rooms/<room>")(as_caller(self.update))
        routes.delete("/rooms/<room>")(as_caller(self.delete))
        return routes

    async def create(self, caller: UserRecord) -> Response:
        body = await read_body(_create_body)
        name = body.name.strip()
        _check(name=name, topic=body.topic)
        members = await _find_members(self._system, body.members)
        room = self._system.rooms.room(new_id("r"))
        command = CreateRoom(
            caller.id, Kind(body.kind), Visibility(body.visibility), name, body.topic, new_id("e"), members
        )
        granted(await room.post(command))
        view = granted(await room.view(caller.id))
        return json_answer(view, status=201, headers={"Location": f"/api/v1/rooms/{room.id}"})

    async def mine(self, caller: UserRecord) -> Response:
        ask = self._page_ask()
        page = await self._directory.rooms_of(caller.id, cursor=ask.cursor, limit=ask.limit)
        items = [view_of_record(room, member) for room, member in page.items]
        return page_answer(items, next_cursor=page.next_cursor)

    async def public(self, caller: UserRecord) -> Response:
        ask = self._page_ask()
        if read_text("public") != "true":
            return await self.mine(caller)
        prefix = (read_text("q") or "").casefold()
        page = await self._directory.public_rooms(prefix, cursor=ask.cursor, limit=ask.limit)
        items = []
        for room in page.items:
            member: MemberRecord | None = await self._directory.member(room.id, caller.id)
            items.append(view_of_record(room, member))
        return page_answer(items, next_cursor=page.next_cursor)

    async def look(self, caller: UserRecord, room: str) -> Response:
        return json_answer(granted(await self._system.rooms.room(room).view(caller.id)))

    async def update(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_update_body)
        name = None if body.name is None else body.name.strip()
        _check(name=name, topic=body.topic)
        visibility = None if body.visibility is None else Visibility(body.visibility)
        handle = self._system.rooms.room(room)
        granted(await handle.post(UpdateRoom(caller.id, name, body.topic, visibility)))
        return json_answer(granted(await handle.view(caller.id)))

    async def delete(self, caller: UserRecord, room: str) -> Response:
        granted(await self._system.rooms.room(room).post(DeleteRoom(caller.id)))
        return no_content()

    def _page_ask(self) -> PageAsk:
        config = self._system.config
        return read_page(default=config.history_page_default, most=config.history_page_max)

"""Users as everybody may see them: one, several by id, and by the beginning of the name."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from quart import Response

from justchat.accounts.appearance import is_present, is_shown, user_view
from justchat.accounts.names import fold_name
from justchat.http.answers import TEXT_MAX_CHARACTERS, Refused, json_answer, page_answer, read_number, read_text
from justchat.http.operation import Operation, OperationBlueprint, PageOf, Query, blueprint_of
from justchat.http.user_views import OwnView, ProfileView, own_view, profile_view
from justchat.ids import is_id
from justchat.system import System
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, invalid
from justchat.wire.server_frames import UserView
from storage.records import UserRecord

_IDS_MAX = 100
# Autocomplete shows a handful.
_FOUND_MAX = 20
_IDS_MAX_CHARACTERS = _IDS_MAX * 65
_Prefix = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX_CHARACTERS)]
_Ids = Annotated[str, Meta(max_length=_IDS_MAX_CHARACTERS)]


class UserRoutes:
    """`/users`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        operations = (
            Operation("GET", "/users/me", self.me, "Look at one's own account", answer=OwnView),
            Operation(
                "GET",
                "/users",
                self.many,
                "Find users by the beginning of their username, or by id",
                answer=PageOf[UserView],
                query=(
                    Query("q", _Prefix, "How the username begins, in any case; either this or `ids`"),
                    Query("ids", _Ids, f"Up to {_IDS_MAX} ids, separated by commas"),
                    Query("limit", Annotated[int, Meta(ge=1, le=_FOUND_MAX)], "How many at most, for `q`"),
                    Query("cursor", Annotated[str, Meta(max_length=TEXT_MAX_CHARACTERS)], "Where to go on, for `q`"),
                ),
            ),
            Operation(
                "GET",
                "/users/<user>",
                self.one,
                "Look at a user",
                answer=ProfileView,
                refusals=(ErrorCode.NOT_FOUND,),
            ),
        )
        return blueprint_of("users", operations, accounts=self._system.accounts)

    async def me(self, caller: UserRecord) -> Response:
        return json_answer(own_view(caller))

    async def one(self, caller: UserRecord, user: str) -> Response:
        if user == caller.id:
            found: UserRecord | None = caller
        else:
            found = await self._directory.user(user) if is_id("u", user) else None
        if found is None or not is_shown(found):
            raise Refused(NO_SUCH_USER)
        is_blocked = found.id != caller.id and bool(
            await self._system.storage.relations.blocked_by(caller.id, [found.id])
        )
        online = self._system.index.of_user(found.id) > 0
        return json_answer(profile_view(found, online=online, seen=not is_blocked))

    async def many(self, _caller: UserRecord) -> Response:
        limit = read_number("limit", low=1, high=_FOUND_MAX) or _FOUND_MAX
        ids, prefix = read_text("ids", longest=_IDS_MAX_CHARACTERS), read_text("q")
        if ids is not None and prefix is not None:
            raise Refused(invalid("", "give either q or ids", code="ambiguous"))
        if ids is not None:
            wanted = ids.split(",")
            if len(wanted) > _IDS_MAX:
                raise Refused(invalid("/ids", f"at most {_IDS_MAX} ids at once", code="too_many"))
            # What somebody said outlives their account: whoever wrote it can still be looked up.
            users = [user for user in await self._directory.users(ids=wanted) if is_shown(user)]
            return page_answer([user_view(user) for user in users], next_cursor=None)
        if not prefix:
            raise Refused(invalid("/q", "give q (a prefix of the name) or ids", code="missing"))
        found = await self._directory.search_users(fold_name(prefix), after=read_text("cursor"), limit=limit + 1)
        page = found[:limit]
        users = [user for user in page if is_present(user)]
        next_cursor = page[-1].name_key if len(found) > limit else None
        return page_answer([user_view(user) for user in users], next_cursor=next_cursor)

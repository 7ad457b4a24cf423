"""People's pictures. What is served is a picture of our own making, and the headers let it be nothing else.

Its address changes with the picture (`?v=`), so that whoever has it may keep it; without that it is asked for again.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from msgspec import Meta
from quart import Response, request

from justchat.accounts.appearance import is_present
from justchat.accounts.avatars import Avatars
from justchat.accounts.pictures import MADE_TYPE, MEDIA_TYPES, Pictures
from justchat.http.answers import Refused, granted, json_answer, no_content
from justchat.http.entity_tags import entity_tag, is_known
from justchat.http.operation import Operation, OperationBlueprint, Query, blueprint_of
from justchat.http.user_views import OwnView, own_view
from justchat.ids import is_id
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal
from storage.records import UserRecord

AVATAR_PATH: Final = "/users/me/avatar"

_NO_AVATAR: Final = Refusal(ErrorCode.NOT_FOUND, "there is no such picture")
_UNKNOWN_TYPE: Final = Refusal(ErrorCode.UNSUPPORTED_MEDIA, f"send one of {', '.join(MEDIA_TYPES)}")
_WEEK_SECONDS: Final = 604_800
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Disposition": "inline",
}
_VERSION: Final = Query("v", Annotated[str, Meta(max_length=64)], "Which picture: as `avatar_url` has it")


class AvatarRoutes:
    """`/users/me/avatar` and `/users/{u}/avatar`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._avatars = Avatars(self._directory, system.storage.relations, Pictures())

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        operations = (
            Operation(
                "PUT",
                AVATAR_PATH,
                self.put,
                "Give oneself a picture; its middle is kept, small, and nothing besides what is seen",
                takes=MEDIA_TYPES,
                answer=OwnView,
                refusals=(ErrorCode.RATE_LIMITED, ErrorCode.CONFLICT),
            ),
            Operation("DELETE", AVATAR_PATH, self.drop, "Take one's picture away", statuses=(204,)),
            Operation(
                "GET",
                "/users/<user>/avatar",
                self.look,
                "Look at somebody's picture",
                gives=(MADE_TYPE,),
                query=(_VERSION,),
                refusals=(ErrorCode.NOT_FOUND,),
            ),
        )
        return blueprint_of("avatars", operations, accounts=self._system.accounts)

    async def put(self, caller: UserRecord) -> Response:
        media_type = request.mimetype
        # Before the body is waited for: what cannot be right need not be sent.
        if media_type not in MEDIA_TYPES:
            raise Refused(_UNKNOWN_TYPE)
        data = cast("bytes", await request.get_data(cache=False, as_text=False))
        return json_answer(own_view(granted(await self._avatars.put(caller, data, media_type))))

    async def drop(self, caller: UserRecord) -> Response:
        granted(await self._avatars.drop(caller))
        return no_content()

    async def look(self, caller: UserRecord, user: str) -> Response:
        found = await self._whose(caller, user)
        if found is None or found.avatar is None or not is_present(found):
            raise Refused(_NO_AVATAR)
        headers = _HEADERS | _caching(found.avatar) | entity_tag(found.avatar)
        if is_known(found.avatar):
            return Response(b"", status=304, headers=headers)
        avatar = await self._avatars.of(found)
        if avatar is None:
            raise Refused(_NO_AVATAR)
        headers = _HEADERS | _caching(avatar.id) | entity_tag(avatar.id)
        return Response(avatar.data, headers=headers, content_type=avatar.media_type)

    async def _whose(self, caller: UserRecord, user: str) -> UserRecord | None:
        if user in {"me", caller.id}:
            return caller
        return await self._directory.user(user) if is_id("u", user) else None


def _caching(avatar: str) -> dict[str, str]:
    is_exact = request.args.get("v") == avatar
    # Not in caches that several people share: who is disabled or deleted is seen no more.
    return {"Cache-Control": f"private, max-age={_WEEK_SECONDS}, immutable" if is_exact else "private, no-cache"}

"""Administration of accounts: find, look at, disable, give a role, delete."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from quart import Response

from justchat.accounts.administration import Administration
from justchat.accounts.identity import ServerRole
from justchat.accounts.site_log import SiteLog
from justchat.http.answers import (
    TEXT_MAX_CHARACTERS,
    Refused,
    granted,
    json_answer,
    no_content,
    page_answer,
    read_body,
    read_text,
)
from justchat.http.operation import Caller, Operation, OperationBlueprint, PageOf, Query, blueprint_of
from justchat.http.room_access import RoomAccess, page_queries
from justchat.http.user_views import AccountView, account_view
from justchat.system import System
from justchat.wire.errors import ErrorCode, invalid
from storage.records import UserRecord

_Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX_CHARACTERS)]
_Q = "An id, an e-mail address, or how the username begins, also of accounts that are disabled"


class AccountBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396) of an account: absent fields stay as they are."""

    disabled: bool | UnsetType = UNSET
    role: ServerRole | UnsetType = UNSET


_account_body = msgspec.json.Decoder(AccountBody)


class AdminUserRoutes:
    """`/admin/users`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._access = RoomAccess(system)
        log = SiteLog(self._directory, now_ms=system.wall_ms)
        self._administration = Administration(self._directory, system.accounts, log)

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        admin, path = Caller.ADMIN, "/admin/users/<user>"
        operations = (
            Operation(
                "GET",
                "/admin/users",
                self.many,
                "List all accounts, or find some",
                admin,
                answer=PageOf[AccountView],
                query=(*page_queries(self._system.config), Query("q", _Text, _Q)),
            ),
            Operation(
                "GET",
                path,
                self.one,
                "Look at an account",
                admin,
                answer=AccountView,
                refusals=(ErrorCode.NOT_FOUND,),
            ),
            Operation(
                "PATCH",
                path,
                self.change,
                "Disable or enable an account, or give it a role",
                admin,
                body=AccountBody,
                answer=AccountView,
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
            ),
            Operation(
                "DELETE",
                path,
                self.delete,
                "Delete an account; what was said stays, without a name, or goes too",
                admin,
                statuses=(204,),
                query=(Query("erase", Literal["true", "false"], "Whether what the user said goes, too"),),
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
            ),
        )
        return blueprint_of("admin_users", operations, accounts=self._system.accounts)

    async def many(self, _admin: UserRecord) -> Response:
        ask, text = self._access.read_page(), read_text("q")
        if text == "":
            raise Refused(invalid("/q", "q is not empty", code="missing"))
        if text:
            users = await self._administration.find(text, limit=ask.limit)
            return page_answer([self._view(user) for user in users], next_cursor=None)
        users = await self._directory.all_users(after=ask.cursor or "", limit=ask.limit + 1)
        shown = users[: ask.limit]
        next_cursor = shown[-1].id if len(users) > ask.limit else None
        return page_answer([self._view(user) for user in shown], next_cursor=next_cursor)

    async def one(self, _admin: UserRecord, user: str) -> Response:
        return json_answer(self._view(granted(await self._administration.one(user))))

    async def change(self, admin: UserRecord, user: str) -> Response:
        body = await read_body(_account_body)
        changed = await self._administration.change(
            admin,
            user,
            disabled=None if isinstance(body.disabled, UnsetType) else body.disabled,
            role=None if isinstance(body.role, UnsetType) else body.role,
        )
        return json_answer(self._view(granted(changed)))

    async def delete(self, admin: UserRecord, user: str) -> Response:
        erase = _read_erase()
        refusal = await self._administration.delete(admin, user, erase=erase)
        if refusal:
            raise Refused(refusal)
        return no_content()

    def _view(self, user: UserRecord) -> AccountView:
        return account_view(user, online=self._system.index.of_user(user.id) > 0)


def _read_erase() -> bool:
    text = read_text("erase")
    if text not in {None, "true", "false"}:
        raise Refused(invalid("/erase", "erase is true or false"))
    return text == "true"

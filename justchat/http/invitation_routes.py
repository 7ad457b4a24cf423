"""Invitations to register, for servers where not everybody may: a code is told once, to who made it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from quart import Response

from justchat.accounts.identity import ServerRole
from justchat.accounts.invitations import is_good
from justchat.accounts.site_log import SiteLog
from justchat.http.answers import Refused, json_answer, no_content, page_answer, read_body
from justchat.http.operation import Caller, Operation, OperationBlueprint, PageOf, blueprint_of
from justchat.http.room_access import RoomAccess, page_queries
from justchat.system import System
from justchat.wire.deeds import InvitationCreated, InvitationRevoked
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.times import rfc3339
from storage.account_records import CredentialRecord
from storage.records import UserRecord

_NO_SUCH_INVITATION = Refusal(ErrorCode.NOT_FOUND, "there is no such invitation")
_TOO_MANY = Refusal(ErrorCode.CONFLICT, "there are very many invitations already; revoke some first")
_INVITATIONS_MAX = 1000
_YEAR_SECONDS = 31_536_000
_USES = "How many accounts may be made with it; null is without a bound"


class InvitationBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How far an invitation reaches. `expires_in` is seconds, null for ever; `name` is a note for administrators."""

    name: Annotated[str, Meta(max_length=100)] = ""
    role: Literal["user", "guest"] = "user"
    uses: Annotated[int, Meta(ge=1, le=100_000, description=_USES)] | None = 1
    expires_in: Annotated[int, Meta(ge=1, le=10 * _YEAR_SECONDS)] | None = 604_800


_invitation_body = msgspec.json.Decoder(InvitationBody)


class InvitationView(Struct, frozen=True):
    """An invitation as lists show it; `created_by` is a user's id."""

    id: str
    name: str
    role: str
    created_by: str
    created_at: str
    expires_at: str | None
    uses_left: int | None
    used_at: str | None


class NewInvitation(InvitationView, frozen=True, kw_only=True):
    """An invitation as its maker sees it, once: with the code."""

    code: str


class InvitationRoutes:
    """`/admin/invitations`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._invitations = system.accounts.invitations
        self._access = RoomAccess(system)
        self._log = SiteLog(system.storage.directory, now_ms=system.wall_ms)

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        admin, path = Caller.ADMIN, "/admin/invitations"
        operations = (
            Operation(
                "POST",
                path,
                self.create,
                "Invite somebody to register; the code is told this once",
                admin,
                body=InvitationBody,
                answer=NewInvitation,
                statuses=(201,),
                refusals=(ErrorCode.CONFLICT,),
            ),
            Operation(
                "GET",
                path,
                self.many,
                "List the invitations that are still good, the newest first",
                admin,
                answer=PageOf[InvitationView],
                query=page_queries(self._system.config),
            ),
            Operation(
                "DELETE",
                f"{path}/<invitation>",
                self.revoke,
                "Revoke an invitation; accounts that were made with it stay",
                admin,
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND,),
            ),
        )
        return blueprint_of("invitations", operations, accounts=self._system.accounts)

    async def create(self, admin: UserRecord) -> Response:
        body = await read_body(_invitation_body)
        if len(await self._invitations.all()) >= _INVITATIONS_MAX:
            raise Refused(_TOO_MANY)
        await self._log.write(admin.id, InvitationCreated(body.name, body.role, body.uses))
        made = await self._invitations.create(
            admin.id,
            name=body.name,
            role=ServerRole(body.role),
            uses=body.uses,
            expires_in_seconds=body.expires_in,
        )
        view = NewInvitation(**msgspec.structs.asdict(_view(made.record)), code=made.code)
        location = f"/api/v1/admin/invitations/{made.record.id}"
        return json_answer(view, status=201, headers={"Location": location, "Cache-Control": "no-store"})

    async def many(self, _admin: UserRecord) -> Response:
        ask, now = self._access.read_page(), self._system.wall_ms()
        # There are never more than fit into one question; the newest have the highest ids.
        good = [record for record in await self._invitations.all() if is_good(record, now)]
        found = sorted((record for record in good if not ask.cursor or record.id < ask.cursor), key=_id, reverse=True)
        shown = found[: ask.limit]
        next_cursor = shown[-1].id if len(found) > ask.limit else None
        return page_answer([_view(record) for record in shown], next_cursor=next_cursor)

    async def revoke(self, admin: UserRecord, invitation: str) -> Response:
        found = next((record for record in await self._invitations.all() if record.id == invitation), None)
        if found is None:
            raise Refused(_NO_SUCH_INVITATION)
        await self._log.write(admin.id, InvitationRevoked(found.id))
        await self._invitations.revoke(found)
        return no_content()


def _id(record: CredentialRecord) -> str:
    return record.id


def _view(record: CredentialRecord) -> InvitationView:
    return InvitationView(
        id=record.id,
        name=record.name,
        role=record.scopes[0] if record.scopes else ServerRole.USER.value,
        created_by=record.user,
        created_at=rfc3339(record.created_at),
        expires_at=None if record.expires_at is None else rfc3339(record.expires_at),
        uses_left=record.uses_left,
        used_at=None if record.used_at is None else rfc3339(record.used_at),
    )

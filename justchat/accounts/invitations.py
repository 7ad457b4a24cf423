"""Invitations to register, where registration is not open to everybody: a code, told once, with uses and an end.

A use and the account that it is for are written together, or neither: none is lost to somebody who then gets no
account, and none is good for two, whenever the server ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from justchat.accounts.identity import ServerRole
from justchat.accounts.personal_tokens import fingerprint_of
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.account_ports import Sessions
from storage.account_records import CredentialRecord
from storage.records import UserRecord

KIND = "invite"
_BYTES = 18
NO_INVITATION = Refusal(ErrorCode.FORBIDDEN, "registration needs an invitation that is still good")


class Invitation(Struct, frozen=True):
    """A new invitation; its code is told once."""

    record: CredentialRecord
    code: str

    def __repr__(self) -> str:
        return f"Invitation({self.record.id!r})"


class Invitations:
    """Makes and redeems invitations; `scopes` of their records hold the role that they give."""

    def __init__(self, stored: Sessions, *, clock: Callable[[], float]) -> None:
        self._stored = stored
        self._clock = clock

    async def create(
        self, by: str, *, name: str, role: ServerRole, uses: int | None, expires_in_seconds: int | None
    ) -> Invitation:
        """Invite as many as `uses` says (None: no bound), until then."""
        now, code = self._now(), secrets.token_urlsafe(_BYTES)
        record = CredentialRecord(
            id=new_id("v"),
            kind=KIND,
            user=by,
            digest=fingerprint_of(code),
            name=name,
            scopes=(role.value,),
            created_at=now,
            expires_at=None if expires_in_seconds is None else now + expires_in_seconds * 1000,
            uses_left=uses,
        )
        await self._stored.create_credential(record)
        return Invitation(record, code)

    async def is_good(self, code: str) -> bool:
        """Tell whether there is an invitation with this code that is good for somebody still."""
        found = await self._stored.credential(KIND, fingerprint_of(code))
        return found is not None and is_good(found[0], self._now())

    async def redeem(self, code: str, user: UserRecord) -> UserRecord | Refusal:
        """Take one use of an invitation and store this new account, with the role that it gives.

        Raises Conflict `username` or `email`, when the use is left.
        """
        digest = fingerprint_of(code)
        found = await self._stored.credential(KIND, digest)
        if found is None:
            return NO_INVITATION
        role = ServerRole.GUEST if ServerRole.GUEST in found[0].scopes else ServerRole.USER
        invited = replace(user, role=role.value)
        return invited if await self._stored.enrol(invited, KIND, digest, now=self._now()) else NO_INVITATION

    async def all(self) -> list[CredentialRecord]:
        """List all invitations, the newest first."""
        return await self._stored.credentials_of(KIND)

    async def revoke(self, record: CredentialRecord) -> None:
        """Make an invitation good for nobody any more."""
        await self._stored.drop_credentials(KIND, record.user, only=record.id)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def is_good(invitation: CredentialRecord, now: int) -> bool:
    """Tell whether an account can be made with it at this moment."""
    return (invitation.expires_at is None or now < invitation.expires_at) and invitation.uses_left != 0

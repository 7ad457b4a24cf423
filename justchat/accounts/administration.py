"""What administrators of the server do to accounts: find, disable, enable, give a role, delete.

Nobody takes their own access or role away, so there is always an administrator left: the last one could only be removed
by another. Each deed is in the audit log, and takes effect on open sessions and sockets at once.
"""

from __future__ import annotations

import trio
from msgspec.structs import replace

from justchat.accounts.accounts import Accounts
from justchat.accounts.appearance import is_deleted
from justchat.accounts.changing import change_account
from justchat.accounts.identity import ServerRole
from justchat.accounts.membership import with_role
from justchat.accounts.names import fold_email, fold_name
from justchat.accounts.site_log import SiteLog
from justchat.ids import is_id
from justchat.wire.deeds import AccountDeleted, AccountDisabled, AccountEnabled, AccountRoleChanged
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, Refusal
from storage.ports import Directory
from storage.records import UserRecord

OWN_ACCOUNT = Refusal(ErrorCode.CONFLICT, "administrators do this for one another, so that one is always left")
_NOT_ADMIN = Refusal(ErrorCode.FORBIDDEN, "this is for administrators of the server")
_DELETED = Refusal(ErrorCode.CONFLICT, "this account was deleted")


class Administration:
    """Changes accounts for administrators."""

    def __init__(self, directory: Directory, accounts: Accounts, log: SiteLog) -> None:
        self._directory = directory
        self._accounts = accounts
        self._log = log
        # Of two administrators who disable or delete each other at the same moment the second has no right to any more.
        self._one_at_a_time = trio.Lock()

    async def find(self, text: str, *, limit: int) -> list[UserRecord]:
        """Find accounts by id, by e-mail address, or by how the username begins; deleted ones by id alone."""
        by_id = await self._directory.user(text) if is_id("u", text) else None
        by_email = await self._directory.user_by_login(email=fold_email(text)) if "@" in text else None
        by_name = await self._directory.user_by_login(name_key=fold_name(text))
        begun = await self._directory.search_users(fold_name(text), limit=limit, disabled=True)
        found = [user for user in (by_id, by_email, by_name, *begun) if user is not None]
        return list({user.id: user for user in found}.values())[:limit]

    async def one(self, user: str) -> UserRecord | Refusal:
        """Give any account."""
        found = await self._directory.user(user) if is_id("u", user) else None
        return NO_SUCH_USER if found is None else found

    async def change(
        self, admin: UserRecord, user: str, *, disabled: bool | None = None, role: ServerRole | None = None
    ) -> UserRecord | Refusal:
        """Disable or enable an account, or give it a role; None leaves that as it is."""
        async with self._one_at_a_time:
            found = await self._judged(admin, user)
            if isinstance(found, Refusal):
                return found
            await self._record(admin, found, disabled=disabled, role=role)
            changed = await change_account(
                self._directory, found, lambda now: _changed(now, disabled=disabled, role=role)
            )
        if isinstance(changed, Refusal):
            return changed
        if changed.disabled:
            await self._accounts.sessions.end(changed.id)
        await self._accounts.account_changed(changed.id)
        return changed

    async def delete(self, admin: UserRecord, user: str, *, erase: bool) -> Refusal | None:
        """End an account; with `erase` what was said by it goes, too."""
        async with self._one_at_a_time:
            found = await self._judged(admin, user)
            if isinstance(found, Refusal):
                return found
            await self._log.write(admin.id, AccountDeleted(found.id, erase=erase))
            return await self._accounts.leave(found.id, erase=erase)

    async def _judged(self, admin: UserRecord, user: str) -> UserRecord | Refusal:
        """Give an account that an administrator, if they still are one, may do something to."""
        now = await self._directory.user(admin.id)
        if now is None or now.disabled or now.role != ServerRole.ADMIN:
            return _NOT_ADMIN
        found = await self.one(user)
        if isinstance(found, Refusal):
            return found
        if found.id == admin.id:
            return OWN_ACCOUNT
        return _DELETED if is_deleted(found) else found

    async def _record(
        self, admin: UserRecord, user: UserRecord, *, disabled: bool | None, role: ServerRole | None
    ) -> None:
        if disabled is not None and disabled != user.disabled:
            await self._log.write(admin.id, AccountDisabled(user.id) if disabled else AccountEnabled(user.id))
        if role is not None and role != user.role:
            await self._log.write(admin.id, AccountRoleChanged(user.id, before=user.role, after=role.value))


def _changed(user: UserRecord, *, disabled: bool | None, role: ServerRole | None) -> UserRecord | Refusal:
    if is_deleted(user):
        return _DELETED
    changed = user if role is None else with_role(user, role)
    return changed if disabled is None else replace(changed, disabled=disabled)

"""Accounts from the console: the first administrator is made here, and the last one let in again.

Whoever can run it has the database, so nothing is asked of them but what an account needs. A server that is running
takes part: it looks at every session's account again within seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from justchat.accounts.appearance import is_deleted
from justchat.accounts.changing import change_account
from justchat.accounts.identity import ServerRole
from justchat.accounts.membership import with_role
from justchat.accounts.names import fold_name
from justchat.accounts.passwords import Passwords
from justchat.accounts.registration import Registration, check_registration
from justchat.accounts.site_log import CONSOLE, SiteLog
from justchat.ids import is_id, new_id
from justchat.operate.refusals import CopyUnfinished, OperationRefused
from justchat.wire.deeds import AccountCreated, AccountDisabled, AccountEnabled, AccountRoleChanged
from justchat.wire.errors import Refusal
from storage.errors import Conflict
from storage.facts import COPYING
from storage.open import Storage
from storage.records import UserRecord


class AccountRefused(OperationRefused):
    """The account cannot be made or changed like this."""


class People:
    """The accounts of an open site. Raises AccountRefused, and what storage raises."""

    def __init__(self, site: Storage, *, bcrypt_cost: int) -> None:
        self._site = site
        self._directory = site.directory
        self._passwords = Passwords(cost=bcrypt_cost, threads=1)
        self._log = SiteLog(site.directory, now_ms=_now_ms)

    async def make_sure(self) -> None:
        """Refuse a store that is only half there. Raises CopyUnfinished."""
        if await self._directory.fact(COPYING) is not None:
            raise CopyUnfinished("a copy into this site has not been finished: run `justchat copy` again first")

    async def named(self, name: str) -> UserRecord | None:
        """Find an account by username or id."""
        if is_id("u", name):
            return await self._directory.user(name)
        return await self._directory.user_by_login(name_key=fold_name(name))

    async def create_admin(self, username: str, *, email: str | None, password: str) -> UserRecord:
        """Make an administrator."""
        checked = check_registration(username=username, password=password, email=email, display_name=None)
        if not isinstance(checked, Registration):
            raise AccountRefused("; ".join(f"{problem.pointer[1:]}: {problem.detail}" for problem in checked))
        password_hash = await self._passwords.hash(password)
        if isinstance(password_hash, Refusal):
            raise AccountRefused(password_hash.detail)
        user = UserRecord(
            id=new_id("u"),
            username=checked.username,
            name_key=checked.name_key,
            display_name=checked.display_name,
            email=checked.email,
            password_hash=password_hash,
            role=ServerRole.ADMIN.value,
            created_at=_now_ms(),
        )
        await self._log.write(CONSOLE, AccountCreated(user.id, user.role))
        try:
            await self._directory.create_user(user)
        except Conflict as conflict:
            raise AccountRefused(f"this {conflict.kind} belongs to another account") from conflict
        return user

    async def set_role(self, user: UserRecord, role: ServerRole) -> UserRecord:
        """Give an account a role."""
        await self._log.write(CONSOLE, AccountRoleChanged(user.id, before=user.role, after=role.value))
        return await self._change(user, lambda now: with_role(now, role))

    async def set_disabled(self, user: UserRecord, *, disabled: bool) -> UserRecord:
        """Disable an account, and end its sessions, or enable it."""
        await self._log.write(CONSOLE, AccountDisabled(user.id) if disabled else AccountEnabled(user.id))
        changed = await self._change(user, lambda now: replace(now, disabled=disabled))
        if disabled:
            await self._site.sessions.end_sessions(user.id)
        return changed

    async def _change(self, user: UserRecord, change: Callable[[UserRecord], UserRecord]) -> UserRecord:
        if is_deleted(user):
            raise AccountRefused("this account was deleted")
        changed = await change_account(self._directory, user, change)
        if isinstance(changed, Refusal):
            raise AccountRefused(changed.detail)
        return changed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""What people say about themselves: names, a few words, an e-mail address."""

from __future__ import annotations

import logging

from justchat.accounts.accounts import Accounts
from justchat.accounts.changing import change_account
from justchat.accounts.profile_rules import ProfileChange, changed_profile, changes_email, profile_problems
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from storage.ports import Directory
from storage.records import UserRecord

logger = logging.getLogger(__name__)

_NEEDS_PASSWORD = FieldProblem("/password", "missing", "another address could be used to take the account over")


class Profiles:
    """Changes accounts for their owners."""

    def __init__(self, directory: Directory, accounts: Accounts) -> None:
        self._directory = directory
        self._accounts = accounts

    async def change(
        self, user: UserRecord, change: ProfileChange, *, password: str | None, address: str
    ) -> UserRecord | Refusal:
        """Make the change, and give the account as it is then; another e-mail address takes the password.

        `address` is where the caller calls from, for guesses of passwords are slowed down. Raises what storage raises.
        """
        problems = profile_problems(change)
        if changes_email(user, change) and password is None:
            problems.append(_NEEDS_PASSWORD)
        if problems:
            return Refusal(ErrorCode.VALIDATION_FAILED, "some fields are not valid", tuple(problems))
        if changes_email(user, change) and password is not None:
            refusal = await self._accounts.check_password(user, password, address=address)
            if refusal:
                return refusal
        changed = await change_account(self._directory, user, lambda now: _decided(user, now, change))
        if not isinstance(changed, Refusal) and changed.name_key != user.name_key:
            logger.info("event=renamed user=%s", user.id)
        return changed


def _decided(asked: UserRecord, now: UserRecord, change: ProfileChange) -> UserRecord | Refusal:
    """Decide on the account as it is now, which may not be as it was when the password was asked for."""
    if changes_email(now, change) and not changes_email(asked, change):
        return Refusal(ErrorCode.CONFLICT, "the account was changed at the same moment; try again")
    return changed_profile(now, change)

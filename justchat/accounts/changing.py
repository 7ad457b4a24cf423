"""One change to one account, decided on the account as it is now.

Accounts are replaced whole, by compare-and-set on their `rev`; who comes second reads again and decides again.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from justchat.accounts.accounts import taken
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import Conflict
from storage.ports import Directory
from storage.records import UserRecord

_TRIES = 8
_CHANGED = Refusal(ErrorCode.CONFLICT, "the account was changed again and again meanwhile; try again", (), 1.0)
_GONE = Refusal(ErrorCode.NOT_FOUND, "there is no such account any more")


async def change_account(
    directory: Directory, user: UserRecord, change: Callable[[UserRecord], UserRecord | Refusal]
) -> UserRecord | Refusal:
    """Have an account changed by a pure function and give it as it is then; nothing is written where nothing changes.

    `user` is the account as it was read last. Raises what the directory raises, other than Conflict.
    """
    for _ in range(_TRIES):
        wanted = change(user)
        if isinstance(wanted, Refusal) or wanted == user:
            return wanted
        wanted = replace(wanted, rev=user.rev + 1)
        try:
            await directory.change_user(wanted)
        except Conflict as conflict:
            if conflict.kind != "rev":
                return taken(conflict.kind)
        else:
            return wanted
        now = await directory.user(user.id)
        if now is None:
            return _GONE
        user = now
    return _CHANGED

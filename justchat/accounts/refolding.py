"""Folds the names of all accounts again, once after the rule of folding has changed: people are found by it.

Of two names that the new rule makes the same the one that was folded so before keeps it. The other one is not found by
its name any more, and is named in the log: its owner signs in by e-mail address and takes another.
"""

from __future__ import annotations

import logging
from typing import Final

from msgspec.structs import replace

from justchat.accounts.appearance import is_deleted
from justchat.accounts.changing import change_account
from justchat.accounts.names import fold_name
from justchat.wire.errors import Refusal
from storage.facts import NAMES_FOLDED
from storage.ports import Directory
from storage.records import UserRecord

RULE: Final = "2"
"""The rule of `fold_name`: another one for each change of it."""

_PAGE: Final = 500

logger = logging.getLogger(__name__)


async def refold_names(directory: Directory) -> None:
    """Fold all names that were folded by another rule. May be cut off anywhere. Raises what the directory raises."""
    if await directory.fact(NAMES_FOLDED) == RULE:
        return
    after = ""
    while users := await directory.all_users(after=after, limit=_PAGE):
        for user in users:
            if _refolded(user) != user:
                changed = await change_account(directory, user, _refolded)
                if isinstance(changed, Refusal):
                    logger.warning("event=name_not_folded user=%s cause=%s", user.id, changed.code)
        after = users[-1].id
    await directory.set_fact(NAMES_FOLDED, RULE)


def _refolded(user: UserRecord) -> UserRecord:
    # A deleted account has its id in place of a name.
    return user if is_deleted(user) else replace(user, name_key=fold_name(user.username))

"""The copy of accounts and of what belongs to them: sessions, credentials, contacts, blocks, pictures, read markers.

The target is made to hold what the source holds, by comparing the two. So it does not matter where a former copy
stopped, nor what has become of the source since. Accounts are never deleted, so one that is only in the target is not
from this source, and the proof finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import aclosing

from justchat.operate.account_rows import R, Rows, each_kind, each_record
from justchat.operate.refusals import CopyRefused
from justchat.operate.site import Site, each_page_of_users
from justchat.operate.stored import differing
from storage.errors import Conflict, Unstorable
from storage.ports import Directory
from storage.records import UserRecord


async def copy_accounts(source: Site, target: Site) -> None:
    """Copy accounts and what belongs to them. Raises CopyRefused, and what storage raises."""

    async def copy_users(users: Sequence[UserRecord]) -> None:
        await _copy_users(target.directory, users)

    await each_page_of_users(source.directory, copy_users)
    await each_kind(source, target, _copy_rows)


async def _copy_users(target: Directory, users: Sequence[UserRecord]) -> None:
    there = {user.id: user for user in await target.users(ids=[user.id for user in users])}
    for user in users:
        if user.id in there and there[user.id].created_at != user.created_at:
            raise CopyRefused(f"the target has another account under {user.id}: empty it and copy again")
        if there.get(user.id) != user:
            await _put(target.put_user(user), f"the account {user.id}", f"another account like {user.id}")


async def _copy_rows(name: str, here: Rows[R], there: Rows[R]) -> None:
    """Make the target's records of a kind those of the source."""
    changed: list[R] = []
    what, like = f"the {name} of the source", f"other {name} like those of the source"
    async with aclosing(differing(each_record(here), each_record(there))) as found:
        async for _, ours, theirs in found:
            if ours is not None:
                changed.append(ours)
            elif theirs is not None:
                await there.drop(theirs)
            if len(changed) == here.page:
                await _put(there.put(changed), what, like)
                changed = []
    if changed:
        await _put(there.put(changed), what, like)


async def _put(writing: Awaitable[None], what: str, like: str) -> None:
    try:
        await writing
    except Conflict as conflict:
        raise CopyRefused(f"the target has {like} ({conflict.kind}): empty it and copy again") from conflict
    except Unstorable as error:
        raise CopyRefused(f"the target cannot hold {what}: {error}") from error

"""People's pictures: made small and of our own making, stored beside the account, served as they are stored."""

from __future__ import annotations

from msgspec.structs import replace

from justchat.accounts.appearance import is_present
from justchat.accounts.changing import change_account
from justchat.accounts.pictures import MADE_TYPE, Pictures
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.account_ports import Relations
from storage.account_records import AvatarRecord
from storage.ports import Directory
from storage.records import UserRecord

_GONE = Refusal(ErrorCode.NOT_FOUND, "there is no such account any more")


class Avatars:
    """Changes and finds pictures. Raises what storage raises."""

    def __init__(self, directory: Directory, relations: Relations, pictures: Pictures) -> None:
        self._directory = directory
        self._relations = relations
        self._pictures = pictures

    async def put(self, user: UserRecord, data: bytes, media_type: str) -> UserRecord | Refusal:
        """Make a picture of what was sent the user's own, and give the account with it."""
        made = await self._pictures.small(data, media_type)
        if isinstance(made, Refusal):
            return made
        avatar = AvatarRecord(user.id, new_id("a"), MADE_TYPE, made)
        # The picture before its name: whoever sees the name finds a picture, this one or a later one.
        await self._relations.put_avatar(avatar)
        changed = await change_account(self._directory, user, lambda now: _named(now, avatar.id))
        if isinstance(changed, Refusal):
            await self._relations.drop_avatar(user.id)
        return changed

    async def drop(self, user: UserRecord) -> UserRecord | Refusal:
        """Take the user's picture away, and give the account without it."""
        # In this order nothing is left that is named and not there, should a new one come at the same moment.
        await self._relations.drop_avatar(user.id)
        return await change_account(self._directory, user, lambda now: replace(now, avatar=None))

    async def of(self, user: UserRecord) -> AvatarRecord | None:
        """Give somebody's picture."""
        if user.avatar is None or not is_present(user):
            return None
        return await self._relations.avatar(user.id)


def _named(user: UserRecord, avatar: str) -> UserRecord | Refusal:
    return replace(user, avatar=avatar) if is_present(user) else _GONE

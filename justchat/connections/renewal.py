"""Staying on a connection by another token: what `refresh` asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from justchat.accounts.identity import Identity, Scope
from justchat.wire.errors import STORAGE_UNAVAILABLE, ErrorCode, Refusal
from storage.errors import StorageError

_OTHER_USER = Refusal(ErrorCode.FORBIDDEN, "this token is another user's; open a connection of its own")


async def renewed(
    token: str, present: Identity, authenticate: Callable[[str], Awaitable[Identity | Refusal]]
) -> Identity | Refusal:
    """Give the right that a token stands for, if one may go on by it where `present` was the right so far."""
    try:
        identity = await authenticate(token)
    except StorageError:
        return STORAGE_UNAVAILABLE
    if isinstance(identity, Refusal):
        return identity
    if identity.user.id != present.user.id:
        return _OTHER_USER
    # Subscriptions go on: they must not outlive the right to read.
    lost = identity.refusal(Scope.MESSAGES_READ, changes=False)
    reads = present.refusal(Scope.MESSAGES_READ, changes=False) is None
    return lost if lost is not None and reads else identity

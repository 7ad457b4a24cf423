"""The records of accounts beside the account itself: sessions, credentials, contacts, pictures. Plain frozen values.

Times are integers, milliseconds since the Unix epoch, UTC. No secret is kept in the clear: a `digest` is the SHA-256 of
what its holder presents.
"""

from __future__ import annotations

from msgspec import Struct


class SessionRecord(Struct, frozen=True):
    """One sign-in of one device, and the one refresh token that continues it.

    `family` fingerprints the part that all refresh tokens of the session share, `digest` the one that is good now.
    `previous` was good until `rotated_at`; together with `nonce` it leads to the present one again, for a device that
    never got the answer. The session ends at `expires_at` unless it is continued, and at `ends_at` in any case.
    """

    id: str
    user: str
    family: bytes
    digest: bytes
    created_at: int
    seen_at: int
    expires_at: int
    ends_at: int
    user_agent: str
    address: str
    previous: bytes | None = None
    nonce: bytes = b""
    rotated_at: int | None = None


class CredentialRecord(Struct, frozen=True):
    """Something that is good for one purpose, for whoever presents it: a personal token, an invitation, a mailed code.

    `kind` says which; `scopes` is what it allows, in the words of whoever checks it. `uses_left` None is for ever.
    """

    id: str
    kind: str
    user: str
    digest: bytes
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    uses_left: int | None = None
    used_at: int | None = None


class ContactRecord(Struct, frozen=True):
    """What two people are to each other; `low` is the lesser of their ids.

    `asked_by` is who asked the other, None once both have, that is, once it is accepted.
    """

    low: str
    high: str
    asked_by: str | None
    at: int


class BlockRecord(Struct, frozen=True):
    """That `user` blocks `other`, and since when."""

    user: str
    other: str
    at: int


class AvatarRecord(Struct, frozen=True):
    """A user's picture, as it is served; `id` changes with the picture."""

    user: str
    id: str
    media_type: str
    data: bytes


def pair_of(user: str, other: str) -> tuple[str, str]:
    """Return the two ids as a contact's `low` and `high`. Raises ValueError if they are the same."""
    if user == other:
        raise ValueError("nobody is a contact of their own")
    return min(user, other), max(user, other)

"""The ports for what belongs to accounts: `Sessions` is how people come in, `Relations` what they are to each other.

As with the other ports, backends enforce uniqueness and atomicity, nothing else, and raise only the errors of
`storage.errors`: any write may raise StorageUnavailable, when nothing was written, or OutcomeUnknown. Both are in the
same database as the directory. The methods that list all or put records just as they are serve those who copy a site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.records import Page, ReadMark, UserRecord

MOST_LISTED = 1000
"""How many credentials are listed at most."""


class Sessions(Protocol):
    """Sessions and credentials. Expired ones stay until `drop_expired`: whoever reads one looks at the time."""

    async def create_session(self, session: SessionRecord, *, most: int) -> list[str]:
        """Store a new session; of more than `most` of the user the oldest (by `seen_at`) end, and are named.

        The new one is not among these. It may be tried again with the same session, whose row is then left as it is.
        Raises Conflict `id` or `family` where another session has it.
        """
        ...

    async def session(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        """One session by id, with its user as they are now."""
        ...

    async def session_of_family(self, family: bytes) -> tuple[SessionRecord, UserRecord] | None:
        """The session whose refresh tokens share this, with its user."""
        ...

    async def rotate_session(self, session: SessionRecord, *, replacing: bytes) -> bool:
        """Replace the session's row if its `digest` is `replacing`; False if it is not, or if the session has ended.

        Of any number at the same moment one succeeds. Its user, family and `created_at` stay as they are.
        """
        ...

    async def sessions_of(self, user: str) -> list[SessionRecord]:
        """The user's sessions, the one seen latest first."""
        ...

    async def living(self, sessions: Sequence[str]) -> list[tuple[str, UserRecord]]:
        """Which of these sessions are still there, each with its user as they are now."""
        ...

    async def end_sessions(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or `only` these, but not `keep`; those that were there are named."""
        ...

    async def all_sessions(self, *, after: str = "", limit: int) -> list[SessionRecord]:
        """The first `limit` sessions by id, above `after`."""
        ...

    async def put_sessions(self, sessions: Sequence[SessionRecord]) -> None:
        """Store sessions just as they are, in place of those with their ids; all of them or none.

        Raises Conflict `family`.
        """
        ...

    async def create_credential(self, credential: CredentialRecord, *, most: int | None = None) -> None:
        """Store a credential. It may be tried again with the same one, whose row is then left as it is.

        Raises Conflict `id` or `digest` where another credential, for `digest` of the same kind, has it; and `full`
        where its user, whose account there has to be, would have more than `most` of this kind that have not expired
        when it is made: of any number at the same moment no more are stored.
        """
        ...

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        """One credential by what is presented, with its user as they are now."""
        ...

    async def credentials_of(self, kind: str, *, user: str | None = None) -> list[CredentialRecord]:
        """Credentials of a kind, of one user or of all, the newest first, up to 1,000."""
        ...

    async def use_credential(self, kind: str, digest: bytes, *, now: int) -> bool:
        """Take one of its uses, if it has any left and has not expired at `now`; remember when. Atomic."""
        ...

    async def enrol(self, user: UserRecord, kind: str, digest: bytes, *, now: int) -> bool:
        """Take a use as `use_credential` does and store a new account with it, both or neither; False if there is none.

        Raises Conflict `username` or `email`; the use is there still.
        """
        ...

    async def drop_credentials(self, kind: str, user: str, *, only: str | None = None) -> list[str]:
        """Delete a user's credentials of a kind, or the one with this id; those that were there are named."""
        ...

    async def all_credentials(self, *, after: str = "", limit: int) -> list[CredentialRecord]:
        """The first `limit` credentials by id, above `after`."""
        ...

    async def put_credentials(self, credentials: Sequence[CredentialRecord]) -> None:
        """Store credentials just as they are, in place of those with their ids; all of them or none.

        Raises Conflict `digest`.
        """
        ...

    async def drop_expired(self, *, now: int) -> int:
        """Delete sessions that are over, and credentials that have expired or have no use left; count them.

        It goes in small steps, so that it holds up nobody else. At its deadline some of them are done, and what is left
        is for the next call.
        """
        ...


class Relations(Protocol):
    """Contacts, blocks, pictures, and how far people have read.

    A read marker is here and not in the directory because it is no projection: no entry accounts for it, so that it can
    be made again from nothing and is copied with what belongs to accounts. What somebody
    has read by writing goes with the append of a post (`PutMark`).
    """

    async def ask_contact(self, user: str, other: str, *, at: int, most: int | None = None) -> ContactRecord:
        """Ask somebody to be a contact, or accept what they asked. Atomic: who ask each other at once are contacts.

        Nothing changes where the user had asked already, or they are contacts. Raises ValueError for one and the same;
        Conflict `full` where the user would have asked or accepted more than `most`, and `awaited` where more than
        these would wait for the other's answer. Of people whose accounts are there no more are stored however many ask
        at once.
        """
        ...

    async def contact(self, user: str, other: str) -> ContactRecord | None:
        """What two people are to each other."""
        ...

    async def drop_contact(self, user: str, other: str) -> bool:
        """Be contacts no longer, take a request back or reject one; False where there was nothing."""
        ...

    async def contacts_of(self, user: str, *, cursor: str | None, limit: int) -> Page[ContactRecord]:
        """A user's contacts and requests, by the other's id; the cursor is such an id."""
        ...

    async def all_contacts(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ContactRecord]:
        """The first `limit` contacts and requests by `low` and `high`, above these."""
        ...

    async def put_contacts(self, contacts: Sequence[ContactRecord]) -> None:
        """Store contacts just as they are, in place of what these pairs were."""
        ...

    async def block(self, user: str, other: str, *, at: int, most: int | None = None) -> bool:
        """Have `user` block `other`; False where they did already. They are contacts no longer.

        Raises Conflict `full` where the user, whose account there has to be, would block more than `most`.
        """
        ...

    async def unblock(self, user: str, other: str) -> bool:
        """Lift a block; False where there was none."""
        ...

    async def blocks_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[str, int]]:
        """Whom a user blocks and since when, by id; the cursor is such an id."""
        ...

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Which of these block the user."""
        ...

    async def all_blocks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[BlockRecord]:
        """The first `limit` blocks by `user` and `other`, above these."""
        ...

    async def put_blocks(self, blocks: Sequence[BlockRecord]) -> None:
        """Store blocks just as they are, in place of those of the same two."""
        ...

    async def put_avatar(self, avatar: AvatarRecord) -> None:
        """Store a user's picture in place of the one before."""
        ...

    async def avatar(self, user: str) -> AvatarRecord | None:
        """A user's picture."""
        ...

    async def drop_avatar(self, user: str) -> None:
        """Delete a user's picture."""
        ...

    async def all_avatars(self, *, after: str = "", limit: int) -> list[AvatarRecord]:
        """The first `limit` pictures by user, above `after`."""
        ...

    async def drop_relations(self, user: str) -> None:
        """Delete all contacts and blocks of a user, in both directions, their picture and their read markers."""
        ...

    async def mark_read(self, mark: ReadMark) -> bool:
        """Move a read marker forward; False where it is as far already. Of many at once the furthest is left."""
        ...

    async def read_marks(self, user: str, rooms: Sequence[str]) -> list[ReadMark]:
        """How far a user has read these rooms, in no promised order; rooms without a marker are left out."""
        ...

    async def all_read_marks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ReadMark]:
        """The first `limit` read markers by user and room, above these."""
        ...

    async def put_read_marks(self, marks: Sequence[ReadMark]) -> None:
        """Store read markers just as they are, in place of those of the same users in the same rooms."""
        ...

    async def drop_read_mark(self, user: str, room: str) -> None:
        """Delete a read marker if it is there."""
        ...

    async def seen(self, users: Mapping[str, int]) -> None:
        """Remember when these users were last there; times only move forward, and unknown users are left out."""
        ...

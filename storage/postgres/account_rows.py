"""From records to rows and back, for what belongs to accounts. Columns stand in the order of the records' fields."""

from __future__ import annotations

from msgspec.structs import replace

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.postgres.connection import Row
from storage.postgres.rows import record_of, user_of
from storage.records import ReadMark, UserRecord

SESSION_FIELDS = len(SessionRecord.__struct_fields__)
CREDENTIAL_FIELDS = len(CredentialRecord.__struct_fields__)


def session_of(row: Row) -> SessionRecord:
    """Make a session of a row of `sessions`."""
    return record_of(SessionRecord, row)


def session_and_user_of(row: Row) -> tuple[SessionRecord, UserRecord]:
    """Make a session and its user of a row of both tables."""
    return session_of(row[:SESSION_FIELDS]), user_of(row[SESSION_FIELDS:])


def credential_of(row: Row) -> CredentialRecord:
    """Make a credential of a row of `credentials`."""
    record = record_of(CredentialRecord, row)
    return replace(record, scopes=tuple(record.scopes))


def credential_and_user_of(row: Row) -> tuple[CredentialRecord, UserRecord | None]:
    """Make a credential and its user of a row of both tables."""
    user = row[CREDENTIAL_FIELDS:]
    return credential_of(row[:CREDENTIAL_FIELDS]), None if user[0] is None else user_of(user)


def contact_of(row: Row) -> ContactRecord:
    """Make a contact of a row of `contacts`."""
    return record_of(ContactRecord, row)


def block_of(row: Row) -> BlockRecord:
    """Make a block of a row of `blocks`."""
    return record_of(BlockRecord, row)


def avatar_of(row: Row) -> AvatarRecord:
    """Make a picture of a row of `avatars`."""
    return record_of(AvatarRecord, row)


def read_mark_of(row: Row) -> ReadMark:
    """Make a read marker of a row of `read_marks`."""
    return record_of(ReadMark, row)

"""From records to rows and back, for what belongs to accounts. Columns stand in the order of the records' fields."""

from __future__ import annotations

import sqlite3

from msgspec import json
from msgspec.structs import astuple, replace

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.records import ReadMark, UserRecord
from storage.sqlite.rows import Row, user_of

SESSION_FIELDS = len(SessionRecord.__struct_fields__)
CREDENTIAL_FIELDS = len(CredentialRecord.__struct_fields__)


def session_of(row: Row) -> SessionRecord:
    """Make a session of a row of `sessions`."""
    return SessionRecord(*row)  # type: ignore[arg-type]


def session_and_user_of(row: Row) -> tuple[SessionRecord, UserRecord]:
    """Make a session and its user of a row of both tables."""
    return session_of(row[:SESSION_FIELDS]), user_of(row[SESSION_FIELDS:])


def credential_of(row: Row) -> CredentialRecord:
    """Make a credential of a row of `credentials`."""
    record = CredentialRecord(*row)  # type: ignore[arg-type]
    return replace(record, scopes=json.decode(str(record.scopes), type=tuple[str, ...]))


def credential_and_user_of(row: Row) -> tuple[CredentialRecord, UserRecord | None]:
    """Make a credential and its user of a row of both tables."""
    user = row[CREDENTIAL_FIELDS:]
    return credential_of(row[:CREDENTIAL_FIELDS]), None if user[0] is None else user_of(user)


def row_of_credential(credential: CredentialRecord) -> Row:
    """Make a row of a credential."""
    return astuple(replace(credential, scopes=json.encode(credential.scopes).decode()))


def contact_of(row: Row) -> ContactRecord:
    """Make a contact of a row of `contacts`."""
    return ContactRecord(*row)  # type: ignore[arg-type]


def block_of(row: Row) -> BlockRecord:
    """Make a block of a row of `blocks`."""
    return BlockRecord(*row)  # type: ignore[arg-type]


def avatar_of(row: Row) -> AvatarRecord:
    """Make a picture of a row of `avatars`."""
    return AvatarRecord(*row)  # type: ignore[arg-type]


def read_mark_of(row: Row) -> ReadMark:
    """Make a read marker of a row of `read_marks`."""
    return ReadMark(*row)  # type: ignore[arg-type]


def is_taken(error: sqlite3.IntegrityError) -> bool:
    """Tell whether a row was refused because another one has what has to be unique, and not for a value in itself."""
    return error.sqlite_errorname in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")

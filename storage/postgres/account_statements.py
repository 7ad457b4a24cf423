"""Every statement about sessions, credentials, contacts, blocks, pictures and read markers.

A test looks at the plan of each.
"""

# ruff: noqa: S608  # what is put together here are constants

from __future__ import annotations

from storage.user_columns import USER_COLUMNS

# Sessions. Who creates or ends those of a user locks the user's row first, in a statement of its own: what comes after
# it sees what the one before has committed.

SESSION_COLUMNS = """id, user_id, family, digest, created_at, seen_at, expires_at, ends_at, user_agent, address,
    previous, nonce, rotated_at"""

_INSERT_SESSION = f"""
INSERT INTO sessions ({SESSION_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

CREATE_SESSION = f"{_INSERT_SESSION} ON CONFLICT (id) DO NOTHING"

PUT_SESSION = f"""{_INSERT_SESSION}
ON CONFLICT (id) DO UPDATE SET
    user_id = excluded.user_id, family = excluded.family, digest = excluded.digest, created_at = excluded.created_at,
    seen_at = excluded.seen_at, expires_at = excluded.expires_at, ends_at = excluded.ends_at,
    user_agent = excluded.user_agent, address = excluded.address, previous = excluded.previous, nonce = excluded.nonce,
    rotated_at = excluded.rotated_at
"""

ROTATE_SESSION = """
UPDATE sessions SET
    digest = $3, seen_at = $4, expires_at = $5, ends_at = $6, user_agent = $7, address = $8, previous = $9, nonce = $10,
    rotated_at = $11
WHERE id = $1 AND digest = $2
"""

IS_SESSION = "SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND family = $3"

# The user is looked up for each session: joined, PostgreSQL might read a whole table instead.
_SESSION_AND_USER = f"""
SELECT s.*, u.*
FROM (SELECT {SESSION_COLUMNS} FROM sessions WHERE %s = $1) AS s
CROSS JOIN LATERAL (SELECT {USER_COLUMNS} FROM users WHERE id = s.user_id LIMIT 1) AS u
"""

SESSION = _SESSION_AND_USER % "id"

SESSION_OF_FAMILY = _SESSION_AND_USER % "family"

LIVING = f"""
SELECT s.id AS session, u.*
FROM unnest($1::text[]) AS asked (session)
CROSS JOIN LATERAL (SELECT id, user_id FROM sessions WHERE id = asked.session LIMIT 1) AS s
CROSS JOIN LATERAL (SELECT {USER_COLUMNS} FROM users WHERE id = s.user_id LIMIT 1) AS u
"""

SESSIONS_OF = f"SELECT {SESSION_COLUMNS} FROM sessions WHERE user_id = $1 ORDER BY seen_at DESC, id DESC"

ALL_SESSIONS = f"SELECT {SESSION_COLUMNS} FROM sessions WHERE id > $1 ORDER BY id LIMIT $2"

END_OLDEST = """
DELETE FROM sessions WHERE id = ANY (ARRAY(
    SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY seen_at DESC, id DESC OFFSET $3
))
RETURNING id
"""

END_SESSIONS = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2 RETURNING id"

END_THESE_SESSIONS = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND id = ANY ($3::text[]) RETURNING id"

# Whatever somebody else is at is left to the next time.
DROP_SESSIONS = """
DELETE FROM sessions WHERE id = ANY (ARRAY(
    SELECT id FROM sessions WHERE least(expires_at, ends_at) <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
))
"""

# Credentials.

CREDENTIAL_COLUMNS = "id, kind, user_id, digest, name, scopes, created_at, expires_at, uses_left, used_at"

_INSERT_CREDENTIAL = f"""
INSERT INTO credentials ({CREDENTIAL_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

CREATE_CREDENTIAL = f"{_INSERT_CREDENTIAL} ON CONFLICT (id) DO NOTHING"

PUT_CREDENTIAL = f"""{_INSERT_CREDENTIAL}
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, user_id = excluded.user_id, digest = excluded.digest, name = excluded.name,
    scopes = excluded.scopes, created_at = excluded.created_at, expires_at = excluded.expires_at,
    uses_left = excluded.uses_left, used_at = excluded.used_at
"""

IS_CREDENTIAL = "SELECT 1 FROM credentials WHERE id = $1 AND kind = $2 AND user_id = $3 AND digest = $4"

CREDENTIAL = f"""
SELECT c.*, u.*
FROM (SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE kind = $1 AND digest = $2) AS c
LEFT JOIN LATERAL (SELECT {USER_COLUMNS} FROM users WHERE id = c.user_id LIMIT 1) AS u ON true
"""

CREDENTIALS_OF = f"""
SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE kind = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""

CREDENTIALS_OF_USER = f"""
SELECT {CREDENTIAL_COLUMNS} FROM credentials
WHERE kind = $1 AND user_id = $3 ORDER BY created_at DESC, id DESC LIMIT $2
"""

LASTING_CREDENTIALS = """
SELECT count(*) FROM credentials WHERE kind = $1 AND user_id = $2 AND (expires_at IS NULL OR expires_at > $3)
"""

ALL_CREDENTIALS = f"SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE id > $1 ORDER BY id LIMIT $2"

USE_CREDENTIAL = """
UPDATE credentials SET uses_left = uses_left - 1, used_at = $3
WHERE kind = $1 AND digest = $2 AND (uses_left IS NULL OR uses_left > 0) AND (expires_at IS NULL OR expires_at > $3)
"""

DROP_CREDENTIALS = "DELETE FROM credentials WHERE kind = $1 AND user_id = $2 RETURNING id"

DROP_CREDENTIAL = "DELETE FROM credentials WHERE kind = $1 AND user_id = $2 AND id = $3 RETURNING id"

DROP_EXPIRED = """
DELETE FROM credentials WHERE id = ANY (ARRAY(
    SELECT id FROM credentials WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
))
"""

DROP_USED_UP = """
DELETE FROM credentials WHERE id = ANY (ARRAY(
    SELECT id FROM credentials WHERE uses_left <= 0 LIMIT $1 FOR UPDATE SKIP LOCKED
))
"""

# Contacts.

CONTACT_COLUMNS = "low, high, asked_by, at"

ASK_CONTACT = f"""
INSERT INTO contacts ({CONTACT_COLUMNS}) VALUES ($1, $2, $3, $4)
ON CONFLICT (low, high) DO UPDATE SET
    asked_by = CASE WHEN contacts.asked_by <> excluded.asked_by THEN NULL ELSE contacts.asked_by END,
    at = CASE WHEN contacts.asked_by <> excluded.asked_by THEN excluded.at ELSE contacts.at END
RETURNING {CONTACT_COLUMNS}
"""

PUT_CONTACT = f"""
INSERT INTO contacts ({CONTACT_COLUMNS}) VALUES ($1, $2, $3, $4)
ON CONFLICT (low, high) DO UPDATE SET asked_by = excluded.asked_by, at = excluded.at
"""

CONTACT = f"SELECT {CONTACT_COLUMNS} FROM contacts WHERE low = $1 AND high = $2"

CONTACTS_MADE = """
SELECT (SELECT count(*) FROM contacts WHERE low = $1 AND (asked_by IS NULL OR asked_by = $1))
    + (SELECT count(*) FROM contacts WHERE high = $1 AND (asked_by IS NULL OR asked_by = $1))
"""

CONTACTS_AWAITING = """
SELECT (SELECT count(*) FROM contacts WHERE low = $1 AND asked_by <> $1)
    + (SELECT count(*) FROM contacts WHERE high = $1 AND asked_by <> $1)
"""

CONTACTS_OF = f"""
(SELECT {CONTACT_COLUMNS} FROM contacts WHERE low = $1 AND high > $2 ORDER BY high LIMIT $3)
UNION ALL
(SELECT {CONTACT_COLUMNS} FROM contacts WHERE high = $1 AND low > $2 ORDER BY low LIMIT $3)
"""

ALL_CONTACTS = f"SELECT {CONTACT_COLUMNS} FROM contacts WHERE (low, high) > ($1, $2) ORDER BY low, high LIMIT $3"

DROP_CONTACT = "DELETE FROM contacts WHERE low = $1 AND high = $2"

DROP_CONTACTS_ABOVE = "DELETE FROM contacts WHERE low = $1"

DROP_CONTACTS_BELOW = "DELETE FROM contacts WHERE high = $1"

# Blocks.

BLOCK = "INSERT INTO blocks (user_id, other, at) VALUES ($1, $2, $3) ON CONFLICT (user_id, other) DO NOTHING"

PUT_BLOCK = """
INSERT INTO blocks (user_id, other, at) VALUES ($1, $2, $3)
ON CONFLICT (user_id, other) DO UPDATE SET at = excluded.at
"""

BLOCKS_MADE = "SELECT count(*) FROM blocks WHERE user_id = $1"

BLOCKED_BY = """
SELECT asked.user_id
FROM unnest($2::text[]) AS asked (user_id)
WHERE (SELECT b.at FROM blocks AS b WHERE b.user_id = asked.user_id AND b.other = $1) IS NOT NULL
"""

BLOCKS_OF = "SELECT other, at FROM blocks WHERE user_id = $1 AND other > $2 ORDER BY other LIMIT $3"

ALL_BLOCKS = "SELECT user_id, other, at FROM blocks WHERE (user_id, other) > ($1, $2) ORDER BY user_id, other LIMIT $3"

UNBLOCK = "DELETE FROM blocks WHERE user_id = $1 AND other = $2"

DROP_BLOCKS_OF = "DELETE FROM blocks WHERE user_id = $1"

DROP_BLOCKS_ON = "DELETE FROM blocks WHERE other = $1"

# Pictures.

PUT_AVATAR = """
INSERT INTO avatars (user_id, id, media_type, data) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, media_type = excluded.media_type, data = excluded.data
"""

AVATAR = "SELECT user_id, id, media_type, data FROM avatars WHERE user_id = $1"

ALL_AVATARS = "SELECT user_id, id, media_type, data FROM avatars WHERE user_id > $1 ORDER BY user_id LIMIT $2"

DROP_AVATAR = "DELETE FROM avatars WHERE user_id = $1"

# Read markers.

READ_MARK_COLUMNS = "user_id, room, seq, msg_no"

PUT_READ_MARK = f"""
INSERT INTO read_marks ({READ_MARK_COLUMNS}) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, room) DO UPDATE SET seq = excluded.seq, msg_no = excluded.msg_no
"""

READ_MARKS = f"""
SELECT m.*
FROM unnest($2::text[]) AS asked (room)
CROSS JOIN LATERAL (
    SELECT {READ_MARK_COLUMNS} FROM read_marks WHERE user_id = $1 AND room = asked.room LIMIT 1
) AS m
"""

ALL_READ_MARKS = f"""
SELECT {READ_MARK_COLUMNS} FROM read_marks WHERE (user_id, room) > ($1, $2) ORDER BY user_id, room LIMIT $3
"""

DROP_READ_MARK = "DELETE FROM read_marks WHERE user_id = $1 AND room = $2"

DROP_READ_MARKS_OF = "DELETE FROM read_marks WHERE user_id = $1"

# Of two who leave at once and are each other's, one waits for the other before it locks any row.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock($1)"

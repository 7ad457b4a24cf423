"""Every statement about sessions, credentials, contacts, blocks, pictures and read markers.

A test looks at the plan of each.
"""

# ruff: noqa: S608  # what is put together here are constants

from __future__ import annotations

from storage.user_columns import JOINED_USER_COLUMNS

# Sessions.

_SESSION = """id, user, family, digest, created_at, seen_at, expires_at, ends_at, user_agent, address, previous, nonce,
    rotated_at"""

_SESSION_AND_USER = f"""
    s.id, s.user, s.family, s.digest, s.created_at, s.seen_at, s.expires_at, s.ends_at, s.user_agent, s.address,
    s.previous, s.nonce, s.rotated_at,
    {JOINED_USER_COLUMNS}"""

_INSERT_SESSION = f"INSERT INTO sessions ({_SESSION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

CREATE_SESSION = f"{_INSERT_SESSION} ON CONFLICT (id) DO NOTHING"

PUT_SESSION = f"""{_INSERT_SESSION}
ON CONFLICT (id) DO UPDATE SET
    user = excluded.user, family = excluded.family, digest = excluded.digest, created_at = excluded.created_at,
    seen_at = excluded.seen_at, expires_at = excluded.expires_at, ends_at = excluded.ends_at,
    user_agent = excluded.user_agent, address = excluded.address, previous = excluded.previous, nonce = excluded.nonce,
    rotated_at = excluded.rotated_at
"""

ROTATE_SESSION = """
UPDATE sessions SET
    digest = ?4, seen_at = ?6, expires_at = ?7, ends_at = ?8, user_agent = ?9, address = ?10, previous = ?11,
    nonce = ?12, rotated_at = ?13
WHERE id = ?1 AND digest = ?14
"""

IS_SESSION = "SELECT 1 FROM sessions WHERE id = ? AND user = ? AND family = ?"

# CROSS JOIN keeps the order of the tables.
SESSION = f"SELECT {_SESSION_AND_USER} FROM sessions AS s CROSS JOIN users AS u ON u.id = s.user WHERE s.id = ?"

SESSION_OF_FAMILY = f"""
SELECT {_SESSION_AND_USER} FROM sessions AS s CROSS JOIN users AS u ON u.id = s.user WHERE s.family = ?
"""

SESSIONS_OF = f"SELECT {_SESSION} FROM sessions WHERE user = ? ORDER BY seen_at DESC, id DESC"

ALL_SESSIONS = f"SELECT {_SESSION} FROM sessions WHERE id > ? ORDER BY id LIMIT ?"

# In SQLite a negative limit is none.
END_OLDEST = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE user = ? AND id <> ? ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?
)
RETURNING id
"""

END_SESSIONS = "DELETE FROM sessions WHERE user = ? AND id <> ? RETURNING id"

END_SESSION = "DELETE FROM sessions WHERE user = ? AND id <> ? AND id = ? RETURNING id"

DROP_SESSIONS = """
DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE min(expires_at, ends_at) <= ? LIMIT ?)
"""

# Credentials.

_CREDENTIAL = "id, kind, user, digest, name, scopes, created_at, expires_at, uses_left, used_at"

_INSERT_CREDENTIAL = f"INSERT INTO credentials ({_CREDENTIAL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

CREATE_CREDENTIAL = f"{_INSERT_CREDENTIAL} ON CONFLICT (id) DO NOTHING"

PUT_CREDENTIAL = f"""{_INSERT_CREDENTIAL}
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, user = excluded.user, digest = excluded.digest, name = excluded.name,
    scopes = excluded.scopes, created_at = excluded.created_at, expires_at = excluded.expires_at,
    uses_left = excluded.uses_left, used_at = excluded.used_at
"""

IS_CREDENTIAL = "SELECT 1 FROM credentials WHERE id = ? AND kind = ? AND user = ? AND digest = ?"

CREDENTIAL = f"""
SELECT c.id, c.kind, c.user, c.digest, c.name, c.scopes, c.created_at, c.expires_at, c.uses_left, c.used_at,
    {JOINED_USER_COLUMNS}
FROM credentials AS c LEFT JOIN users AS u ON u.id = c.user WHERE c.kind = ? AND c.digest = ?
"""

CREDENTIALS_OF = f"SELECT {_CREDENTIAL} FROM credentials WHERE kind = ? ORDER BY created_at DESC, id DESC LIMIT ?"

CREDENTIALS_OF_USER = f"""
SELECT {_CREDENTIAL} FROM credentials WHERE kind = ? AND user = ? ORDER BY created_at DESC, id DESC LIMIT ?
"""

LASTING_CREDENTIALS = """
SELECT count(*) FROM credentials WHERE kind = ? AND user = ? AND (expires_at IS NULL OR expires_at > ?)
"""

ALL_CREDENTIALS = f"SELECT {_CREDENTIAL} FROM credentials WHERE id > ? ORDER BY id LIMIT ?"

USE_CREDENTIAL = """
UPDATE credentials SET uses_left = uses_left - 1, used_at = ?3
WHERE kind = ?1 AND digest = ?2 AND (uses_left IS NULL OR uses_left > 0) AND (expires_at IS NULL OR expires_at > ?3)
"""

DROP_CREDENTIALS = "DELETE FROM credentials WHERE kind = ? AND user = ? RETURNING id"

DROP_CREDENTIAL = "DELETE FROM credentials WHERE kind = ? AND user = ? AND id = ? RETURNING id"

DROP_EXPIRED = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials WHERE expires_at <= ? LIMIT ?)"

DROP_USED_UP = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials WHERE uses_left <= 0 LIMIT ?)"

# Contacts.

ASK_CONTACT = """
INSERT INTO contacts (low, high, asked_by, at) VALUES (?, ?, ?, ?)
ON CONFLICT (low, high) DO UPDATE SET
    asked_by = CASE WHEN asked_by <> excluded.asked_by THEN NULL ELSE asked_by END,
    at = CASE WHEN asked_by <> excluded.asked_by THEN excluded.at ELSE at END
RETURNING low, high, asked_by, at
"""

PUT_CONTACT = """
INSERT INTO contacts (low, high, asked_by, at) VALUES (?, ?, ?, ?)
ON CONFLICT (low, high) DO UPDATE SET asked_by = excluded.asked_by, at = excluded.at
"""

CONTACT = "SELECT low, high, asked_by, at FROM contacts WHERE low = ? AND high = ?"

CONTACTS_MADE = """
SELECT (SELECT count(*) FROM contacts WHERE low = ?1 AND (asked_by IS NULL OR asked_by = ?1))
    + (SELECT count(*) FROM contacts WHERE high = ?1 AND (asked_by IS NULL OR asked_by = ?1))
"""

CONTACTS_AWAITING = """
SELECT (SELECT count(*) FROM contacts WHERE low = ?1 AND asked_by <> ?1)
    + (SELECT count(*) FROM contacts WHERE high = ?1 AND asked_by <> ?1)
"""

CONTACTS_ABOVE = "SELECT low, high, asked_by, at FROM contacts WHERE low = ? AND high > ? ORDER BY high LIMIT ?"

CONTACTS_BELOW = "SELECT low, high, asked_by, at FROM contacts WHERE high = ? AND low > ? ORDER BY low LIMIT ?"

ALL_CONTACTS = "SELECT low, high, asked_by, at FROM contacts WHERE (low, high) > (?, ?) ORDER BY low, high LIMIT ?"

DROP_CONTACT = "DELETE FROM contacts WHERE low = ? AND high = ?"

DROP_CONTACTS_ABOVE = "DELETE FROM contacts WHERE low = ?"

DROP_CONTACTS_BELOW = "DELETE FROM contacts WHERE high = ?"

# Blocks.

BLOCK = "INSERT INTO blocks (user, other, at) VALUES (?, ?, ?) ON CONFLICT (user, other) DO NOTHING"

PUT_BLOCK = """
INSERT INTO blocks (user, other, at) VALUES (?, ?, ?) ON CONFLICT (user, other) DO UPDATE SET at = excluded.at
"""

BLOCKS_MADE = "SELECT count(*) FROM blocks WHERE user = ?"

IS_BLOCKED = "SELECT 1 FROM blocks WHERE user = ? AND other = ?"

BLOCKS_OF = "SELECT other, at FROM blocks WHERE user = ? AND other > ? ORDER BY other LIMIT ?"

ALL_BLOCKS = "SELECT user, other, at FROM blocks WHERE (user, other) > (?, ?) ORDER BY user, other LIMIT ?"

UNBLOCK = "DELETE FROM blocks WHERE user = ? AND other = ?"

DROP_BLOCKS_OF = "DELETE FROM blocks WHERE user = ?"

DROP_BLOCKS_ON = "DELETE FROM blocks WHERE other = ?"

# Pictures.

PUT_AVATAR = """
INSERT INTO avatars (user, id, media_type, data) VALUES (?, ?, ?, ?)
ON CONFLICT (user) DO UPDATE SET id = excluded.id, media_type = excluded.media_type, data = excluded.data
"""

AVATAR = "SELECT user, id, media_type, data FROM avatars WHERE user = ?"

ALL_AVATARS = "SELECT user, id, media_type, data FROM avatars WHERE user > ? ORDER BY user LIMIT ?"

DROP_AVATAR = "DELETE FROM avatars WHERE user = ?"

# Read markers.

MOVE_READ_MARK = """
INSERT INTO read_marks (user, room, seq, msg_no) VALUES (?, ?, ?, ?)
ON CONFLICT (user, room) DO UPDATE SET seq = max(seq, excluded.seq), msg_no = max(msg_no, excluded.msg_no)
WHERE excluded.seq > seq OR excluded.msg_no > msg_no
"""

PUT_READ_MARK = """
INSERT INTO read_marks (user, room, seq, msg_no) VALUES (?, ?, ?, ?)
ON CONFLICT (user, room) DO UPDATE SET seq = excluded.seq, msg_no = excluded.msg_no
"""

READ_MARK = "SELECT user, room, seq, msg_no FROM read_marks WHERE user = ? AND room = ?"

ALL_READ_MARKS = """
SELECT user, room, seq, msg_no FROM read_marks WHERE (user, room) > (?, ?) ORDER BY user, room LIMIT ?
"""

DROP_READ_MARK = "DELETE FROM read_marks WHERE user = ? AND room = ?"

DROP_READ_MARKS_OF = "DELETE FROM read_marks WHERE user = ?"

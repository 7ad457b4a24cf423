"""Every statement of journal and directory, in one place, so that a test can look at the plan of each of them.

Upper bounds of names are passed as an empty blob where there is none: in SQLite every blob is above every text.
"""

# ruff: noqa: S608  # what is put together here are constants of this file

from __future__ import annotations

from storage.records import OVERALL, TRIMMED
from storage.user_columns import REPLACE_USER, USER_COLUMNS

# The journal.

INSERT_ENTRY = """
INSERT INTO entries (room, seq, ts, type, actor, body, sender, client_msg_id, digest, message_id, msg_no)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

IS_ENTRY = "SELECT 1 FROM entries WHERE room = ? AND seq = ?"

HEAD = "SELECT max(seq) FROM entries WHERE room = ?"

ENTRIES_AFTER = """
SELECT room, seq, ts, type, actor, body, sender, client_msg_id, digest, message_id, msg_no
FROM entries WHERE room = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""

ENTRIES_UPTO = """
SELECT room, seq, ts, type, actor, body, sender, client_msg_id, digest, message_id, msg_no
FROM entries WHERE room = ? AND seq <= ? ORDER BY seq DESC LIMIT ?
"""

SENT = """
SELECT sender, client_msg_id, seq, msg_no, message_id, digest
FROM entries WHERE room = ? AND sender = ? AND client_msg_id = ?
"""

WROTE = "SELECT 1 FROM entries WHERE room = ? AND sender = ? AND client_msg_id IS NOT NULL LIMIT 1"

# What was trimmed stays empty.
REWRITE = "UPDATE entries SET body = ?, digest = ? WHERE room = ? AND seq = ? AND length(body) > 0"

MESSAGE = "SELECT id, room, seq, msg_no, author, deleted, doc, applied_seq FROM messages WHERE id = ?"

MESSAGES_AFTER = """
SELECT id, room, seq, msg_no, author, deleted, doc, applied_seq
FROM messages WHERE room = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""

MESSAGES_UPTO = """
SELECT id, room, seq, msg_no, author, deleted, doc, applied_seq
FROM messages WHERE room = ? AND seq <= ? ORDER BY seq DESC LIMIT ?
"""

PUT_ROOM = """
INSERT INTO rooms (id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq,
                   last_msg_no, deleted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, visibility = excluded.visibility, name = excluded.name, name_key = excluded.name_key,
    topic = excluded.topic, created_by = excluded.created_by, created_at = excluded.created_at, epoch = excluded.epoch,
    settings = excluded.settings, applied_seq = excluded.applied_seq, last_msg_no = excluded.last_msg_no,
    deleted_at = excluded.deleted_at
"""

PUT_MEMBER = """
INSERT INTO members (room, user, role, joined_seq, joined_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (room, user) DO UPDATE SET
    role = excluded.role, joined_seq = excluded.joined_seq, joined_at = excluded.joined_at
"""

DELETE_MEMBER = "DELETE FROM members WHERE room = ? AND user = ?"

PUT_MESSAGE = """
INSERT INTO messages (id, room, seq, msg_no, author, deleted, doc, applied_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    room = excluded.room, seq = excluded.seq, msg_no = excluded.msg_no, author = excluded.author,
    deleted = excluded.deleted, doc = excluded.doc, applied_seq = excluded.applied_seq
"""

DELETE_MESSAGE = "DELETE FROM messages WHERE id = ?"

ITEM = "SELECT room, kind, key, doc, held, due_at, seq FROM items WHERE room = ? AND kind = ? AND key = ?"

KEEPS = "SELECT 1 FROM items WHERE room = ? AND kind = ? AND key >= ? AND key < ? LIMIT 1"

# Left to itself SQLite would go through all items of the room.
HELD_ITEMS = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items INDEXED BY items_held WHERE room = ? AND held = 1 ORDER BY kind, key
"""

ALL_ITEMS = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE room = ? AND (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?
"""

DUE = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE due_at <= ? ORDER BY due_at, room, kind, key LIMIT ?
"""

DUE_OF_ROOM = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE due_at <= ? AND room = ? ORDER BY due_at, kind, key LIMIT ?
"""

PUT_ITEM = """
INSERT INTO items (room, kind, key, doc, held, due_at, seq) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (room, kind, key) DO UPDATE SET
    doc = excluded.doc, held = excluded.held, due_at = excluded.due_at, seq = excluded.seq
"""

DELETE_ITEM = "DELETE FROM items WHERE room = ? AND kind = ? AND key = ?"

SWEEP = "DELETE FROM items WHERE room = ? AND kind = ? AND key >= ? AND key < ?"

TRIM_MESSAGES = "DELETE FROM messages WHERE room = ? AND seq <= ?"

TRIM_ITEMS = "DELETE FROM items WHERE room = ? AND seq > 0 AND seq <= ?"

_TRIMMED = ", ".join(f"'{entry_type}'" for entry_type in TRIMMED)

# Below an entry whose text is gone none has any, so that this reads no further down than to where the last one ended.
# The length of a blob is known without reading it.
TRIM_ENTRIES = f"""
UPDATE entries SET body = x''
WHERE room = ?1 AND seq <= ?2 AND type IN ({_TRIMMED}) AND seq > coalesce((
    SELECT e.seq FROM entries AS e
    WHERE e.room = ?1 AND e.seq <= ?2 AND e.type IN ({_TRIMMED}) AND length(e.body) = 0
    ORDER BY e.seq DESC LIMIT 1
), 0)
"""

# From one room to the next through the primary key, so that the cost is that of the rooms and not of their entries.
ROOMS = """
WITH RECURSIVE found (room) AS (
    SELECT min(room) FROM entries WHERE room > ?1
    UNION ALL
    SELECT (SELECT min(room) FROM entries WHERE entries.room > found.room) FROM found WHERE found.room IS NOT NULL
)
SELECT room FROM found WHERE room IS NOT NULL LIMIT ?2
"""

# The directory.

PROBE = "SELECT 1 FROM users WHERE id = ''"

FACT = "SELECT value FROM facts WHERE name = ?"

PUT_FACT = "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

DELETE_FACT = "DELETE FROM facts WHERE name = ?"

INSERT_USER = f"INSERT INTO users ({USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

PUT_USER = f"{INSERT_USER} {REPLACE_USER}"

CHANGE_USER = """
UPDATE users SET
    username = ?2, name_key = ?3, display_name = ?4, email = ?5, password_hash = ?6, role = ?7, disabled = ?9,
    rev = ?10, state = ?11, bio = ?12, avatar = ?13, email_verified = ?14
WHERE id = ?1 AND rev = ?10 - 1
"""

SEEN = "UPDATE users SET last_seen_at = ?2 WHERE id = ?1 AND (last_seen_at IS NULL OR last_seen_at < ?2)"

USER = f"SELECT {USER_COLUMNS} FROM users WHERE id = ?"

ALL_USERS = f"SELECT {USER_COLUMNS} FROM users WHERE id > ? ORDER BY id LIMIT ?"

USERS_IN_STATE = f"SELECT {USER_COLUMNS} FROM users WHERE state <> 'active' AND state = ? ORDER BY id LIMIT ?"

USER_BY_NAME = f"SELECT {USER_COLUMNS} FROM users WHERE name_key = ?"

USER_BY_EMAIL = f"SELECT {USER_COLUMNS} FROM users WHERE email = ?"

USERS_BY_PREFIX = f"""
SELECT {USER_COLUMNS}
FROM users WHERE name_key >= ? AND name_key < ? AND (disabled = 0 OR (? AND state = 'active')) ORDER BY name_key LIMIT ?
"""

ROOM = """
SELECT id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq, last_msg_no,
       deleted_at
FROM rooms WHERE id = ?
"""

ALL_ROOMS = """
SELECT id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq, last_msg_no,
       deleted_at
FROM rooms WHERE id > ? ORDER BY id LIMIT ?
"""

MEMBER = "SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? AND user = ?"

ALL_MEMBERS = "SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? ORDER BY user"

MEMBERS_AFTER = """
SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? AND user > ? ORDER BY user LIMIT ?
"""

ITEMS = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE room = ? AND kind = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?
"""

NEWEST_ITEMS = """
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE room = ? AND kind = ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?
"""

OVERALL_ITEMS = f"""
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE kind = '{OVERALL}' AND key >= ? AND key < ? ORDER BY key LIMIT ?
"""

NEWEST_OVERALL_ITEMS = f"""
SELECT room, kind, key, doc, held, due_at, seq
FROM items WHERE kind = '{OVERALL}' AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?
"""

# CROSS JOIN keeps the order of the tables: memberships first, newest room first.
ROOMS_OF = """
SELECT r.id, r.kind, r.visibility, r.name, r.name_key, r.topic, r.created_by, r.created_at, r.epoch, r.settings,
       r.applied_seq, r.last_msg_no, r.deleted_at, m.room, m.user, m.role, m.joined_seq, m.joined_at
FROM members AS m CROSS JOIN rooms AS r ON r.id = m.room
WHERE m.user = ? AND m.room < ? AND r.deleted_at IS NULL ORDER BY m.room DESC LIMIT ?
"""

PUBLIC_ROOMS = """
SELECT id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq, last_msg_no,
       deleted_at
FROM rooms
WHERE visibility = 'public' AND deleted_at IS NULL AND (name_key, id) > (?, ?) AND name_key < ?
ORDER BY name_key, id LIMIT ?
"""

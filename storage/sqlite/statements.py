"""Every statement of the two ports, in one place, so that a test can look at the plan of each of them.

Upper bounds of names are passed as an empty blob where there is none: in SQLite every blob is above every text.
"""

from __future__ import annotations

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

INSERT_USER = """
INSERT INTO users (id, username, name_key, display_name, email, password_hash, role, created_at, disabled)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

USER = """
SELECT id, username, name_key, display_name, email, password_hash, role, created_at, disabled
FROM users WHERE id = ?
"""

ALL_USERS = """
SELECT id, username, name_key, display_name, email, password_hash, role, created_at, disabled
FROM users WHERE id > ? ORDER BY id LIMIT ?
"""

USER_BY_NAME = """
SELECT id, username, name_key, display_name, email, password_hash, role, created_at, disabled
FROM users WHERE name_key = ?
"""

USER_BY_EMAIL = """
SELECT id, username, name_key, display_name, email, password_hash, role, created_at, disabled
FROM users WHERE email = ?
"""

USERS_BY_PREFIX = """
SELECT id, username, name_key, display_name, email, password_hash, role, created_at, disabled
FROM users WHERE name_key >= ? AND name_key < ? AND disabled = 0 ORDER BY name_key LIMIT ?
"""

ROOM = """
SELECT id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq, last_msg_no,
       deleted_at
FROM rooms WHERE id = ?
"""

MEMBER = "SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? AND user = ?"

ALL_MEMBERS = "SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? ORDER BY user"

MEMBERS_AFTER = """
SELECT room, user, role, joined_seq, joined_at FROM members WHERE room = ? AND user > ? ORDER BY user LIMIT ?
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

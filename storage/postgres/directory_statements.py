"""Every statement of the directory: accounts, and what is asked about rooms without waking them.

A test looks at the plan of each. A listing with and without an end is two statements: an end that may be missing would
be no bound of an index.
"""

# ruff: noqa: S608  # what is put together here are constants

from __future__ import annotations

from storage.postgres.statements import ITEM_COLUMNS, MEMBER_COLUMNS, ROOM_COLUMNS
from storage.records import OVERALL
from storage.user_columns import REPLACE_USER, USER_COLUMNS

FACT = "SELECT value FROM facts WHERE name = $1"

PUT_FACT = "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

DELETE_FACT = "DELETE FROM facts WHERE name = $1"

PROBE = "SELECT 1 FROM users WHERE id = ''"

INSERT_USER = f"""
INSERT INTO users ({USER_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""

PUT_USER = f"{INSERT_USER} {REPLACE_USER}"

CHANGE_USER = """
UPDATE users SET
    username = $2, name_key = $3, display_name = $4, email = $5, password_hash = $6, role = $7, disabled = $8, rev = $9,
    state = $10, bio = $11, avatar = $12, email_verified = $13
WHERE id = $1 AND rev = $9::bigint - 1
"""

LOCK_USER = "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE"

LOCK_USERS = "SELECT 1 FROM users WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE"

SEEN = "UPDATE users SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)"

USER = f"SELECT {USER_COLUMNS} FROM users WHERE id = $1"

USER_BY_NAME = f"SELECT {USER_COLUMNS} FROM users WHERE name_key = $1"

USER_BY_EMAIL = f"SELECT {USER_COLUMNS} FROM users WHERE email = $1"

USERS = f"""
SELECT {USER_COLUMNS} FROM users WHERE id = ANY ($1::text[])
UNION ALL
SELECT {USER_COLUMNS} FROM users WHERE name_key = ANY ($2::text[])
"""

_USERS_BY_NAME = f"""
SELECT {USER_COLUMNS} FROM users
WHERE name_key >= $1 %s AND (NOT disabled OR ($3::boolean AND state = 'active')) ORDER BY name_key LIMIT $2
"""

USERS_BETWEEN = _USERS_BY_NAME % "AND name_key < $4"

USERS_FROM = _USERS_BY_NAME % ""

ALL_USERS = f"SELECT {USER_COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2"

USERS_IN_STATE = f"SELECT {USER_COLUMNS} FROM users WHERE state <> 'active' AND state = $1 ORDER BY id LIMIT $2"

ROOM = f"SELECT {ROOM_COLUMNS} FROM rooms WHERE id = $1"

ROOMS_BY_ID = f"SELECT {ROOM_COLUMNS} FROM rooms WHERE id = ANY ($1::text[])"

ALL_ROOMS = f"SELECT {ROOM_COLUMNS} FROM rooms WHERE id > $1 ORDER BY id LIMIT $2"

MEMBER = f"SELECT {MEMBER_COLUMNS} FROM members WHERE room = $1 AND user_id = $2"

MEMBERSHIPS = f"SELECT {MEMBER_COLUMNS} FROM members WHERE user_id = $1 AND room = ANY ($2::text[])"

MEMBERS_AFTER = f"SELECT {MEMBER_COLUMNS} FROM members WHERE room = $1 AND user_id > $2 ORDER BY user_id LIMIT $3"

_ITEMS = f"SELECT {ITEM_COLUMNS} FROM items WHERE room = $1 AND kind = $2 AND key >= $3 %s LIMIT $4"

ITEMS_FROM = _ITEMS % "ORDER BY key"

ITEMS_BETWEEN = _ITEMS % "AND key < $5 ORDER BY key"

NEWEST_ITEMS_FROM = _ITEMS % "ORDER BY key DESC"

NEWEST_ITEMS_BETWEEN = _ITEMS % "AND key < $5 ORDER BY key DESC"

ALL_ITEMS = f"""
SELECT {ITEM_COLUMNS} FROM items WHERE room = $1 AND (kind, key) > ($2, $3) ORDER BY kind, key LIMIT $4
"""

_OVERALL = f"SELECT {ITEM_COLUMNS} FROM items WHERE kind = '{OVERALL}' AND key >= $1 %s LIMIT $2"

OVERALL_ITEMS_FROM = _OVERALL % "ORDER BY key"

OVERALL_ITEMS_BETWEEN = _OVERALL % "AND key < $3 ORDER BY key"

NEWEST_OVERALL_ITEMS_FROM = _OVERALL % "ORDER BY key DESC"

NEWEST_OVERALL_ITEMS_BETWEEN = _OVERALL % "AND key < $3 ORDER BY key DESC"

# Memberships first, newest room first; the room of each is looked up one by one, until there are enough.
_ROOMS_OF = f"""
SELECT r.*, m.*
FROM (
    SELECT {MEMBER_COLUMNS} FROM members WHERE user_id = $1 %s ORDER BY room DESC
) AS m
CROSS JOIN LATERAL (
    SELECT {ROOM_COLUMNS} FROM rooms WHERE id = m.room AND deleted_at IS NULL LIMIT 1
) AS r
ORDER BY m.room DESC
"""

ROOMS_OF = _ROOMS_OF % "" + "LIMIT $2"

ROOMS_OF_BELOW = _ROOMS_OF % "AND room < $2" + "LIMIT $3"

PUBLIC_ROOMS_BETWEEN = f"""
SELECT {ROOM_COLUMNS} FROM rooms
WHERE visibility = 'public' AND deleted_at IS NULL AND (name_key, id) > ($1, $2) AND name_key < $3
ORDER BY name_key, id LIMIT $4
"""

PUBLIC_ROOMS_FROM = f"""
SELECT {ROOM_COLUMNS} FROM rooms
WHERE visibility = 'public' AND deleted_at IS NULL AND (name_key, id) > ($1, $2)
ORDER BY name_key, id LIMIT $3
"""

"""Every statement of the journal and of projections, in one place, so that a test can look at the plan of each of them.

Rows go there as one array for each column, so that a commit of any size is a few statements and a few round trips. A
look-up for each row of such arrays is written as a subquery of its own: joined, PostgreSQL might read a whole table
instead.
"""

# ruff: noqa: S608  # what is put together here are constants of this file

from __future__ import annotations

# The journal.

ENTRY_COLUMNS = "room, seq, ts, type, actor, body, sender, client_msg_id, digest, message_id, msg_no"

# Nothing is inserted unless the predecessor of each room's first entry is there. The primary key refuses a seq that is
# taken, also a first one: a room that has entries has an entry 1.
INSERT_ENTRIES = f"""
INSERT INTO entries ({ENTRY_COLUMNS})
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::bytea[],
    $10::text[], $11::bigint[]
)
WHERE NOT EXISTS (
    SELECT 1 FROM unnest($12::text[], $13::bigint[]) AS first (room, seq)
    WHERE first.seq <> 1
      AND (SELECT e.seq FROM entries AS e WHERE e.room = first.room AND e.seq = first.seq - 1) IS NULL
)
"""

HEADS = """
SELECT asked.room, (SELECT max(e.seq) FROM entries AS e WHERE e.room = asked.room)
FROM unnest($1::text[]) AS asked (room)
"""

ENTRIES_AFTER = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE room = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4"

ENTRIES_UPTO = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE room = $1 AND seq <= $2 ORDER BY seq DESC LIMIT $3"

SENT = """
SELECT e.sender, e.client_msg_id, e.seq, e.msg_no, e.message_id, e.digest
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked (sender, client_msg_id, place)
CROSS JOIN LATERAL (
    SELECT * FROM entries WHERE room = $1 AND sender = asked.sender AND client_msg_id = asked.client_msg_id LIMIT 1
) AS e
ORDER BY asked.place
"""

ALREADY_SENT = """
SELECT asked.room, asked.sender, asked.client_msg_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (room, sender, client_msg_id)
WHERE (
    SELECT e.seq FROM entries AS e
    WHERE e.room = asked.room AND e.sender = asked.sender AND e.client_msg_id = asked.client_msg_id
) IS NOT NULL
"""

# The order is that of the index: PostgreSQL might else go through a room where the sender is one of few.
WRITTEN_IN = """
SELECT asked.room
FROM unnest($1::text[]) AS asked (room)
WHERE (
    SELECT e.seq FROM entries AS e
    WHERE e.room = asked.room AND e.sender = $2 AND e.client_msg_id IS NOT NULL
    ORDER BY e.client_msg_id LIMIT 1
) IS NOT NULL
"""

# What was trimmed stays empty.
REWRITE = "UPDATE entries SET body = $3, digest = $4 WHERE room = $1 AND seq = $2 AND octet_length(body) > 0"

# From one room to the next through the primary key, so that the cost is that of the rooms and not of their entries.
ROOMS = """
WITH RECURSIVE found (room) AS (
    (SELECT room FROM entries WHERE room > $1 ORDER BY room LIMIT 1)
    UNION ALL
    SELECT (SELECT e.room FROM entries AS e WHERE e.room > found.room ORDER BY e.room LIMIT 1)
    FROM found WHERE found.room IS NOT NULL
)
SELECT room FROM found WHERE room IS NOT NULL LIMIT $2
"""

MESSAGE_COLUMNS = "id, room, seq, msg_no, author, deleted, doc, applied_seq"

MESSAGES_BY_ID = f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE id = ANY ($1::text[])"

MESSAGES_AFTER = (
    f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE room = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4"
)

MESSAGES_UPTO = f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE room = $1 AND seq <= $2 ORDER BY seq DESC LIMIT $3"

LATEST_MESSAGES = f"""
SELECT m.*
FROM unnest($1::text[], $2::bigint[]) AS asked (room, upto)
CROSS JOIN LATERAL (
    SELECT {MESSAGE_COLUMNS} FROM messages
    WHERE room = asked.room AND seq <= asked.upto ORDER BY seq DESC LIMIT 1
) AS m
"""

ROOM_COLUMNS = (
    "id, kind, visibility, name, name_key, topic, created_by, created_at, epoch, settings, applied_seq, last_msg_no, "
    "deleted_at"
)

MEMBER_COLUMNS = "room, user_id, role, joined_seq, joined_at"

# One statement sees one state of the database: the head, members and items as one array for each column, and the row.
LOAD_ROOM = f"""
SELECT (SELECT max(seq) FROM entries WHERE room = $1), m.*, i.*, r.*
FROM (
    SELECT array_agg(user_id), array_agg(role), array_agg(joined_seq), array_agg(joined_at)
    FROM members WHERE room = $1
) AS m
CROSS JOIN (
    SELECT array_agg(kind), array_agg(key), array_agg(doc), array_agg(held), array_agg(due_at), array_agg(seq)
    FROM items WHERE room = $1 AND held
) AS i
LEFT JOIN (SELECT {ROOM_COLUMNS} FROM rooms WHERE id = $1) AS r ON true
"""

ITEM_COLUMNS = "room, kind, key, doc, held, due_at, seq"

ITEMS_BY_KEY = f"""
SELECT i.*
FROM unnest($2::text[], $3::text[]) AS asked (kind, key)
CROSS JOIN LATERAL (
    SELECT {ITEM_COLUMNS} FROM items WHERE room = $1 AND kind = asked.kind AND key = asked.key LIMIT 1
) AS i
"""

# Every wanted range has an end, so that it is a bound of the index.
ROOMS_KEEPING = """
SELECT asked.room
FROM unnest($1::text[]) AS asked (room)
WHERE (
    SELECT wanted.kind
    FROM unnest($2::text[], $3::text[], $4::text[]) AS wanted (kind, low, high)
    WHERE (
        SELECT i.kind FROM items AS i
        WHERE i.room = asked.room AND i.kind = wanted.kind AND i.key >= wanted.low AND i.key < wanted.high
        LIMIT 1
    ) IS NOT NULL
    LIMIT 1
) IS NOT NULL
"""

DUE = f"SELECT {ITEM_COLUMNS} FROM items WHERE due_at <= $1 ORDER BY due_at, room, kind, key LIMIT $2"

DUE_OF_ROOM = f"""
SELECT {ITEM_COLUMNS} FROM items WHERE due_at <= $1 AND room = $3 ORDER BY due_at, kind, key LIMIT $2
"""

# Projections.

_PUT_MEMBERS = f"""
INSERT INTO members ({MEMBER_COLUMNS})
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (room, user_id) DO UPDATE SET
    role = excluded.role, joined_seq = excluded.joined_seq, joined_at = excluded.joined_at
"""

_PUT_MESSAGES = f"""
INSERT INTO messages ({MESSAGE_COLUMNS})
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::boolean[], %s::bytea[], %s::bigint[]
)
ON CONFLICT (id) DO UPDATE SET
    room = excluded.room, seq = excluded.seq, msg_no = excluded.msg_no, author = excluded.author,
    deleted = excluded.deleted, doc = excluded.doc, applied_seq = excluded.applied_seq
"""

_PUT_ITEMS = f"""
INSERT INTO items ({ITEM_COLUMNS})
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::boolean[], %s::bigint[], %s::bigint[])
ON CONFLICT (room, kind, key) DO UPDATE SET
    doc = excluded.doc, held = excluded.held, due_at = excluded.due_at, seq = excluded.seq
"""

# The furthest is left, whoever comes first.
_MOVE_READ_MARKS = """
INSERT INTO read_marks (user_id, room, seq, msg_no)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (user_id, room) DO UPDATE SET
    seq = greatest(read_marks.seq, excluded.seq), msg_no = greatest(read_marks.msg_no, excluded.msg_no)
WHERE excluded.seq > read_marks.seq OR excluded.msg_no > read_marks.msg_no
"""

_INSERT_ROOMS = f"""
INSERT INTO rooms ({ROOM_COLUMNS})
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[],
    %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[]
)
"""

_PUT_ROOMS = f"""{_INSERT_ROOMS}
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, visibility = excluded.visibility, name = excluded.name, name_key = excluded.name_key,
    topic = excluded.topic, created_by = excluded.created_by, created_at = excluded.created_at, epoch = excluded.epoch,
    settings = excluded.settings, applied_seq = excluded.applied_seq, last_msg_no = excluded.last_msg_no,
    deleted_at = excluded.deleted_at
"""


def _numbered(statement: str) -> str:
    """Number the places of the values, in their order."""
    return statement % tuple(f"${number}" for number in range(1, statement.count("%s") + 1))


PUT_MEMBERS = _numbered(_PUT_MEMBERS)

PUT_MESSAGES = _numbered(_PUT_MESSAGES)

PUT_ITEMS = _numbered(_PUT_ITEMS)

PUT_ROOMS = _numbered(_PUT_ROOMS)

MOVE_READ_MARKS = _numbered(_MOVE_READ_MARKS)

PUT_ALL = _numbered(f"WITH put_members AS ({_PUT_MEMBERS}), put_messages AS ({_PUT_MESSAGES}) {_PUT_ROOMS}")

# Read markers are as rare as items: they come with the posts of rooms in which many speak.
PUT_ALL_WITH_ITEMS = _numbered(f"""
WITH put_members AS ({_PUT_MEMBERS}), put_messages AS ({_PUT_MESSAGES}), put_items AS ({_PUT_ITEMS}),
     move_read_marks AS ({_MOVE_READ_MARKS})
{_PUT_ROOMS}
""")

DELETE_MEMBER = "DELETE FROM members WHERE room = $1 AND user_id = $2"

DELETE_MESSAGE = "DELETE FROM messages WHERE id = $1"

DELETE_ITEM = "DELETE FROM items WHERE room = $1 AND kind = $2 AND key = $3"

SWEEP_FROM = "DELETE FROM items WHERE room = $1 AND kind = $2 AND key >= $3"

SWEEP_BETWEEN = f"{SWEEP_FROM} AND key < $4"

# Below an entry whose text is gone none has any, so that this reads no further down than to where the last one ended.
TRIM = """
WITH no_messages AS (DELETE FROM messages WHERE room = $1 AND seq <= $2),
     no_items AS (DELETE FROM items WHERE room = $1 AND seq > 0 AND seq <= $2)
UPDATE entries SET body = ''
WHERE room = $1 AND seq <= $2 AND type = ANY ($3::text[]) AND seq > coalesce((
    SELECT e.seq FROM entries AS e
    WHERE e.room = $1 AND e.seq <= $2 AND e.type = ANY ($3::text[]) AND octet_length(e.body) = 0
    ORDER BY e.seq DESC LIMIT 1
), 0)
"""

# Sorted, so that two who want the same rooms wait for each other and never in a circle.
LOCK_ROOMS = "SELECT id, applied_seq FROM rooms WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE"

CLAIM_ROOMS = _numbered(f"{_INSERT_ROOMS} ON CONFLICT (id) DO NOTHING RETURNING id")

MARK = "SELECT committed FROM journal_mark WHERE id = 1"

MOVE_MARK = """
INSERT INTO journal_mark (id, committed) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET committed = excluded.committed WHERE journal_mark.committed < excluded.committed
"""

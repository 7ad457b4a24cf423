"""What the statements about sessions, credentials, contacts, blocks and pictures are asked with, and their indexes."""

from __future__ import annotations

SESSION = ("s_1", "u_00001", b"f", b"d", 1, 2, 3, 4, "b", "a", None, b"", None)
CREDENTIAL = ("t_1", "token", "u_00001", b"d", "n", ["x"], 1, None, None, None)

VALUES: dict[str, tuple[object, ...]] = {
    "CREATE_SESSION": SESSION,
    "PUT_SESSION": SESSION,
    "ROTATE_SESSION": ("s_00001", b"d", b"e", 1, 2, 3, "b", "a", b"d", b"n", 4),
    "IS_SESSION": ("s_00001", "u_00001", b"f1"),
    "SESSION": ("s_00001",),
    "SESSION_OF_FAMILY": (b"f1",),
    "LIVING": ([f"s_{number:05d}" for number in range(3000)],),
    "SESSIONS_OF": ("u_00001",),
    "ALL_SESSIONS": ("s_00100", 100),
    "END_OLDEST": ("u_00001", "s_00001", 10),
    "END_SESSIONS": ("u_00001", ""),
    "END_THESE_SESSIONS": ("u_00001", "", ["s_00001", "s_00002"]),
    "DROP_SESSIONS": (500, 100),
    "CREATE_CREDENTIAL": CREDENTIAL,
    "PUT_CREDENTIAL": CREDENTIAL,
    "IS_CREDENTIAL": ("t_00001", "token", "u_00001", b"d1"),
    "CREDENTIAL": ("token", b"d1"),
    "CREDENTIALS_OF": ("token", 1000),
    "CREDENTIALS_OF_USER": ("token", 1000, "u_00001"),
    "LASTING_CREDENTIALS": ("token", "u_00001", 7),
    "ALL_CREDENTIALS": ("t_00100", 100),
    "USE_CREDENTIAL": ("token", b"d1", 7),
    "DROP_CREDENTIALS": ("token", "u_00001"),
    "DROP_CREDENTIAL": ("token", "u_00001", "t_00001"),
    "DROP_EXPIRED": (500, 100),
    "DROP_USED_UP": (100,),
    "ASK_CONTACT": ("u_00001", "u_00002", "u_00001", 7),
    "PUT_CONTACT": ("u_00001", "u_00002", None, 7),
    "CONTACT": ("u_00001", "u_00002"),
    "CONTACTS_MADE": ("u_00050",),
    "CONTACTS_AWAITING": ("u_00050",),
    "CONTACTS_OF": ("u_00050", "u_00040", 51),
    "ALL_CONTACTS": ("u_00001", "u_00002", 100),
    "DROP_CONTACT": ("u_00001", "u_00002"),
    "DROP_CONTACTS_ABOVE": ("u_00001",),
    "DROP_CONTACTS_BELOW": ("u_00001",),
    "BLOCK": ("u_00001", "u_00002", 7),
    "PUT_BLOCK": ("u_00001", "u_00002", 7),
    "BLOCKS_MADE": ("u_00001",),
    "BLOCKED_BY": ("u_00001", [f"u_{number:05d}" for number in range(3000)]),
    "BLOCKS_OF": ("u_00001", "u_00002", 51),
    "ALL_BLOCKS": ("u_00001", "u_00002", 100),
    "UNBLOCK": ("u_00001", "u_00002"),
    "DROP_BLOCKS_OF": ("u_00001",),
    "DROP_BLOCKS_ON": ("u_00001",),
    "PUT_AVATAR": ("u_00001", "a_1", "image/webp", b"x"),
    "AVATAR": ("u_00001",),
    "ALL_AVATARS": ("u_00100", 100),
    "DROP_AVATAR": ("u_00001",),
    "PUT_READ_MARK": ("u_00001", "r_0007", 7, 7),
    "READ_MARKS": ("u_00001", [f"r_{number:04d}" for number in range(100)]),
    "ALL_READ_MARKS": ("u_00001", "r_0007", 100),
    "DROP_READ_MARK": ("u_00001", "r_0007"),
    "DROP_READ_MARKS_OF": ("u_00001",),
    "ONE_AT_A_TIME": (7,),
}
"""Values such as the product asks with."""

SESSION_NAMES = {"sessions_pkey", "sessions_family"}  # who knows two names of a session finds it by either
THESE_SESSIONS = {"sessions_pkey", "sessions_user"}
CREDENTIAL_NAMES = {"credentials_pkey", "credentials_digest"}
CREDENTIAL_OF_USER = {"credentials_pkey", "credentials_user"}
PAIR = {"contacts_pkey", "contacts_high"}
BLOCK = {"blocks_pkey", "blocks_other"}
EITHER = (SESSION_NAMES, THESE_SESSIONS, CREDENTIAL_NAMES, CREDENTIAL_OF_USER, PAIR, BLOCK)
"""Pairs of indexes of which either will do, at the same cost."""

INDEXES = {
    "CREATE_SESSION": {"sessions_pkey"},
    "PUT_SESSION": {"sessions_pkey"},
    "ROTATE_SESSION": {"sessions_pkey"},
    "IS_SESSION": SESSION_NAMES,
    "SESSION": {"sessions_pkey", "users_pkey"},
    "SESSION_OF_FAMILY": {"sessions_family", "users_pkey"},
    "LIVING": {"sessions_pkey", "users_pkey"},
    "SESSIONS_OF": {"sessions_user"},
    "ALL_SESSIONS": {"sessions_pkey"},
    "END_OLDEST": {"sessions_pkey", "sessions_user"},
    "END_SESSIONS": {"sessions_user"},
    "END_THESE_SESSIONS": THESE_SESSIONS,
    "DROP_SESSIONS": {"sessions_over", "sessions_pkey"},
    "CREATE_CREDENTIAL": {"credentials_pkey"},
    "PUT_CREDENTIAL": {"credentials_pkey"},
    "IS_CREDENTIAL": CREDENTIAL_NAMES,
    "CREDENTIAL": {"credentials_digest", "users_pkey"},
    "CREDENTIALS_OF": {"credentials_kind"},
    "CREDENTIALS_OF_USER": {"credentials_user"},
    "LASTING_CREDENTIALS": {"credentials_user"},
    "ALL_CREDENTIALS": {"credentials_pkey"},
    "USE_CREDENTIAL": {"credentials_digest"},
    "DROP_CREDENTIALS": {"credentials_user"},
    "DROP_CREDENTIAL": CREDENTIAL_OF_USER,
    "DROP_EXPIRED": {"credentials_expired", "credentials_pkey"},
    "DROP_USED_UP": {"credentials_pkey", "credentials_used_up"},
    "ASK_CONTACT": {"contacts_pkey"},
    "PUT_CONTACT": {"contacts_pkey"},
    "CONTACT": PAIR,
    "CONTACTS_MADE": {"contacts_high", "contacts_pkey"},
    "CONTACTS_AWAITING": {"contacts_high", "contacts_pkey"},
    "CONTACTS_OF": {"contacts_high", "contacts_pkey"},
    "ALL_CONTACTS": {"contacts_pkey"},
    "DROP_CONTACT": PAIR,
    "DROP_CONTACTS_ABOVE": {"contacts_pkey"},
    "DROP_CONTACTS_BELOW": {"contacts_high"},
    "BLOCK": {"blocks_pkey"},
    "PUT_BLOCK": {"blocks_pkey"},
    "BLOCKS_MADE": {"blocks_pkey"},
    "BLOCKED_BY": BLOCK,
    "BLOCKS_OF": {"blocks_pkey"},
    "ALL_BLOCKS": {"blocks_pkey"},
    "UNBLOCK": BLOCK,
    "DROP_BLOCKS_OF": {"blocks_pkey"},
    "DROP_BLOCKS_ON": {"blocks_other"},
    "PUT_AVATAR": {"avatars_pkey"},
    "AVATAR": {"avatars_pkey"},
    "ALL_AVATARS": {"avatars_pkey"},
    "DROP_AVATAR": {"avatars_pkey"},
    "PUT_READ_MARK": {"read_marks_pkey"},
    "READ_MARKS": {"read_marks_pkey"},
    "ALL_READ_MARKS": {"read_marks_pkey"},
    "DROP_READ_MARK": {"read_marks_pkey"},
    "DROP_READ_MARKS_OF": {"read_marks_pkey"},
    "ONE_AT_A_TIME": set[str](),
}
"""The indexes that each plan must use, and no other; one of them, where it is one of EITHER."""

FILL = """
INSERT INTO sessions
SELECT 's_' || lpad(n::text, 5, '0'), 'u_' || lpad((n % 4000)::text, 5, '0'), ('f' || n)::bytea, ('d' || n)::bytea,
       n, n, n, n, repeat('b', 80), '192.0.2.7', NULL, '', NULL
FROM generate_series(1, 12000) AS n;
INSERT INTO credentials
SELECT 't_' || lpad(n::text, 5, '0'), CASE WHEN n % 2 = 0 THEN 'token' ELSE 'code' END,
       'u_' || lpad((n % 1000)::text, 5, '0'), ('d' || n)::bytea, 'n', ARRAY['a', 'b'], n,
       CASE WHEN n % 3 = 0 THEN n END, CASE WHEN n % 5 = 0 THEN n % 1000 END, NULL
FROM generate_series(1, 9000) AS n;
INSERT INTO contacts
SELECT 'u_' || lpad(a::text, 5, '0'), 'u_' || lpad((a + b)::text, 5, '0'), NULL, 1
FROM generate_series(1, 1000) AS a, generate_series(1, 20) AS b;
INSERT INTO blocks
SELECT 'u_' || lpad(a::text, 5, '0'), 'u_' || lpad((a + b)::text, 5, '0'), 1
FROM generate_series(1, 1000) AS a, generate_series(1, 20) AS b;
INSERT INTO avatars
SELECT 'u_' || lpad(n::text, 5, '0'), 'a_' || n, 'image/webp', repeat('b', 500)::bytea
FROM generate_series(1, 5000) AS n;
INSERT INTO read_marks
SELECT 'u_' || lpad(u::text, 5, '0'), 'r_' || lpad(r::text, 4, '0'), r, r
FROM generate_series(1, 300) AS u, generate_series(1, 100) AS r;
"""

-- More of an account, and what belongs to it: sessions, credentials, contacts, blocks and pictures.
--
-- No secret is kept in the clear: a family or a digest is the SHA-256 of what its holder presents.

ALTER TABLE users ADD COLUMN rev INTEGER NOT NULL DEFAULT 1;

ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active';

ALTER TABLE users ADD COLUMN bio TEXT NOT NULL DEFAULT '';

ALTER TABLE users ADD COLUMN avatar TEXT;

ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN last_seen_at INTEGER;

-- Those that are being cleared up, and those that are gone.
CREATE INDEX users_state ON users (state, id) WHERE state <> 'active';

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    user       TEXT    NOT NULL,
    family     BLOB    NOT NULL,
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    user_agent TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    previous   BLOB,
    nonce      BLOB    NOT NULL,
    rotated_at INTEGER
) STRICT;

CREATE UNIQUE INDEX sessions_family ON sessions (family);

-- A user's, by when they were seen.
CREATE INDEX sessions_user ON sessions (user, seen_at, id);

-- Those that are over.
CREATE INDEX sessions_over ON sessions (min(expires_at, ends_at));

-- `scopes` is a JSON array of texts.
CREATE TABLE credentials (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    user       TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    uses_left  INTEGER,
    used_at    INTEGER
) STRICT;

CREATE UNIQUE INDEX credentials_digest ON credentials (kind, digest);

-- Newest first: of all, and of one user.
CREATE INDEX credentials_kind ON credentials (kind, created_at, id);

CREATE INDEX credentials_user ON credentials (user, kind, created_at, id);

-- Those that have expired, and those without a use left.
CREATE INDEX credentials_expired ON credentials (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX credentials_used_up ON credentials (uses_left) WHERE uses_left <= 0;

-- `low` is the lesser of the two ids; `asked_by` is NULL once it is accepted.
CREATE TABLE contacts (
    low      TEXT    NOT NULL,
    high     TEXT    NOT NULL,
    asked_by TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;

CREATE INDEX contacts_high ON contacts (high, low);

CREATE TABLE blocks (
    user  TEXT    NOT NULL,
    other TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (user, other)
) STRICT, WITHOUT ROWID;

CREATE INDEX blocks_other ON blocks (other, user);

CREATE TABLE avatars (
    user       TEXT NOT NULL PRIMARY KEY,
    id         TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data       BLOB NOT NULL
) STRICT;

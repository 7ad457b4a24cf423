-- More of an account, and what belongs to it: sessions, credentials, contacts, blocks and pictures.
--
-- No secret is kept in the clear: a family or a digest is the SHA-256 of what its holder presents.

ALTER TABLE users
    ADD COLUMN rev            bigint  NOT NULL DEFAULT 1,
    ADD COLUMN state          text    COLLATE "C" NOT NULL DEFAULT 'active',
    ADD COLUMN bio            text    COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN avatar         text    COLLATE "C",
    ADD COLUMN email_verified boolean NOT NULL DEFAULT false,
    ADD COLUMN last_seen_at   bigint;

-- Those that are being cleared up, and those that are gone.
CREATE INDEX users_state ON users (state, id) WHERE state <> 'active';

CREATE TABLE sessions (
    id         text   COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    text   COLLATE "C" NOT NULL,
    family     bytea  NOT NULL,
    digest     bytea  NOT NULL,
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    expires_at bigint NOT NULL,
    ends_at    bigint NOT NULL,
    user_agent text   COLLATE "C" NOT NULL,
    address    text   COLLATE "C" NOT NULL,
    previous   bytea,
    nonce      bytea  NOT NULL,
    rotated_at bigint
);

CREATE UNIQUE INDEX sessions_family ON sessions (family);

-- A user's, by when they were seen.
CREATE INDEX sessions_user ON sessions (user_id, seen_at, id);

-- Those that are over.
CREATE INDEX sessions_over ON sessions (least(expires_at, ends_at));

CREATE TABLE credentials (
    id         text   COLLATE "C" NOT NULL PRIMARY KEY,
    kind       text   COLLATE "C" NOT NULL,
    user_id    text   COLLATE "C" NOT NULL,
    digest     bytea  NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    scopes     text[] COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    uses_left  bigint,
    used_at    bigint
);

CREATE UNIQUE INDEX credentials_digest ON credentials (kind, digest);

-- Newest first: of all, and of one user.
CREATE INDEX credentials_kind ON credentials (kind, created_at, id);

CREATE INDEX credentials_user ON credentials (user_id, kind, created_at, id);

-- Those that have expired, and those without a use left.
CREATE INDEX credentials_expired ON credentials (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX credentials_used_up ON credentials (uses_left) WHERE uses_left <= 0;

-- `low` is the lesser of the two ids; `asked_by` is NULL once it is accepted.
CREATE TABLE contacts (
    low      text   COLLATE "C" NOT NULL,
    high     text   COLLATE "C" NOT NULL,
    asked_by text   COLLATE "C",
    at       bigint NOT NULL,
    PRIMARY KEY (low, high)
);

CREATE INDEX contacts_high ON contacts (high, low);

CREATE TABLE blocks (
    user_id text   COLLATE "C" NOT NULL,
    other   text   COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    PRIMARY KEY (user_id, other)
);

CREATE INDEX blocks_other ON blocks (other, user_id);

CREATE TABLE avatars (
    user_id    text  COLLATE "C" NOT NULL PRIMARY KEY,
    id         text  COLLATE "C" NOT NULL,
    media_type text  COLLATE "C" NOT NULL,
    data       bytea NOT NULL
);

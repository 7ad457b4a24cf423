-- Accounts, the projections of rooms, and the journal.
--
-- No foreign keys here. Rooms, members and messages are projections of the journal, whose gapless sequence is what keeps
-- them consistent; entries and messages may live in another database than accounts and rooms; and a membership or an
-- entry has to outlive the account it names. Text that is compared or sorted has the collation "C", which compares bytes:
-- for UTF-8 that is the order of code points. Times are milliseconds since the Unix epoch.

CREATE TABLE users (
    id            text    COLLATE "C" NOT NULL PRIMARY KEY,
    username      text    COLLATE "C" NOT NULL,
    name_key      text    COLLATE "C" NOT NULL,
    display_name  text    COLLATE "C" NOT NULL,
    email         text    COLLATE "C",
    password_hash text    COLLATE "C" NOT NULL,
    role          text    COLLATE "C" NOT NULL,
    created_at    bigint  NOT NULL,
    disabled      boolean NOT NULL
);

CREATE UNIQUE INDEX users_name_key ON users (name_key);

CREATE UNIQUE INDEX users_email ON users (email) WHERE email IS NOT NULL;

-- A room's row is written by every commit of the room. With space left in its page, and no indexed column changed, that
-- touches no index.
CREATE TABLE rooms (
    id          text   COLLATE "C" NOT NULL PRIMARY KEY,
    kind        text   COLLATE "C" NOT NULL,
    visibility  text   COLLATE "C" NOT NULL,
    name        text   COLLATE "C" NOT NULL,
    name_key    text   COLLATE "C" NOT NULL,
    topic       text   COLLATE "C" NOT NULL,
    created_by  text   COLLATE "C" NOT NULL,
    created_at  bigint NOT NULL,
    epoch       text   COLLATE "C" NOT NULL,
    settings    bytea  NOT NULL,
    applied_seq bigint NOT NULL,
    last_msg_no bigint NOT NULL,
    deleted_at  bigint
) WITH (fillfactor = 50);

CREATE INDEX rooms_listed ON rooms (name_key, id) WHERE visibility = 'public' AND deleted_at IS NULL;

-- Not "user", which PostgreSQL takes for the name of whoever is logged in.
CREATE TABLE members (
    room       text   COLLATE "C" NOT NULL,
    user_id    text   COLLATE "C" NOT NULL,
    role       text   COLLATE "C" NOT NULL,
    joined_seq bigint NOT NULL,
    joined_at  bigint NOT NULL,
    PRIMARY KEY (room, user_id)
);

CREATE INDEX members_user ON members (user_id, room);

CREATE TABLE entries (
    room          text   COLLATE "C" NOT NULL,
    seq           bigint NOT NULL,
    ts            bigint NOT NULL,
    type          text   COLLATE "C" NOT NULL,
    actor         text   COLLATE "C" NOT NULL,
    body          bytea  NOT NULL,
    sender        text   COLLATE "C",
    client_msg_id text   COLLATE "C",
    digest        bytea,
    message_id    text   COLLATE "C",
    msg_no        bigint,
    PRIMARY KEY (room, seq)
);

CREATE UNIQUE INDEX entries_sent ON entries (room, sender, client_msg_id) WHERE client_msg_id IS NOT NULL;

CREATE TABLE messages (
    id          text    COLLATE "C" NOT NULL PRIMARY KEY,
    room        text    COLLATE "C" NOT NULL,
    seq         bigint  NOT NULL,
    msg_no      bigint  NOT NULL,
    author      text    COLLATE "C" NOT NULL,
    deleted     boolean NOT NULL,
    doc         bytea   NOT NULL,
    applied_seq bigint  NOT NULL
);

CREATE INDEX messages_room ON messages (room, seq);

-- Facts about the site as a whole.
CREATE TABLE facts (
    name  text COLLATE "C" NOT NULL PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

-- Where the journal is a database of its own: every commit up to this one is projected here.
CREATE TABLE journal_mark (
    id        smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    committed bigint   NOT NULL
);

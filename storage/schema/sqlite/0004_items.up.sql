-- What belongs to a room besides its members and messages: bans, invites, reactions, earlier revisions, timers.
--
-- Nothing here has to read a room's items one by one, for of some kinds a room may have very many. Each partial index
-- holds those of its kind only, so that most items are in two places: the primary key, and that of the message they hang
-- on.

CREATE TABLE items (
    room   TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    doc    BLOB    NOT NULL,
    held   INTEGER NOT NULL,
    due_at INTEGER,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (room, kind, key)
) STRICT, WITHOUT ROWID;

-- Those that are loaded with their room.
CREATE INDEX items_held ON items (room, kind, key) WHERE held = 1;

-- Timers, of all rooms and of one.
CREATE INDEX items_due ON items (due_at, room, kind, key) WHERE due_at IS NOT NULL;

CREATE INDEX items_due_of_room ON items (room, due_at, kind, key) WHERE due_at IS NOT NULL;

-- Those that go when the messages they hang on are trimmed.
CREATE INDEX items_of_message ON items (room, seq) WHERE seq > 0;

-- The one kind that is listed over all rooms.
CREATE INDEX items_overall ON items (key) WHERE kind = 'audit';

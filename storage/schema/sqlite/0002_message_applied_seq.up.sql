-- The seq of the entry that last changed a message, so that an older change is told apart from a newer one.
--
-- What is here already was last changed by an entry at or before the room's applied_seq; its own seq is the least that
-- is true of it.

ALTER TABLE messages ADD COLUMN applied_seq INTEGER NOT NULL DEFAULT 0;

UPDATE messages SET applied_seq = seq;

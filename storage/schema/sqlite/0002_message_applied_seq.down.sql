ALTER TABLE messages DROP COLUMN applied_seq;

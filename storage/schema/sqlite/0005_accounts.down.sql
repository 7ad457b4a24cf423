-- Everybody is signed out, and what people are to each other is lost. Accounts stay, without what they have had since.

DROP TABLE avatars;

DROP TABLE blocks;

DROP TABLE contacts;

DROP TABLE credentials;

DROP TABLE sessions;

DROP INDEX users_state;

ALTER TABLE users DROP COLUMN last_seen_at;

ALTER TABLE users DROP COLUMN email_verified;

ALTER TABLE users DROP COLUMN avatar;

ALTER TABLE users DROP COLUMN bio;

ALTER TABLE users DROP COLUMN state;

ALTER TABLE users DROP COLUMN rev;

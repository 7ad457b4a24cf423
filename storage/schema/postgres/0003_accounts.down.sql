-- Everybody is signed out, and what people are to each other is lost. Accounts stay, without what they have had since.

DROP TABLE avatars;

DROP TABLE blocks;

DROP TABLE contacts;

DROP TABLE credentials;

DROP TABLE sessions;

DROP INDEX users_state;

ALTER TABLE users
    DROP COLUMN last_seen_at,
    DROP COLUMN email_verified,
    DROP COLUMN avatar,
    DROP COLUMN bio,
    DROP COLUMN state,
    DROP COLUMN rev;

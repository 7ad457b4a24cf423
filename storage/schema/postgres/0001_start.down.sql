-- Everything is lost.

DROP TABLE journal_mark;

DROP TABLE facts;

DROP TABLE messages;

DROP TABLE entries;

DROP TABLE members;

DROP TABLE rooms;

DROP TABLE users;

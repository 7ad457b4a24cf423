-- Everything is lost.

DROP TABLE messages;

DROP TABLE entries;

DROP TABLE members;

DROP TABLE rooms;

DROP TABLE users;

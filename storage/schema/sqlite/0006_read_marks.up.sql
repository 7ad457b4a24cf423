-- How far people have read: up to which seq of a room, and how many of its messages were numbered by then.
--
-- Nobody is to find all that was ever said unread: whoever is a member now has read what is there.

CREATE TABLE read_marks (
    user   TEXT    NOT NULL,
    room   TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    msg_no INTEGER NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;

INSERT INTO read_marks (user, room, seq, msg_no)
SELECT m.user, m.room, r.applied_seq, r.last_msg_no FROM members AS m CROSS JOIN rooms AS r ON r.id = m.room;

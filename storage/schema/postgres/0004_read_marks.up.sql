-- How far people have read: up to which seq of a room, and how many of its messages were numbered by then.
--
-- Nobody is to find all that was ever said unread: whoever is a member now has read what is there.

CREATE TABLE read_marks (
    user_id text   COLLATE "C" NOT NULL,
    room    text   COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    msg_no  bigint NOT NULL,
    PRIMARY KEY (user_id, room)
);

INSERT INTO read_marks (user_id, room, seq, msg_no)
SELECT m.user_id, m.room, r.applied_seq, r.last_msg_no FROM members AS m JOIN rooms AS r ON r.id = m.room;

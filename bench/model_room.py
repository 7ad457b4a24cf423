"""A room as the journal sees it: the appends that a room actor makes, without the room.

Values have the sizes and the kinds of the real ones: an event of about 500 bytes for a body of 100 characters, ids that
grow with time, a client_msg_id that does not.
"""

from __future__ import annotations

from random import Random

from justchat.ids import new_id
from storage.records import (
    Append,
    Entry,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
)

_TS = 1_790_000_000_000
_DIGEST = bytes(range(16))
_EVENT_EXTRA = 400
_DOC_EXTRA = 300


class ModelRoom:
    """Makes one room's appends; `seq` is that of the newest entry made."""

    __slots__ = ("_body", "_doc", "_random", "_users", "id", "seq")

    def __init__(self, *, body_bytes: int, users: int = 8) -> None:
        self.id = new_id("r")
        self.seq = 0
        self._random = Random(self.id)
        self._users = [new_id("u") for _ in range(users)]
        self._body = b'{"seq":%d,"body":"' + b"x" * (body_bytes + _EVENT_EXTRA) + b'"}'
        self._doc = b'{"seq":%d,"body":"' + b"x" * (body_bytes + _DOC_EXTRA) + b'"}'

    def create(self) -> Append:
        """Make the room with its members."""
        self.seq = 1
        entry = Entry(self.id, 1, _TS, "room.created", self._users[0], self._body % 1)
        members = [PutMember(MemberRecord(self.id, user, "member", 1, _TS)) for user in self._users]
        return Append(self.id, (entry,), (*members, self._row()))

    def post(self, count: int) -> Append:
        """Have so many messages posted, as one batch."""
        entries = tuple(self.entry() for _ in range(count))
        messages = [PutMessage(self.message(entry)) for entry in entries]
        return Append(self.id, entries, (*messages, self._row()))

    def entry(self) -> Entry:
        """Make the next post's entry."""
        self.seq += 1
        seq, random = self.seq, self._random
        sender = self._users[seq % len(self._users)]
        key = f"{random.getrandbits(128):032x}"
        body = self._body % seq
        return Entry(
            self.id, seq, _TS + seq, "message.created", sender, body, sender, key, _DIGEST, new_id("m"), seq - 1
        )

    def message(self, entry: Entry) -> MessageRecord:
        """Make the message of a post's entry."""
        seq = entry.seq
        return MessageRecord(
            entry.message_id or "", self.id, seq, seq - 1, entry.actor, False, self._doc % seq, applied_seq=seq
        )

    def _last_posts(self) -> list[bytes]:
        """Say who posted last, as a room's row does."""
        seqs = range(max(2, self.seq - len(self._users) + 1), self.seq + 1)
        return [b'["%s",%d,%d]' % (self._users[seq % len(self._users)].encode(), seq, seq - 1) for seq in seqs]

    def _row(self) -> PutRoom:
        return PutRoom(
            RoomRecord(
                id=self.id,
                kind="group",
                visibility="private",
                name="a room of the bench",
                name_key="a room of the bench",
                topic="",
                created_by=self._users[0],
                created_at=_TS,
                epoch="e_1",
                settings=b'{"recent":[%s]}' % b",".join(self._last_posts()),
                applied_seq=self.seq,
                last_msg_no=self.seq - 1,
            )
        )

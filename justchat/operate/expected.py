"""What is to be stored of one room: the messages and items that its journal amounts to, as far as it has been folded.

They are in a temporary file that nobody else can open and that goes with the process, so a room of any size can be
checked in little memory. Kinds of items that follow from no entry are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from justchat.operate.site import PAGE
from justchat.operate.stored import LOWEST, ItemName
from justchat.rooms.items import KEPT
from storage.listing import prefix_end
from storage.records import (
    Change,
    DropItem,
    DropItems,
    DropMessage,
    ItemRecord,
    MessageRecord,
    PutItem,
    PutMessage,
    Trim,
)

# Nothing of it is to outlive the process: neither a log to roll back with nor a sync is needed.
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE messages (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE items (
    kind TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX items_of_message ON items (seq) WHERE seq > 0;
"""

_encode = msgspec.msgpack.Encoder().encode
_message = msgspec.msgpack.Decoder(MessageRecord)
_item = msgspec.msgpack.Decoder(ItemRecord)


class ExpectedRows:
    """The messages and items of one room, in the order of their seqs and of their keys. Close it."""

    __slots__ = ("_file",)

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # no name: SQLite removes it as soon as it is open
        self._file.executescript(_SCHEMA)

    def close(self) -> None:
        """Forget everything."""
        self._file.close()

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in the row changes of the next entries, in their order."""
        self._file.execute("BEGIN")
        for change in changes:
            self._apply(change)
        self._file.execute("COMMIT")

    def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids; unknown ids are left out."""
        rows = (self._file.execute("SELECT record FROM messages WHERE id = ?", (name,)).fetchone() for name in ids)
        return [_message.decode(row[0]) for row in rows if row is not None]

    def message_at(self, seq: int) -> MessageRecord | None:
        """Return the message that was created at this seq."""
        row = self._file.execute("SELECT record FROM messages WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else _message.decode(row[0])

    def each_message(self) -> Iterator[MessageRecord]:
        """Give all messages by seq; what is applied meanwhile is given as it then is."""
        after = LOWEST
        statement = f"SELECT seq, record FROM messages WHERE seq > ? ORDER BY seq LIMIT {PAGE}"  # noqa: S608
        while page := self._file.execute(statement, (after,)).fetchall():
            yield from (_message.decode(record) for _, record in page)
            after = page[-1][0]

    def count_messages(self) -> int:
        """Count the messages."""
        return int(self._file.execute("SELECT count(*) FROM messages").fetchone()[0])

    def item(self, name: ItemName) -> ItemRecord | None:
        """Return one item."""
        row = self._file.execute("SELECT record FROM items WHERE kind = ? AND key = ?", name).fetchone()
        return None if row is None else _item.decode(row[0])

    def each_item(self) -> Iterator[ItemRecord]:
        """Give all items by kind and key; what is applied meanwhile is given as it then is."""
        after = ("", "")
        statement = f"SELECT record FROM items WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT {PAGE}"  # noqa: S608
        while page := self._file.execute(statement, after).fetchall():
            items = [_item.decode(record) for (record,) in page]
            yield from items
            after = items[-1].kind, items[-1].key

    def count_items(self) -> int:
        """Count the items."""
        return int(self._file.execute("SELECT count(*) FROM items").fetchone()[0])

    def _apply(self, change: Change) -> None:
        match change:
            case PutMessage(message=message):
                row: tuple[object, ...] = (message.seq, message.id, _encode(message))
                self._file.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", row)
            case DropMessage(message=message_id):
                self._file.execute("DELETE FROM messages WHERE id = ?", (message_id,))
            case PutItem(item=item) if item.kind not in KEPT:
                row = (item.kind, item.key, item.seq, _encode(item))
                self._file.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)
            case DropItem(kind=kind, key=key):
                self._file.execute("DELETE FROM items WHERE kind = ? AND key = ?", (kind, key))
            case DropItems(kind=kind, prefix=prefix):
                self._drop(kind, prefix)
            case Trim(upto=upto):
                self._file.execute("DELETE FROM messages WHERE seq <= ?", (upto,))
                self._file.execute("DELETE FROM items WHERE seq > 0 AND seq <= ?", (upto,))

    def _drop(self, kind: str, prefix: str) -> None:
        end = prefix_end(prefix)
        if end is None:
            self._file.execute("DELETE FROM items WHERE kind = ? AND key >= ?", (kind, prefix))
        else:
            self._file.execute("DELETE FROM items WHERE kind = ? AND key >= ? AND key < ?", (kind, prefix, end))

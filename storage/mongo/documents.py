"""From records to documents and back.

Every field of a record has its own name in the document, so that an index can use it. The `_id` of an entry is made of
its room and seq: the server then refuses a second entry in the same place whatever else fails, and finds one without
any other index.
"""

from __future__ import annotations

from msgspec import convert
from msgspec.structs import asdict

from storage.errors import Unstorable
from storage.records import Append, Entry, MessageRecord, PutMessage, Sent

Document = dict[str, object]

_NATIVE = (bytes,)  # else a text in the place of bytes would be read as base64

MAX_BYTES = 15 * 1024 * 1024
"""The most that one body may hold: the server takes documents of 16 MB."""

SENT_FIELDS = ("sender", "client_msg_id", "seq", "msg_no", "message_id", "digest")


def check_size(append: Append) -> None:
    """Raise Unstorable for what is too large for one document."""
    docs = (change.message.doc for change in append.changes if isinstance(change, PutMessage))
    if any(len(body) > MAX_BYTES for body in (*docs, *(entry.body for entry in append.entries))):
        raise Unstorable(f"a body is larger than {MAX_BYTES} bytes")


def entry_id(room: str, seq: int) -> str:
    """Return the `_id` of an entry."""
    return f"{room}/{seq:016d}"


def entry_document(entry: Entry, *, commit: int) -> Document:
    """Make the document of an entry.

    An entry that is no post has its seq, an integer, in the place of the client_msg_id: it can never repeat another
    one, nor what a client sends, and the unique index needs no exception for it.
    """
    document = asdict(entry)
    if entry.client_msg_id is None:
        document["client_msg_id"] = entry.seq
    return {"_id": entry_id(entry.room, entry.seq), **document, "commit": commit}


def entry_of(document: Document) -> Entry:
    """Make an entry of its document. Raises msgspec's ValidationError if it is not one of ours."""
    if isinstance(document.get("client_msg_id"), int):
        document = {**document, "client_msg_id": None}
    return convert(document, Entry, builtin_types=_NATIVE)


def sent_of(document: Document) -> Sent:
    """Make what is remembered of a post of some fields of its entry."""
    kept = {name: value for name, value in document.items() if value is not None}
    return convert({"msg_no": 0, "message_id": "", "digest": b"", **kept}, Sent, builtin_types=_NATIVE)


def message_document(message: MessageRecord) -> Document:
    """Make the document of a message."""
    document = asdict(message)
    return {"_id": document.pop("id"), **document}


def message_of(document: Document) -> MessageRecord:
    """Make a message of its document. Raises msgspec's ValidationError if it is not one of ours."""
    return convert({"id": document["_id"], **document}, MessageRecord, builtin_types=_NATIVE)

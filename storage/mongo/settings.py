"""Where a MongoDB is and how it is spoken to.

What the journal rests on is not for a URL to weaken: writes wait for a majority and for its disks, reads are of what a
majority has, from the primary. A URL that says otherwise is refused instead of being quietly overruled.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from storage.url import UnknownStorage

DATABASE = "justchat"
# Option -> the only value that a URL may give it.
_FIXED = {
    "w": "majority",
    "j": "true",
    "journal": "true",
    "readconcernlevel": "majority",
    "readpreference": "primary",
}


class MongoSettings(Struct, frozen=True):
    """One database and how to use it. Its `repr` does not show the URL, which may hold a password."""

    uri: str
    database: str = DATABASE
    timeout_seconds: float = 5.0
    """How long one operation may take once it was sent, and one unit of work in all."""
    selection_seconds: float = 3.0
    """How long to look for a server that takes writes."""
    connect_seconds: float = 2.0
    migrate_seconds: float = 300.0
    """How long getting ready may take, where indexes are made for entries that are there."""
    connections: int = 16
    insert_documents: int = 100
    """How many documents one insert command carries: some servers keep the order of no more than a hundred."""

    def __repr__(self) -> str:
        """Name the database."""
        return f"MongoSettings(database={self.database!r})"


def mongo_settings(uri: str) -> MongoSettings:
    """Read a `mongodb://` or `mongodb+srv://` URL. Raises UnknownStorage, which never repeats the URL."""
    parts = urlsplit(uri)
    if parts.scheme not in ("mongodb", "mongodb+srv") or not parts.netloc:
        raise UnknownStorage("a MongoDB is named by mongodb://host:port/database")
    for option, value in parse_qsl(parts.query, keep_blank_values=True):
        needed = _FIXED.get(option.lower(), value)
        if value.lower() != needed:
            raise UnknownStorage(f"{option}={value} would weaken the journal: leave {option} out of the MongoDB URL")
    return MongoSettings(uri, database=unquote(parts.path.strip("/")) or DATABASE)

"""Which stores are meant: `memory:`, `sqlite:///path` or `postgres://…`, and perhaps `mongodb://…` for the journal."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

SQLITE = "sqlite:///"
POSTGRES = ("postgres://", "postgresql://")
MONGO = ("mongodb://", "mongodb+srv://")


class UnknownStorage(ValueError):
    """The URL names no store that this program has. It never repeats the URL, which may hold a password."""


class MemoryUrl(Struct, frozen=True):
    """Keep everything in RAM."""


class SqliteUrl(Struct, frozen=True):
    """Keep everything in this file."""

    path: Path


class PostgresUrl(Struct, frozen=True):
    """Keep everything in this PostgreSQL database, or all but the journal."""

    dsn: str

    def __repr__(self) -> str:
        """Show no password."""
        return f"PostgresUrl({without_password(self.dsn)!r})"


class MongoUrl(Struct, frozen=True):
    """Keep the journal in this MongoDB database."""

    uri: str

    def __repr__(self) -> str:
        """Show no password."""
        return f"MongoUrl({without_password(self.uri)!r})"


class SplitUrl(Struct, frozen=True):
    """Keep the journal in one database and the rest in another."""

    database: PostgresUrl
    journal: MongoUrl


StoreUrl = MemoryUrl | SqliteUrl | PostgresUrl | SplitUrl


def parse_url(url: str, *, journal: str | None = None) -> StoreUrl:
    """Read the URL of a store, and that of its journal if this is another one.

    After `sqlite:///` comes a relative path, or an absolute one with its own slash. Raises UnknownStorage.
    """
    database = _parse(url)
    if journal is None or journal == url:
        return database
    if not journal.startswith(MONGO):
        raise UnknownStorage(f"the journal is in the database itself or in mongodb://…, not in {_scheme(journal)!r}")
    if not isinstance(database, PostgresUrl):
        raise UnknownStorage("a journal in MongoDB needs postgres://… for the rest")
    return SplitUrl(database, MongoUrl(journal))


def without_password(url: str) -> str:
    """Return a URL, or whatever text this is, as it may be printed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{_scheme(url)}…"
    if "@" not in parts.netloc:
        return url if "@" not in url else f"{_scheme(url)}…"
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


def _parse(url: str) -> MemoryUrl | SqliteUrl | PostgresUrl:
    if url in ("memory:", "memory://"):
        return MemoryUrl()
    if url.startswith(SQLITE):
        return SqliteUrl(_path(url.removeprefix(SQLITE)))
    if url.startswith(POSTGRES):
        return PostgresUrl(url)
    raise UnknownStorage(
        f"unknown storage {_scheme(url)!r}: use sqlite:///path (sqlite:////path if absolute), postgres://… or memory:"
    )


def _scheme(url: str) -> str:
    return url.partition(":")[0][:20]


def _path(text: str) -> Path:
    if not text:
        raise UnknownStorage("sqlite:/// needs the path of a file after it")
    if text.startswith((":memory:", "file:")) or "?" in text or "\0" in text:
        raise UnknownStorage("sqlite:/// takes the path of a file and no options; for a store in RAM use memory:")
    return Path(text)

"""The stores that operators' commands work on: how they are named, and how one that exists is opened.

A name says which store is meant and is the same however its URL is spelled: paths are absolute, and users, passwords
and options that do not matter are left out. It may be stored and printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from justchat.operate.refusals import NoSite
from storage.account_ports import Relations, Sessions
from storage.directory_actor import DirectoryLimits
from storage.journal_actor import JournalLimits
from storage.migrate import migration_status
from storage.open import Storage, StorageLimits, open_storage
from storage.ports import Directory, Journal
from storage.records import UserRecord
from storage.url import PostgresUrl, SplitUrl, SqliteUrl, UnknownStorage, parse_url

PAGE = 500
"""How many records are read or written at a time."""

# An operator's command has nobody waiting at the other end of a socket, and large pages.
_DEADLINE_SECONDS = 60.0
PATIENT = StorageLimits(
    journal=JournalLimits(deadline_seconds=_DEADLINE_SECONDS),
    directory=DirectoryLimits(deadline_seconds=_DEADLINE_SECONDS),
)
# The options of a URL that say which server and database are meant.
_WHERE = ("host", "port", "dbname", "database")


class Site(Protocol):
    """The ports of one store."""

    @property
    def journal(self) -> Journal:
        """What happened in rooms."""
        ...

    @property
    def directory(self) -> Directory:
        """Accounts, and the rows of rooms."""
        ...

    @property
    def sessions(self) -> Sessions:
        """How people come in."""
        ...

    @property
    def relations(self) -> Relations:
        """What people are to each other."""
        ...


def databases(url: str, *, journal: str | None = None) -> tuple[str, ...]:
    """Name the databases that a store is made of. Raises UnknownStorage."""
    match parse_url(url, journal=journal):
        case SqliteUrl(path=path):
            return (f"sqlite:///{path.resolve()}",)
        case PostgresUrl(dsn=dsn):
            return (_server(dsn),)
        case SplitUrl(database=database, journal=other):
            return (_server(database.dsn), _server(other.uri))
    return ("memory:",)


def site_name(url: str, *, journal: str | None = None) -> str:
    """Name a store. Raises UnknownStorage."""
    return " with its journal in ".join(databases(url, journal=journal))


@asynccontextmanager
async def open_site(url: str, *, journal: str | None = None, exclusive: bool = False) -> AsyncIterator[Storage]:
    """Open a store that holds a site and whose schema is up to date; nothing is created and nothing migrated.

    Raises NoSite, and what `open_storage` raises.
    """
    if all(step.applied_at is None for step in await migration_status(url)):
        raise NoSite(f"there is no site in {site_name(url, journal=journal)}")
    async with open_storage(url, journal=journal, migrate=False, exclusive=exclusive, limits=PATIENT) as storage:
        yield storage


async def each_room(journal: Journal, visit: Callable[[str], Awaitable[None]]) -> int:
    """Visit every room that has entries, by id; return how many there were."""
    after, count = "", 0
    while rooms := await journal.rooms(after=after, limit=PAGE):
        for room in rooms:
            await visit(room)
        after, count = rooms[-1], count + len(rooms)
    return count


async def each_page_of_users(directory: Directory, visit: Callable[[Sequence[UserRecord]], Awaitable[None]]) -> int:
    """Visit all accounts, by id, a page at a time; return how many there were."""
    after, count = "", 0
    while users := await directory.all_users(after=after, limit=PAGE):
        await visit(users)
        after, count = users[-1].id, count + len(users)
    return count


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnknownStorage("the URL cannot be read") from None
    if "@" in url and "@" not in parts.netloc:
        raise UnknownStorage("the password in the URL holds one of / ? #: write it percent-encoded")
    where = sorted((name, value) for name, value in parse_qsl(parts.query) if name in _WHERE)
    options = "".join(f" {name}={value}" for name, value in where)
    scheme = parts.scheme.replace("postgresql", "postgres")
    return f"{scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path}{options}"

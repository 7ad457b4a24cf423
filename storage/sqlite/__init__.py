"""The ports in one SQLite file: the default, with no service to install.

One writer thread commits in the order of the calls; readers have connections of their own and never wait for it. A
commit is on the disk when it returns.
"""

from __future__ import annotations

from storage.sqlite.database import Database, open_database
from storage.sqlite.directory import SqliteDirectory
from storage.sqlite.journal import SqliteJournal
from storage.sqlite.relations import SqliteRelations
from storage.sqlite.sessions import SqliteSessions
from storage.sqlite.settings import SqliteSettings

__all__ = [
    "Database",
    "SqliteDirectory",
    "SqliteJournal",
    "SqliteRelations",
    "SqliteSessions",
    "SqliteSettings",
    "open_database",
]

"""Where a PostgreSQL database is and how its connections behave."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct


class PostgresSettings(Struct, frozen=True):
    """One database and how to use it. It never shows the DSN, which may hold a password; `address` is for people."""

    dsn: str
    """`postgresql://user:password@host:port/database?option=value`, as libpq takes it."""
    connections: int = 12
    """The most connections that are open at a time; they are opened when first needed."""
    kept_for_writes: int = 2
    """How many of them reads may not use, so that slow reads hold up no commit."""
    connect_seconds: float = 2.0
    command_seconds: float = 4.0
    """How long one statement may take before it counts as failed, at the server too."""
    deadline_seconds: float = 10.0
    """How long one read or write may take in all, waiting for a connection included."""
    idle_seconds: float = 300.0
    """When a connection that nobody needs is closed."""
    migrate_seconds: float = 300.0
    """How long one step of the schema may take, waiting for another program that migrates included."""
    close_seconds: float = 5.0
    """How long closing waits for what is under way."""

    @property
    def address(self) -> str:
        """The host, port and database, and nothing that is secret."""
        try:
            parts = urlsplit(self.dsn)
            host, port, database = parts.hostname or "", parts.port, parts.path
        except ValueError:
            return "PostgreSQL"
        if "@" in database:  # a slash in the password: this is no database
            return "PostgreSQL"
        return f"{host}{f':{port}' if port else ''}{database}" or "PostgreSQL"

    def __repr__(self) -> str:
        return f"PostgresSettings({self.address!r}, connections={self.connections})"

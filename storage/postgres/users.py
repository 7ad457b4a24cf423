"""How an account is written to a PostgreSQL database: alone, or in one transaction with what makes it."""

from __future__ import annotations

import asyncpg

from storage.errors import Conflict
from storage.postgres.connection import Connection, Row


async def write_user(connection: Connection, statement: str, values: Row) -> str:
    """Run a statement that writes an account, and give its tag. Raises Conflict `username` or `email`."""
    try:
        return await connection.execute(statement, *values)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("email" if error.constraint_name == "users_email" else "username") from error

"""Writes projections: the rows of rooms, members, messages, items and read markers that entries amount to.

It runs inside the caller's transaction, with no statement for what there is none of.
"""

from __future__ import annotations

import sqlite3

from msgspec.structs import astuple

from storage.listing import prefix_end
from storage.net_changes import NetChanges
from storage.sqlite import statements as sql
from storage.sqlite.account_statements import MOVE_READ_MARK
from storage.sqlite.rows import bound


def apply(connection: sqlite3.Connection, net: NetChanges) -> None:
    """Write all of it, whatever is there."""
    if net.swept or net.trimmed:
        _sweep_and_trim(connection, net)
    for statement, rows in (
        (sql.DELETE_MEMBER, [key for key, member in net.members.items() if member is None]),
        (sql.PUT_MEMBER, [astuple(member) for member in net.members.values() if member is not None]),
        (sql.DELETE_MESSAGE, [(key,) for key, message in net.messages.items() if message is None]),
        (sql.PUT_MESSAGE, [astuple(message) for message in net.messages.values() if message is not None]),
        (sql.DELETE_ITEM, [key for key, item in net.items.items() if item is None]),
        (sql.PUT_ITEM, [astuple(item) for item in net.items.values() if item is not None]),
        (MOVE_READ_MARK, [astuple(mark) for mark in net.marks.values()]),
        (sql.PUT_ROOM, [astuple(room) for room in net.rooms.values()]),
    ):
        if rows:
            connection.executemany(statement, rows)


def _sweep_and_trim(connection: sqlite3.Connection, net: NetChanges) -> None:
    for sweep in net.swept:
        connection.execute(sql.SWEEP, (sweep.room, sweep.kind, sweep.prefix, bound(prefix_end(sweep.prefix))))
    for trim in net.trimmed.items():
        for statement in (sql.TRIM_MESSAGES, sql.TRIM_ITEMS, sql.TRIM_ENTRIES):
            connection.execute(statement, trim)

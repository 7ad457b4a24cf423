"""The connection to a MongoDB: one client on the storage loop, and units of work on it.

A unit of work is one coroutine on the asyncio side, with its own deadline. The driver finds the primary again by itself
after it was gone; until then calls fail within their deadline.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from warnings import catch_warnings, simplefilter

import trio
from msgspec import Struct
from pymongo import AsyncMongoClient, timeout
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import InvalidURI
from pymongo.monitoring import CommandListener

from storage.asyncio_seam import AsyncioSeam
from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable
from storage.mongo.connections import ConnectionCount
from storage.mongo.documents import Document
from storage.mongo.failures import in_short, read_failure
from storage.mongo.settings import MongoSettings
from storage.url import UnknownStorage

T = TypeVar("T")

Collection = AsyncCollection[Document]

CLOSE_SECONDS = 2.0
GRACE_SECONDS = 0.5
"""How much longer than the driver's own the deadline of a unit of work is, so that the driver tells what was wrong."""

logger = logging.getLogger(__name__)


class Collections(Struct, frozen=True):
    """What JustChat has in its database."""

    entries: Collection
    messages: Collection
    layout: Collection


class MongoStatistics(Struct, frozen=True):
    """How the connection to a MongoDB is doing."""

    connections: int
    in_use: int
    calls: int
    failed: int
    reconnects: int
    """How often a call was answered again after one had not been."""
    last_error: str | None


class MongoDatabase:
    """Runs units of work on one database. Open it with `open_mongo`."""

    def __init__(
        self, client: AsyncMongoClient[Document], settings: MongoSettings, seam: AsyncioSeam, count: ConnectionCount
    ) -> None:
        self.settings = settings
        self.client = client
        database = client[settings.database]
        self._collections = Collections(database["entries"], database["messages"], database["schema"])
        self._seam = seam
        self._count = count
        self._calls = self._failed = self._reconnects = 0
        self._failing = False
        self._last_error: str | None = None

    async def read(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        """Run a unit of work that changes nothing. Raises StorageUnavailable or Unstorable.

        It goes on though its caller leaves: a driver that is cancelled while it connects forgets the open socket.
        """
        try:
            return await self._call(work)
        except OutcomeUnknown as error:
            raise StorageUnavailable(str(error)) from error

    async def write(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        """Run a unit of work that goes on to its end though its caller leaves.

        Raises OutcomeUnknown at the deadline, else as `read` does, or as `work` does: one that may not be repeated has
        to tell how far it got.
        """
        return await self._call(work)

    async def ping(self) -> None:
        """Ask whether the server answers. Raises StorageUnavailable."""
        await self.read(lambda _: self.client.admin.command("ping"))

    async def prepare(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        """Run something that may take long, before anything else. Raises as `read` does."""
        seconds = self.settings.migrate_seconds

        async def patiently(collections: Collections) -> T:
            await self.client.admin.command("ping")  # with the usual patience: there may be no server
            with timeout(seconds):
                return await work(collections)

        return await self._seam.call(lambda: self._run(patiently), deadline_seconds=seconds + GRACE_SECONDS)

    def statistics(self) -> MongoStatistics:
        """Report the connections and the calls."""
        return MongoStatistics(
            connections=self._count.open,
            in_use=self._count.in_use,
            calls=self._calls,
            failed=self._failed,
            reconnects=self._reconnects,
            last_error=self._last_error,
        )

    async def _call(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        self._calls += 1
        deadline_seconds = self.settings.timeout_seconds + GRACE_SECONDS
        try:
            found = await self._seam.call(lambda: self._run(work), deadline_seconds=deadline_seconds, finish=True)
        except StorageUnavailable as error:
            self._note(error)
            raise
        self._note(None)
        return found

    async def _run(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        try:
            return await work(self._collections)
        except StorageError:
            raise
        except Exception as error:
            if (failure := read_failure(error)) is not None:
                raise failure from error
            raise

    def _note(self, error: StorageUnavailable | None) -> None:
        was_failing, self._failing = self._failing, error is not None
        if error is not None:
            self._failed += 1
            self._last_error = str(error)
        elif was_failing:
            self._reconnects += 1
        if was_failing != self._failing:  # once when it starts and once when it ends
            level = logging.ERROR if self._failing else logging.WARNING
            logger.log(level, "event=mongo_%s error=%s", "fails" if self._failing else "answers_again", error)


@asynccontextmanager
async def open_mongo(
    settings: MongoSettings, seam: AsyncioSeam, *, listeners: Sequence[CommandListener] = ()
) -> AsyncIterator[MongoDatabase]:
    """Make a client for the body, whose commands `listeners` are told of.

    It connects when first used, so an absent server is no error here. Raises UnknownStorage for a URL that the driver
    cannot read.
    """
    count = ConnectionCount()

    async def connect() -> AsyncMongoClient[Document]:
        # An option that the driver does not know or cannot read would be left out: such as one that asks for TLS.
        with catch_warnings():
            simplefilter("error")
            return AsyncMongoClient(
                settings.uri,
                appname="justchat",
                # Not timeoutMS: with it the driver would look for a server all that time. `_call` bounds the whole.
                socketTimeoutMS=round(settings.timeout_seconds * 1000),
                serverSelectionTimeoutMS=round(settings.selection_seconds * 1000),
                waitQueueTimeoutMS=round(settings.selection_seconds * 1000),
                connectTimeoutMS=round(settings.connect_seconds * 1000),
                maxPoolSize=settings.connections,
                retryWrites=False,  # a retried insert would be told of its own duplicate
                w="majority",
                journal=True,
                readConcernLevel="majority",
                readPreference="primary",
                tz_aware=False,
                event_listeners=[count, *listeners],
            )

    try:
        client = await seam.call(connect)
    except UserWarning as warning:
        raise UnknownStorage(f"the MongoDB URL cannot be read: {in_short(warning)}") from None
    except (InvalidURI, ValueError) as error:
        # The driver may quote what it cannot read, and that may be the password.
        problem = f"the MongoDB URL cannot be read ({type(error).__name__}): write special characters in it as %XX"
        raise UnknownStorage(problem) from None
    try:
        yield MongoDatabase(client, settings, seam, count)
    finally:
        with trio.CancelScope(shield=True):
            try:
                await seam.call(client.close, deadline_seconds=CLOSE_SECONDS)
            except StorageUnavailable as error:
                logger.error("event=mongo_not_closed error=%s", error)

"""Health, for load balancers and operators: is the process up, is it ready, how does every actor do."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from quart import Response

from actors import ChildStatistics, RegistryStatistics, SupervisorStatistics
from justchat import __version__
from justchat.http.answers import Refused, json_answer, read_number, read_text
from justchat.http.operation import Caller, Operation, OperationBlueprint, Query, blueprint_of
from justchat.rooms.room import RoomHealth
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from storage.directory_actor import DirectoryStatistics
from storage.journal_actor import JournalStatistics
from storage.open import StorageStatistics

_Sort = Literal[
    "inbox_depth", "oldest_wait_seconds", "subscribers", "lagging", "restarts", "commit_p99_seconds", "received"
]
Figures = dict[str, float | bool | str | None]
_SORTS: tuple[str, ...] = get_args(_Sort)
_ROOMS_MAX = 1000
# The whole tree of a busy server would be megabytes; the rooms worth looking at are found by /health/rooms.
_ACTORS_MAX = 1000
_ASLEEP = Refusal(ErrorCode.NOT_FOUND, "this room is not awake; it has no actor to report on")


class AliveView(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"]


class JournalSummary(Struct, frozen=True):
    """How the journal does, as far as strangers may know; times are those of the latest commits."""

    state: str
    inbox_depth: int
    oldest_wait_seconds: float
    commit_p50_seconds: float | None
    commit_p99_seconds: float | None
    batch_mean: float


class DirectorySummary(Struct, frozen=True):
    """How the directory does, as far as strangers may know."""

    state: str
    ready: bool
    in_use: int
    waiting: int
    reconnects: int


class StorageSummary(Struct, frozen=True):
    """How storage does, without what an error's text may tell a stranger."""

    journal: JournalSummary
    directory: DirectorySummary


class ReadyView(Struct, frozen=True):
    """Whether the server should be sent requests: with 200 it should, with 503 not."""

    status: Literal["ok", "draining", "storage_unavailable"]
    storage: StorageSummary


class VersionView(Struct, frozen=True):
    """What runs here."""

    name: str
    version: str


class RoomsView(Struct, frozen=True):
    """The rooms that are awake: how many, and the first ones in the order asked for."""

    awake: int
    items: tuple[RoomHealth, ...]


class ConnectionsView(Struct, frozen=True):
    """How many connections there are."""

    websockets: int


class StorageView(Struct, frozen=True):
    """How storage does. `backend` holds the figures of those that have a connection, by name."""

    ready: bool
    journal: JournalStatistics
    directory: DirectoryStatistics
    backend: dict[str, Figures | None]
    actors: tuple[ChildStatistics, ...]


class ActorsView(Struct, frozen=True):
    """The supervision tree, and what it all stands on."""

    supervisor: SupervisorStatistics
    actors: tuple[ChildStatistics, ...]
    rooms: RegistryStatistics
    connections: ConnectionsView
    storage: StorageView


class HealthRoutes:
    """`/health` and `/version`."""

    def __init__(self, system: System) -> None:
        self._system = system

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        return blueprint_of(
            "health",
            (*self._for_anybody(), *self._for_operators()),
            accounts=self._system.accounts,
            operator_token=self._system.config.operator_token,
        )

    def _for_anybody(self) -> tuple[Operation, ...]:
        anybody = Caller.ANYBODY
        return (
            Operation("GET", "/health", self.alive, "Is the process alive?", caller=anybody, answer=AliveView),
            Operation(
                "GET",
                "/health/ready",
                self.ready,
                "Should the server be sent requests?",
                caller=anybody,
                answer=ReadyView,
                statuses=(200, 503),
            ),
            Operation("GET", "/version", self.version, "Which version is this?", caller=anybody, answer=VersionView),
        )

    def _for_operators(self) -> tuple[Operation, ...]:
        operator = Caller.OPERATOR
        most = Annotated[int, Meta(ge=1, le=_ROOMS_MAX)]
        return (
            Operation(
                "GET",
                "/health/rooms",
                self.all_rooms,
                "How do the rooms that are awake do?",
                caller=operator,
                answer=RoomsView,
                query=(Query("sort", _Sort, "Greatest first"), Query("limit", most, "How many at most")),
            ),
            Operation(
                "GET",
                "/health/rooms/<room>",
                self.one_room,
                "How does this room do?",
                caller=operator,
                answer=RoomHealth,
                refusals=(ErrorCode.NOT_FOUND,),
            ),
            Operation(
                "GET", "/health/actors", self.actors, "How does every actor do?", caller=operator, answer=ActorsView
            ),
        )

    async def alive(self) -> Response:
        return json_answer(AliveView("ok"))

    async def ready(self) -> Response:
        storage = self._system.storage.statistics()
        view = ReadyView(
            "draining" if self._system.draining else "ok" if storage.ready else "storage_unavailable", _summary(storage)
        )
        return json_answer(view) if view.status == "ok" else json_answer(view, status=503, headers={"Retry-After": "1"})

    async def version(self) -> Response:
        return json_answer(VersionView("JustChat", __version__))

    async def all_rooms(self) -> Response:
        sort, limit = read_text("sort"), read_number("limit", low=1, high=_ROOMS_MAX) or 20
        if sort is not None and sort not in _SORTS:
            raise Refused(invalid("/sort", f"sort is one of {', '.join(_SORTS)}", code="unknown"))
        rooms = sorted(self._system.rooms.all_health(), key=lambda room: _rank(room, sort or _SORTS[0]), reverse=True)
        return json_answer(RoomsView(len(rooms), tuple(rooms[:limit])))

    async def one_room(self, room: str) -> Response:
        health = self._system.rooms.health(room)
        if health is None:
            raise Refused(_ASLEEP)
        return json_answer(health)

    async def actors(self) -> Response:
        return json_answer(
            ActorsView(
                supervisor=self._system.supervisor.statistics(),
                actors=tuple(self._system.supervisor.children()[:_ACTORS_MAX]),
                rooms=self._system.rooms.statistics(),
                connections=ConnectionsView(len(self._system.index)),
                storage=_storage_view(self._system.storage.statistics()),
            )
        )


def _storage_view(storage: StorageStatistics) -> StorageView:
    # The types of these figures belong to drivers, which are not imported unless they are used.
    backend: dict[str, Figures | None] = msgspec.to_builtins(storage.backend)
    return StorageView(storage.ready, storage.journal, storage.directory, backend, tuple(storage.actors))


def _summary(storage: StorageStatistics) -> StorageSummary:
    journal, directory = storage.journal, storage.directory
    return StorageSummary(
        JournalSummary(
            journal.state,
            journal.inbox_depth,
            journal.oldest_wait_seconds,
            journal.commit_p50_seconds,
            journal.commit_p99_seconds,
            journal.batch_mean,
        ),
        DirectorySummary(
            directory.state,
            directory.ready,
            directory.calls.in_use,
            directory.calls.waiting,
            directory.reconnects,
        ),
    )


def _rank(room: RoomHealth, sort: str) -> float:
    value: float | None = getattr(room, sort)
    return -1.0 if value is None else value

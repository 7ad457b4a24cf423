"""Health, for load balancers and operators: is the process up, is it ready, how does every actor do."""

from __future__ import annotations

from quart import Blueprint, Response

from justchat import __version__
from justchat.http.answers import Refused, handled, json_answer, read_number, read_text
from justchat.http.caller import for_operator
from justchat.rooms.room import RoomHealth
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from storage.open import StorageStatistics

_SORTS = ("inbox_depth", "oldest_wait_seconds", "subscribers", "lagging", "restarts", "commit_p99_seconds", "received")
# The whole tree of a busy server would be megabytes; the rooms worth looking at are found by /health/rooms.
_ACTORS_MAX = 1000
_ASLEEP = Refusal(ErrorCode.NOT_FOUND, "this room is not awake; it has no actor to report on")


class HealthRoutes:
    """`/health` and `/version`."""

    def __init__(self, system: System) -> None:
        self._system = system

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        routes = Blueprint("healths", __name__)
        as_operator = for_operator(self._system.config.operator_token)
        routes.get("/health")(handled(self.alive))
        routes.get("/health/ready")(handled(self.ready))
        routes.get("/version")(handled(self.version))
        routes.get("/health/rooms")(as_operator(self.all_rooms))
        routes.get("/health/rooms/<room>")(as_operator(self.one_room))
        routes.get("/health/actors")(as_operator(self.actors))
        return routes

    async def alive(self) -> Response:
        return json_answer({"status": "ok"})

    async def ready(self) -> Response:
        storage = self._system.storage.statistics()
        status = "draining" if self._system.draining else "ok" if storage.ready else "storage_unavailable"
        answer = {"status": status, "storage": _summary(storage)}
        return json_answer(answer, status=200 if status == "ok" else 503)

    async def version(self) -> Response:
        return json_answer({"name": "JustChat", "version": __version__})

    async def all_rooms(self) -> Response:
        sort, limit = read_text("sort"), read_number("limit", low=1, high=1000) or 20
        if sort is not None and sort not in _SORTS:
            raise Refused(invalid("/sort", f"sort is one of {', '.join(_SORTS)}", code="unknown"))
        rooms = sorted(self._system.rooms.all_health(), key=lambda room: _rank(room, sort or _SORTS[0]), reverse=True)
        return json_answer({"awake": len(rooms), "items": rooms[:limit]})

    async def one_room(self, room: str) -> Response:
        health = self._system.rooms.health(room)
        if health is None:
            raise Refused(_ASLEEP)
        return json_answer(health)

    async def actors(self) -> Response:
        return json_answer(
            {
                "supervisor": self._system.supervisor.statistics(),
                "actors": self._system.supervisor.children()[:_ACTORS_MAX],
                "rooms": self._system.rooms.statistics(),
                "connections": {"websockets": len(self._system.index)},
                "storage": self._system.storage.statistics(),
            }
        )


def _summary(storage: StorageStatistics) -> dict[str, dict[str, object]]:
    """Say how the storage actors do, without what an error's text may tell a stranger."""
    journal, directory = storage.journal, storage.directory
    return {
        "journal": {
            "state": journal.state,
            "inbox_depth": journal.inbox_depth,
            "oldest_wait_seconds": journal.oldest_wait_seconds,
            "commit_p50_seconds": journal.commit_p50_seconds,
            "commit_p99_seconds": journal.commit_p99_seconds,
            "batch_mean": journal.batch_mean,
        },
        "directory": {
            "state": directory.state,
            "ready": directory.ready,
            "in_use": directory.calls.in_use,
            "waiting": directory.calls.waiting,
            "reconnects": directory.reconnects,
        },
    }


def _rank(room: RoomHealth, sort: str) -> float:
    value: float | None = getattr(room, sort)
    return -1.0 if value is None else value

"""The process: storage around rooms around the edge, one nursery inside the other, and the way in and out of it.

The nesting is the supervision tree: what lies outside outlives what lies inside, so rooms never lose their storage and
connections never lose their rooms. Storage that cannot be kept alive ends the process with a clear message.
"""

from __future__ import annotations

import logging
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio
from msgspec import Struct

from actors import ActorEscalated, RestartPolicy, Supervisor
from justchat import __version__
from justchat.accounts.factory import make_accounts
from justchat.accounts.last_seen import LastSeen
from justchat.accounts.refolding import refold_names
from justchat.accounts.signing_key import SigningKeyUnusable
from justchat.accounts.tidying import keep_tidy
from justchat.config import Config
from justchat.connections.gate import make_gate
from justchat.connections.greet import Greeter
from justchat.connections.index import ConnectionIndex
from justchat.connections.services import Services
from justchat.connections.warden import Warden
from justchat.departures.departure import Surroundings
from justchat.departures.departures import Departures
from justchat.door.front_door import FrontDoor
from justchat.http.app import create_app
from justchat.ids import new_id
from justchat.limits import connection_limits, door_limits, public_limits, room_limits, storage_limits
from justchat.log import set_up_logging, toggle_debug
from justchat.rooms.blocks import Blocks
from justchat.rooms.lobby import open_lobby
from justchat.rooms.mentions import resolver
from justchat.rooms.reading import Reading
from justchat.rooms.reload import load_state
from justchat.rooms.room import ActorFactory, Rooms
from justchat.rooms.room_actor import RoomActor
from justchat.rooms.room_ports import RoomPorts
from justchat.rooms.timekeeper import Timekeeper
from justchat.stopping import stop_gracefully
from justchat.system import System
from storage.errors import StorageError, StorageInUse
from storage.facts import COPYING
from storage.open import Storage, open_storage
from storage.url import UnknownStorage

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 1.0
# Longer than anything takes that somebody was let in for: each call of a room or a store has a deadline of seconds.
_LINGER_SECONDS = 30.0


class Hooks(Struct, frozen=True):
    """Where tests reach in: another room actor, and faults planted at named points."""

    room_actor: ActorFactory = RoomActor
    fault: Callable[[str, str], None] | None = None


def wall_ms() -> int:
    """Give the wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def make_whole(storage: Storage) -> None:
    """Bring every room's projections up to its journal, and names to the rule: what a crash or an upgrade left undone.

    A room whose journal is damaged stays behind, and is nobody's trouble but of those who want that room. Raises
    StorageInUse for a store that is still being copied into, and what storage raises.
    """
    if await storage.directory.fact(COPYING) is not None:
        raise StorageInUse("a copy into this store has not been finished: run `justchat copy` again, or take another")
    for room in await storage.journal.behind():
        try:
            await load_state(storage.journal, room)
        except (ValueError, KeyError) as error:
            logger.error("event=room_not_projected room=%s error=%s", room, type(error).__name__)
    await refold_names(storage.directory)


@asynccontextmanager
async def open_system(config: Config, *, hooks: Hooks | None = None) -> AsyncIterator[tuple[System, Services]]:
    """Open storage, rooms and accounts; on leaving, close them in reverse."""
    hooks = hooks or Hooks()
    policy = RestartPolicy(
        intensity=config.restart_intensity,
        period_seconds=config.restart_period_seconds,
        probe_seconds=config.probe_seconds,
    )
    async with (
        open_storage(
            config.database,
            journal=config.journal,
            migrate=config.migrate == "yes",
            limits=storage_limits(config),
        ) as storage,
        trio.open_nursery() as rooms_nursery,
        trio.open_nursery() as edge_nursery,
    ):
        await make_whole(storage)
        supervisor = Supervisor(rooms_nursery, policy=policy, random=random.Random())  # noqa: S311 - jitter
        system = await _assemble(config, storage, supervisor, hooks=hooks)
        services = Services(
            nursery=edge_nursery,
            rooms=system.rooms,
            journal=storage.journal,
            directory=storage.directory,
            reading=Reading(system.rooms, storage.journal, storage.relations),
            index=system.index,
            limits=connection_limits(config),
            public_limits=public_limits(config),
            authenticate=system.accounts.authenticate,
            wall_ms=wall_ms,
        )
        try:
            yield system, services
        finally:
            edge_nursery.cancel_scope.cancel()
            rooms_nursery.cancel_scope.cancel()


async def _assemble(config: Config, storage: Storage, supervisor: Supervisor, *, hooks: Hooks) -> System:
    """Put rooms and accounts together, each told what it has to know of the other."""
    last_seen = LastSeen(storage.relations, now_ms=wall_ms)
    index = ConnectionIndex(left=last_seen.note)
    warden = Warden(index, storage.sessions, noticed=lambda user: departures.depart(user))
    blocks = Blocks(storage.relations)
    rooms = await _open_rooms(config, storage, supervisor, blocks=blocks, joined=index.joined, hooks=hooks)

    async def settle(user: str) -> None:
        await accounts.settle(user)

    surroundings = Surroundings(rooms, storage.journal, storage.directory, settle)
    departures = Departures(surroundings, linger_seconds=_LINGER_SECONDS)
    accounts = make_accounts(
        config,
        storage.directory,
        storage.sessions,
        storage.relations,
        ended=index.revoke,
        changed=warden.mind,
        departed=departures.depart,
        seen=last_seen.note,
    )
    departures.start(supervisor)
    return System(
        config=config,
        storage=storage,
        rooms=rooms,
        accounts=accounts,
        last_seen=last_seen,
        blocks=blocks,
        warden=warden,
        index=index,
        supervisor=supervisor,
        wall_ms=wall_ms,
    )


async def _open_rooms(
    config: Config,
    storage: Storage,
    supervisor: Supervisor,
    *,
    blocks: Blocks,
    joined: Callable[[str, str, int], None],
    hooks: Hooks,
) -> Rooms:
    """Make what wakes rooms: whoever asks for one, and the time."""
    rooms = Rooms(
        supervisor,
        RoomPorts(
            journal=storage.journal,
            directory=storage.directory,
            resolve=resolver(storage.directory),
            now_ms=wall_ms,
            new_id=new_id,
            joined=joined,
            fault=hooks.fault,
            blocks=blocks,
        ),
        room_limits(config),
        active_max=config.rooms_active_max,
        ask_seconds=config.ask_seconds,
        actor=hooks.room_actor,
    )
    if config.lobby == "yes":
        await open_lobby(rooms, storage.directory, epoch=new_id("e"))
    Timekeeper(rooms, journal=storage.journal, now_ms=wall_ms, seconds=config.timekeeper_seconds).start(supervisor)
    return rooms


async def serve(
    config: Config,
    *,
    hooks: Hooks | None = None,
    announce: Callable[[str], None] | None = None,
    stop: trio.Event | None = None,
) -> None:
    """Serve until `stop` is set, then stop gracefully. `announce` is told the address once it is listened on."""
    async with open_system(config, hooks=hooks) as (system, services):
        greeter = Greeter(services, system.accounts, gate=make_gate(config))
        door = FrontDoor(create_app(system), greeter.serve, door_limits(config))
        listeners = await _listen(config.host, config.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_sweep, services)
            nursery.start_soon(system.warden.run)
            nursery.start_soon(system.last_seen.run)
            nursery.start_soon(partial(keep_tidy, system.storage.sessions, now_ms=wall_ms))
            await nursery.start(door.serve, listeners)
            address = listeners[0].socket.getsockname()
            if announce is not None:
                announce(f"http://{_shown(address[0])}:{address[1]}")
            await (trio.Event() if stop is None else stop).wait()
            await stop_gracefully(system, door)
            nursery.cancel_scope.cancel()


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        why = error.strerror or str(error)
        raise OSError(f"cannot listen on port {port} of {host}: {why} (--port and --host take others)") from error


async def _sweep(services: Services) -> None:
    """Look after every connection's deadlines, from one task instead of one each."""
    while True:
        await trio.sleep(_SWEEP_SECONDS)
        now = trio.current_time()
        for connection in services.index:
            try:
                connection.sweep(now)
            except Exception:  # a bug met by one connection must not end the process
                logger.exception("event=sweep_failed")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _main(config: Config, hooks: Hooks | None) -> None:
    stop = trio.Event()

    async def watch_signals() -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) as signals:
            async for number in signals:
                if number == signal.SIGUSR1:
                    toggle_debug(config)
                    continue
                if stop.is_set():
                    # Asked twice: do not insist on manners.
                    raise KeyboardInterrupt
                stop.set()

    def announce(address: str) -> None:
        sys.stdout.write(f"JustChat {__version__} listens on {address}\n")
        sys.stdout.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_signals)
        await serve(config, hooks=hooks, announce=announce, stop=stop)
        nursery.cancel_scope.cancel()


def run(config: Config, *, hooks: Hooks | None = None) -> int:
    """Run the server in this process until it is told to stop; the answer is the exit code."""
    set_up_logging(config)
    code = 0
    try:
        trio.run(partial(_main, config, hooks), strict_exception_groups=True)
    except* KeyboardInterrupt:
        code = 130
    except* (StorageError, UnknownStorage, ActorEscalated, SigningKeyUnusable, OSError) as group:
        for error in _leaves(group):
            sys.stderr.write(f"justchat: {error}\n")
        code = 1
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found

"""Hypercorn's protocol server for single connections: the one module that names its undocumented classes.

Pinned to Hypercorn 0.18; tests/door holds the contract. What is added around it: the last message of a response is
shielded, so that the connection's state survives the app's own cancellation; the app sees HTTP only; exceptions end
here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from justchat.door.containment import Containment
from justchat.door.head import RequestGuard
from justchat.door.limits import DoorLimits
from justchat.door.replay_stream import ReplayStream

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

AsgiApp = ASGIFramework

_STREAM = "justchat.door.stream"


class ShieldFinalSend:
    """The app as Hypercorn sees it: HTTP only, contained, and never cancelled in the middle of its last message."""

    def __init__(self, app: AsgiApp, containment: Containment, *, seconds: float) -> None:
        """Wrap an ASGI app; the last message of a response gets at most `seconds`."""
        self._app = app
        self._containment = containment
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Run the app for one scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # The door's guard lets no upgrade through; were one to get past it, it ends here.
            raise RuntimeError("only HTTP is served here")
        exchange = _Exchange(cast("ReplayStream | None", scope["state"].get(_STREAM)))

        async def shielded_send(message: ASGISendEvent) -> None:
            if message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)
                return
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._seconds):
                await send(message)
            exchange.finish()

        try:
            await self._app(scope, receive, shielded_send)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever the app raises ends this request only
            self._containment.contain(error, where="app")
        finally:
            exchange.finish()


class _Exchange:
    """One request and its response; over with the last message, or with the app."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ReplayStream | None) -> None:
        self._stream = stream

    def finish(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.response_finished()


class HypercornAdapter:
    """Serves HTTP on streams that the door hands over."""

    def __init__(self, app: AsgiApp, limits: DoorLimits, containment: Containment) -> None:
        """Prepare to serve this app."""
        self._app = ASGIWrapper(ShieldFinalSend(app, containment, seconds=limits.send_seconds + limits.linger_seconds))
        self._limits = limits
        self._containment = containment
        self._config = _config(limits)
        self._context = WorkerContext(None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the app's lifespan around the connections."""
        lifespan = Lifespan(self._app, self._config, {})
        async with trio.open_nursery() as nursery:
            await nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            yield
            await lifespan.wait_for_shutdown()
            nursery.cancel_scope.cancel()

    async def serve(self, stream: trio.SocketStream, guard: RequestGuard, released: bytes) -> bool:
        """Serve one connection to its end; True if it was given back at the guard's barrier."""
        with trio.CancelScope() as scope:
            replay = ReplayStream(stream, guard, released, self._limits, on_idle_end=scope.cancel)
            state = ConnectionState({_STREAM: replay})
            # Hypercorn says SSLStream and means any stream with a socket.
            server = TCPServer(
                self._app, self._config, self._context, state, cast("trio.SSLStream[trio.SocketStream]", replay)
            )
            try:
                await server.run()
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever Hypercorn raises ends this connection only
                self._containment.contain(error, where="http")
        return replay.handed_back

    async def drain(self) -> None:
        """Close idle connections now, busy ones after their response."""
        await self._context.terminated.set()


def _config(limits: DoorLimits) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("justchat.door.hypercorn")
    config.include_server_header = False
    config.keep_alive_timeout = limits.keep_alive_seconds
    config.h11_max_incomplete_size = limits.head_bytes
    config.startup_timeout = config.shutdown_timeout = limits.lifespan_seconds
    return config

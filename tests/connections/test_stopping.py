"""A graceful stop of the whole server, on a real port: what is under way is finished, and everybody is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import pytest
import trio

from justchat.app import Hooks, serve
from justchat.config import Config
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor
from tests.support import rest, talker
from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock
DEADLINE_SECONDS = 30.0


class Served:
    """A server in a thread of this process."""

    def __init__(self, *, drain_seconds: float, hooks: Hooks) -> None:
        # Nobody here waits for an answer's deadline: who did would not be there in time.
        self.config = Config(
            port=0, database="memory://", bcrypt_cost=4, drain_seconds=drain_seconds, ask_seconds=10 * DEADLINE_SECONDS
        )
        self.url = ""
        self.stopped = threading.Event()
        self._hooks = hooks
        self._announced = threading.Event()
        self._stop: tuple[trio.lowlevel.TrioToken, trio.Event] | None = None
        self._thread = threading.Thread(target=partial(trio.run, self._main))

    @property
    def ws_url(self) -> str:
        return f"{self.url.replace('http', 'ws')}/ws"

    def start(self) -> None:
        self._thread.start()
        assert self._announced.wait(DEADLINE_SECONDS)

    def stop(self) -> None:
        assert self._stop is not None
        token, event = self._stop
        if not self.stopped.is_set():
            token.run_sync_soon(event.set)

    def join(self) -> None:
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        stop = trio.Event()
        self._stop = trio.lowlevel.current_trio_token(), stop
        await serve(self.config, hooks=self._hooks, announce=self._note, stop=stop)
        self.stopped.set()

    def _note(self, address: str) -> None:
        self.url = address
        self._announced.set()


@contextmanager
def served(actor: type[RoomActor], *, drain_seconds: float) -> Iterator[tuple[Served, Caller]]:
    server = Served(drain_seconds=drain_seconds, hooks=Hooks(room_actor=actor))
    server.start()
    try:
        yield server, register(cast("ServerProcess", server))
    finally:
        server.stop()
        talker.close_all()
        rest.close_all()
        server.join()


def _kinds_to_the_end(socket: Talker) -> tuple[list[str], int]:
    before = len(socket.seen)
    code = socket.closed()
    return [str(frame["type"]) for frame in socket.seen[before:]], code


def test_a_commit_under_way_is_finished_and_acknowledged_before_goodbye() -> None:
    """The sender hears ack, then goodbye, then 1012."""
    gate = threading.Event()

    class Slow(RoomActor):
        async def _append(self, draft: Draft) -> None:
            if draft.entries[0].seq > 1:
                await trio.to_thread.run_sync(gate.wait)
            await super()._append(draft)

    with served(Slow, drain_seconds=60) as (server, ann):
        room = ann.room()
        socket = Talker.greeted(server.ws_url, ann.token)
        socket.say("send", room=room, data={"client_msg_id": "1", "body": "x"})
        socket.until("pong", frame_id=socket.say("ping"))
        server.stop()
        while socket.send("r_none", "x")["data"]["code"] != "draining":
            pass
        gate.set()
        assert _kinds_to_the_end(socket) == (["ack", "goodbye"], 1012)


def test_a_room_that_hangs_costs_nobody_the_goodbye() -> None:
    """Part of the time is for commands; then everybody is told, also who has not said hello, and the stop ends."""

    class Stuck(RoomActor):
        async def _append(self, draft: Draft) -> None:
            if draft.entries[0].seq > 1:
                await trio.sleep_forever()
            await super()._append(draft)

    with served(Stuck, drain_seconds=0.4) as (server, ann):
        room = ann.room()
        socket, silent = Talker.greeted(server.ws_url, ann.token), Talker(server.ws_url)
        socket.say("send", room=room, data={"client_msg_id": "1", "body": "x"})
        socket.until("pong", frame_id=socket.say("ping"))
        server.stop()
        assert _kinds_to_the_end(socket) == (["goodbye"], 1012)
        assert _kinds_to_the_end(silent)[1] == 1012
        assert server.stopped.wait(DEADLINE_SECONDS)

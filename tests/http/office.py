"""The REST app in this process, without a port: over the storage actors and a memory store that can be switched off."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from quart import Response

from actors import RestartPolicy, Supervisor
from justchat.accounts.factory import make_accounts
from justchat.accounts.last_seen import LastSeen
from justchat.app import wall_ms
from justchat.config import Config
from justchat.connections.index import ConnectionIndex
from justchat.connections.warden import Warden
from justchat.http.app import create_app
from justchat.ids import new_id
from justchat.rooms.blocks import Blocks
from justchat.rooms.mentions import resolver
from justchat.rooms.room import Rooms
from justchat.rooms.room_actor import RoomLimits, RoomPorts
from justchat.system import System
from storage.directory_actor import DirectoryActor
from storage.errors import StorageUnavailable
from storage.journal_actor import JournalActor
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemorySessions, MemoryStore
from storage.open import Storage
from storage.records import UserRecord
from tests.support.signing_in import sign_in


class Switch:
    """Whether the store answers; `spared` are calls that it answers all the same. `calls` are those that were made."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.down = False
        self.spared: frozenset[str] = frozenset()


def switched(backend: object, switch: Switch) -> Any:
    """Put a switch before every call of a backend."""

    class Switched:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            call = getattr(backend, name)

            async def answer(*args: object, **options: object) -> object:
                switch.calls.append(name)
                if switch.down and name not in switch.spared:
                    raise StorageUnavailable("planted")
                return await call(*args, **options)

            return answer

    return Switched()


class Office:
    """The app, its system, and callers by name."""

    def __init__(self, system: System, store: MemoryStore, switch: Switch) -> None:
        self.system = system
        self.store = store
        self.switch = switch
        self.app = create_app(system)
        # Cookies are sent by tests that are about cookies.
        self._client = self.app.test_client(use_cookies=False)
        self._tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def add_user(self, name: str, *, role: str = "user") -> str:
        user = UserRecord(new_id("u"), name, name, name.title(), None, "", role, int(time.time() * 1000))
        self._tokens[name] = sign_in(self.system.accounts, self.store, user)
        self.ids[name] = user.id
        return user.id

    def sign_in_again(self, name: str) -> None:
        """Have somebody call by another session from now on."""
        self._tokens[name] = sign_in(self.system.accounts, self.store, self.store.users[self.ids[name]])

    async def call(
        self,
        method: str,
        path: str,
        *,
        caller: str | None = None,
        body: object = None,
        address: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Call as somebody, from an address."""
        sent = dict(headers or {})
        if caller is not None:
            sent["Authorization"] = f"Bearer {self._tokens[caller]}"
        options: dict[str, Any] = {} if body is None else {"json": body}
        answer = await self._client.open(
            path, method=method, headers=sent, scope_base={"client": (address, 1)}, **options
        )
        assert isinstance(answer, Response)
        return answer

    async def problem(self, method: str, path: str, **parts: Any) -> tuple[int, str]:
        """Call, expect problem details in full, and give status and code."""
        answer = await self.call(method, path, **parts)
        assert answer.content_type == "application/problem+json", (answer.status_code, await answer.get_data())
        problem = await answer.get_json(force=True)
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == answer.headers["X-Request-Id"]
        return answer.status_code, problem["code"]


@asynccontextmanager
async def open_office(*, ask_seconds: float = 5.0, **settings: Any) -> AsyncIterator[Office]:
    config = Config(database="memory://", bcrypt_cost=4, **settings)
    store, switch, index = MemoryStore(), Switch(), ConnectionIndex()
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=RestartPolicy(), random=random.Random(1))
        journal = JournalActor(switched(MemoryJournal(store), switch))
        directory = DirectoryActor(switched(MemoryDirectory(store), switch))
        await directory.probe()
        journal.start(supervisor)
        directory.start(supervisor)
        sessions = switched(MemorySessions(store), switch)
        relations = switched(MemoryRelations(store), switch)
        blocks = Blocks(relations)
        rooms = Rooms(
            supervisor,
            RoomPorts(journal, directory, resolver(directory), wall_ms, new_id, index.joined, blocks=blocks),
            RoomLimits(),
            active_max=100,
            ask_seconds=ask_seconds,
        )
        warden = Warden(index, sessions)
        system = System(
            config=config,
            storage=Storage(
                journal,
                directory,
                supervisor,
                sessions=sessions,
                relations=relations,
            ),
            rooms=rooms,
            accounts=make_accounts(config, directory, sessions, relations, ended=index.revoke, changed=warden.mind),
            last_seen=LastSeen(relations, now_ms=wall_ms),
            blocks=blocks,
            warden=warden,
            index=index,
            supervisor=supervisor,
            wall_ms=wall_ms,
        )
        yield Office(system, store, switch)
        nursery.cancel_scope.cancel()

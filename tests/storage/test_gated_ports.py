"""Sessions and relations behind the directory's gate, on a virtual clock: what goes through it, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from storage.account_ports import Relations, Sessions
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.gate import Gate
from storage.gated_relations import GatedRelations
from storage.gated_sessions import GatedSessions
from storage.memory import MemoryRelations, MemorySessions, MemoryStore
from storage.open import open_storage

READS = frozenset(
    (
        *("session", "session_of_family", "sessions_of", "living", "credential", "credentials_of"),
        *("contact", "contacts_of", "blocks_of", "blocked_by", "avatar"),
        *("read_marks", "all_read_marks"),
        *("all_sessions", "all_credentials", "all_contacts", "all_blocks", "all_avatars"),
    )
)
"""What changes nothing; everything else is a write."""

Call = tuple[tuple[object, ...], dict[str, object]]


def methods(port: type) -> dict[str, Signature]:
    """Return the methods of a port."""
    return {name: signature(value) for name, value in vars(port).items() if not name.startswith("_")}


def arguments(parameters: Signature) -> Call:
    """Make one value for each parameter of a method, all of them different."""
    named = [parameter for parameter in parameters.parameters.values() if parameter.name != "self"]
    positional = tuple(object() for parameter in named if parameter.kind is not Parameter.KEYWORD_ONLY)
    return positional, {one.name: object() for one in named if one.kind is Parameter.KEYWORD_ONLY}


class Recorded:
    """A backend of any port that notes its calls and takes its time."""

    def __init__(self, *, seconds: float) -> None:
        self.calls: list[tuple[str, Call]] = []
        self.answers: list[object] = []
        self.seconds = seconds

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        async def call(*positional: object, **named: object) -> object:
            self.calls.append((name, (positional, named)))
            await trio.sleep(self.seconds)
            self.answers.append(object())
            return self.answers[-1]

        return call


PORTS: dict[str, tuple[type, Callable[[Recorded, Gate], object]]] = {
    "sessions": (Sessions, lambda backend, gate: GatedSessions(cast("Sessions", backend), gate)),
    "relations": (Relations, lambda backend, gate: GatedRelations(cast("Relations", backend), gate)),
}
EVERY = [(port, name) for port, (protocol, _) in PORTS.items() for name in methods(protocol)]


@pytest.mark.parametrize(("port", "name"), EVERY)
async def test_every_call_goes_through_the_gate_as_it_is(port: str, name: str, autojump_clock: MockClock) -> None:
    """Nothing of it is lost on the way there or back; at the deadline only a write is of unknown outcome."""
    protocol, make = PORTS[port]
    gate = Gate(concurrency=1, waiting=0, deadline_seconds=5.0)
    backend = Recorded(seconds=0.0)
    method: Callable[..., Awaitable[object]] = getattr(make(backend, gate), name)
    positional, named = arguments(methods(protocol)[name])
    answer = await method(*positional, **named)
    assert backend.calls == [(name, (positional, named))]
    assert methods(protocol)[name].return_annotation == "None" or [answer] == backend.answers
    assert gate.statistics().calls == 1
    backend.seconds = 1e9
    with pytest.raises(StorageUnavailable) as caught:
        await method(*positional, **named)
    assert trio.current_time() == 5.0
    assert isinstance(caught.value, OutcomeUnknown) is (name not in READS)


@pytest.mark.parametrize(
    ("port", "backend"),
    [
        (Sessions, MemorySessions(MemoryStore())),
        (Relations, MemoryRelations(MemoryStore())),
        (Sessions, GatedSessions(MemorySessions(MemoryStore()), Gate(concurrency=1, waiting=1, deadline_seconds=1))),
        (Relations, GatedRelations(MemoryRelations(MemoryStore()), Gate(concurrency=1, waiting=1, deadline_seconds=1))),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_a_backend_takes_what_its_port_says(port: type, backend: object) -> None:
    """Names, order and defaults of the parameters are the same, so that nobody can tell which one they hold."""
    for name, expected in methods(port).items():
        found = signature(getattr(backend, name))
        wanted = [one for one in expected.parameters.values() if one.name != "self"]
        assert list(found.parameters.values()) == wanted, name


async def test_all_ports_to_one_database_share_its_bounds(autojump_clock: MockClock) -> None:
    """However many sign in, no more calls are with the database than may be."""
    gate = Gate(concurrency=2, waiting=10, deadline_seconds=5.0)
    backend = Recorded(seconds=1.0)
    sessions, relations = (
        GatedSessions(cast("Sessions", backend), gate),
        GatedRelations(cast("Relations", backend), gate),
    )
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(sessions.session, str(number))
            nursery.start_soon(relations.avatar, str(number))
        await wait_all_tasks_blocked()
        assert len(backend.calls) == 2
    assert trio.current_time() == 3.0


async def test_a_store_counts_all_calls_in_one_place() -> None:
    """The figures of the directory are those of its database."""
    async with open_storage("memory:") as storage:
        await storage.sessions.session("s_1")
        await storage.relations.avatar("u_1")
        await storage.directory.user("u_1")
        assert storage.statistics().directory.calls.calls == 3

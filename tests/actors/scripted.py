"""An actor that does what its messages say, and the few lines that every test of a supervised actor needs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import trio

from actors import ActorError, Child, Envelope, Inbox, Reply, RestartPolicy, Supervisor

POLICY = RestartPolicy(intensity=2, jitter=0.0)


class Planted(Exception):
    """The crash that a test ordered."""


class Scripted:
    """Answers each message with itself, except "crash", "sleep", "put off", "return" and "group", which it obeys."""

    def __init__(self, inbox: Inbox[str], *, limit: int = 1) -> None:
        self.inbox = inbox
        self.limit = limit
        self.began: list[str] = []
        self.starts: list[float] = []
        self.running = 0
        self.fails_at_start = 0
        self.put_off: list[Reply[object]] = []

    async def run(self) -> None:
        """Be one incarnation."""
        self.starts.append(trio.current_time())
        if self.fails_at_start > 0:
            self.fails_at_start -= 1
            raise Planted("at start")
        self.running += 1
        try:
            while True:
                for envelope in await self.inbox.take(self.limit):
                    if await self._obey(envelope):
                        return
        finally:
            self.running -= 1

    async def _obey(self, envelope: Envelope[str]) -> bool:
        self.began.append(envelope.message)
        match envelope.message:
            case "crash":
                raise Planted("as ordered")
            case "group":
                raise ExceptionGroup("from a nursery", [Planted("as ordered")])
            case "sleep":
                await trio.sleep(1)
            case "return":
                return True
            case "put off" if envelope.reply is not None:
                self.put_off.append(envelope.reply)
                return False
            case _:
                pass
        if envelope.reply is not None:
            envelope.reply.set(envelope.message)
        return False


def supervise(
    nursery: trio.Nursery,
    actor: Scripted,
    *,
    name: str = "scripted",
    policy: RestartPolicy = POLICY,
    on_end: Callable[[], None] | None = None,
) -> Child:
    """Start the actor under a supervisor of its own."""
    supervisor = Supervisor(nursery, policy=policy, random=Random(1))
    return supervisor.start(name, actor.run, actor.inbox, on_end=on_end)


def tell(inbox: Inbox[str], message: str) -> Reply[object]:
    """Tell a message with a reply, and return the reply."""
    reply: Reply[object] = Reply()
    inbox.tell(message, reply)
    return reply


def outcome(reply: Reply[object]) -> object:
    """Return the value of a reply, the class of its error, or "open"."""
    if not reply.done:
        return "open"
    try:
        return reply.result()
    except ActorError as error:
        return type(error)

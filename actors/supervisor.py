"""Starts actors and keeps them alive, each for itself.

A supervisor puts its children into a nursery that its owner opened. A child's crash restarts that child and disturbs no
sibling; only cancellation of the nursery, or a child whose policy escalates, reaches further.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import trio
from msgspec import Struct

from actors.child import Child, ChildOptions, ChildState, ChildStatistics
from actors.errors import ActorStopped
from actors.inbox import InboxControl
from actors.restart import RestartPolicy
from actors.statistics import Timings

__all__ = ["Child", "ChildState", "ChildStatistics", "Supervisor", "SupervisorStatistics"]


class SupervisorStatistics(Struct, frozen=True):
    """How the children are now, and what has happened since the supervisor was made."""

    children: int
    states: dict[str, int]
    """How many children are in each state; states without children are left out."""
    started: int
    restarts: int
    quarantined: int
    restart_p50_seconds: float | None
    """From a crash to the first take after it, over the latest restarts."""
    restart_p99_seconds: float | None


class Supervisor:
    """Runs actors one for one: each crash is answered by the restart policy of its own child."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        policy: RestartPolicy,
        random: Random,
        on_quarantine: Callable[[str, object, BaseException], None] | None = None,
    ) -> None:
        """Start children in `nursery`, with `policy` unless they bring their own.

        `random` gives the jitter of the back-off. `on_quarantine` is called with the actor's name, the message that
        crashed it twice, and the second error.
        """
        self._nursery = nursery
        self._policy = policy
        self._random = random
        self._on_quarantine = on_quarantine
        self._timings = Timings()
        # An ordered set. Names need not be unique: an actor may start while its namesake is still cleaning up.
        self._children: dict[Child, None] = {}
        self._started = self._past_restarts = self._past_quarantined = 0

    def start(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        inbox: InboxControl,
        *,
        policy: RestartPolicy | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Child:
        """Start an actor, without waiting; `run` is called anew for each incarnation, and ends it by returning.

        `on_end` is called once when the actor is gone for good, with its inbox closed. Raises ActorStopped, with the
        inbox closed and `on_end` not called, if the nursery has already ended.
        """
        options = ChildOptions(
            policy=policy or self._policy,
            random=self._random,
            timings=self._timings,
            on_quarantine=self._on_quarantine,
            on_end=on_end,
        )
        child = Child(name, run, inbox, options=options)
        try:
            self._nursery.start_soon(self._live, child, name=f"actor {name}")
        except RuntimeError:
            inbox.close()
            raise ActorStopped(f"actor {name} cannot start: its supervisor has ended") from None
        self._children[child] = None
        self._started += 1
        return child

    def children(self) -> list[ChildStatistics]:
        """Report each child, in the order of their start."""
        return [child.statistics() for child in self._children]

    def statistics(self) -> SupervisorStatistics:
        """Report the children's states and the totals."""
        return SupervisorStatistics(
            children=len(self._children),
            states=dict(Counter(child.state for child in self._children)),
            started=self._started,
            restarts=self._past_restarts + sum(child.restarts for child in self._children),
            quarantined=self._past_quarantined + sum(child.quarantined for child in self._children),
            restart_p50_seconds=self._timings.p50,
            restart_p99_seconds=self._timings.p99,
        )

    async def _live(self, child: Child) -> None:
        try:
            await child.live()
        finally:
            del self._children[child]
            self._past_restarts += child.restarts
            self._past_quarantined += child.quarantined

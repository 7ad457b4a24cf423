"""Actors by key: started when first needed, gone when idle.

The registry owns the question "who is the actor of this key now?". Everything here is synchronous, so that finding an
actor and telling it something can be one step: between a passivation and the next activation no message is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, ItemsView
from typing import Generic, TypeVar

from msgspec import Struct

from actors.errors import RegistryFull
from actors.inbox import InboxControl

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")


class RegistryStatistics(Struct, frozen=True):
    """How many actors are active now, and what has happened since the registry was made."""

    active: int
    capacity: int
    activated: int
    passivated: int
    refused: int


class Registry(Generic[K, A]):
    """At most one activation for each key."""

    __slots__ = ("_activated", "_active", "_capacity", "_passivated", "_refused", "_spawn")

    def __init__(self, spawn: Callable[[K], A], *, capacity: int) -> None:
        """Hold at most `capacity` activations; `spawn` starts the supervised actor, without waiting, and returns it."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._spawn = spawn
        self._capacity = capacity
        self._active: dict[K, A] = {}
        self._activated = self._passivated = self._refused = 0

    def find(self, key: K) -> A | None:
        """Return the activation of a key, if there is one."""
        return self._active.get(key)

    def activate(self, key: K) -> A:
        """Find or start the actor of a key; raises RegistryFull, or what `spawn` raises, and then registers nothing.

        Tell the activation something before the next await: after that it may have passivated.
        """
        activation = self._active.get(key)
        if activation is not None:
            return activation
        if len(self._active) >= self._capacity:
            self._refused += 1
            raise RegistryFull(self._capacity)
        activation = self._spawn(key)
        self._active[key] = activation
        self._activated += 1
        return activation

    def forget(self, key: K, activation: A) -> None:
        """Remove an activation that has ended, unless another has taken its place; for a supervisor's `on_end`."""
        if self._active.get(key) is activation:
            del self._active[key]

    def passivate(self, key: K, inbox: InboxControl) -> bool:
        """Let an idle actor go: True means that it must return from its run; False that it has something to do.

        Only the actor of this key may call it, with its own inbox.
        """
        if inbox.closed:
            return True  # stopped from elsewhere; what is registered, if anything, is its successor
        if not inbox.idle:
            return False
        # No await from here: whoever looks up the key finds either this actor with an open inbox, or nobody …
        self._active.pop(key, None)
        inbox.close()
        # … to here.
        self._passivated += 1
        return True

    def __len__(self) -> int:
        """Count the activations."""
        return len(self._active)

    def items(self) -> ItemsView[K, A]:
        """View keys and activations, in the order of activation."""
        return self._active.items()

    def statistics(self) -> RegistryStatistics:
        """Report the activations and totals."""
        return RegistryStatistics(
            active=len(self._active),
            capacity=self._capacity,
            activated=self._activated,
            passivated=self._passivated,
            refused=self._refused,
        )

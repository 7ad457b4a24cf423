"""Which connections are open, by user: for limits, for news about memberships and accounts, and for the sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from justchat.accounts.identity import Identity


class Indexed(Protocol):
    """A connection, as the index needs it."""

    @property
    def user_id(self) -> str:
        """Whose connection it is."""
        ...

    @property
    def identity(self) -> Identity:
        """By which right it is open."""
        ...

    def joined(self, room: str, seq: int) -> None:
        """Hear that the user became a member of a room at `seq`."""
        ...

    def say(self, payload: bytes) -> None:
        """Send one frame."""
        ...

    def identify(self, identity: Identity) -> None:
        """Go on by this right."""
        ...

    def revoke(self) -> None:
        """Close, because the right to be here is gone."""
        ...

    def sweep(self, now: float) -> None:
        """Look after deadlines; called about once a second."""
        ...

    def say_goodbye(self) -> None:
        """Announce the restart and close."""
        ...


class Arriving(Protocol):
    """A socket whose user is not yet known."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye in the background."""
        ...


class ConnectionIndex:
    """The open connections; `arriving` are the sockets that have yet to become one."""

    def __init__(self, *, left: Callable[[str], None] = lambda _: None) -> None:
        """Say to `left` whose last connection has gone."""
        self._left = left
        self.arriving: set[Arriving] = set()
        self._by_user: dict[str, list[Indexed]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Indexed]:
        return iter([connection for connections in self._by_user.values() for connection in connections])

    def of_user(self, user: str) -> int:
        """Count a user's connections."""
        return len(self._by_user.get(user, ()))

    def connections_of(self, user: str) -> list[Indexed]:
        """List a user's connections."""
        return list(self._by_user.get(user, ()))

    def origins(self) -> dict[str, str]:
        """Name every session and credential by which something is open, each with its user."""
        return {connection.identity.origin: connection.user_id for connection in self}

    def tell(self, user: str, payload: bytes) -> None:
        """Send a frame to all connections of a user."""
        for connection in self.connections_of(user):
            connection.say(payload)

    def revoke(self, origins: Iterable[str], *, user: str | None = None) -> None:
        """Close what is open by these sessions and credentials; `user` is whose they are, where that is known."""
        over = frozenset(origins)
        for connection in list(self) if user is None else self.connections_of(user):
            if connection.identity.origin in over:
                connection.revoke()

    def add(self, connection: Indexed) -> None:
        """Enter a connection."""
        self._by_user.setdefault(connection.user_id, []).append(connection)
        self._count += 1

    def remove(self, connection: Indexed) -> None:
        """Leave again; harmless if it is not there."""
        connections = self._by_user.get(connection.user_id, [])
        if connection not in connections:
            return
        connections.remove(connection)
        self._count -= 1
        if not connections:
            del self._by_user[connection.user_id]
            self._left(connection.user_id)

    def joined(self, user: str, room: str, seq: int) -> None:
        """Tell a user's connections of a new membership."""
        for connection in self.connections_of(user):
            connection.joined(room, seq)

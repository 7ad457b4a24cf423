"""A count of the driver's connections, from the events that it gives."""

from __future__ import annotations

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)


class ConnectionCount(ConnectionPoolListener):
    """How many connections are open, and how many of them are in use."""

    def __init__(self) -> None:
        self.open = 0
        self.in_use = 0

    def connection_created(self, event: ConnectionCreatedEvent) -> None:  # noqa: ARG002
        """Count it."""
        self.open += 1

    def connection_closed(self, event: ConnectionClosedEvent) -> None:  # noqa: ARG002
        """Count it."""
        self.open -= 1

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:  # noqa: ARG002
        """Count it."""
        self.in_use += 1

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:  # noqa: ARG002
        """Count it."""
        self.in_use -= 1

    # The driver wants these to be there.

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Pass over it."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """Pass over it."""

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """Pass over it."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """Pass over it."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Pass over it."""

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Pass over it."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Pass over it."""

"""What a client says about itself."""

from __future__ import annotations

from msgspec import Struct


class ClientStatistics(Struct, frozen=True):
    """What a client is doing. `behind` counts rooms that wait for missing events; totals are since it opened."""

    connected: bool
    connections: int
    renewals: int
    rooms: int
    behind: int
    buffered: int
    buffer_capacity: int
    buffer_peak: int
    pending: int
    retries: int
    duplicates: int
    jumps: int
    overflows: int
    resets: int

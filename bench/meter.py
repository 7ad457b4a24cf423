"""A stretch of time, as the kernel's accounts saw it: what the server used, what the bench used, what others used.

It also says when not to trust what was measured meanwhile: a client that had no CPU left measured itself, and a
machine that others work on measures them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct

from bench.usage import Cpu, cpu_of, machine_busy_seconds

SATURATED_SHARE = 0.85
NOISY_CORES = 0.5


class Metered(Struct, frozen=True):
    """CPU of the server, of this process (as a share of one core) and of everybody else (in cores)."""

    server: Cpu
    own_cpu_share: float
    others_cores: float
    wall_seconds: float


class Meter:
    """Starts when it is made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._busy = machine_busy_seconds()
        self._server = cpu_of(pid)
        self._own = time.process_time()
        self._began = time.monotonic()

    def read(self, *, clients_cpu_seconds: float = 0.0) -> Metered:
        """Give what was used since. `clients_cpu_seconds` is what client processes used, who are not others."""
        wall = max(time.monotonic() - self._began, 1e-9)
        own = time.process_time() - self._own
        server = cpu_of(self._pid).since(self._server)
        others = machine_busy_seconds() - self._busy - server.total - own - clients_cpu_seconds
        return Metered(server, own / wall, max(0.0, others) / wall, wall)


def doubts_about(clients: Mapping[str, float], others_cores: float) -> tuple[str, ...]:
    """Say why figures are not to be trusted, given the CPU shares of the client processes by name."""
    doubts = [
        f"the {name} process used {share:.0%} of a core: it measured itself"
        for name, share in clients.items()
        if share > SATURATED_SHARE
    ]
    if others_cores > NOISY_CORES:
        doubts.append(f"others used {others_cores:.2f} cores meanwhile")
    return tuple(doubts)

"""What processes and the machine used, read from the kernel's own accounts (Linux).

CPU is user plus system time. On loopback the kernel does most of a receiver's TCP work inside the sender's `send`, so
a server is charged for more than it would be on a network: for every server here alike.
"""

from __future__ import annotations

from os import sysconf
from pathlib import Path
from typing import NamedTuple

_TICKS = sysconf("SC_CLK_TCK")
_PAGE_BYTES = sysconf("SC_PAGE_SIZE")
_IDLE_COLUMNS = (3, 4)  # idle and iowait
_GUEST_COLUMNS = (8, 9)  # already counted in user and nice


class Cpu(NamedTuple):
    """CPU that a process has used, in seconds: in its own code, and in the kernel on its behalf."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """Both."""
        return self.user + self.system

    def since(self, before: Cpu) -> Cpu:
        """What was used after `before`."""
        return Cpu(self.user - before.user, self.system - before.system)


def cpu_of(pid: int) -> Cpu:
    """CPU used by a process so far, with its ended threads; 10 ms fine."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return Cpu(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process. The kernel's socket buffers are not in it."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def machine_busy_seconds() -> float:
    """CPU used by everybody on this machine so far, time stolen by the host included."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    columns = [int(value) for value in line.split()[1:]]
    skip = _IDLE_COLUMNS + _GUEST_COLUMNS
    return sum(value for index, value in enumerate(columns) if index not in skip) / _TICKS

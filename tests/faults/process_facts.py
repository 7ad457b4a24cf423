"""What a process holds, as the kernel counts it: open files, threads, resident memory."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class ProcessFacts(Struct, frozen=True):
    """One look at a process; memory in KiB."""

    open_files: int
    threads: int
    resident_kib: int


def look_at(pid: int) -> ProcessFacts:
    """Look at a process of ours, now."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
    return ProcessFacts(
        open_files=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
        resident_kib=int(status["VmRSS"].split()[0]),
    )

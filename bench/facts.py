"""The circumstances of a run: commit, versions, machine. No paths, no names of hosts or people."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from bench.tree import ROOT

LIBRARIES = ("trio", "trio-websocket", "msgspec", "websockets", "hypercorn", "quart-trio")
_GIT_SECONDS = 5.0


class Facts(Struct, frozen=True):
    """Where and with what the figures were measured."""

    started_at: str
    commit: str
    python: str
    kernel: str
    machine: str
    cpu: str
    cores: int
    load_average: float
    filesystem: str
    libraries: dict[str, str]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "none"
    return commit + ("+changes" if _git("status", "--porcelain") else "")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _filesystem(directory: Path) -> str:
    """The kind of file system under a directory: a commit to one in memory is not durable and costs nothing."""
    best, kind = "", "unknown"
    path = str(directory.resolve())
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, found, *_ = line.split()
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def gather_facts(directory: Path) -> Facts:
    """Look around. `directory` is where databases will be made."""
    return Facts(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        python=platform.python_version(),
        kernel=platform.release(),
        machine=platform.machine(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        load_average=round(os.getloadavg()[0], 2),
        filesystem=_filesystem(directory),
        libraries={"sqlite": sqlite3.sqlite_version} | {name: _version(name) for name in LIBRARIES},
    )

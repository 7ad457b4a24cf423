"""How many connections this process may hold, given what the operating system lets it open."""

from __future__ import annotations

import resource

from justchat.config.settings import Config

# The rest is for the database, log files, threads' pipes and connections that are being turned away.
_SHARE_OF_OPEN_FILES = 0.8
_UNLIMITED_FILES = 1_000_000


def connection_limit(config: Config, *, open_files: int) -> int:
    """Connections to accept: as configured, or four fifths of `open_files` when that is 0. At least 1."""
    return config.max_connections or max(1, int(open_files * _SHARE_OF_OPEN_FILES))


def open_files_allowed() -> int:
    """Open files that the operating system allows this process now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED_FILES if soft == resource.RLIM_INFINITY else min(soft, _UNLIMITED_FILES)

"""The two questions that loading a configuration asks of the file system, as a port, so that tests need no disk."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Protocol

CONFIG_FILE_MAX_BYTES = 1_048_576


class Files(Protocol):
    """Read-only access to files by path."""

    def read(self, path: str) -> bytes:
        """Contents of a file. Raises OSError, also when the file is unreasonably large."""
        ...

    def mode(self, path: str) -> int | None:
        """Permission bits of a regular file; None where there is none."""
        ...


class DiskFiles:
    """The real file system."""

    def read(self, path: str) -> bytes:
        """Contents of a file of at most 1 MiB."""
        with Path(path).open("rb") as file:
            raw = file.read(CONFIG_FILE_MAX_BYTES + 1)
        if len(raw) > CONFIG_FILE_MAX_BYTES:
            raise OSError(f"larger than {CONFIG_FILE_MAX_BYTES} bytes")
        return raw

    def mode(self, path: str) -> int | None:
        """Permission bits of a regular file; None where there is none."""
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            return None
        return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None

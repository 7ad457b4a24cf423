"""A file system in a dict, for configurations that must not depend on the disk."""

from __future__ import annotations


class FakeFiles:
    """Files by path; `modes` gives permission bits, and a file without an entry there has mode 0600."""

    def __init__(self, contents: dict[str, bytes] | None = None, modes: dict[str, int] | None = None) -> None:
        self._contents = contents or {}
        self._modes = modes or {}

    def read(self, path: str) -> bytes:
        """Contents, or the error that a missing file gives."""
        if path not in self._contents:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._contents[path]

    def mode(self, path: str) -> int | None:
        """Permission bits; None where there is no file."""
        return self._modes.get(path, 0o600) if path in self._contents else None

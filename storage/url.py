"""Which store is meant: `memory:` or `sqlite:///path`."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

SQLITE = "sqlite:///"


class UnknownStorage(ValueError):
    """The URL names no store that this program has. It never repeats the URL, which may hold a password."""


class MemoryUrl(Struct, frozen=True):
    """Keep everything in RAM."""


class SqliteUrl(Struct, frozen=True):
    """Keep everything in this file."""

    path: Path


def parse_url(url: str) -> MemoryUrl | SqliteUrl:
    """Read a storage URL; after `sqlite:///` comes a relative path, or an absolute one with its own slash."""
    if url in ("memory:", "memory://"):
        return MemoryUrl()
    if url.startswith(SQLITE):
        return SqliteUrl(_path(url.removeprefix(SQLITE)))
    scheme = url.partition(":")[0][:20]
    raise UnknownStorage(f"unknown storage {scheme!r}: use memory: or sqlite:///path (sqlite:////path if absolute)")


def _path(text: str) -> Path:
    if not text:
        raise UnknownStorage("sqlite:/// needs the path of a file after it")
    if text.startswith((":memory:", "file:")) or "?" in text or "\0" in text:
        raise UnknownStorage("sqlite:/// takes the path of a file and no options; for a store in RAM use memory:")
    return Path(text)

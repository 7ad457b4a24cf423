"""The ports in RAM: for actor tests on a virtual clock, and for a server that may forget.

No thread, no file, no timer: every method is one checkpoint and then one step that nothing can interrupt, so an append
is atomic and a read is a snapshot. What is stored lives as long as its `MemoryStore`.
"""

from __future__ import annotations

from storage.memory.directory import MemoryDirectory
from storage.memory.journal import MemoryJournal
from storage.memory.relations import MemoryRelations
from storage.memory.sessions import MemorySessions
from storage.memory.store import MemoryStore

__all__ = ["MemoryDirectory", "MemoryJournal", "MemoryRelations", "MemorySessions", "MemoryStore"]

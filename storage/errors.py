"""What can go wrong with a store, in few words that every backend translates its driver's errors into."""

from __future__ import annotations


class StorageError(Exception):
    """Root of everything a backend raises on purpose."""


class StorageUnavailable(StorageError):
    """The store did not do it and will not: nothing of the call was written. Retrying later is safe."""


class StorageInUse(StorageError):
    """The store is open elsewhere, in a way that excludes what was wanted. Nothing was changed."""


class OutcomeUnknown(StorageUnavailable):
    """The call was cut off while it may have been committing. Only reading back can tell whether it was written."""


class Unstorable(StorageError):
    """A value that no store can hold: text that is not Unicode, an integer beyond 64 bits, a wrong type.

    It is a bug above storage (the edge refuses such input), it fails alike on every retry, and nothing was written.
    """


class Conflict(StorageError):
    """A uniqueness rule said no.

    `kind` is one of: `seq` (another writer owns this room's journal), `client_msg_id` (a repeat of a post), `username`,
    `email`, `rev` (an account was changed meanwhile), `id`, `family` or `digest` (a session's or credential's is taken
    by another one), `full` (somebody has as many of these as they may), `awaited` (as many as may wait for somebody's
    answer). `room` names the guilty room of an append, so that only that room fails. `written` is how many entries of
    that room's append are durable nevertheless, always its first ones: 0 in a store with transactions.
    """

    def __init__(self, kind: str, *, room: str | None = None, written: int = 0) -> None:
        super().__init__(f"conflict on {kind}" + (f" in {room}" if room else ""))
        self.kind = kind
        self.room = room
        self.written = written

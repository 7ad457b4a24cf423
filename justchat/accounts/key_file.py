"""The file with the signing keys: private, replaced as a whole or not at all, and changed by one process at a time.

It may be read at any moment, also while it is changed. Who changes it locks the file that is there and replaces it
under its name by another, which is complete on the disk before; so the lock is good only while the name still leads to
what was locked. Nothing is left behind but, when a process is killed in the middle, a draft, which the next change
takes away.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from justchat.accounts.key_set import KEYS_MAX_BYTES, KeySet, parse_keys, write_keys
from justchat.accounts.signing_key import SigningKeyUnusable

_LOCK_SECONDS = 10.0
_RETRY_SECONDS = 0.02
_DRAFT_SECONDS = 60.0


class Stamp(Struct, frozen=True):
    """What tells one state of the file from another without reading it."""

    device: int
    inode: int
    mode: int
    size: int
    modified_ns: int
    changed_ns: int


class KeyFile:
    """The keys of a site in a file. Everything here raises SigningKeyUnusable, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> Stamp | None:
        """Look at the file without opening it; None where there is none."""
        try:
            return _stamp(self._path.stat())
        except OSError:
            return None

    def read(self) -> tuple[KeySet, Stamp]:
        """Read the keys, and what the file looked like."""
        with self._errors("read"), self._opened() as descriptor:
            # What it looked like before it was read: what is written into it meanwhile makes it look different.
            stamp = _stamp(os.fstat(descriptor))
            return self._keys_in(descriptor), stamp

    def create(self, make: Callable[[], KeySet]) -> None:
        """Make the file if there is none: it exists whole or not at all, and only once."""
        with self._errors("create"):
            if self._path.exists():
                return
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._draft(write_keys(make()), beside=self._path)
            try:
                # Another process may have been first: then its keys are the keys.
                with suppress(FileExistsError):
                    os.link(draft, self._path)
            finally:
                draft.unlink()
            _sync_folder(self._path.parent)

    def change(self, change: Callable[[KeySet], KeySet]) -> KeySet:
        """Replace the keys by what `change` makes of them, which nobody else changes in the meantime."""
        with self._errors("change"), self._locked() as descriptor:
            keys = change(self._keys_in(descriptor))
            # A link to the file stays a link.
            path = self._path.resolve()
            _remove_old_drafts(path)
            draft = self._draft(write_keys(keys), beside=path, owner=os.fstat(descriptor))
            try:
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            _sync_folder(path.parent)
            return keys

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise SigningKeyUnusable(f"cannot {doing} the signing keys {self._path}: {reason}") from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        # Without waiting for whoever writes into a pipe.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the file alone. The lock ends with the process, whatever ends that."""
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            with self._opened() as descriptor:
                if _lock(descriptor) and os.path.samestat(os.fstat(descriptor), self._path.stat()):
                    yield descriptor
                    return
            if time.monotonic() >= until:
                raise SigningKeyUnusable(f"the signing keys {self._path} are being changed by another process")
            time.sleep(_RETRY_SECONDS)

    def _keys_in(self, descriptor: int) -> KeySet:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SigningKeyUnusable(f"the signing keys {self._path} are not a file")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise SigningKeyUnusable(f"the signing keys {self._path} can be read by others; chmod it to 0600")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(KEYS_MAX_BYTES + 1)
        try:
            return parse_keys(raw)
        except SigningKeyUnusable as error:
            raise SigningKeyUnusable(f"{self._path} holds no signing keys: {error}") from error

    def _draft(self, raw: bytes, *, beside: Path, owner: os.stat_result | None = None) -> Path:
        """Write under a name of its own, and give that once everything is on the disk."""
        draft = beside.with_name(f".{beside.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                if owner is not None and owner.st_uid != os.geteuid():
                    # Keys that root has rotated are still for the server's user.
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                os.fsync(descriptor)
        except BaseException:
            draft.unlink()
            raise
        return draft


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _remove_old_drafts(path: Path) -> None:
    """Remove what killed processes have left; a younger draft may still be somebody's."""
    shape = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}")
    for draft in path.parent.iterdir():
        if shape.fullmatch(draft.name):
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - _DRAFT_SECONDS:
                    draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

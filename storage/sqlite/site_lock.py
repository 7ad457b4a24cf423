"""Who has a SQLite site open: any number of servers, or one program that wants it for itself alone.

An advisory lock on a file beside the database, which the kernel gives back however the process ends. The file itself
stays and says nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageInUse, StorageUnavailable
from storage.sqlite.connection import FILE_MODE, FOLDER_MODE


@contextmanager
def site_lock(database: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the site, alone or with others. Raises StorageInUse, or StorageUnavailable if the file cannot be made."""
    if database.is_dir():
        raise StorageUnavailable("unable to open the database: it is a folder")
    try:
        # Beside the file itself: whoever comes to it by a link has the same lock.
        file_path = database.resolve()
        path = file_path.with_name(f"{file_path.name}.lock")
        # The first to make the folder, which is for nobody else's eyes; a lock that others may open, they may hold.
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE), "rb")
    except OSError as error:
        raise StorageUnavailable(f"unable to open the lock of the database: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            if exclusive:
                raise StorageInUse("the database is in use: stop the server that has it open") from None
            raise StorageInUse("the database is being worked on by another program; wait until that is done") from None
        yield

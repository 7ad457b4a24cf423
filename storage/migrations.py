"""The numbered schema files, and what has to be done to bring a database from one number to another.

Pure: it reads the files that ship with this package and compares them with what a database says was applied. Each
dialect has its own folder under `schema/` and its own executor. A file that was ever released is never edited: its
checksum is kept by every database that ran it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct

from storage.errors import StorageError

FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_(?P<name>[a-z0-9_]+)\.up\.sql")


class MigrationRefused(StorageError):
    """The database is not what this program knows how to migrate; nothing was changed."""


class Migration(Struct, frozen=True):
    """One step of the schema, in both directions."""

    number: int
    name: str
    up: str
    down: str
    checksum: str


class AppliedMigration(Struct, frozen=True):
    """What a database remembers of a step; `applied_at` in milliseconds since the epoch."""

    number: int
    name: str
    checksum: str
    applied_at: int


class MigrationStatus(Struct, frozen=True):
    """One known step, and when it was applied: None if it is still to be."""

    number: int
    name: str
    applied_at: int | None


def load_migrations(dialect: str) -> tuple[Migration, ...]:
    """Read the steps of a dialect, in order."""
    return read_migrations(files("storage") / "schema" / dialect)


def read_migrations(folder: Traversable) -> tuple[Migration, ...]:
    """Read the steps in a folder, in order; ValueError if their numbers leave a hole or a file is missing."""
    ups = sorted((name, match) for file in folder.iterdir() if (match := FILE_NAME.fullmatch(name := file.name)))
    steps = tuple(_load(folder, match) for _, match in ups)
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise ValueError(f"the schema files in {folder.name} are not numbered 1, 2, 3 …")
    return steps


def pending(known: Sequence[Migration], applied: Sequence[AppliedMigration]) -> Sequence[Migration]:
    """Return the steps still to be applied. Raises MigrationRefused for a database of a newer or another program."""
    _check(known, applied)
    return known[len(applied) :]


def undoable(known: Sequence[Migration], applied: Sequence[AppliedMigration], *, to: int) -> Sequence[Migration]:
    """Return the steps to undo, the latest first, so that `to` is the last one left; 0 leaves none."""
    if not 0 <= to <= len(known):
        raise MigrationRefused(f"there is no migration {to}: this program knows 1 to {len(known)}")
    _check(known, applied)
    return known[to : len(applied)][::-1]


def status_of(known: Sequence[Migration], applied: Sequence[AppliedMigration]) -> list[MigrationStatus]:
    """Pair the known steps with what was applied. Raises MigrationRefused as `pending` does."""
    _check(known, applied)
    times = {step.number: step.applied_at for step in applied}
    return [MigrationStatus(step.number, step.name, times.get(step.number)) for step in known]


def _load(folder: Traversable, match: re.Match[str]) -> Migration:
    stem = f"{match['number']}_{match['name']}"
    up = (folder / f"{stem}.up.sql").read_text(encoding="utf-8")
    if not (folder / f"{stem}.down.sql").is_file():
        raise ValueError(f"{stem}.down.sql is missing")
    down = (folder / f"{stem}.down.sql").read_text(encoding="utf-8")
    checksum = sha256(f"{up}\0{down}".encode()).hexdigest()
    return Migration(number=int(match["number"]), name=match["name"], up=up, down=down, checksum=checksum)


def _check(known: Sequence[Migration], applied: Sequence[AppliedMigration]) -> None:
    if len(applied) > len(known):
        raise MigrationRefused(
            f"the database has migration {applied[-1].number}, this program knows {len(known)}: run the newer program"
        )
    for step, done in zip(known, applied, strict=False):
        if step.number != done.number:
            raise MigrationRefused(f"the database has migration {done.number} where {step.number} belongs")
        if step.checksum != done.checksum:
            raise MigrationRefused(
                f"migration {done.number} ({done.name}) was applied from another file than the one of this program"
            )

"""`justchat migrate`: the schema of the configured store."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial

from justchat.cli.codes import OK, USAGE
from justchat.cli.configuration import report
from justchat.cli.running import run_operation
from justchat.config import Config
from justchat.log import set_up_logging
from justchat.wire.times import rfc3339
from storage.migrate import journal_is_ready, migrate_down, migrate_up, migration_status
from storage.migrations import MigrationStatus


def run_migrate(namespace: Namespace, config: Config) -> int:
    """Do what is asked for; the answer is the exit code."""
    set_up_logging(config)
    match namespace.action:
        case "up":
            return run_operation(partial(_up, config))
        case "down" if not namespace.yes:
            report(["what the undone migrations hold is lost: say --yes to have it so"])
            return USAGE
        case "down":
            return run_operation(partial(_down, config, to=namespace.to))
        case _:
            return run_operation(partial(_status, config))


async def _status(config: Config) -> int:
    steps = await migration_status(config.database)
    rows = [("number", "name", "applied at"), *(_row(step) for step in steps)]
    if (is_ready := await journal_is_ready(config.database, journal=config.journal)) is not None:
        rows.append(("-", "journal", "ready" if is_ready else "pending"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{'  '.join(cells).rstrip()}\n")
    return OK


async def _up(config: Config) -> int:
    _say("applied", await migrate_up(config.database, journal=config.journal))
    return OK


async def _down(config: Config, *, to: int) -> int:
    is_there = any(step.applied_at is not None for step in await migration_status(config.database))
    # A store that is not there is not made only to undo nothing in it.
    _say("undone", await migrate_down(config.database, to=to) if is_there else [])
    return OK


def _row(step: MigrationStatus) -> tuple[str, str, str]:
    return str(step.number), step.name, "pending" if step.applied_at is None else rfc3339(step.applied_at)


def _say(done: str, numbers: Sequence[int]) -> None:
    sys.stdout.write(f"{done}: {', '.join(map(str, numbers)) or 'nothing'}\n")

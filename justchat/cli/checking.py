"""`justchat storage check`: the configured store against its journal."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial

from justchat.cli.codes import FAILED, OK
from justchat.cli.running import run_operation
from justchat.config import Config
from justchat.log import set_up_logging
from justchat.operate.check_site import check_site
from justchat.operate.difference import Difference
from justchat.operate.site import open_site


def run_check(namespace: Namespace, config: Config) -> int:
    """Check, and repair if asked for; the answer is the exit code."""
    set_up_logging(config)
    return run_operation(partial(_check, config, repair=namespace.repair, room=namespace.room))


async def _check(config: Config, *, repair: bool, room: str | None) -> int:
    async with open_site(config.database, journal=config.journal, exclusive=repair) as site:
        totals = await check_site(site, report=_print, repair=repair, room=room)
    sys.stdout.write(
        f"checked {totals.rooms} rooms, {totals.entries} entries, {totals.messages} messages, {totals.items} items: "
        f"{totals.differences} differences, {totals.repaired} repaired\n"
    )
    return OK if totals.differences == totals.repaired else FAILED


def _print(difference: Difference, repaired: bool) -> None:
    sys.stdout.write(f"{difference}{'; repaired' if repaired else ''}\n")

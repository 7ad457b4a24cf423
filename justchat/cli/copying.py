"""`justchat copy`: a whole site from one store into another."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from functools import partial

from msgspec import Struct

from justchat.cli.codes import OK, USAGE
from justchat.cli.configuration import report
from justchat.cli.running import run_operation
from justchat.config import Config
from justchat.log import set_up_logging
from justchat.operate.copy_site import copy_site
from justchat.operate.progress import Progress
from justchat.operate.site import PATIENT, databases, open_site, site_name
from justchat.operate.survey import survey
from storage.open import open_storage
from storage.url import UnknownStorage


class _Store(Struct, frozen=True):
    url: str
    journal: str | None


def run_copy(namespace: Namespace) -> int:
    """Copy and verify; the answer is the exit code."""
    source = _Store(namespace.source, namespace.source_journal)
    target = _Store(namespace.target, namespace.target_journal)
    if (problem := _wrong(source, target)) is not None:
        report([problem])
        return USAGE
    set_up_logging(Config(log_level="warning"))
    return run_operation(partial(_copy, source, target))


def _wrong(source: _Store, target: _Store) -> str | None:
    """Say what is wrong with the two URLs; None if nothing is."""
    try:
        here, there = (set(databases(store.url, journal=store.journal)) for store in (source, target))
    except UnknownStorage as error:
        return str(error)
    if "memory:" in here | there:
        return "memory: is gone when its process ends: there is nothing to copy from it, and no use in copying to it"
    if here & there:
        return f"source and target are the same: {', '.join(sorted(here & there))}"
    return None


async def _copy(source: _Store, target: _Store) -> int:
    progress = Progress(sys.stderr, clock=time.monotonic)
    try:
        # The target is not so much as created before the source has turned out to be one.
        async with open_site(source.url, journal=source.journal, exclusive=True) as here:
            found = await survey(here)
            async with open_storage(target.url, journal=target.journal, exclusive=True, limits=PATIENT) as there:
                name = site_name(source.url, journal=source.journal)
                totals = await copy_site(here, there, name=name, survey=found, progress=progress)
    finally:
        progress.end()
    sys.stdout.write(
        f"copied and verified: {totals.users} users, {totals.rooms} rooms, {totals.entries} entries, "
        f"{totals.messages} messages, {totals.members} members, {totals.items} items"
        f"{''.join(f', {count} {name}' for name, count in totals.of_accounts.items())}\n"
    )
    return OK

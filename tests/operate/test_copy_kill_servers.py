"""A copy from and to database servers is killed at random moments, and gone on with until it is done: `make soak`.

A real process, `kill -9`, and two stores that are compared record by record through their ports. What the killed
process had sent to a server, the server may go on with.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.facts import COPYING
from tests.faults.seeds import seed_of
from tests.operate.sites import Everything, everything, make_small_rooms, tell_a_site
from tests.storage.contract.backends import open_stores, ram_folder
from tests.storage.mongo import server as mongo
from tests.storage.postgres import server as postgres

pytestmark = [pytest.mark.real_clock, pytest.mark.soak]

PATIENCE_SECONDS = 180.0
KILLS = 15


def flags(kind: str, folder: Path, url: str, journal: str) -> list[str]:
    """Name a store on the command line."""
    if kind == "sqlite":
        return [f"{url}=sqlite:///{folder}/chat.db"]
    found = [f"{url}={postgres.shared_database()}"]
    return [*found, f"{journal}={mongo.shared_database()}"] if "mongo" in kind else found


def copy(argv: list[str], *, seconds: float) -> tuple[int, str, str]:
    """Copy, and be killed after so many seconds; return the exit code and what was said."""
    command = [sys.executable, "-m", "justchat", "copy", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        out, err = process.communicate()
    return process.returncode, out, err


async def contents(kind: str, folder: Path) -> tuple[Everything, str | None]:
    """Read all that a store holds, and the mark of half a copy."""
    async with open_stores(kind, folder) as site:
        return await everything(site), await site.directory.fact(COPYING)


async def begin_anew(kind: str, folder: Path) -> None:
    """Put an empty store in the place of this one."""
    for name in ("postgres", "mongo", "chat.db", "chat.db-wal", "chat.db-shm"):
        (folder / name).unlink(missing_ok=True)
    async with open_stores(kind, folder):
        pass


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite", "postgres"),
        ("sqlite", "postgres+mongo"),
        ("postgres", "sqlite"),
        ("postgres+mongo", "sqlite"),
    ],
)
async def test_a_copy_that_is_killed_again_and_again_ends_as_its_source(source: str, target: str) -> None:
    """Not a record is lost, doubled or changed, and until the very end the target is marked as half a copy."""
    choice = random.Random(seed_of(f"copy kills {source} {target}"))
    with ram_folder() as here, ram_folder() as there:
        async with open_stores(source, here) as site:
            talked = await tell_a_site(site, big="mongo" not in source + target)
            await make_small_rooms(talked.world, rooms=8, posts=6)
        async with open_stores(target, there):
            pass  # empty
        argv = [*flags(source, here, "--from", "--from-journal"), *flags(target, there, "--to", "--journal")]
        whole, _ = await contents(source, here)
        longest, died = 3.0, 0
        for _ in range(KILLS):
            began = time.monotonic()
            code, _, err = copy(argv, seconds=choice.uniform(0.3, longest))
            died += code < 0
            if code == 0:
                longest = time.monotonic() - began
                assert (await contents(target, there))[0] == whole
                await begin_anew(target, there)
            elif code > 0:
                assert "in use" in err  # by what the server has not noticed the end of yet
            else:
                held, mark = await contents(target, there)
                if mark is None and held.entries:
                    # It had done all there was to do, and was killed before it could say so.
                    assert held == whole
                    await begin_anew(target, there)
        assert died >= KILLS // 3, "the kills came too late to hit anything"
        code, out, err = copy(argv, seconds=PATIENCE_SECONDS)
        print(f"copy kills: {source} to {target} planned={KILLS} died={died} {out.strip()}")
        assert (code, err) == (0, "")
        assert await contents(target, there) == (whole, None)

"""Servers that break one promise each are caught by the figure that names it, and the honest one is not.

All of them go through one scenario, in which each fault has its opportunity: somebody is away while others talk, the
server is killed at the first sign of a message, and everybody repeats everything in the end.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.api import api_of
from tests.faults.broken.serving import SLOW
from tests.faults.checker import Answered, Delivered, Posted, Report
from tests.faults.load import PATIENCE_SECONDS, Cast, Crowd, cast, gather, on_asyncio
from tests.faults.speaker import Speaker
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

HONEST = "tests.faults.broken.honest"
FAULTS = {
    "ack_before_commit": "lost_acked",
    "broadcast_before_commit": "phantom",
    "no_dedupe": "dup_history",
    "resume_skips_one": "gaps",
    "resume_repeats_one": "dup_delivery",
}


async def scenario(server: ServerProcess, cast: Cast) -> Report:
    """Give every fault its opportunity, in steps that wait for each other."""
    async with gather(server, cast, seed=0) as crowd:
        await everybody_posts(crowd, 5)
        await somebody_misses_something(crowd)
        await kill_at_the_first_sign(crowd)
        await everybody_posts(crowd, 3)
        await everybody_repeats_everything(crowd)
        return await crowd.judge()


async def everybody_posts(crowd: Crowd, count: int) -> None:
    room = crowd.cast.rooms[0]
    for number in range(count):
        for speaker in crowd.speakers:
            await answered(speaker.post(room, f"{number}", client_msg_id=f"p{crowd.acks}"))


async def somebody_misses_something(crowd: Crowd) -> None:
    absent, *present = crowd.speakers
    absent.stay_away()
    assert await crowd.until(lambda: not absent.connected)
    for number in range(4):
        await answered(present[0].post(crowd.cast.rooms[0], f"{number}", client_msg_id=f"missed{number}"))
    absent.come_back()
    assert await crowd.until(lambda: absent.connected and absent.caught_up)


async def kill_at_the_first_sign(crowd: Crowd) -> None:
    """Kill as soon as anybody is told of a message: by its ack, or by the event."""
    author = crowd.speakers[0]
    pending = author.post(crowd.cast.rooms[0], f"{SLOW} and never seen again?", client_msg_id="slow")
    assert await crowd.until(lambda: pending.done() or any(map(saw_slow_one, crowd.speakers)))
    await crowd.kill()
    # Not repeated: what becomes of it is the server's doing alone.
    pending.cancel()
    await asyncio.to_thread(crowd.server.start)
    assert await crowd.until(lambda: all(speaker.connected and speaker.caught_up for speaker in crowd.speakers))


def saw_slow_one(speaker: Speaker) -> bool:
    return any(record.item.client_msg_id == "slow" for record in speaker.log.of(Delivered))


async def everybody_repeats_everything(crowd: Crowd) -> None:
    """Post again what was acked before, on a new connection: allowed, and harmless by contract."""
    for speaker in crowd.speakers:
        speaker.cut()
        posts = {post.client_msg_id: post for post in speaker.log.of(Posted) if post.client_msg_id != "slow"}
        for post in posts.values():
            await answered(speaker.post(post.room, post.body, client_msg_id=post.client_msg_id))


async def answered(answer: asyncio.Future[Answered]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await answer).code == ""


def judged(folder: Path, module: str) -> Report:
    with running_server(folder, module=module, profile="loadtest", log_level="warning") as server:
        with api_of(server) as api:
            three = cast(api, people=3, rooms=1)
        report = on_asyncio(scenario(server, three))
    print(f"{module}: {report}")
    return report


def test_the_honest_server_goes_through_the_scenario_without_a_violation(tmp_path: Path) -> None:
    """The same steps as for the broken ones; and they were steps that could have shown something."""
    report = judged(tmp_path, HONEST)
    assert report.violations == {}
    assert report.resumes >= 4
    assert report.acks >= 3 * 5 + 4 + 3 * 3


@pytest.mark.parametrize(("name", "figure"), FAULTS.items())
def test_a_broken_server_is_caught_by_the_figure_that_names_its_fault(tmp_path: Path, name: str, figure: str) -> None:
    """A checker that lets one of these pass would let it pass in the kill test as well."""
    assert figure in judged(tmp_path, f"tests.faults.broken.{name}").violations

"""One client_msg_id is one message, however often, by whichever way and across whatever it is sent.

Each id is sent one to five times at once, over two sockets and REST at random, while the server is killed now and then
around a commit; every answer names the same place, and history holds it once. Another body under a used id is refused.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

import pytest
from msgspec import Struct

from tests.faults.api import api_of
from tests.faults.checker import MISMATCH, Answered, Report
from tests.faults.load import PATIENCE_SECONDS, Cast, Crowd, cast, gather, on_asyncio
from tests.faults.rest_poster import RestPoster
from tests.faults.seeds import seed_of
from tests.faults.speaker import Speaker
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

BATCH = 25
# Where the server dies: after the first two, what was stored was not told to whoever sent it.
POINTS = ("after_commit", "after_fan_out", "before_commit")


class Copies(Struct):
    """What the copies of one id were answered, and whether they all carried the same body."""

    answers: list[Answered]
    rivals: bool


class Outcome(Struct):
    """What a run brought."""

    report: Report
    copies: list[Copies]
    late_answers: list[Answered]
    """Answers to another body, sent when the id had long been used."""


class Sending:
    """The three ways of one user into one server."""

    def __init__(self, crowd: Crowd, rest: RestPoster, *, seed: int) -> None:
        self.crowd = crowd
        self.choice = random.Random(seed)
        self.room = crowd.cast.rooms[0]
        self.ways: list[Speaker | RestPoster] = [*crowd.speakers, rest]
        self.used: list[str] = []

    def send(self, client_msg_id: str, body: str) -> Awaitable[Answered]:
        way = self.choice.choice(self.ways)
        return asyncio.ensure_future(way.post(self.room, body, client_msg_id=client_msg_id))

    async def copies(self) -> Copies:
        """Send a new id one to five times at once; one id in ten with two bodies that race."""
        client_msg_id = f"once{len(self.used)}"
        self.used.append(client_msg_id)
        rivals = self.choice.random() < 0.1
        bodies = ["this", "that"] if rivals else ["this"]
        count = self.choice.randint(len(bodies), 5)
        sent = [self.send(client_msg_id, bodies[number % len(bodies)]) for number in range(count)]
        return Copies(await asyncio.gather(*sent), rivals)

    async def batch(self, count: int) -> list[Copies]:
        # The server may have to start again meanwhile.
        async with asyncio.timeout(3 * PATIENCE_SECONDS):
            return await asyncio.gather(*(self.copies() for _ in range(count)))

    async def batch_across_a_kill(self, count: int, folder: Path, point: str) -> list[Copies]:
        batch = asyncio.create_task(self.batch(count))
        await self.crowd.die_at(folder, point)
        await asyncio.to_thread(self.crowd.server.start)
        return await batch

    async def another_body(self) -> Answered:
        """Send something else under an id that was used at any time before."""
        return await self.send(self.choice.choice(self.used), "something else")


async def send_again_and_again(
    server: ServerProcess, cast: Cast, folder: Path, *, ids: int, kills: int, seed: int
) -> Outcome:
    """Send so many ids in batches, with so many kills spread over them."""
    batches = -(-ids // BATCH)
    points = {(number + 1) * batches // (kills + 1): POINTS[number % len(POINTS)] for number in range(kills)}
    copies: list[Copies] = []
    late: list[Answered] = []
    async with gather(server, cast, seed=seed) as crowd, RestPoster(server, cast.people[0]) as rest:
        sending = Sending(crowd, rest, seed=seed)
        for number in range(batches):
            count = min(BATCH, ids - number * BATCH)
            if number in points:
                copies += await sending.batch_across_a_kill(count, folder, points[number])
            else:
                copies += await sending.batch(count)
            late.append(await sending.another_body())
        return Outcome(await crowd.judge(rest.log), copies, late)


def run(folder: Path, *, ids: int, kills: int, name: str) -> Outcome:
    seed = seed_of(name)
    settings = {"profile": "loadtest", "log_level": "warning"}
    with running_server(folder, module="tests.faults.dying_server", **settings) as server:
        with api_of(server) as api:
            alone = cast(api, people=1, rooms=1)
        twice = Cast(alone.people * 2, alone.rooms)
        outcome = on_asyncio(send_again_and_again(server, twice, folder, ids=ids, kills=kills, seed=seed))
    answers = [answer for each in outcome.copies for answer in each.answers]
    print(f"{name}: {outcome.report}")
    print(
        f"{name}: ids={len(outcome.copies)} kills={kills} answers={len(answers)} "
        f"repeated={sum(answer.duplicate for answer in answers)} refused={sum(bool(answer.code) for answer in answers)}"
    )
    return outcome


def expect_one_message_for_each(outcome: Outcome) -> None:
    """Every answer of an id names one place, or is the refusal of the body that came second."""
    assert outcome.report.violations == {}
    for copies in outcome.copies:
        accepted = [answer for answer in copies.answers if not answer.code]
        assert len({(answer.seq, answer.message_id) for answer in accepted}) == 1
        assert sum(not answer.duplicate for answer in accepted) <= 1
        refused = Counter(answer.code for answer in copies.answers if answer.code)
        assert set(refused) == ({MISMATCH} if copies.rivals else set())
    places = [{answer.seq for answer in copies.answers if not answer.code} for copies in outcome.copies]
    assert len(set.union(*places)) == len(outcome.copies), "two ids, one message"
    assert {answer.code for answer in outcome.late_answers} == {MISMATCH}


def test_an_id_sent_up_to_five_times_at_once_is_one_message(tmp_path: Path) -> None:
    """300 ids over two sockets and REST, across two kills."""
    outcome = run(tmp_path, ids=300, kills=2, name="idempotency")
    expect_one_message_for_each(outcome)
    assert outcome.report.acks == 300
    assert outcome.report.kills_in_flight == 2
    assert outcome.report.recovered >= 2


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_five_thousand_ids_are_five_thousand_messages(tmp_path: Path) -> None:
    """The full length: 5,000 ids, 20 kills."""
    outcome = run(tmp_path, ids=5_000, kills=20, name="idempotency soak")
    expect_one_message_for_each(outcome)
    assert outcome.report.acks == 5_000
    assert outcome.report.kills_in_flight == 20
    assert outcome.report.recovered >= 14

"""A thousand people in one room: how soon what one of them says is with the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.crowd import CrowdSize, Load, crowd, doubts_about_round
from bench.target import justchat_target

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

CLIENTS = 1000
GOAL_MS = 50.0
TRIES = 16


def test_what_one_says_is_with_a_thousand_others_within_fifty_milliseconds(tmp_path: Path) -> None:
    """Of those that look at the time, spread over the order of joining, 99 of 100; and everybody gets everything once.

    One good stretch is enough: what else runs on this machine holds up some of them. Where it held up all of them, the
    time that the server itself worked for a message must be within the goal, for nobody else's is in that.
    """
    with (
        justchat_target(tmp_path, "--sockets-per-user", "100000") as target,
        crowd(target, CrowdSize(CLIENTS, sampled=20, senders=4)) as clients,
    ):
        rounds: list[dict[str, float]] = []
        while not any(each["delivery_p99_ms"] < GOAL_MS for each in rounds) and len(rounds) < TRIES:
            found = clients.play(Load(rate=5.0, seconds=2.0, body_bytes=100))
            assert found.gapless, found.story
            assert found.receivers == CLIENTS
            rounds.append(found.figures())
        print(rounds[-1])
        if rounds[-1]["delivery_p99_ms"] >= GOAL_MS:
            assert all(doubts_about_round(each) for each in rounds), rounds
            assert min(each["cpu_us_per_delivery"] for each in rounds) * CLIENTS / 1000 < GOAL_MS, rounds

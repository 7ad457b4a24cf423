"""A thousand people in one room: how soon what one of them says is with the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.crowd import CrowdSize, Load, crowd
from bench.target import justchat_target

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

CLIENTS = 1000
GOAL_MS = 50.0
TRIES = 8


def test_what_one_says_is_with_a_thousand_others_within_fifty_milliseconds(tmp_path: Path) -> None:
    """Of those that look at the time, spread over the order of joining, 99 of 100; and everybody gets everything once.

    One good stretch is enough: what else runs on this machine holds up some of them.
    """
    with (
        justchat_target(tmp_path, "--sockets-per-user", "100000") as target,
        crowd(target, CrowdSize(CLIENTS, sampled=20, senders=4)) as clients,
    ):
        p99s: list[float] = []
        while min(p99s, default=GOAL_MS) >= GOAL_MS and len(p99s) < TRIES:
            found = clients.play(Load(rate=5.0, seconds=2.0, body_bytes=100))
            assert found.gapless, found.story
            assert found.receivers == CLIENTS
            p99s.append(found.figures()["delivery_p99_ms"])
        assert min(p99s) < GOAL_MS, p99s
        print(p99s, found.figures())

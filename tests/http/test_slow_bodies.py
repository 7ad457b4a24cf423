"""Requests whose body comes slowly: who was let in at the head is let in again at the end, or not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.http.people import Crowd, open_crowd

pytestmark = pytest.mark.real_clock

ROOM = {"kind": "group", "name": "Room"}
SLOWLY = 0.6
"""Seconds; longer than a body may take that is as good as there."""


@asynccontextmanager
async def half_sent(crowd: Crowd, caller: str, path: str, body: object) -> AsyncIterator[list[Any]]:
    """Send a POST's head and the beginning of its body, and on leaving the rest; its answer is in the list then."""
    answers: list[Any] = []
    headers = {"Authorization": f"Bearer {crowd.office._tokens[caller]}", "Content-Type": "application/json"}
    sent = json.dumps(body).encode()
    async with crowd.office._client.request(f"/api/v1{path}", method="POST", headers=headers) as connection:
        await connection.send(sent[:5])
        await trio.sleep(SLOWLY)
        yield answers
        await connection.send(sent[5:])
        await connection.send_complete()
    answers.append(await connection.as_response())


def deleted(crowd: Crowd) -> None:
    crowd.alter("owner", state="leaving", disabled=True)


def disabled(crowd: Crowd) -> None:
    crowd.disable("owner")


def made_a_guest(crowd: Crowd) -> None:
    crowd.alter("owner", role="guest")


@pytest.mark.parametrize(("put_out", "status"), [(deleted, 401), (disabled, 401), (made_a_guest, 403)])
async def test_who_is_put_out_before_the_body_is_there_does_nothing_more(
    put_out: Callable[[Crowd], None], status: int
) -> None:
    """No room is made in the name of somebody who has no account any more, and none by who may not."""
    async with open_crowd() as crowd:
        async with half_sent(crowd, "owner", "/rooms", ROOM) as answers:
            put_out(crowd)
        assert answers[0].status_code == status
        assert not [room for room in crowd.office.store.rooms.values() if room.name == "Room"]


async def test_a_slow_body_of_who_is_still_let_in_is_as_good_as_a_fast_one() -> None:
    """It is counted once, too."""
    async with open_crowd(write_rate=60) as crowd:
        async with half_sent(crowd, "owner", "/rooms", ROOM) as answers:
            pass
        assert answers[0].status_code == 201
        assert answers[0].headers["RateLimit"].startswith('"write";r=59')

"""A seeded generator of hostile connections, for any server that speaks HTTP/1.1 and WebSocket on one port.

Every connection is of one kind and draws all its choices from its own random generator, so that a seed and a number
name it for ever. An attack opens many of them at once and counts what came back; it holds no opinion about what is
right except one: where a server must cut a connection, `overstayed` counts those that were still open when patience
ended.
"""

from __future__ import annotations

import random

import trio

from tests.support.hostile_kinds import KINDS, Attacker, Counters, Target

__all__ = ["KINDS", "Counters", "Target", "attack"]


async def attack(
    port: int,
    *,
    seed: int,
    count: int,
    target: Target | None = None,
    at_once: int = 50,
    patience_seconds: float = 3.0,
) -> Counters:
    """Open `count` hostile connections to this port of the loopback, at most `at_once` together, each kind in turn.

    `patience_seconds` must exceed the server's deadlines for heads, bodies and closing handshakes.
    """
    counters = Counters(seed)
    names = sorted(KINDS)
    room = trio.CapacityLimiter(at_once)

    async def one(number: int) -> None:
        kind = names[number % len(names)]
        async with room:
            await _one(port, kind, random.Random(f"{seed}/{number}"), target or Target(), counters, patience_seconds)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return counters


async def _one(
    port: int, kind: str, choice: random.Random, target: Target, counters: Counters, patience_seconds: float
) -> None:
    counters.tried[kind] += 1
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        counters.unreachable += 1
        return
    async with stream:
        attacker = Attacker(stream, choice, target, counters)
        try:
            with trio.move_on_after(patience_seconds * 2) as scope:
                must_end = await KINDS[kind](attacker)
                if must_end and not await attacker.read(patience_seconds):
                    counters.overstayed[kind] += 1
            if scope.cancelled_caught:
                counters.overstayed[kind] += 1
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # The server has cut the connection, which is an answer.

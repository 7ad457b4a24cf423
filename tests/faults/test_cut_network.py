"""Clients behind a bad network: whatever it does to their connections, nothing is missed, lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from tests.faults.conversation import Cast, Conversation
from tests.faults.lossy_proxy import LossyProxy, Network
from tests.faults.rig import Rig, plain_rig
from tests.faults.seeds import seed_of

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

HEARTBEAT_SECONDS, PONG_SECONDS = 1.0, 1.0
# For those who vanish with something still on its way to them: nobody can tell them from slow readers.
STALL_SECONDS = 2.0
CLIENT_PATIENCE_SECONDS = 0.7
# Once the network is well, a client that waits in vain is one that the machine keeps waiting.
CALM_PATIENCE_SECONDS = 10.0
NOTICED_SECONDS = 30.0


class Size(Struct, frozen=True):
    """How many connections must have gone through the bad network, and who uses them."""

    sessions: int
    cast: Cast
    network: Network


SHORT = Size(30, Cast(rooms=2, senders=3, followers=4, rate=40, padding=200), Network(bytes_most=20_000))
FULL = Size(
    500,
    Cast(rooms=3, senders=5, followers=8, rate=30, padding=200),
    Network(delay_most=0.5, stall_seconds=2.0, bytes_most=100_000),
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A server that notices soon when a client has vanished."""
    settings = {"heartbeat_seconds": HEARTBEAT_SECONDS, "pong_seconds": PONG_SECONDS, "stall_seconds": STALL_SECONDS}
    with plain_rig(tmp_path, profile="loadtest", **settings) as rig:
        yield rig


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_clients_behind_a_bad_network_miss_nothing_and_repeat_nothing(rig: Rig, size: Size) -> None:
    """T10: 0 lost, 0 duplicates, 0 gaps; every post is accounted for; vanished clients are noticed in time."""
    seed = seed_of("cut network")
    proxy = LossyProxy(rig.port, size.network, seed=seed)
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.run)
        talk = Conversation(rig.api, proxy.port, size.cast, seed=seed)
        for sender in talk.senders:
            sender.answer_seconds, sender.trusts_network = CLIENT_PATIENCE_SECONDS * 2, False
        for follower in talk.followers:
            follower.silence_seconds = CLIENT_PATIENCE_SECONDS
        async with talk.going_on():
            while proxy.sessions < size.sessions or not _all_seen(proxy, talk):  # noqa: ASYNC110 - the clients do the work
                await trio.sleep(0.05)
            proxy.calm = True
            for sender in talk.senders:
                sender.answer_seconds = CALM_PATIENCE_SECONDS
            for follower in talk.followers:
                follower.silence_seconds = CALM_PATIENCE_SECONDS
        vanished = rig.api.actors()["connections"]["websockets"]
        noticed = await _until_nobody_is_there(rig)
        nursery.cancel_scope.cancel()
    verdict = talk.verdict()
    resumes = sum(follower.resumes for follower in talk.followers)
    cut = sum(follower.cut_in_a_frame for follower in talk.followers)
    given_up = sum(sender.given_up for sender in talk.senders)
    print(
        f"  sessions={proxy.sessions} ends={dict(proxy.ends)} stalls={proxy.stalls} resumes={resumes}"
        f" cut_in_a_frame={cut} given_up={given_up} vanished={vanished} noticed_after_s={noticed:.1f}"
    )
    assert verdict.clean(), verdict
    assert min(proxy.ends["cut"], proxy.ends["reset"], proxy.ends["half_open"], proxy.stalls) > 0
    assert min(resumes, cut, verdict.acked, verdict.delivered) > 0


def _all_seen(proxy: LossyProxy, talk: Conversation) -> bool:
    """Tell whether the network has done each of its tricks, and a follower was cut off in the middle of a frame."""
    tricks = (proxy.ends["cut"], proxy.ends["reset"], proxy.ends["half_open"], proxy.stalls)
    cut = sum(follower.cut_in_a_frame for follower in talk.followers)
    return min(*tricks, cut, sum(follower.resumes for follower in talk.followers)) > 0


async def _until_nobody_is_there(rig: Rig) -> float:
    """Wait until the server has given up on every vanished client, and give the seconds; nobody else would end them."""
    began = trio.current_time()
    with trio.fail_after(NOTICED_SECONDS):
        while rig.api.actors()["connections"]["websockets"]:  # noqa: ASYNC110 - the server is another process
            await trio.sleep(0.05)
    return trio.current_time() - began

"""Rooms that crash under load: nobody's socket closes, nothing is lost, and a hopeless room harms only itself."""

from __future__ import annotations

import random
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec import Struct

from justchat.rooms.room_actor import FAULT_POINTS
from tests.faults.api import Api
from tests.faults.conversation import Cast, Conversation
from tests.faults.follower import Follower
from tests.faults.participant import Participant
from tests.faults.rig import Rig, faulty_rig
from tests.faults.seeds import seed_of
from tests.faults.switches import POISON

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

PROBE_SECONDS = 1.0
# Of a room, held up by a test that a slow machine holds up in turn.
ASK_SECONDS = 120
INTENSITY = 2


class Storm(Struct, frozen=True):
    """How long and how hard rooms crash; each round has new rooms, so that no back-off grows long."""

    rounds: int
    seconds: float
    every_seconds: float
    crashes_at_most: int
    cast: Cast


# Who is hit at least so often a round; and by when a room is back, which takes a fraction of a second.
CRASHES = 10
ACKS = 100
SHORT_P95_SECONDS = 15.0
FULL_P95_SECONDS = 0.25

SHORT = Storm(1, 3.0, 0.12, 3, Cast(rooms=10, senders=6, followers=4, rate=40))
FULL = Storm(50, 4.0, 0.12, 2, Cast(rooms=20, senders=8, followers=5, rate=40))


@pytest.mark.parametrize(
    "storm",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_rooms_that_crash_under_load_lose_nothing_and_close_no_socket(tmp_path: Path, storm: Storm) -> None:
    """T6: crashes at random fault points; 0 lost, 0 duplicates, 0 gaps, every post answered, 0 closes."""
    seed = seed_of("room crashes")
    restarts: list[float] = []
    longest = crashes = 0.0
    with faulty_rig(tmp_path, restart_intensity=1000) as rig:
        api, switches = rig.api, rig.switches
        for number in range(storm.rounds):
            talk = Conversation(api, rig.port, storm.cast, seed=seed + number)
            async with talk.going_on():
                switches.storm(seed + number, every_seconds=storm.every_seconds, rooms_at_most=storm.crashes_at_most)
                await trio.sleep(storm.seconds)
                await _until_enough(rig, talk)
                switches.calm()
            verdict = talk.verdict()
            health = [await _until_state(api, room, "running") for room in talk.rooms]
            crashes += sum(room["restarts"] for room in health)
            restarts += _restart_seconds(api, talk.rooms)
            longest = max(longest, *(follower.longest_gap_seconds for follower in talk.followers))
            assert verdict.clean(), verdict
            assert not talk.closes
            assert verdict.acked > ACKS
    points = _points(rig)
    p95 = statistics.quantiles(restarts, n=20)[-1]
    print(f"  crashes={crashes:.0f} points={dict(points)} restart_p95_ms={p95 * 1000:.0f} longest_gap_s={longest:.2f}")
    assert crashes >= CRASHES * storm.rounds
    assert points.keys() == set(FAULT_POINTS)
    assert p95 < (FULL_P95_SECONDS if storm is FULL else SHORT_P95_SECONDS)


def _points(rig: Rig) -> Counter[str]:
    return Counter(re.findall(r"Planted: storm at (\w+)", rig.server.log))


async def _until_enough(rig: Rig, talk: Conversation) -> None:
    """Wait until rooms have crashed often enough, at each point, while there was something to lose."""
    with trio.fail_after(60):
        while sum(len(sender.acks) for sender in talk.senders) <= ACKS:  # noqa: ASYNC110 - they are other tasks of ours
            await trio.sleep(0.05)
        while _points(rig).keys() != set(FAULT_POINTS) or await _crashes(rig, talk.rooms) < CRASHES:  # noqa: ASYNC110
            await trio.sleep(0.05)


async def _crashes(rig: Rig, rooms: list[str]) -> int:
    return sum([(await rig.api.acall(None, "GET", f"/health/rooms/{room}"))["restarts"] for room in rooms])


def _restart_seconds(api: Api, rooms: list[str]) -> list[float]:
    """From crash to first take, back-off included, the latest of each room."""
    names = {f"room {room}" for room in rooms}
    children = [child for child in api.actors()["actors"] if child["name"] in names]
    return [child["last_restart_seconds"] for child in children if child["last_restart_seconds"] is not None]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server with little patience for rooms that crash."""
    settings = {"restart_intensity": INTENSITY, "probe_seconds": PROBE_SECONDS, "ask_seconds": ASK_SECONDS}
    with faulty_rig(tmp_path_factory.mktemp("server"), **settings) as rig:
        yield rig


async def _post(line: Participant, room: str, body: str, client_msg_id: str) -> tuple[dict[str, Any], float]:
    """Post, and give the answer and the seconds it took."""
    began = trio.current_time()
    answer = await line.ask("send", room=room, data={"client_msg_id": client_msg_id, "body": body})
    return answer, trio.current_time() - began


async def _until_state(api: Api, room: str, state: str) -> dict[str, Any]:
    return await api.until_room(room, lambda health: health["state"] == state)


async def _park(rig: Rig, line: Participant, room: str) -> None:
    """Have a room crash until its supervisor gives up."""
    rig.switches.crash_at(room, "loading")
    rig.switches.crash_once_at(room, "before_commit")
    answer, _ = await _post(line, room, "the last straw", "straw")
    assert answer["data"]["code"] == "room_unavailable", answer
    await _until_state(rig.api, room, "parked")


async def test_a_crash_loop_parks_only_its_own_room_and_a_probe_brings_it_back(rig: Rig) -> None:
    """T8: parked rooms refuse at once, the others serve, and the half-open probe finds the room mended."""
    api, switches = rig.api, rig.switches
    ann = api.person()
    broken, sound = api.room(ann), api.room(ann)
    choice = random.Random(seed_of("crash loop"))
    follower = Follower(rig.port, ann.token, [broken, sound], choice=choice)
    async with trio.open_nursery() as nursery:
        await nursery.start(follower.run)
        line = await Participant.greeted(rig.port, ann.token)
        await _post(line, broken, "before", "b0")
        await _park(rig, line, broken)
        refused = [await _post(line, broken, "anybody?", f"b{number}") for number in range(1, 8)]
        served = [await _post(line, sound, "we are well", f"s{number}") for number in range(7)]
        assert {answer["data"]["code"] for answer, _ in refused} == {"room_unavailable"}
        assert all(answer["data"]["retry_after"] > 0 for answer, _ in refused)
        assert {answer["type"] for answer, _ in served} == {"ack"}
        await _failed_probe(api, broken)
        again, _ = await _post(line, broken, "anybody now?", "b8")
        assert again["data"]["code"] == "room_unavailable"
        switches.mend(broken)
        answer = await _until_taken(line, broken)
        await _until_read(follower, broken, answer["seq"])
        await _until_read(follower, sound, served[-1][0]["seq"])
        nursery.cancel_scope.cancel()
        line.drop()
    slowest = max(seconds for _, seconds in refused)
    typical = statistics.median(seconds for _, seconds in refused)
    print(f"  refused_ms median={typical * 1000:.1f} max={slowest * 1000:.1f}")
    # It takes a millisecond or two; whoever waits for the room waits for as long as a question may take.
    assert typical < 1.0
    assert not follower.closes
    assert [given.seq for given in follower.readings[broken].given] == list(range(2, answer["seq"] + 1))
    assert follower.readings[sound].last == served[-1][0]["seq"]


async def _failed_probe(api: Api, room: str) -> None:
    """Wait for a probe that finds the room still broken."""
    before = api.room_health(room)["restarts"]
    await api.until_room(room, lambda health: health["restarts"] > before)
    await _until_state(api, room, "parked")


async def _until_taken(line: Participant, room: str) -> dict[str, Any]:
    """Post until a probe has found the room mended, and give the ack; a probe may have been under way until then."""
    with trio.fail_after(30):
        while (answer := (await _post(line, room, "anybody?", "b1"))[0])["type"] != "ack":
            assert answer["data"]["code"] == "room_unavailable", answer
            await trio.sleep(0.05)
    return answer


async def _until_read(follower: Follower, room: str, seq: int) -> None:
    with trio.fail_after(30):
        while follower.readings[room].last < seq:  # noqa: ASYNC110 - its reader is another task of ours
            await trio.sleep(0.01)


async def test_poison_is_quarantined_and_its_neighbours_are_served(rig: Rig) -> None:
    """A post that always crashes its room is answered `internal`; what was queued around it is committed, in order."""
    api, switches = rig.api, rig.switches
    ann = api.person()
    room = api.room(ann)
    lines = [await Participant.greeted(rig.port, ann.token) for _ in range(3)]
    switches.stall(room)
    asked = []
    for number in range(30):
        body = f"{POISON} {number}" if number == 15 else f"good {number}"
        data = {"client_msg_id": f"m{number}", "body": body}
        line = lines[number % 3]
        asked.append((line, await line.say("send", room=room, data=data)))
    await api.until_received(room, 31)
    switches.release(room)
    answers = [await line.until("ack", "error", frame_id=frame_id) for line, frame_id in asked]
    assert answers[15]["data"]["code"] == "internal", answers[15]
    assert [answer["type"] for answer in answers].count("ack") == 29
    health = api.room_health(room)
    print(f"  restarts={health['restarts']} quarantined={health['quarantined']} last_error={health['last_error']}")
    assert (health["state"], health["quarantined"], health["restarts"]) == ("running", 1, 2)
    history = api.history(ann, room)
    assert {event["data"].get("client_msg_id") for event in history[1:]} == {f"m{n}" for n in range(30)} - {"m15"}
    assert [event["seq"] for event in history] == list(range(1, 31))
    for line in lines:
        line.drop()


async def test_a_parked_room_does_not_hold_up_the_catch_up_of_others(tmp_path: Path) -> None:
    """One reader lags in two rooms; one of them is parked for long, and the other is caught up with all the same."""
    with faulty_rig(tmp_path, restart_intensity=INTENSITY, probe_seconds=3600, outbox_items=32) as rig:
        ann = rig.api.person()
        broken, sound = rig.api.room(ann), rig.api.room(ann)
        slow = await Participant.greeted(rig.port, ann.token, receive_bytes=4096)
        line = await Participant.greeted(rig.port, ann.token)
        for room in (broken, sound):
            await slow.subscribe(room, history=0)
        await _make_lag(rig.api, line, broken, sound)
        await _park(rig, line, broken)
        began = trio.current_time()
        while (frame := await slow.until("caught_up"))["room"] != sound:
            pass
        seconds = trio.current_time() - began
        print(f"  caught_up={frame['data']['seq']} after_s={seconds:.2f}")
        slow.drop()
        line.drop()


async def _make_lag(api: Api, line: Participant, *rooms: str) -> None:
    """Post to rooms until their one slow subscriber lags in all of them."""
    for number in range(1000):
        for room in rooms:
            answer, _ = await _post(line, room, f"{number} " + "x" * 3900, f"lag{number}")
            assert answer["type"] == "ack", answer
        if number % 10 == 9 and all(api.room_health(room)["lagging"] for room in rooms):
            return
    raise AssertionError("a subscriber that reads nothing never lagged")

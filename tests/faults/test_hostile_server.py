"""A whole server under hostile connections, poisonous JSON and people who come and go: nothing of them stays."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

from bench.frames import client_frame
from tests.faults.api import Person
from tests.faults.participant import Frame, Gone, Participant
from tests.faults.poison import poison
from tests.faults.process_facts import ProcessFacts, look_at
from tests.faults.rig import Rig, plain_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender
from tests.support.hostile import KINDS, Target, attack

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

# How long the server waits for what it is owed: soon, but not so soon that a pause of the machine makes honest people
# look like the others, nor one of our own connections be taken up again as it closes.
SERVER_SECONDS = 3.0
PATIENCE_SECONDS = 20.0
# More than a thread that nobody needs stays alive.
SETTLE_SECONDS = 40.0
SHORT_GROWTH_KIB = 60 * 1024
FULL_GROWTH_KIB = 20 * 1024


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The product's own server, with little patience, so that what hangs is noticed soon."""
    settings = {
        "head_seconds": SERVER_SECONDS,
        "keep_alive_seconds": SERVER_SECONDS,
        "body_read_seconds": SERVER_SECONDS,
        "send_seconds": SERVER_SECONDS,
        "hello_seconds": SERVER_SECONDS,
        "room_idle_seconds": 1,
    }
    with plain_rig(tmp_path_factory.mktemp("server"), profile="loadtest", **settings) as rig:
        yield rig


async def _converse(rig: Rig) -> tuple[Person, str]:
    """Require that ordinary people are served over REST and WebSocket."""
    ann, bob = rig.api.people(2)
    room = rig.api.room(ann, bob)
    listening = await Participant.greeted(rig.port, bob.token)
    await listening.subscribe(room, history=0)
    talking = await Participant.greeted(rig.port, ann.token)
    ack = await talking.ask("send", room=room, data={"client_msg_id": "hello", "body": "hello"})
    assert (await listening.until("message.created"))["seq"] == ack["seq"]
    assert rig.api.history(bob, room)[-1]["data"]["body"] == "hello"
    for line in (listening, talking):
        line.drop()
    return ann, room


async def _quiet(rig: Rig, wanted: Callable[[ProcessFacts, int], bool]) -> ProcessFacts:
    """Wait until the server holds no more than wanted: its files, its threads and its WebSockets."""
    with trio.move_on_after(SETTLE_SECONDS):
        while not wanted(facts := look_at(rig.server.pid), _websockets(rig)):
            # Our own kept connections are not to be counted.
            rig.api.close_idle()
            await trio.sleep(0.1)
        return facts
    raise AssertionError(f"left behind: {look_at(rig.server.pid)} websockets={_websockets(rig)}")


def _websockets(rig: Rig) -> int:
    return int(rig.api.actors()["connections"]["websockets"])


async def _baseline(rig: Rig) -> ProcessFacts:
    """Give what the server holds when it has served a little and nobody is there."""
    await _converse(rig)
    rig.api.close_idle()
    return await _quiet(rig, lambda _, websockets: websockets == 0)


async def _as_before(rig: Rig, before: ProcessFacts, *, growth_kib: int) -> None:
    """Require that the server is as it was: alive, empty, unharmed."""
    after = await _quiet(
        rig,
        lambda facts, websockets: (
            websockets == 0 and facts.open_files <= before.open_files and facts.threads <= before.threads
        ),
    )
    grown = after.resident_kib - before.resident_kib
    supervisor = rig.api.actors()["supervisor"]
    print(f"  before={before} after={after} grown_kib={grown} restarts={supervisor['restarts']}")
    assert grown < growth_kib
    assert (supervisor["restarts"], supervisor["quarantined"]) == (0, 0)
    assert rig.api.call(None, "GET", "/health") == {"status": "ok"}
    await _converse(rig)
    assert "where=door" not in rig.server.log, rig.server.log[-4000:]
    assert "Traceback" not in rig.server.log, rig.server.log[-4000:]


def _sizes(short: int, full: int, seconds: int) -> pytest.MarkDecorator:
    marks = [pytest.mark.soak, pytest.mark.timeout(seconds)]
    return pytest.mark.parametrize(
        ("count", "growth_kib"),
        [
            pytest.param(short, SHORT_GROWTH_KIB, id="short"),
            pytest.param(full, FULL_GROWTH_KIB, id="full", marks=marks),
        ],
    )


@_sizes(504, 5_040, 900)
async def test_hostile_connections_leave_a_server_as_it_was(rig: Rig, count: int, growth_kib: int) -> None:
    """T18, T19, T22: bytes that are no HTTP and no WebSocket, heads and bodies that drip, clients that do not read."""
    seed = seed_of("hostile server")
    before = await _baseline(rig)
    target = Target(page="/version", upload="/api/v1/auth/register", download="/assets/app.js")
    counters = await attack(
        rig.port, seed=seed, count=count, target=target, at_once=100, patience_seconds=PATIENCE_SECONDS
    )
    print(f"  {counters.table()}")
    assert set(counters.tried) == set(KINDS)
    assert not counters.overstayed
    assert not counters.unreachable
    assert min(counters.answered[answer] for answer in ("http-101", "http-400", "close-1002", "close-1009")) > 0
    assert not [answer for answer in counters.answered if answer.startswith("http-5") and answer != "http-505"]
    await _as_before(rig, before, growth_kib=growth_kib)


@_sizes(100, 5_000, 900)
@pytest.mark.thorough
async def test_known_people_may_not_send_what_they_like_either(rig: Rig, count: int, growth_kib: int) -> None:
    """T18 after hello: random bytes and broken frames end that one connection, with a code that says why."""
    choice = random.Random(seed_of("hostile members"))
    before = await _baseline(rig)
    ann = rig.api.person()
    ends: Counter[int] = Counter()
    for _ in range(count):
        line = await Participant.greeted(rig.port, ann.token)
        try:
            await line.raw(_nonsense(choice))
            if choice.random() < 0.3:
                line.reset()
                ends[0] += 1
                continue
            # What the server still waits for the rest of never comes.
            await line.stream.send_eof()
            ends[await line.closed()] += 1
        except (Gone, trio.BrokenResourceError):
            ends[-1] += 1
        line.drop()
    print(f"  ends={dict(ends)}")
    assert ends[1002] > 0
    await _as_before(rig, before, growth_kib=growth_kib)


def _nonsense(choice: random.Random) -> bytes:
    return choice.choice(
        (
            choice.randbytes(choice.randrange(1, 2000)),
            client_frame(choice.randbytes(50)),
            client_frame(b"{}", opcode=choice.randrange(16)),
            client_frame(b"[" * choice.randrange(1, 5000)),
            client_frame(b"x" * 100)[: choice.randrange(2, 100)],
            bytes((choice.randrange(256), choice.randrange(256))) + bytes(choice.randrange(1, 20)),
        )
    )


@_sizes(300, 5_000, 900)
@pytest.mark.thorough
async def test_poisonous_json_is_refused_and_reaches_no_actor(rig: Rig, count: int, growth_kib: int) -> None:
    """T7: each is answered with an error, over the socket and over REST; no room restarts, and history is untouched."""
    choice = random.Random(seed_of("poison"))
    before = await _baseline(rig)
    ann, room = await _converse(rig)
    line = await Participant.greeted(rig.port, ann.token)
    seen: Counter[str] = Counter()
    for number in range(count):
        raw = poison(choice)
        if number % 2:
            seen[await _over_rest(rig, ann, room, raw)] += 1
            continue
        answer = await _over_socket(line, room, raw)
        seen[answer] += 1
        if answer.startswith("close"):
            line.drop()
            line = await Participant.greeted(rig.port, ann.token)
    line.drop()
    print(f"  {dict(seen)}")
    assert seen["socket validation_failed"] > count * 0.1
    assert seen["rest validation_failed"] > count * 0.1
    assert set(seen) <= {
        "socket validation_failed", "socket invalid_frame", "close 1007", "close 1009", "close 4500",
        "rest validation_failed", "rest payload_too_large",
    }  # fmt: skip
    assert len(rig.api.history(ann, room)) == 2
    await _as_before(rig, before, growth_kib=growth_kib)


async def _over_rest(rig: Rig, ann: Person, room: str, raw: bytes) -> str:
    response = await trio.to_thread.run_sync(rig.api.post_raw, ann, f"/rooms/{room}/messages", raw)
    assert 400 <= response.status_code < 500, (raw[:200], response.status_code, response.text)
    return f"rest {response.json()['code']}"


async def _over_socket(line: Participant, room: str, raw: bytes) -> str:
    """Send one, and give how it is answered: by an error, or after a few that are no frames at all by a close."""
    await line.raw(client_frame(b'{"type":"send","id":"p","room":"' + room.encode() + b'","data":' + raw + b"}"))
    error: Frame | None = None
    try:
        await line.say("ping", frame_id="and-then")
        while (frame := await line.next())["type"] != "pong":
            if frame["type"] == "error":
                error = frame
    except Gone as gone:
        return f"close {gone.code}"
    assert error is not None, raw[:200]
    assert 400 <= error["data"]["status"] < 500, (raw[:200], error)
    return f"socket {error['data']['code']}"


@_sizes(200, 20_000, 1800)
@pytest.mark.thorough
async def test_people_who_come_and_go_at_any_moment_leave_no_trace(rig: Rig, count: int, growth_kib: int) -> None:
    """T25: they leave in the middle of hello, subscribe or a stream; no subscription stays, the room falls asleep."""
    choice = random.Random(seed_of("come and go"))
    before = await _baseline(rig)
    people = rig.api.people(8)
    room = rig.api.room(people[0], *people[1:])
    sender = Sender(rig.port, people[0].token, [room], tag="stream", choice=random.Random(1), rate=300, window=64)
    seen: Counter[str] = Counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        async with trio.open_nursery() as visits:
            for number in range(4):
                visits.start_soon(_visits, rig, people[1 + number], room, count // 4, choice, seen)
        sender.stop()
    print(f"  visits={dict(seen)} posts={len(sender.acks)}")
    assert sum(seen.values()) == count
    assert min(seen["subscribed"], seen["unanswered"]) > 0
    await _asleep(rig, room)
    await _as_before(rig, before, growth_kib=growth_kib)


async def _visits(rig: Rig, person: Person, room: str, count: int, choice: random.Random, seen: Counter[str]) -> None:
    for _ in range(count):
        line = await Participant.connect(rig.port)
        answered = "unanswered"
        with trio.move_on_after(choice.choice((0.0, 0.005, 0.02, 0.05, PATIENCE_SECONDS))):
            await line.say("hello", data={"token": person.token})
            await line.say("subscribe", room=room, data={"after": 1} if choice.random() < 0.5 else {})
            await line.until("subscribed")
            answered = "subscribed"
            await trio.sleep(choice.uniform(0, 0.02))
        seen[answered] += 1
        if choice.random() < 0.5:
            line.reset()
        else:
            line.drop()


async def _asleep(rig: Rig, room: str) -> None:
    """Wait until the room has passivated, which it does only when nobody is subscribed."""
    health: Any = None
    with trio.move_on_after(SETTLE_SECONDS):
        while (response := rig.api.request(None, "GET", f"/health/rooms/{room}")).status_code != 404:
            health = response.json()
            await trio.sleep(0.1)
        return
    raise AssertionError(f"the room never fell asleep: {health}")

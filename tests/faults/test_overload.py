"""More than a room, a connection or a server takes: refused at once and in words, never lost, never others' problem."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.faults.api import Person
from tests.faults.participant import Frame, Gone, Participant
from tests.faults.rig import Rig, faulty_rig, plain_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender
from tests.faults.verdict import judge
from tests.support.rest import PASSWORD

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

ROOM_INBOX = 8
# What is held waits for the test, not for a deadline.
ASK_SECONDS = 120


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server with small inboxes, whose rooms can be held."""
    settings = {"room_inbox": ROOM_INBOX, "room_batch": 4, "ask_seconds": ASK_SECONDS}
    with faulty_rig(tmp_path_factory.mktemp("server"), **settings) as rig:
        yield rig


async def _send(line: Participant, room: str, client_msg_id: str) -> Frame:
    return await line.ask("send", room=room, data={"client_msg_id": client_msg_id, "body": client_msg_id})


async def _hold(rig: Rig, line: Participant, room: str) -> str:
    """Hold the room's commits, with one post in hand; give its frame's id."""
    before = rig.api.room_health(room)["received"]
    rig.switches.stall(room)
    frame_id = await line.say("send", room=room, data={"client_msg_id": "in-hand", "body": "in hand"})
    await rig.api.until_room(
        room, lambda health: health["received"] > before and health["inbox_depth"] == 0 and health["batch_size"] == 1
    )
    return frame_id


async def test_a_full_inbox_refuses_the_next_one_and_no_other_room_waits_for_it(rig: Rig) -> None:
    """The inbox takes exactly what it holds; the rest hears `room_overloaded` with a hint; what was taken is kept.

    Another room answers twenty posts, one after the other, while the first one answers none.
    """
    ann = rig.api.person()
    held, free = rig.api.room(ann), rig.api.room(ann)
    line, other = [await Participant.greeted(rig.port, ann.token) for _ in range(2)]
    assert (await _send(other, free, "warm-up"))["type"] == "ack"
    frames = [await _hold(rig, line, held)]
    for number in range(ROOM_INBOX + 5):
        data = {"client_msg_id": f"m{number}", "body": f"m{number}"}
        frames.append(await line.say("send", room=held, data=data))
    refused = [await line.until("error", "ack") for _ in range(5)]
    assert [frame["id"] for frame in refused] == frames[-5:]
    assert {frame["data"]["code"] for frame in refused} == {"room_overloaded"}
    assert all(frame["data"]["retry_after"] > 0 for frame in refused)
    response = await rig.api.arequest(ann, "POST", f"/rooms/{held}/messages", {"client_msg_id": "rest", "body": "rest"})
    assert (response.status_code, response.json()["code"]) == (503, "room_overloaded")
    assert int(response.headers["Retry-After"]) >= 1
    took = []
    for number in range(20):
        began = trio.current_time()
        assert (await _send(other, free, f"free{number}"))["type"] == "ack"
        took.append(trio.current_time() - began)
    rig.switches.release(held)
    acks = [await line.until("ack", "error") for _ in range(1 + ROOM_INBOX)]
    assert {frame["type"] for frame in acks} == {"ack"}
    stored = [event["data"]["client_msg_id"] for event in rig.api.history(ann, held)[1:]]
    assert stored == ["in-hand", *(f"m{number}" for number in range(ROOM_INBOX))]
    health = rig.api.room_health(held)
    print(f"  refused={health['refused']} other_room_ms median={statistics.median(took) * 1000:.1f}")
    assert health["refused"] == 6
    for each in (line, other):
        each.drop()


@pytest.mark.parametrize(
    "seconds", [pytest.param(1.5, id="short"), pytest.param(60.0, id="full", marks=pytest.mark.soak)]
)
async def test_whatever_was_accepted_under_overload_is_in_history(rig: Rig, seconds: float) -> None:
    """More senders than the inbox has places, and commits that hang now and then: refused, retried, never lost."""
    choice = random.Random(seed_of("overload"))
    people = rig.api.people(13)
    room = rig.api.room(people[0], *people[1:])
    senders = [
        Sender(rig.port, person.token, [room], tag=person.username, choice=random.Random(number), rate=100, window=8)
        for number, person in enumerate(people[1:])
    ]
    async with trio.open_nursery() as nursery:
        for sender in senders:
            nursery.start_soon(sender.run)
        until = trio.current_time() + seconds
        while trio.current_time() < until or not any(sender.answers["room_overloaded"] for sender in senders):
            rig.switches.stall(room)
            await trio.sleep(choice.uniform(0.05, 0.2))
            rig.switches.release(room)
            await trio.sleep(choice.uniform(0.05, 0.2))
        nursery.cancel_scope.deadline = trio.current_time() + 60
        for sender in senders:
            sender.stop()
    verdict = judge({room: rig.api.history(people[0], room)}, senders, [])
    answers = sum((sender.answers for sender in senders), start=Counter[str]())
    print(f"  {verdict.table()} answers={dict(answers)}")
    assert verdict.clean(), verdict
    assert not any(sender.pending or sender.closes for sender in senders)
    assert set(answers) == {"ack", "room_overloaded"}
    assert rig.api.room_health(room)["restarts"] == 0


# So slow that a machine which stands still for seconds does not give back what has been used up.
RATE, BURST = 1, 10
STRIKES = 100
SOCKETS, SUBSCRIPTIONS, LOGIN_FAILURES, CONNECTIONS = 3, 4, 5, 40
BODY_CHARACTERS, FRAME_BYTES = 500, 2048


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server with small limits on everything."""
    settings = {
        "command_rate": RATE,
        "command_burst": BURST,
        "sockets_per_user": SOCKETS,
        "subscriptions_max": SUBSCRIPTIONS,
        "login_failures": LOGIN_FAILURES,
        "max_connections": CONNECTIONS,
        "body_max_characters": BODY_CHARACTERS,
        "frame_max_bytes": FRAME_BYTES,
        "bcrypt_cost": 4,
    }
    with plain_rig(tmp_path_factory.mktemp("server"), **settings) as rig:
        yield rig


async def test_too_many_commands_are_refused_first_and_only_abuse_ends_the_connection(strict: Rig) -> None:
    """The burst passes, the next is `rate_limited` with a hint, the hundredth refusal closes; others live on."""
    ann = strict.api.person()
    began = trio.current_time()
    noisy, quiet = [await Participant.greeted(strict.port, ann.token) for _ in range(2)]
    for _ in range(BURST + STRIKES + 20):
        try:
            await noisy.say("ping")
        except Gone:
            break
    seen: list[str] = []
    hints: list[float] = []

    def look(frame: Frame) -> None:
        seen.append(frame["data"]["code"] if frame["type"] == "error" else frame["type"])
        if frame["type"] == "error":
            hints.append(frame["data"]["retry_after"])

    assert await noisy.closed(look) == 4004
    most = BURST + 1 + RATE * (trio.current_time() - began)
    print(f"  {dict(Counter(seen))} first refusal after {seen.index('rate_limited')}")
    assert seen[:BURST] == ["pong"] * BURST
    assert BURST <= seen.index("rate_limited") <= most
    assert seen.count("pong") <= most
    assert STRIKES <= seen.count("rate_limited") <= STRIKES + 5
    assert all(0 < hint <= 1 / RATE for hint in hints)
    assert (await quiet.ask("ping"))["type"] == "pong"
    for line in (noisy, quiet):
        line.drop()


async def test_a_little_patience_is_all_that_a_limited_client_needs(strict: Rig) -> None:
    """Who waits as long as the hint says is served again, on the same connection."""
    line = await Participant.greeted(strict.port, strict.api.person().token)
    refusal: Frame = {"type": ""}
    while refusal["type"] != "error":
        refusal = await line.ask("ping")
    await trio.sleep(refusal["data"]["retry_after"] + 0.05)
    assert (await line.ask("ping"))["type"] == "pong"
    line.drop()


async def test_limits_fire_at_one_too_many(strict: Rig) -> None:
    """Sockets of a user, subscriptions of a connection, characters of a body, bytes of a frame, failed logins."""
    ann, bob = strict.api.people(2)
    lines = [await Participant.greeted(strict.port, ann.token) for _ in range(SOCKETS)]
    extra = await Participant.connect(strict.port)
    await extra.say("hello", data={"token": ann.token})
    assert await extra.closed() == 4504
    someone_else = await Participant.greeted(strict.port, bob.token)
    rooms = [strict.api.room(ann) for _ in range(SUBSCRIPTIONS + 1)]
    answers = [await lines[0].subscribe(room) for room in rooms]
    assert [answer["type"] for answer in answers] == ["subscribed"] * SUBSCRIPTIONS + ["error"]
    assert answers[-1]["data"]["code"] == "forbidden"
    await _body_limits(lines[1], rooms[0])
    _login_limits(strict, ann, bob)
    for line in (*lines, extra, someone_else):
        line.drop()


async def _body_limits(line: Participant, room: str) -> None:
    for size, kind in ((BODY_CHARACTERS, "ack"), (BODY_CHARACTERS + 1, "error")):
        answer = await line.ask("send", room=room, data={"client_msg_id": f"s{size}", "body": "x" * size})
        assert answer["type"] == kind, answer
    assert answer["data"]["code"] == "validation_failed"
    empty = len('{"type": "ping", "id": ""}')
    for size in (FRAME_BYTES, FRAME_BYTES + 1):
        # An id that long is refused, but only by who has read the frame.
        await line.say("ping", frame_id="i" * (size - empty))
    assert (await line.until("error"))["data"]["status"] == 422
    assert await line.closed() == 1009


def _login_limits(rig: Rig, ann: Person, bob: Person) -> None:
    def log_in(person: Person, password: str) -> Any:
        return rig.api.request(None, "POST", "/auth/login", {"username": person.username, "password": password})

    failures = [log_in(ann, "wrong, wrong, wrong").status_code for _ in range(LOGIN_FAILURES)]
    assert failures == [401] * LOGIN_FAILURES
    refused = log_in(ann, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert log_in(bob, PASSWORD).status_code == 200


async def test_one_connection_too_many_is_turned_away_and_the_others_stay(strict: Rig) -> None:
    """At the limit the next one hears 503 and when to come back; when one leaves there is room again."""
    people = strict.api.people(CONNECTIONS // SOCKETS + 1)
    with trio.fail_after(30):
        while strict.api.actors()["connections"]["websockets"]:  # noqa: ASYNC110 - those of other tests
            await trio.sleep(0.02)
    strict.api.close_idle()
    lines = [await Participant.greeted(strict.port, people[number // SOCKETS].token) for number in range(CONNECTIONS)]
    with pytest.raises(Gone) as gone:
        await Participant.greeted(strict.port, people[-1].token)
    assert gone.value.code == 503
    assert {(await line.ask("ping"))["type"] for line in lines} == {"pong"}
    lines.pop().drop()
    with trio.fail_after(30):
        while len(lines) < CONNECTIONS:
            try:
                lines.append(await Participant.greeted(strict.port, people[-1].token))
            except Gone:
                await trio.sleep(0.05)
    for line in lines:
        line.drop()

"""Members removed at random moments, under a stream of messages: nothing newer than their removal reaches them.

They are removed while they read, while they lag behind, while they are away and resume, and while their room crashes in
the very batch that removes them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from msgspec import Struct

from tests.faults.api import Person
from tests.faults.follower import Follower
from tests.faults.participant import Participant
from tests.faults.reading import Reading
from tests.faults.rig import Rig, faulty_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender

pytestmark = pytest.mark.real_clock

HABITS = ("brisk", "drowsy", "restless")
CRASH_POINTS = ("before_commit", "after_commit", "before_fan_out", "after_fan_out")
CRASH_SHARE = 0.12
# Two whose removals come last, so that it is certain how they miss them: one who does not read, one who is not there.
DEAF, ABSENT = 1, 2
LATER_POSTS = 3
PATIENCE_SECONDS = 45.0
REST_SAMPLE = 30


class Size(Struct, frozen=True):
    """Members times rooms is the number of races of a round."""

    rounds: int
    members: int
    rooms: int
    seconds: float
    rate: float


SHORT = Size(rounds=1, members=25, rooms=8, seconds=2.5, rate=40)
FULL = Size(rounds=5, members=25, rooms=8, seconds=6.0, rate=40)


class Race(Struct, frozen=True):
    """One member who was removed from one room, with all that is known about it."""

    habit: str
    member: Person
    reading: Reading
    history: list[dict[str, Any]]

    @property
    def removal(self) -> dict[str, Any]:
        """The event that removed the member."""
        found = [e for e in self.history if e["type"] == "member.removed" and e["data"]["user"] == self.member.id]
        assert len(found) == 1, f"removed {len(found)} times"
        return found[0]

    def later_messages(self) -> int:
        """Count the messages that a leak could have shown."""
        seq = self.removal["seq"]
        return sum(event["seq"] > seq and event["type"] == "message.created" for event in self.history)

    def problems(self) -> list[str]:
        """Say what is wrong."""
        seq = self.removal["seq"]
        seqs = [given.seq for given in self.reading.given]
        found = []
        if any(given > seq for given in seqs):
            found.append(f"given {max(seqs)} after its removal at {seq}")
        if self.reading.after_end:
            found.append(f"given {self.reading.after_end} after unsubscribed")
        if seqs != list(range(self.reading.first + 1, self.reading.last + 1)):
            found.append("gaps or repeats before its removal")
        if self.reading.ended is None or self.reading.ended[0] != "removed":
            found.append(f"ended with {self.reading.ended} {self.reading.refused}")
        elif self.reading.ended[1] != self.reading.last:
            found.append(f"unsubscribed at {self.reading.ended[1]}, but was given up to {self.reading.last}")
        if not self.away and self.reading.last != seq:
            found.append(f"given up to {self.reading.last}, but removed at {seq}")
        return [f"{self.habit}: {problem}" for problem in found]

    @property
    def away(self) -> bool:
        """Whether the member was removed between two connections, and so heard of it on coming back."""
        return self.habit == "restless" and self.reading.last < self.removal["seq"]


class Round:
    """One set of members and rooms, a stream in each room, and a removal for each pair."""

    def __init__(self, rig: Rig, size: Size, seed: int) -> None:
        self.api = api = rig.api
        self.switches = rig.switches
        self.size = size
        self.choice = random.Random(seed)
        self.crashes = 0
        self._deaf = False
        people = api.people(1 + size.rooms + size.members)
        self.owner, voices, self.members = people[0], people[1 : 1 + size.rooms], people[1 + size.rooms :]
        self.rooms = [api.room(self.owner, voice, *self.members) for voice in voices]
        self.senders = [
            Sender(
                rig.port, voice.token, [room], tag=voice.username, choice=random.Random(f"{seed} {room}"),
                rate=size.rate, padding=1000,
            )
            for voice, room in zip(voices, self.rooms, strict=True)
        ]  # fmt: skip
        self.followers = [self._follower(rig.port, n, member, seed) for n, member in enumerate(self.members)]

    def _follower(self, port: int, number: int, member: Person, seed: int) -> Follower:
        choice = random.Random(f"{seed} {number}")
        follower = Follower(port, member.token, self.rooms, choice=choice)
        # Who has been removed from everywhere hears nothing any more, and is not to come back for that.
        follower.silence_seconds = 10 * PATIENCE_SECONDS
        if HABITS[number % 3] == "drowsy":
            follower.receive_bytes = 8192
            follower.doze = lambda: choice.uniform(0.3, 1.2) if choice.random() < 0.003 else 0.0
        if number == DEAF:
            follower.doze = lambda: 0.05 if self._deaf else 0.0
        return follower

    async def run(self) -> list[Race]:
        """Stream, remove everybody from everywhere, go on streaming for a while, and give the races."""
        async with trio.open_nursery() as following:
            async with trio.open_nursery() as starting:
                for follower in self.followers:
                    starting.start_soon(following.start, follower.run)
            async with trio.open_nursery() as sending:
                for sender in self.senders:
                    sending.start_soon(sender.run)
                following.start_soon(self._unrest)
                await self._remove_everybody()
                with trio.move_on_after(PATIENCE_SECONDS):
                    await self._all_ended()
                # What leaks now would leak late.
                await trio.sleep(0.5)
                await self._more_posts()
                for sender in self.senders:
                    sender.stop()
            await trio.sleep(0.2)
            following.cancel_scope.cancel()
        histories = {room: self.api.history(self.owner, room) for room in self.rooms}
        return [
            Race(HABITS[number % 3], member, follower.readings[room], histories[room])
            for number, (member, follower) in enumerate(zip(self.members, self.followers, strict=True))
            for room in self.rooms
        ]

    async def _unrest(self) -> None:
        """Have the restless leave without a word, and come back at once."""
        restless = self.followers[2::3]
        while True:
            await trio.sleep(self.choice.expovariate(4 * len(restless)))
            line = self.choice.choice(restless).line
            if line is not None:
                line.drop()

    async def _remove_everybody(self) -> None:
        self._deaf = True
        special = (self.members[DEAF], self.members[ABSENT])
        pairs = [(member, room) for member in self.members if member not in special for room in self.rooms]
        self.choice.shuffle(pairs)
        async with trio.open_nursery() as nursery:
            for member, room in pairs:
                await trio.sleep(self.choice.expovariate(len(pairs) / self.size.seconds))
                nursery.start_soon(self._remove, member, room)
        await self._remove_absent()
        await self._remove_deaf()

    async def _remove_absent(self) -> None:
        follower = self.followers[ABSENT]
        follower.stays_away = True
        with trio.fail_after(PATIENCE_SECONDS):
            while not follower.is_away:
                if follower.line is not None:
                    follower.line.drop()
                await trio.sleep(0.01)
        async with trio.open_nursery() as nursery:
            for room in self.rooms:
                nursery.start_soon(self._remove, self.members[ABSENT], room)
        follower.stays_away = False

    async def _remove_deaf(self) -> None:
        for room in self.rooms:
            # Nobody else is subscribed any more.
            await self.api.until_room(room, lambda health: health["lagging"] > 0)
        async with trio.open_nursery() as nursery:
            for room in self.rooms:
                nursery.start_soon(self._remove, self.members[DEAF], room)
        self._deaf = False

    async def _more_posts(self) -> None:
        """Wait until every room has taken a few more posts."""
        goals = [len(sender.acks) + LATER_POSTS for sender in self.senders]
        with trio.fail_after(PATIENCE_SECONDS):
            while any(len(sender.acks) < goal for sender, goal in zip(self.senders, goals, strict=True)):  # noqa: ASYNC110
                await trio.sleep(0.02)

    async def _remove(self, member: Person, room: str) -> None:
        if self.choice.random() < CRASH_SHARE:
            self.crashes += 1
            self.switches.crash_in_removal(room, self.choice.choice(CRASH_POINTS))
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                answer = await self.api.arequest(self.owner, "DELETE", f"/rooms/{room}/members/{member.id}")
                if answer.status_code == 204:
                    return
                assert answer.status_code >= 500, answer.text
                await trio.sleep(0.2)

    async def _all_ended(self) -> None:
        readings = [reading for follower in self.followers for reading in follower.readings.values()]
        while any(reading.ended is None for reading in readings):  # noqa: ASYNC110 - other tasks of ours read
            await trio.sleep(0.02)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A faulty server that soon takes a reader for slow, and never loses patience with a room."""
    settings = {"restart_intensity": 1000, "outbox_items": 64, "stall_seconds": 600, "ask_seconds": 30}
    with faulty_rig(tmp_path_factory.mktemp("server"), **settings) as rig:
        yield rig


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
async def test_nothing_newer_than_their_removal_reaches_a_member(rig: Rig, size: Size) -> None:
    """T14: 0 frames above the removal's seq, `unsubscribed` at the end, and no read afterwards is answered."""
    seed = seed_of("revocation")
    seen: Counter[str] = Counter()
    problems: list[str] = []
    for number in range(size.rounds):
        turn = Round(rig, size, seed + number)
        races = await turn.run()
        problems += [problem for race in races for problem in race.problems()]
        seen += _vacuity(races)
        seen["crash_orders"] += turn.crashes
        seen["crashes"] += sum(rig.api.room_health(room)["restarts"] for room in turn.rooms)
        await _nobody_reads_on(rig, races)
    print(f"  {dict(seen)}")
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems[:20])
    assert seen["races"] == size.rounds * size.members * size.rooms
    assert seen["races_with_later_messages"] == seen["races"]
    assert min(seen["ended_behind"], seen["removed_while_away"], seen["crashes"]) > 0


def _vacuity(races: list[Race]) -> Counter[str]:
    return Counter(
        races=len(races),
        races_with_later_messages=sum(race.later_messages() > 0 for race in races),
        messages_that_could_leak=sum(race.later_messages() for race in races),
        ended_behind=sum(race.reading.ended_behind for race in races),
        removed_while_away=sum(race.away for race in races),
    )


async def _nobody_reads_on(rig: Rig, races: list[Race]) -> None:
    """Try every way to read a room that one is not in any more."""
    tokens = {race.member.id: race.member.token for race in races}
    lines = {user: await Participant.greeted(rig.port, token) for user, token in tokens.items()}
    for race in races:
        line, room = lines[race.member.id], race.reading.room
        for kind, data in (("fetch", {"after": 0}), ("subscribe", {}), ("subscribe", {"after": race.reading.last})):
            answer = await line.ask(kind, room=room, data=data)
            assert (answer["type"], answer["data"]["code"]) == ("error", "not_a_member"), answer
    for race in races[:: max(1, len(races) // REST_SAMPLE)]:
        message = next(event["data"]["id"] for event in race.history if event["type"] == "message.created")
        room = f"/rooms/{race.reading.room}"
        for path in (room, f"{room}/events?after=0", f"{room}/messages", f"{room}/members", f"/messages/{message}"):
            response = await rig.api.arequest(race.member, "GET", path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), (path, response.text)
    for line in lines.values():
        line.drop()


@pytest.mark.parametrize("visibility", ["private", "public"])
@pytest.mark.parametrize("added_again", [False, True])
@pytest.mark.parametrize("point", ["nowhere", *CRASH_POINTS])
@pytest.mark.thorough
async def test_the_batch_that_removes_a_member_ends_the_subscription_at_the_same_point_with_and_without_a_crash(
    rig: Rig, visibility: str, point: str, added_again: bool
) -> None:
    """Whoever may look at the room again at once, as a visitor or added again, was removed at a point all the same."""
    api, switches = rig.api, rig.switches
    owner, bob = api.people(2)
    room = api.room(owner, bob, visibility=visibility)
    line = await Participant.greeted(rig.port, bob.token)
    head = (await line.subscribe(room, history=0))["data"]["head_seq"]
    member = f"/rooms/{room}/members/{bob.id}"
    switches.stall(room)
    # The first keeps the room busy, so that the others are one batch.
    posts = [{"client_msg_id": name, "body": name} for name in ("before", "in the batch", "after")]
    path = f"/rooms/{room}/messages"
    asked: list[tuple[str, str, object]] = [
        ("POST", path, posts[0]),
        ("DELETE", member, None),
        ("PUT" if added_again else "DELETE", member, None),
        ("POST", path, posts[1]),
    ]
    async with trio.open_nursery() as nursery:
        for number, request in enumerate(asked, start=api.room_health(room)["received"] + 1):
            nursery.start_soon(api.acall, owner, *request)
            await api.until_received(room, number)
        switches.crash_in_removal(room, point)
        switches.release(room)
    await api.acall(owner, "POST", path, posts[2])
    reading = Reading(room)
    reading.epoch, reading.first, reading.last = "known", head, head
    with trio.fail_after(30):
        while reading.ended is None:
            reading.take(await line.next())
    await line.say("ping")
    while (frame := await line.next())["type"] != "pong":
        reading.take(frame)
    removal = next(event["seq"] for event in api.history(owner, room) if event["type"] == "member.removed")
    assert (reading.ended, reading.last, reading.after_end) == (("removed", removal), removal, [])
    assert api.room_health(room)["restarts"] == (0 if point == "nowhere" else 1)
    line.drop()


@pytest.mark.parametrize("crash", [False, True])
async def test_visitors_of_a_public_room_are_shown_out_when_it_turns_private(rig: Rig, crash: bool) -> None:
    """Who could look in without being a member sees the change and nothing after it; members stay."""
    api, switches = rig.api, rig.switches
    owner, bob, eve = api.people(3)
    room = api.room(owner, bob, visibility="public")
    member, visitor = [await Participant.greeted(rig.port, person.token) for person in (bob, eve)]
    for line in (member, visitor):
        assert (await line.subscribe(room, history=0))["type"] == "subscribed"
    if crash:
        switches.crash_once_at(room, "after_commit")
    await api.acall(owner, "PATCH", f"/rooms/{room}", {"visibility": "private"})
    await api.acall(owner, "POST", f"/rooms/{room}/messages", {"client_msg_id": "x", "body": "among ourselves"})
    assert (await visitor.next())["type"] == "room.updated"
    assert (await visitor.next())["data"] == {"seq": 2, "reason": "removed"}
    assert (await visitor.subscribe(room))["data"]["code"] == "not_a_member"
    assert (await member.until("message.created"))["seq"] == 3
    for line in (member, visitor):
        line.drop()


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.thorough
async def test_a_member_added_in_a_crash_hears_of_it_all_the_same(rig: Rig, point: str) -> None:
    """A connection that wants all its user's rooms gets the new one, beginning with the event that added them."""
    api, switches = rig.api, rig.switches
    owner, bob = api.people(2)
    room = api.room(owner)
    line = await Participant.connect(rig.port)
    await line.ask("hello", data={"token": bob.token, "subscribe": "all"})
    switches.crash_once_at(room, point)
    await api.acall(owner, "PUT", f"/rooms/{room}/members/{bob.id}")
    assert (await line.until("subscribed"))["room"] == room
    assert (await line.next())["data"]["user"] == bob.id
    line.drop()

"""What is unread: the list of one's rooms shows it, and it is exact, whatever happened before."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from justchat.rooms.commands import (
    AddMember,
    Command,
    DeleteMessage,
    JoinRoom,
    LeaveRoom,
    React,
    RemoveMember,
    TrimHistory,
)
from justchat.rooms.permissions import Visibility
from justchat.rooms.queries import Access
from justchat.rooms.reading import Marked, Reading, standing_of
from justchat.rooms.state import RECENT_KEPT, stored_recent
from justchat.wire.errors import Refusal
from justchat.wire.events import SYSTEM
from storage.memory import MemoryRelations
from tests.rooms.world import OWNER, ROOM, Crash, World, message, open_world
from tests.support.rest import Caller, log_in, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

OPERATIONS = 10_000
LOOK_EVERY = 200
CRASH_EVERY = 900
# More than a room's row names of those who posted last.
USERS = (OWNER, *(f"u_{number:02d}" for number in range(12)))


class Recount:
    """Counts what is unread from the journal's entries and from who said what they had read, and from nothing else."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0
        self._posted: list[int] = []  # the seqs of all posts that are not trimmed
        self.place: dict[str, int] = {}  # user -> the seq up to which they have read
        self.members: set[str] = set()

    async def follow(self) -> None:
        """Read on in the journal."""
        for entry in await self._world.journal.read(ROOM, after=self._seen, limit=100_000):
            self._seen = entry.seq
            # Of what was trimmed since the last look nothing is left but who, where and when.
            data = msgspec.json.decode(entry.body)["data"] if entry.body else {}
            match entry.type:
                case "room.created":
                    for member in data["members"]:
                        self._come(member["user"], entry.seq)
                case "member.joined" | "member.added":
                    self._come(data["user"], entry.seq)
                case "member.left" | "member.removed":
                    self.members.discard(data["user"])
                case "message.created":
                    self._posted.append(entry.seq)
                    self.read(entry.actor, entry.seq)
                case "history.trimmed":
                    self._posted = [seq for seq in self._posted if seq > data["upto_seq"]]

    def read(self, user: str, seq: int) -> None:
        """Note that somebody has read so far."""
        self.place[user] = max(seq, self.place.get(user, 0))

    def unread(self, user: str) -> int:
        """Count the posts above the user's place, one by one."""
        return sum(seq > self.place[user] for seq in self._posted)

    def _come(self, user: str, seq: int) -> None:
        self.members.add(user)
        self.read(user, seq)


class Run:
    """Does one thing after another in a room, and looks at what is unread."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        self.recount = Recount(world)
        self.store = world.journal._store
        self.reading = Reading(world.rooms, world.journal, MemoryRelations(self.store))
        self.messages: list[str] = []
        self.done: dict[str, int] = {}

    async def step(self, number: int) -> None:
        """Do one thing: mostly posts and reads; a refusal is an answer like any other."""
        kind, user = self.random.choices(KINDS, WEIGHTS)[0], self.random.choice(USERS)
        if kind == "read":
            await self._read(user)
            done = True
        else:
            answer = await self.world.room().post(self._command(kind, user, number))
            done = not isinstance(answer, Refusal)
            if kind == "post" and not isinstance(answer, Refusal):
                self.messages.append(answer.message_id or "")
        self.done[kind] = self.done.get(kind, 0) + done

    def _command(self, kind: str, user: str, number: int) -> Command:
        target = self.random.choice(self.messages[-60:]) if self.messages else "m_none"
        match kind:
            case "post":
                return message(f"{number}", actor=user)
            case "delete":
                return DeleteMessage(OWNER, target)
            case "react":
                return React(user, target, self.random.choice("🎉👍☕"))
            case "join":
                return JoinRoom(user)
            case "leave":
                return LeaveRoom(user)
            case "add":
                return AddMember(OWNER, user)
            case "trim":
                return TrimHistory(SYSTEM, max(self.store.head(ROOM) - self.random.randint(0, 60), 0))
            case _:
                return RemoveMember(OWNER, user)

    async def _read(self, user: str) -> None:
        head = self.store.head(ROOM)
        near = max(head - self.random.randint(0, 20), 0)
        seq = self.random.choice((head, head + 5, near, self.random.randint(0, head)))
        marked = await self.reading.mark(ROOM, user, upto=seq)
        await self.recount.follow()
        assert isinstance(marked, Marked) is (user in self.recount.members)
        if isinstance(marked, Marked):
            before = self.recount.place[user]
            self.recount.read(user, min(seq, head))
            assert marked.seq == min(seq, head)
            assert marked.changed or before >= marked.seq

    async def look(self) -> None:
        """Compare what the room says, and what the rows say, with the recount."""
        await self.recount.follow()
        for user in USERS:
            access = await self.world.room().look(user)
            assert isinstance(access, Access)
            read = await self.reading.read(user, ROOM, access)
            if user not in self.recount.members:
                assert read is None
                continue
            listed = await self.reading.of(user, [standing_of(self.store.rooms[ROOM], self.store.members[ROOM][user])])
            assert read == listed[ROOM]
            assert read is not None
            assert (read.unread, read.seq) == (self.recount.unread(user), self.recount.place[user]), user


KINDS = ("post", "read", "delete", "react", "join", "leave", "add", "remove", "trim")
WEIGHTS = (40, 25, 6, 5, 9, 5, 4, 3, 1)


@pytest.mark.parametrize("seed", [1])
async def test_unread_is_what_a_recount_over_the_journal_finds(seed: int, autojump_clock: object) -> None:
    """Ten thousand posts, deletions, reads, joinings, leavings, returns and trimmings, with crashes in between."""
    async with open_world() as world:
        await world.create(visibility=Visibility.PUBLIC)
        run = Run(world, seed)
        for number in range(OPERATIONS):
            await run.step(number)
            if number % CRASH_EVERY == 0:
                world.rooms.crash(ROOM, Crash())
            if number % LOOK_EVERY == 0:
                await run.look()
        await run.look()
        assert set(run.done) == set(KINDS)
        assert min(run.done.values()) > 50, run.done
        assert world.restarts() > 5
        # The room's row does not name all who have posted: the others' markers were written when they were pushed out.
        assert len(stored_recent(run.store.rooms[ROOM])) <= RECENT_KEPT + 1 < len(USERS)
        assert run.done["post"] > 1000


def own_rooms(caller: Caller, *, limit: int = 50) -> list[dict[str, Any]]:
    """List somebody's rooms, page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = caller.call("GET", f"/users/me/rooms?limit={limit}{cursor}")
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={quote(page['next_cursor'], safe='')}"


@pytest.mark.real_clock
def test_ones_rooms_are_listed_with_unread_last_message_and_role_page_by_page(server: ServerProcess) -> None:
    """Of each room what one is there, how far one has read, what is left and what was said last; null if nothing."""
    ann, bob, eve = register(server), register(server), register(server)
    rooms = [ann.room(f"Room {number}", members=(bob.username,)) for number in range(5)]
    ann.room("Not Bob's")
    for number, room in enumerate(rooms[1:], start=1):
        for text in range(number):
            ann.post(room, f"{number}-{text}")
    answered = bob.post(rooms[3], "answered")
    said = ann.post(rooms[3], "and again")
    ann.call("PATCH", f"/rooms/{rooms[4]}/members/{bob.id}", {"role": "moderator"})
    for limit in (1, 2, 5, 50):
        listed = own_rooms(bob, limit=limit)
        assert [room["id"] for room in listed] == [rooms[number] for number in (4, 3, 2, 1, 0)]
        views = [(room["me"]["role"], room["me"]["unread"], room["me"]["read_seq"]) for room in listed]
        assert views == [
            *(("moderator", 4, 1), ("member", 1, answered["seq"])),
            *(("member", 2, 1), ("member", 1, 1), ("member", 0, 1)),
        ]
        last = [room["last_message"] and room["last_message"]["body"] for room in listed]
        assert last == ["4-3", "and again", "2-1", "1-0", None]
        assert listed[1]["last_message"] == said
    assert own_rooms(eve) == [] or all(room["name"] == "Lobby" for room in own_rooms(eve))
    # Whoever wrote last has nothing left to read, without saying so.
    assert {room["id"]: room["me"]["unread"] for room in own_rooms(ann)}[rooms[4]] == 0


@pytest.mark.real_clock
def test_reading_is_said_by_either_way_and_seen_everywhere(server: ServerProcess) -> None:
    """It moves forward, never back; the head is as far as it goes; nobody else's list changes, and no event is made."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    posts = [ann.post(room, f"m{number}") for number in range(6)]
    head = posts[-1]["seq"]

    def standing() -> tuple[int, int]:
        me = bob.call("GET", f"/rooms/{room}")["me"]
        (listed,) = [item["me"] for item in own_rooms(bob) if item["id"] == room]
        assert listed["unread"] == me["unread"]
        (one,) = bob.call("GET", f"/rooms?ids={room}")["items"]
        assert one["me"]["unread"] == me["unread"]
        return me["unread"], me["read_seq"]

    assert standing() == (6, 1)
    bob.call("PUT", f"/rooms/{room}/read", {"seq": posts[1]["seq"]}, status=204)
    assert standing() == (4, posts[1]["seq"])
    talker = Talker.greeted(server.ws_url, bob.token)
    (welcomed,) = [each for each in talker.seen[0]["data"]["rooms"] if each["id"] == room]
    assert (welcomed["unread"], welcomed["head_seq"]) == (4, head)
    talker.subscribe(room, history=0)

    def say(seq: int) -> tuple[int, bool]:
        ack = talker.until("ack", "error", frame_id=talker.say("read", room=room, data={"seq": seq}))
        assert ack["type"] == "ack", ack
        return ack["seq"], ack["data"].get("changed", True)

    assert say(posts[3]["seq"]) == (posts[3]["seq"], True)
    assert standing() == (2, posts[3]["seq"])
    assert say(posts[3]["seq"]) == (posts[3]["seq"], False)
    assert say(posts[0]["seq"]) == (posts[0]["seq"], False)
    assert standing() == (2, posts[3]["seq"])
    # A deleted message was numbered all the same.
    ann.call("DELETE", f"/messages/{posts[4]['id']}", status=204)
    assert standing() == (2, posts[3]["seq"])
    assert say(2**53 - 1) == (head + 1, True)
    assert standing() == (0, head + 1)
    bob.call("PUT", f"/rooms/{room}/read", {"seq": 2**53 - 1}, status=204)
    assert bob.refused("PUT", f"/rooms/{room}/read", {"seq": -1}, status=422) == "validation_failed"
    assert [event["type"] for event in talker.events(room)] == ["message.deleted"]
    assert own_rooms(ann)[0]["me"]["unread"] == 0


@pytest.mark.real_clock
def test_whoever_comes_or_comes_back_begins_with_everything_read(server: ServerProcess) -> None:
    """Also where they had read less when they left; a visitor has no marker, and a stranger hears of no room."""
    ann, bob, eve = register(server), register(server), register(server)
    room = ann.room(visibility="public")
    ann.post(room, "before")
    assert "unread" not in bob.call("GET", f"/rooms/{room}")["me"]
    assert bob.refused("PUT", f"/rooms/{room}/read", {"seq": 1}, status=403) == "not_a_member"
    bob.call("PUT", f"/rooms/{room}/members/me", status=204)
    joined = bob.call("GET", f"/rooms/{room}")
    assert (joined["me"]["unread"], joined["me"]["read_seq"]) == (0, joined["head_seq"])
    for number in range(3):
        ann.post(room, f"m{number}")
    assert bob.call("GET", f"/rooms/{room}")["me"]["unread"] == 3
    bob.call("DELETE", f"/rooms/{room}/members/me", status=204)
    ann.post(room, "while he was away")
    bob.call("PUT", f"/rooms/{room}/members/me", status=204)
    assert bob.call("GET", f"/rooms/{room}")["me"]["unread"] == 0
    ann.post(room, "now")
    assert bob.call("GET", f"/rooms/{room}")["me"]["unread"] == 1
    secret = ann.room("Secret")
    assert eve.refused("PUT", f"/rooms/{secret}/read", {"seq": 1}, status=404) == "not_found"


@pytest.mark.real_clock
def test_the_last_message_is_one_that_one_may_see(server: ServerProcess) -> None:
    """Where history begins with one's joining, what was said before is not shown; a tombstone has no text."""
    ann, bob = register(server), register(server)
    body = {"kind": "group", "name": "Since", "settings": {"history_visibility": "since_join"}}
    room = ann.call("POST", "/rooms", body, status=201)["id"]
    ann.post(room, "among us")
    ann.call("PUT", f"/rooms/{room}/members/{bob.id}", status=204)
    (listed,) = [item for item in own_rooms(bob) if item["id"] == room]
    assert (listed["last_message"], listed["me"]["unread"]) == (None, 0)
    said = ann.post(room, "for all")
    (listed,) = [item for item in own_rooms(bob) if item["id"] == room]
    assert (listed["last_message"], listed["me"]["unread"]) == (said, 1)
    ann.call("DELETE", f"/messages/{said['id']}", status=204)
    (listed,) = [item for item in own_rooms(bob) if item["id"] == room]
    last = listed["last_message"]
    assert (last["id"], last["body"], last["deleted"]) == (said["id"], "", True)


@pytest.mark.real_clock
def test_what_was_read_is_read_after_a_restart(tmp_path: Path) -> None:
    """Markers are on the disk, and so is what somebody has read by writing, also when the server was killed."""
    with running_server(tmp_path, profile="loadtest") as server:
        ann, bob = register(server), register(server)
        room, other = (ann.room(members=(bob.username,)) for _ in range(2))
        for number in range(4):
            ann.post(room, f"m{number}")
            ann.post(other, f"m{number}")
        bob.call("PUT", f"/rooms/{room}/read", {"seq": 3}, status=204)
        bob.post(other, "I have read that")
        ann.post(other, "and this?")
        server.kill()
        server.start()
        listed = {item["id"]: item["me"]["unread"] for item in own_rooms(log_in(server, bob.username))}
        assert (listed[room], listed[other]) == (2, 1)

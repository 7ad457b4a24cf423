"""One journal for everything durable: whoever follows it, however brokenly, has exactly what it holds, or is told."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from justchat.app import open_system
from justchat.config import Config
from justchat.rooms.commands import Accepted, TrimHistory
from justchat.rooms.sweep import SWEEP_ENTRIES
from justchat.wire.events import SYSTEM
from tests.features.follower import Follower
from tests.features.long_room import talk_long
from tests.features.waiting import wait_until
from tests.support.rest import Caller, register
from tests.support.server import running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

THUMB = "\N{THUMBS UP SIGN}"
EVERY_KIND = {
    "room.created",
    "message.created", "message.updated", "message.deleted", "reaction.added", "reaction.removed", "pin.added",
    "pin.removed", "member.added", "member.removed", "member.role_changed", "member.muted", "member.unmuted",
    "member.banned", "member.unbanned", "room.updated", "permissions.updated", "room.archived", "message.bulk_deleted",
    "invite.created", "invite.revoked", "member.joined", "member.left",
}  # fmt: skip


class Actor(threading.Thread):
    """Somebody who does one thing after the other, by chance, whatever becomes of it."""

    def __init__(self, seed: int, caller: Caller, room: str, others: list[str], *, actions: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.caller = caller
        self.room = f"/rooms/{room}"
        self.others = others
        self.actions = actions
        self.done = 0
        self.said: list[str] = []
        self.surprises: list[str] = []

    def run(self) -> None:
        while self.done < self.actions:
            (act,) = self.chance.choices(list(ACTIONS), list(ACTIONS.values()))
            method, path, body = act(self)
            try:
                answer = self.caller.http.request(method, path, json=body)
            except httpx.TransportError:
                continue  # the server was killed; what this did, if anything, is in the journal
            self.done += 1
            if answer.status_code >= 500 and answer.status_code != 503:
                self.surprises.append(f"{method} {path}: {answer.status_code} {answer.text}")
            if path.endswith("/messages") and answer.status_code == 201:
                self.said.append(answer.json()["id"])

    def some(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    @property
    def message(self) -> str:
        return f"/messages/{self.chance.choice(self.said[-5:] or ['m_none'])}"

    @property
    def other(self) -> str:
        return self.chance.choice(self.others)


Act = Callable[[Actor], tuple[str, str, object]]
ACTIONS: dict[Act, int] = {
    lambda by: ("POST", f"{by.room}/messages", {"client_msg_id": f"{by.done} {by.chance.random()}", "body": "hi"}): 10,
    lambda by: ("PATCH", by.message, {"body": f"edit {by.chance.random()}"}): 4,
    lambda by: ("DELETE", by.message, None): 2,
    lambda by: (by.some("PUT", "PUT", "DELETE"), f"{by.message}/reactions/{THUMB}", None): 5,
    lambda by: (by.some("PUT", "DELETE"), f"{by.room}/pins/{by.message.rpartition('/')[2]}", None): 4,
    lambda by: (by.some("PUT", "PUT", "DELETE"), f"{by.room}/members/{by.other}", None): 4,
    lambda by: ("PATCH", f"{by.room}/members/{by.other}", {"role": by.some("guest", "member", "moderator")}): 3,
    lambda by: (by.some("PUT", "DELETE"), f"{by.room}/mutes/{by.other}", None): 3,
    lambda by: (by.some("PUT", "DELETE", "DELETE"), f"{by.room}/bans/{by.other}", None): 3,
    lambda by: ("PATCH", by.room, {"name": f"{by.chance.random()}"}): 1,
    lambda by: ("PATCH", by.room, {"settings": {"slow_mode_seconds": by.some(0, 0, 1)}}): 1,
    lambda by: ("PATCH", f"{by.room}/permissions", {"guest": {"reactions.add": by.some(True, False, None)}}): 2,
}


def do_one_of_each(ann: Caller, bob: Caller, room: str) -> None:
    """Bring about an event of every kind, and leave the room much as it was."""
    path, member = f"/rooms/{room}", f"/rooms/{room}/members/{bob.id}"
    first, second = (ann.post(room, text)["id"] for text in ("first", "second"))
    invite = ann.call("POST", f"{path}/invites", {})
    steps: list[tuple[str, str, object]] = [
        ("PATCH", f"/messages/{first}", {"body": "better"}),
        *((method, f"/messages/{first}/reactions/{THUMB}", None) for method in ("PUT", "DELETE")),
        *((method, f"{path}/pins/{first}", None) for method in ("PUT", "DELETE")),
        ("DELETE", f"/messages/{first}", None),
        ("POST", f"{path}/messages/bulk-delete", {"messages": [second]}),
        ("DELETE", member, None),
        ("PUT", member, None),
        ("PATCH", member, {"role": "guest"}),
        *((method, f"{path}/mutes/{bob.id}", None) for method in ("PUT", "DELETE")),
        *((method, f"{path}/bans/{bob.id}", None) for method in ("PUT", "DELETE")),
        ("PATCH", f"{path}/permissions", {"guest": {"reactions.add": True}}),
        ("PATCH", path, {"topic": "everything"}),
        *(("PATCH", path, {"settings": {"archived": archived}}) for archived in (True, False)),
    ]
    for method, address, body in steps:
        ann.call(method, address, body)
    bob.call("POST", f"/invites/{invite['code']}/accept")
    bob.call("DELETE", f"{path}/members/me")
    ann.call("DELETE", f"{path}/invites/{invite['id']}")


def journal_text(caller: Caller, room: str, count: int) -> list[str]:
    """Read the journal as `GET /events` gives it, cut into pages as text; each has up to a hundred events."""
    pages = []
    for after in range(0, count, 100):
        answer = caller.http.get(f"/rooms/{room}/events?after={after}&limit=100")
        pages.append(answer.text.partition('],"head_seq"')[0].removeprefix('{"items":['))
    return pages


@pytest.mark.parametrize(
    ("actions", "kills"),
    [
        pytest.param(150, 2, id="brief"),
        pytest.param(10_000, 20, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_whatever_happens_everybodys_log_is_the_journal(tmp_path: Path, actions: int, kills: int) -> None:
    """Every kind of event, random people, kills and cut lines: three logs equal `GET /events` to the byte."""
    chance = random.Random(1)
    with running_server(tmp_path, profile="loadtest") as server:
        ann, *others = (register(server) for _ in range(6))
        room = ann.room(members=tuple(other.username for other in others[:2]))
        ids = [other.id for other in others]
        do_one_of_each(ann, others[0], room)
        ann.call("PUT", f"/rooms/{room}/members/{others[0].id}")
        followers = [Follower(server, ann.token, room) for _ in range(3)]
        actors = [
            Actor(seed, caller, room, ids, actions=actions // 3) for seed, caller in enumerate((ann, *others[:2]))
        ]
        for actor in actors:
            actor.start()
        try:
            for round_ in range(1, kills + 1):
                part = round_ * actions // (kills + 1)
                while sum(actor.done for actor in actors) < part:
                    wait_until(partial(has_gone_on, actors, sum(actor.done for actor in actors)))
                for follower in followers[: chance.randint(0, 3)]:
                    follower.leave()
                    follower.connect()
                    follower.read_upto(ann.call("GET", f"/rooms/{room}")["head_seq"])
                server.kill()
                server.start()
        finally:
            for actor in actors:
                actor.join()
        head = ann.call("GET", f"/rooms/{room}")["head_seq"]
        pages = journal_text(ann, room, head)
        for follower in followers:
            follower.leave()
            follower.connect()
            follower.read_upto(head)
            assert [",".join(follower.log[at : at + 100]) for at in range(0, head, 100)] == pages
        assert [surprise for actor in actors for surprise in actor.surprises] == []
        kinds = Counter(event["type"] for event in ann.events(room))
        assert set(kinds) >= EVERY_KIND


def has_gone_on(actors: list[Actor], done: int) -> bool:
    return sum(actor.done for actor in actors) > done


async def _trim(url: str, room: str, upto: int) -> int:
    """Have a room forget what was said up to there, as its retention would: step by step. Give its head."""
    head = 0
    async with open_system(Config(database=url, bcrypt_cost=4)) as (system, _):
        for step in (*range(SWEEP_ENTRIES, upto, SWEEP_ENTRIES), upto):
            answer = await system.rooms.room(room).post(TrimHistory(SYSTEM, step))
            assert isinstance(answer, Accepted)
            head = answer.seq
    return head


@pytest.mark.parametrize(
    "missed",
    [
        pytest.param(2_000, id="brief"),
        pytest.param(1_000_000, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_whoever_was_away_for_long_gets_all_of_it_or_is_told_why_not(tmp_path: Path, missed: int) -> None:
    """Every event in order and a proof of the end; if something is gone, a reset with the reason, and a snapshot."""
    url = f"sqlite:///{tmp_path}/chat.db"
    with running_server(tmp_path, profile="loadtest") as server:
        ann = register(server)
        room = ann.room()
        follower = Follower(server, ann.token, room)
        follower.connect()
        follower.read_upto(1)
        follower.leave()
        server.stop()
        trio.run(lambda: talk_long(url, room, author=ann.id, upto=missed))
        server.start()
        ends = follower.ends
        follower.connect()
        follower.read_to_the_end()
        assert len(follower.log) == missed
        ack = Talker.greeted(server.ws_url, ann.token).send(room, "live")
        follower.read_upto(ack["seq"])
        assert follower.ends == ends + 1
        assert len(follower.log) == missed + 1
        server.stop()
        head = trio.run(lambda: _trim(url, room, missed // 2))
        server.start()
        late = Talker.greeted(server.ws_url, ann.token)
        for position, reason in (
            ({"after": 1}, "retention"),
            ({"after": missed // 2 - 1}, "retention"),
            ({"after": missed * 2}, "ahead"),
            ({"after": missed, "epoch": "e_another"}, "epoch"),
        ):
            reset = late.subscribe(room, **position)
            assert (reset["type"], reset["data"]["reason"]) == ("reset", reason)
            assert (reset["data"]["head_seq"], reset["data"]["epoch"]) == (head, follower.epoch)
        snapshot = late.subscribe(room, history=3)["data"]
        assert [event["seq"] for event in snapshot["events"]] == [head - 2, head - 1, head]
        assert snapshot["head_seq"] == head
        from_there = late.subscribe(room, after=missed // 2)
        assert from_there["type"] == "subscribed"
        assert late.until("caught_up")["data"]["seq"] == head
        replayed = [frame["seq"] for frame in late.events(room)]
        assert replayed == [*range(missed // 2 + 1, head + 1)]

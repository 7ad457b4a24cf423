"""From upgrade to welcome: origins, tokens, hello in all its shapes, and what happens between hello and welcome."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio

from justchat.accounts.accounts import Accounts
from justchat.accounts.factory import make_accounts
from justchat.config import Config
from justchat.connections.gate import make_gate
from justchat.connections.greet import Greeter
from justchat.connections.services import ConnectionLimits
from justchat.rooms.commands import AddMember, RemoveMember
from storage.errors import StorageUnavailable
from storage.memory import MemoryRelations, MemorySessions
from storage.records import UserRecord
from tests.connections.fake_socket import FakeSocket
from tests.connections.house import OWNER, ROOM, House, open_house, settle
from tests.support.signing_in import sign_in

ANN, BOB = "u_01a1fdb2f15672849aae512f789e0948", "u_01a1fdb2f15672849aae512f789e0949"
LIMITS = ConnectionLimits(command_rate=0, sockets_per_user=2, subscriptions=3)


class FakeHandshake:
    """The surface of the front door's `Handshake` that the greeter uses."""

    def __init__(self, *, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None) -> None:
        self.headers = {"host": "chat.example.org", **(headers or {})}
        self.query = query or {}
        self.peer = "192.0.2.1"
        self.socket: FakeSocket | None = None
        self.rejected: tuple[int, str] | None = None

    @property
    def origin(self) -> str | None:
        return self.headers.get("origin")

    async def accept(self) -> FakeSocket:
        self.socket = FakeSocket()
        return self.socket

    async def reject(self, status: int, body: bytes, headers: object = ()) -> None:
        problem = json.loads(body)
        assert problem["status"] == status
        self.rejected = status, problem["code"]


def hold_up_greetings(house: House) -> trio.Event:
    """Have whoever says hello from now on get the list of their rooms as it is then, but only when the event is set."""
    directory, gate = house.services.directory, trio.Event()

    class Slow:
        async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> object:
            page = await directory.rooms_of(user, cursor=cursor, limit=limit)
            await gate.wait()
            return page

    house.services.directory = Slow()  # type: ignore[assignment]
    return gate


class Entrance:
    """A greeter over a house, with two users who have tokens."""

    def __init__(self, house: House, accounts: Accounts, greeter: Greeter) -> None:
        self.house = house
        self.greeter = greeter
        self.tokens = {}
        for user in (ANN, BOB):
            record = UserRecord(user, user, user, "Somebody", None, "", "user", 0)
            self.tokens[user] = sign_in(accounts, house.journal._store, record)

    async def knock(self, **parts: Mapping[str, str]) -> FakeHandshake:
        handshake = FakeHandshake(**parts)
        self.house.nursery.start_soon(self.greeter.serve, handshake)
        await settle()
        return handshake

    async def greeted(self, user: str = BOB, **data: object) -> FakeSocket:
        """Say hello with this user's token and whatever else."""
        socket = (await self.knock()).socket
        assert socket is not None
        socket.say("hello", data={"token": self.tokens[user], **data})
        await settle()
        return socket


@asynccontextmanager
async def open_entrance(*, origins: frozenset[str] = frozenset()) -> AsyncIterator[Entrance]:
    async with open_house(limits=LIMITS) as house:
        sessions = MemorySessions(house.journal._store)
        relations = MemoryRelations(house.journal._store)
        config = Config(database="memory://", bcrypt_cost=4)
        accounts = make_accounts(config, house.services.directory, sessions, relations)
        gate = make_gate(Config(allowed_origins=tuple(origins)))
        yield Entrance(house, accounts, Greeter(house.services, accounts, gate=gate))


@pytest.mark.parametrize(
    ("headers", "query", "rejected"),
    [
        ({}, {}, None),
        ({"origin": "https://chat.example.org"}, {}, None),
        ({"origin": "https://friend.example"}, {}, None),
        ({"origin": "https://evil.example"}, {}, (403, "forbidden")),
        ({"origin": "null"}, {}, (403, "forbidden")),
        ({"origin": "https://chat.example.org.evil.example"}, {}, (403, "forbidden")),
        ({"origin": ""}, {}, (403, "forbidden")),
        ({}, {"token": "x"}, (400, "unauthenticated")),
        ({}, {"access_token": ""}, (400, "unauthenticated")),
    ],
)
async def test_only_known_origins_and_no_tokens_in_addresses(
    autojump_clock: object, headers: dict[str, str], query: dict[str, str], rejected: object
) -> None:
    """Native clients, our own page and listed origins are let in."""
    async with open_entrance(origins=frozenset({"https://friend.example"})) as entrance:
        handshake = await entrance.knock(headers=headers, query=query)
        assert handshake.rejected == rejected
        assert (handshake.socket is not None) is (rejected is None)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type":"ping","id":"a"}', "unauthenticated"),
        ('{"type":"hello","id":"a"}', "unauthenticated"),
        ('{"type":"hello","id":"a","data":{"token":""}}', "unauthenticated"),
        ('{"type":"hello","id":"a","data":{"token":"x.y.z"}}', "unauthenticated"),
        ('{"type":"hello","id":"a","data":{"resume":{"r":{"epoch":"e","seq":-1}}}}', "validation_failed"),
        ('{"type":"hello","id":"a","data":{"subscribe":"some"}}', "validation_failed"),
        ("{", "invalid_frame"),
    ],
)
async def test_whoever_does_not_introduce_themselves_is_told_why_and_closed(
    autojump_clock: object, first: str, code: str
) -> None:
    """An error with the frame's id where it has one, then 4501; nobody is in the index."""
    async with open_entrance() as entrance:
        socket = (await entrance.knock()).socket
        assert socket is not None
        socket.raw(first)
        await settle()
        assert [frame["data"]["code"] for frame in socket.seen] == [code]
        assert socket.seen[0].get("id") == ("a" if first != "{" else None)
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4501
        assert len(entrance.house.index) == 0


async def test_silence_is_no_hello(autojump_clock: object) -> None:
    """After five seconds the socket is closed."""
    async with open_entrance() as entrance:
        socket = (await entrance.knock()).socket
        assert socket is not None
        await trio.sleep(4.9)
        assert not socket.closed
        await trio.sleep(0.2)
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4501


async def test_a_token_in_the_header_does_as_well(autojump_clock: object) -> None:
    """And welcome echoes the frame's id."""
    async with open_entrance() as entrance:
        handshake = await entrance.knock(headers={"authorization": f"bearer {entrance.tokens[BOB]}"})
        assert handshake.socket is not None
        asked = handshake.socket.say("hello")
        await settle()
        (welcome,) = handshake.socket.answers(asked)
        assert welcome["data"]["user"]["id"] == BOB


async def test_more_sockets_than_a_user_may_have_are_closed_until_one_leaves(autojump_clock: object) -> None:
    """4504 for the third; the place of one that left is free again."""
    async with open_entrance() as entrance:
        first, _, third = [await entrance.greeted() for _ in range(3)]
        assert third.closed_with is not None
        assert third.closed_with[0] == 4504
        assert (await entrance.greeted(ANN)).seen[0]["type"] == "welcome"
        first.leave()
        await settle()
        assert (await entrance.greeted()).seen[0]["type"] == "welcome"


async def test_resume_and_all_together_give_each_room_once(autojump_clock: object) -> None:
    """Resumed, resumed at the head, never a member, ahead, another epoch, and rooms not named: one answer each."""
    async with open_entrance() as entrance:
        house = entrance.house
        for room in ("r_1", "r_2", "r_3"):
            await house.create(BOB, room=room, posts=4)
        await house.create(room="r_4")
        socket = await entrance.greeted(
            subscribe="all",
            resume={
                "r_1": {"epoch": "e_1", "seq": 2},
                "r_2": {"epoch": "", "seq": 5},
                "r_4": {"epoch": "e_1", "seq": 1},
                "r_none": {"epoch": "e_1", "seq": 7},
            },
        )
        await house.post("live", room="r_3")
        assert socket.seen[0]["type"] == "welcome"
        assert {room["id"] for room in socket.seen[0]["data"]["rooms"]} == {"r_1", "r_2", "r_3"}
        assert socket.kinds("r_1") == ["subscribed", *["message.created"] * 3, "caught_up"]
        assert socket.seqs("r_1") == [3, 4, 5]
        assert socket.kinds("r_2") == ["subscribed", "caught_up"]
        assert socket.kinds("r_3") == ["subscribed", "message.created"]
        for room in ("r_4", "r_none"):
            (frame,) = socket.of(room)
            assert (frame["type"], frame["data"]["reason"]) == ("unsubscribed", "removed")


async def test_a_position_that_cannot_be_resumed_is_reset_and_the_room_not_followed(autojump_clock: object) -> None:
    """Another epoch, or a seq from the future."""
    async with open_entrance() as entrance:
        await entrance.house.create(BOB, posts=2)
        for position, reason in (({"epoch": "e_0", "seq": 1}, "epoch"), ({"epoch": "e_1", "seq": 99}, "ahead")):
            socket = await entrance.greeted(subscribe="all", resume={ROOM: position})
            await entrance.house.post(f"live {reason}")
            (frame,) = socket.of(ROOM)
            assert (frame["type"], frame["data"]["reason"]) == ("reset", reason)
            socket.leave()
            await settle()


async def test_with_more_rooms_than_may_be_followed_the_newest_are(autojump_clock: object) -> None:
    """Welcome lists as many as may be followed, and all of those are."""
    async with open_entrance() as entrance:
        for number in range(1, 6):
            await entrance.house.create(BOB, room=f"r_{number}")
        socket = await entrance.greeted(subscribe="all")
        assert [room["id"] for room in socket.seen[0]["data"]["rooms"]] == ["r_5", "r_4", "r_3"]
        assert [frame["room"] for frame in socket.seen[1:]] == ["r_5", "r_4", "r_3"]
        assert {frame["type"] for frame in socket.seen[1:]} == {"subscribed"}


async def test_a_membership_that_begins_or_ends_before_welcome_is_followed_as_it_is(autojump_clock: object) -> None:
    """While the directory is asked for the rooms one is added to one of them, and removed from another."""
    async with open_entrance() as entrance:
        house = entrance.house
        await house.create(room="r_1")
        await house.create(BOB, room="r_2")
        gate = hold_up_greetings(house)
        socket = await entrance.greeted(subscribe="all")
        await house.command(AddMember(OWNER, BOB), room="r_1")
        await house.command(RemoveMember(OWNER, BOB), room="r_2")
        assert socket.seen == []
        gate.set()
        await settle()
        await house.post("live", room="r_1")
        assert socket.seen[0]["type"] == "welcome"
        assert socket.kinds("r_1") == ["subscribed", "member.added", "caught_up", "message.created"]
        assert socket.kinds("r_2") == []


async def test_a_store_that_fails_while_greeting_closes_with_an_invitation_to_come_back(
    autojump_clock: object,
) -> None:
    """1013 and out of the index; so it is when the token cannot be looked up."""

    class Failing:
        async def rooms_of(self, *_: object, **__: object) -> object:
            raise StorageUnavailable("planted")

    async with open_entrance() as entrance:
        entrance.house.services.directory = Failing()  # type: ignore[assignment]
        socket = await entrance.greeted()
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 1013
        assert len(entrance.house.index) == 0


async def test_goodbye_before_welcome_ends_the_connection(autojump_clock: object) -> None:
    """A stop that meets a connection between hello and welcome leaves nothing behind."""
    async with open_entrance() as entrance:
        await entrance.house.create(BOB)
        gate = hold_up_greetings(entrance.house)
        socket = await entrance.greeted(subscribe="all")
        (connection,) = entrance.house.index
        connection.say_goodbye()
        gate.set()
        await settle()
        assert [frame["type"] for frame in socket.seen] == ["goodbye"]
        assert socket.closed_with == (1012, "restarting")
        assert (len(entrance.house.index), entrance.house.subscribers()) == (0, 0)


async def test_news_that_come_between_hello_and_welcome_are_told_after_it(autojump_clock: object) -> None:
    """Welcome is the first frame, also of who came so late that the token is about to end: then in their order."""
    async with open_entrance() as entrance:
        gate = hold_up_greetings(entrance.house)
        socket = await entrance.greeted()
        for number in range(3):
            entrance.house.index.tell(BOB, b'{"type":"news","seq":%d}' % number)
        assert socket.seen == []
        gate.set()
        await settle()
        entrance.house.index.tell(BOB, b'{"type":"news","seq":3}')
        assert [(frame["type"], frame.get("seq")) for frame in socket.seen] == [
            ("welcome", None),
            *[("news", number) for number in range(4)],
        ]


@pytest.mark.parametrize("how", ["turned away", "revoked", "left"])
async def test_a_place_is_taken_until_the_socket_is_gone(autojump_clock: object, how: str) -> None:
    """Whoever does not answer goodbyes holds no more sockets than others do; then the place is another's."""
    async with open_entrance() as entrance:
        sockets = entrance.greeter._gate.sockets
        handshake = await entrance.knock()
        socket = handshake.socket
        assert socket is not None
        socket.linger()
        socket.say("hello", data={"token": entrance.tokens[BOB] if how != "turned away" else "none"})
        await settle()
        if how == "revoked":
            next(iter(entrance.house.index)).revoke()
        elif how == "left":
            socket.leave()
        await settle()
        assert socket.closed
        assert (len(entrance.house.index), len(entrance.house.index.arriving)) == (0, 0)
        assert sockets.of(handshake.peer)[0] == 1
        socket.gone.set()
        await settle()
        assert sockets.of(handshake.peer) == (0, 0)

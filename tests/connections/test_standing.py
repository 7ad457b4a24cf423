"""By which right a connection is open: what it covers, the warning before its end, and going on by another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from justchat.accounts.identity import Identity, Scope, ServerRole
from justchat.connections.standing import Notice, Standing
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import StorageUnavailable
from tests.connections.fake_socket import Frame
from tests.connections.house import House, open_house, settle
from tests.rooms.world import OWNER, ROOM
from tests.support.signing_in import somebody

STRANGER = "u_stranger"
POST = {"client_msg_id": "1", "body": "hello"}


def until(seconds: float, *, user: str = OWNER, session: str = "s_1") -> Identity:
    """Make an identity that ends at this second of the wall clock."""
    return replace(somebody(user, session=session), expires_at=round(seconds * 1000))


def notices(standing: Standing, *moments: float) -> list[Notice | None]:
    return [standing.notice(moment) for moment in moments]


def test_the_warning_comes_once_a_minute_before_the_end() -> None:
    """The end is told for as long as anybody asks."""
    standing = Standing(until(1600), now=100.0, wall_ms=1_000_000)
    assert standing.left_ms(100.0) == 600_000
    assert notices(standing, 100.0, 639.9) == [None, None]
    assert notices(standing, 640.0, 640.1, 699.9) == [Notice.EXPIRING, None, None]
    assert notices(standing, 700.0, 701.0) == [Notice.EXPIRED, Notice.EXPIRED]
    assert standing.left_ms(701.0) == 0


def test_a_right_that_is_near_its_end_or_past_it_is_told_so_at_once() -> None:
    """Nobody has to wait for it."""
    assert Standing(until(1030), now=0.0, wall_ms=1_000_000).notice(0.0) is Notice.EXPIRING
    assert Standing(until(999), now=0.0, wall_ms=1_000_000).notice(0.0) is Notice.EXPIRED


def test_a_right_without_an_end_is_never_warned_of() -> None:
    """A personal token may be good for ever."""
    standing = Standing(somebody(OWNER), now=0.0, wall_ms=0)
    assert (notices(standing, 0.0, 1e9), standing.left_ms(5.0)) == ([None, None], 0)


def test_another_right_has_a_warning_of_its_own() -> None:
    """Also where the former one had been warned of."""
    standing = Standing(until(100), now=0.0, wall_ms=0)
    assert standing.notice(50.0) is Notice.EXPIRING
    standing.renew(until(200), now=60.0, wall_ms=60_000)
    assert notices(standing, 60.0, 100.0, 139.0, 140.0, 141.0, 200.0) == [
        *(None, None, None),
        *(Notice.EXPIRING, None, Notice.EXPIRED),
    ]


def test_what_has_become_of_the_same_right_is_not_warned_of_again() -> None:
    """A role that changes in the last minute moves no end, however the clocks are read."""
    standing = Standing(until(100), now=0.0, wall_ms=0)
    assert standing.notice(50.0) is Notice.EXPIRING
    standing.renew(replace(until(100), user=somebody(OWNER, role=ServerRole.GUEST).user), now=60.0004, wall_ms=60_001)
    assert standing.notice(61.0) is None


async def test_a_token_is_warned_of_a_minute_before_it_ends_and_its_socket_closed_then(autojump_clock: object) -> None:
    """One `expiring` with the time that is left, then 4005, with which clients come back by themselves."""
    async with open_timed() as (house, start):
        _, socket = house.connect(identity=until(start + 600))
        await trio.sleep(539)
        assert kinds(socket.seen) == ["welcome"]
        await trio.sleep(2)
        (warning,) = [frame for frame in socket.seen if frame["type"] == "expiring"]
        assert (warning["type"], 58_000 <= warning["data"]["in_ms"] <= 60_000) == ("expiring", True)
        await trio.sleep(58)
        assert (kinds(socket.seen), socket.closed) == (["welcome", "expiring"], False)
        await trio.sleep(2)
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4005
        assert len(house.index) == 0


async def test_who_goes_on_by_another_token_in_time_keeps_everything(autojump_clock: object) -> None:
    """The answer says for how long; nothing closes at the end of the former token, and no message was missed."""
    async with open_timed() as (house, start):
        await house.create()
        tokens = {"next": until(start + 1200), "last": until(start + 1800)}
        house.services.authenticate = recognising(tokens)
        _, socket = house.connect(identity=until(start + 600))
        socket.say("subscribe", room=ROOM, data={"history": 0})
        for token in tokens:
            await trio.sleep(580)
            await house.post(f"before {token}")
            asked = socket.say("refresh", data={"token": token})
            await settle()
            (answer,) = socket.answers(asked)
            assert (answer["type"], round(answer["data"]["expires_in_ms"], -4)) == (
                "refreshed",
                620_000 if token == "next" else 640_000,
            )
            await house.post(f"after {token}")
        await trio.sleep(300)
        assert socket.seqs(ROOM) == [2, 3, 4, 5]
        assert kinds(socket.seen).count("expiring") == 2
        assert not socket.closed


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Refusal(ErrorCode.UNAUTHENTICATED, "no"), "unauthenticated"),
        (Refusal(ErrorCode.TOKEN_EXPIRED, "old"), "token_expired"),
        (until(9e9, user=STRANGER), "forbidden"),
        (Identity(somebody(OWNER).user, credential="k_1", scopes=frozenset({"messages:write"})), "forbidden"),
        (StorageUnavailable("planted"), "storage_unavailable"),
    ],
)
async def test_a_token_that_one_cannot_stay_by_changes_nothing(
    autojump_clock: object, found: object, code: str
) -> None:
    """Refused with the frame's id; the socket stays open by the former token, to its end."""
    async with open_timed() as (house, start):
        house.services.authenticate = recognising({"x": found})
        _, socket = house.connect(identity=until(start + 100))
        asked = socket.say("refresh", data={"token": "x"})
        await settle()
        (answer,) = socket.answers(asked)
        assert (answer["type"], answer["data"]["code"]) == ("error", code)
        await trio.sleep(98)
        assert not socket.closed
        await trio.sleep(3)
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4005


async def test_one_token_is_looked_at_at_a_time(autojump_clock: object) -> None:
    """Whoever sends more meanwhile is told to wait; leaving ends what is under way."""
    async with open_timed() as (house, _):
        gate = trio.Event()
        asked: list[str] = []

        async def slow(token: str) -> Identity:
            asked.append(token)
            await gate.wait()
            return until(9e9)

        house.services.authenticate = slow
        _, socket = house.connect(identity=until(9e9))
        first, second = (socket.say("refresh", data={"token": token}) for token in ("1", "2"))
        await settle()
        assert [frame["data"]["code"] for frame in socket.answers(second)] == ["room_overloaded"]
        assert socket.answers(first) == []
        gate.set()
        await settle()
        assert kinds(socket.answers(first)) == ["refreshed"]
        gate = trio.Event()
        socket.say("refresh", data={"token": "3"})
        await settle()
        socket.leave()
        await settle()
        assert (asked, len(house.index)) == (["1", "3"], 0)


async def test_whoever_becomes_a_guest_reads_on_and_changes_nothing(autojump_clock: object) -> None:
    """And may change things again when they are a user again, all on the same socket."""
    async with open_house() as house:
        await house.create()
        connection, socket = house.connect()
        user = connection.identity.user
        socket.say("subscribe", room=ROOM, data={"history": 0})
        await settle()
        for role, answer in (("guest", "forbidden"), ("user", "ack")):
            connection.identify(replace(connection.identity, user=replace(user, role=role)))
            asked = socket.say("send", room=ROOM, data=POST)
            await settle()
            (found,) = socket.answers(asked)
            assert found["data"].get("code", found["type"]) == answer
            await house.post(f"to a {role}")
            assert (await asked_for(house, socket, "fetch"))["type"] == "page"
        assert socket.seqs(ROOM) == [2, 3, 4]
        assert socket.of(ROOM)[-1]["type"] == "page"


@pytest.mark.parametrize("scope", Scope)
async def test_a_personal_token_gives_what_its_scope_says(autojump_clock: object, scope: Scope) -> None:
    """To read and to write over the socket are two scopes; pings and leaving need none."""
    async with open_house() as house:
        await house.create()
        identity = Identity(somebody(OWNER).user, credential="k_1", scopes=frozenset({scope.value}))
        _, socket = house.connect(identity=identity)
        answers = {
            kind: (await asked_for(house, socket, kind))["type"] for kind in ("subscribe", "fetch", "send", "ping")
        }
        reads, writes = scope is Scope.MESSAGES_READ, scope is Scope.MESSAGES_WRITE
        assert answers == {
            "subscribe": "subscribed" if reads else "error",
            "fetch": "page" if reads else "error",
            "send": "ack" if writes else "error",
            "ping": "pong",
        }
        assert (len(house.journal._store.entries[ROOM]), house.subscribers()) == (1 + writes, int(reads))


async def test_a_program_that_only_writes_goes_on_by_a_token_that_only_writes(autojump_clock: object) -> None:
    """What a token must not take away is what the socket could do so far."""
    async with open_timed() as (house, start):
        user = somebody(OWNER).user
        present, following = (
            Identity(user, credential=name, scopes=frozenset({"messages:write"}), expires_at=round(end * 1000))
            for name, end in (("k_1", start + 10), ("k_2", start + 900))
        )
        house.services.authenticate = recognising({"x": following})
        connection, socket = house.connect(identity=present)
        asked = socket.say("refresh", data={"token": "x"})
        await settle()
        assert kinds(socket.answers(asked)) == ["refreshed"]
        assert connection.identity == following
        await trio.sleep(20)
        assert not socket.closed


async def asked_for(house: House, socket: Any, kind: str) -> Frame:
    """Send a frame and give its answer."""
    data = POST if kind == "send" else None
    asked = socket.say(kind, room=None if kind == "ping" else ROOM, data=data)
    await settle()
    (answer,) = socket.answers(asked)
    found: Frame = answer
    return found


def kinds(frames: list[Frame]) -> list[str]:
    """Name the types of frames, but for pings."""
    return [frame["type"] for frame in frames if frame["type"] != "(ping)"]


def recognising(tokens: dict[str, Any]) -> Any:
    """Make what recognises these tokens: as an identity or a refusal, or by failing."""

    async def authenticate(token: str) -> Identity | Refusal:
        await trio.lowlevel.checkpoint()
        found: Identity | Refusal | Exception = tokens[token]
        if isinstance(found, Exception):
            raise found
        return found

    return authenticate


@asynccontextmanager
async def open_timed() -> AsyncIterator[tuple[House, float]]:
    """Open a house whose wall clock is the virtual one; give it and the time."""
    async with open_house() as house:
        house.services.wall_ms = lambda: round(trio.current_time() * 1000)
        yield house, trio.current_time()

"""Editing, reactions and pins on a real socket: what is said, what is answered, and what is never said at all.

They go the way of posts, over lost connections and passing refusals; each is safe to repeat by its nature.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Final

import msgspec
import pytest
import trio

from justchat.client import Ack, Client, Refused, Reset, RoomEvent, Unsubscribed
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode
from justchat.wire.events import (
    SYSTEM,
    HistoryTrimmed,
    MemberUnmuted,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    ReactionAdded,
)
from justchat.wire.frames import (
    CommandFrame,
    Edit,
    EditData,
    Pin,
    PinData,
    React,
    ReactionData,
    SendData,
    Unpin,
    Unreact,
)
from tests.client import frames
from tests.client.conftest import OpenClient
from tests.client.script import Outcome, connected, following, take
from tests.client.scripted_server import ScriptedServer

pytestmark = pytest.mark.real_clock

Call = Callable[[Client], Coroutine[None, None, Ack]]
CALLS: Final[dict[str, tuple[Call, type[CommandFrame], object]]] = {
    "edit": (lambda client: client.edit("r", "m_1", "better", rev=2), Edit, EditData("m_1", "better", 2)),
    "edit_any": (lambda client: client.edit("r", "m_1", "better"), Edit, EditData("m_1", "better")),
    "react": (lambda client: client.react("r", "m_1", "👍"), React, ReactionData("m_1", "👍")),
    "unreact": (lambda client: client.unreact("r", "m_1", "👍"), Unreact, ReactionData("m_1", "👍")),
    "pin": (lambda client: client.pin("r", "m_1"), Pin, PinData("m_1")),
    "unpin": (lambda client: client.unpin("r", "m_1"), Unpin, PinData("m_1")),
}


@pytest.mark.parametrize("name", CALLS)
async def test_each_command_says_what_it_means_and_gives_the_answer(
    opened: OpenClient, server: ScriptedServer, name: str
) -> None:
    """Room and data arrive as they were given; `changed` comes back as the server says it."""
    call, kind, data = CALLS[name]
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: call(client))
        frame = await peer.receive()
        assert isinstance(frame, kind)
        assert (frame.room, frame.data) == ("r", data)
        await peer.say(frames.ack("r", frame_id=frame.id, seq=7, changed=False))
        ack = await outcome.wait()
        assert isinstance(ack, Ack)
        assert (ack.seq, ack.changed) == (7, False)


@pytest.mark.parametrize("name", CALLS)
async def test_each_command_is_repeated_until_it_is_answered(
    opened: OpenClient, server: ScriptedServer, name: str
) -> None:
    """A lost connection and a busy room in between: the same frame again, and one answer for the caller."""
    call, _, _ = CALLS[name]
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: call(client))
        first = await peer.receive()
        await peer.hang_up()
        second = await server.greeted()
        assert await second.receive() == first
        await second.say(frames.error(ErrorCode.ROOM_OVERLOADED, frame_id=first.id, room="r", retry_after=0.001))
        assert await second.receive() == first
        await second.say(frames.ack("r", frame_id=first.id, seq=3))
        assert isinstance(await outcome.wait(), Ack)
        assert client.statistics().pending == 0


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.FORBIDDEN,
        ErrorCode.MUTED,
        ErrorCode.BANNED,
        ErrorCode.CONFLICT,
        ErrorCode.PRECONDITION_FAILED,
        ErrorCode.NOT_FOUND,
    ],
)
async def test_refusals_that_will_not_pass_are_raised(
    opened: OpenClient, server: ScriptedServer, code: ErrorCode
) -> None:
    """Once, and with their code."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.edit("r", "m_1", "better"))
        frame = await peer.receive()
        await peer.say(frames.error(code, frame_id=frame.id, room="r"))
        error = await outcome.wait()
        assert isinstance(error, Refused)
        assert error.code == code
        assert client.statistics().retries == 0


async def test_slow_mode_is_raised_with_the_wait(opened: OpenClient, server: ScriptedServer) -> None:
    """It may be hours, so it is for the caller to decide."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "again"))
        frame = await peer.post()
        await peer.say(frames.error(ErrorCode.SLOW_MODE, frame_id=frame.id, room="r", retry_after=12.5))
        error = await outcome.wait()
        assert isinstance(error, Refused)
        assert (error.code, error.problem.retry_after) == ("slow_mode", 12.5)


async def test_a_post_says_its_thread_its_mentions_and_its_time(opened: OpenClient, server: ScriptedServer) -> None:
    """All that a message can be besides its text."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(
            outcome.of,
            lambda: client.send(
                "r",
                "hello",
                client_msg_id="k",
                reply_to="m_2",
                thread_root="m_1",
                mentions=["u_bob", "u_eve"],
                expires_in=60,
            ),
        )
        frame = await peer.post()
        assert frame.data == SendData("k", "hello", "m_2", "m_1", ("u_bob", "u_eve"), 60)
        await peer.say(frames.ack("r", frame_id=frame.id, seq=1))
        assert isinstance(await outcome.wait(), Ack)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.edit("r", "m_1", ""), "validation_failed"),
        (lambda client: client.edit("r", "m_1", "\ud800"), "validation_failed"),
        (lambda client: client.edit("r", "m_1", "x" * 20_000), "payload_too_large"),
        (lambda client: client.edit("r", "m_1", "x", rev=0), "validation_failed"),
        (lambda client: client.react("r", "m_1", ""), "validation_failed"),
        (lambda client: client.react("r", "m_1", "x" * 33), "validation_failed"),
        (lambda client: client.pin("r", ""), "validation_failed"),
    ],
)
async def test_what_the_server_would_call_malformed_never_leaves(
    opened: OpenClient, server: ScriptedServer, call: Call, code: str
) -> None:
    """The mistake is raised where it was made, and the connection of everybody else is spared."""
    async with connected(opened, server) as (client, peer):
        with pytest.raises(Refused) as caught:
            await call(client)
        assert caught.value.code == code
        await following(peer, client)


async def test_changes_arrive_decoded_in_their_place(opened: OpenClient, server: ScriptedServer) -> None:
    """What happened to messages and people is told by type, and the system's doings by its name."""
    gone = MessageGone("m_r_1", 1, 1)
    contents = [
        MessageUpdated("m_r_1", 1, 1, 2, "better", "2026-01-31T09:30:00.000Z"),
        ReactionAdded("m_r_1", 1, "u_bob", "👍"),
        MessagesBulkDeleted((gone,)),
        MemberUnmuted("u_bob"),
        HistoryTrimmed(3),
    ]
    async with connected(opened, server) as (client, peer):
        await following(peer, client, head=1)
        for seq, content in enumerate(contents, start=2):
            await peer.say(frames.event(content, "r", seq, actor=SYSTEM))
        items = [await take(client) for _ in contents]
        assert [item.content for item in items if isinstance(item, RoomEvent)] == contents
        assert {item.actor for item in items if isinstance(item, RoomEvent)} == {SYSTEM}
        assert isinstance(items[0], RoomEvent)
        assert items[0].type == "message.updated"
        assert msgspec.json.decode(items[0].data)["body"] == "better"


@pytest.mark.parametrize("reason", ["retention", "history_visibility"])
async def test_a_past_that_is_not_there_any_more_ends_the_run_openly(
    opened: OpenClient, server: ScriptedServer, reason: str
) -> None:
    """What cannot be resumed after a lost connection is a reset that says why, never a silent hole."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, head=10)
        await peer.hang_up()
        second = await server.greeted()
        await second.say(server_frames.reset("r", reason=reason, epoch="e1", head_seq=90))
        assert await take(client) == Reset("r", reason, 10, "e1", 90)
        assert client.position("r") is None


async def test_a_ban_ends_the_run_with_its_name(opened: OpenClient, server: ScriptedServer) -> None:
    """Live with its own frame; for somebody who was away, with the refusal of their return."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, head=10)
        await following(peer, client, "s", head=20)
        await peer.say(server_frames.unsubscribed("r", reason="banned", seq=10))
        assert await take(client) == Unsubscribed("r", "banned", 10, 10)
        await peer.hang_up()
        second = await server.greeted()
        await second.say(frames.error(ErrorCode.BANNED, room="s"))
        assert await take(client) == Unsubscribed("s", "banned", 20, None)

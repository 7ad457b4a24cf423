"""The client on a real socket: what an application sees while the server says what the script says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from justchat.client import (
    Ack,
    Client,
    ClientClosed,
    ClosedByServer,
    NoAnswer,
    Position,
    PositionLost,
    Refused,
    Reset,
    RoomEvent,
    Subscribed,
    Unreachable,
    Unsubscribed,
    UpgradeRefused,
)
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode
from justchat.wire.frames import Delete, Fetch, Ping, Unsubscribe
from justchat.wire.server_frames import WelcomeRoom
from tests.client import frames
from tests.client.conftest import QUICK, OpenClient
from tests.client.law import Judge
from tests.client.scripted_server import Peer, ScriptedServer, Turning

pytestmark = pytest.mark.real_clock


@asynccontextmanager
async def connected(opened: OpenClient, server: ScriptedServer, **wishes: object) -> AsyncIterator[tuple[Client, Peer]]:
    """Open a client and take its first connection up to the welcome."""
    peers: list[Peer] = []

    async def greet() -> None:
        peers.append(await server.greeted())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet)
        async with opened(**wishes) as client:
            while not peers:
                await trio.lowlevel.checkpoint()
            yield client, peers[0]


async def following(peer: Peer, client: Client, room: str = "r", *, head: int = 0) -> None:
    """Have the client subscribe to a room."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.subscribe, room)
        question = await peer.question()
        await peer.say(frames.subscribed(room, frame_id=question.id, head_seq=head))
    assert isinstance(await take(client), Subscribed)


async def take(client: Client) -> object:
    """Wait for the next item."""
    with trio.fail_after(10):
        return await anext(client.events())


async def bodies(client: Client, count: int) -> list[str]:
    """Wait for so many events, and give what they say."""
    found = []
    for _ in range(count):
        item = await take(client)
        assert isinstance(item, RoomEvent), item
        found.append(msgspec.json.decode(item.data)["body"])
    return found


def said(room: str, *seqs: int) -> list[bytes]:
    return [frames.message_event(room, seq, f"b{seq}") for seq in seqs]


class Outcome:
    """What a call in a background task came to."""

    def __init__(self) -> None:
        self.value: object = None
        self.done = trio.Event()

    async def of(self, call: Callable[[], object]) -> None:
        try:
            self.value = await call()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.value = error
        self.done.set()

    async def wait(self) -> object:
        with trio.fail_after(10):
            await self.done.wait()
        return self.value


# Entering and leaving.


async def test_a_client_knows_who_it_is_once_it_is_open(opened: OpenClient, server: ScriptedServer) -> None:
    """The token goes with the upgrade and not with hello, and the welcome is there when the block begins."""
    async with connected(opened, server) as (client, peer):
        assert peer.bearer == "t0ken"
        assert client.user.username == "alice"
        assert client.connected
        assert client.statistics().connections == 1


async def test_leaving_the_block_closes_politely(opened: OpenClient, server: ScriptedServer) -> None:
    """The server gets a close frame with 1000 and no half connection."""
    async with connected(opened, server) as (_, peer):
        pass
    await peer.gone()
    assert peer.close_code == 1000


async def test_an_exception_of_the_block_comes_out_as_it_is(opened: OpenClient, server: ScriptedServer) -> None:
    """Callers can catch what they raised, although a nursery lies in between."""
    plan = ValueError("mine")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.greeted)
        with pytest.raises(ValueError) as caught:
            async with opened():
                raise plan from KeyError("cause")
    assert caught.value is plan
    assert isinstance(plan.__cause__, KeyError)


async def test_cancelling_the_block_leaves_nothing_behind(opened: OpenClient, server: ScriptedServer) -> None:
    """A deadline around everything ends connection and task at once."""
    async with trio.open_nursery() as nursery:
        peers: list[Peer] = []

        async def greet() -> None:
            peers.append(await server.greeted())

        nursery.start_soon(greet)
        with trio.CancelScope() as scope:
            async with opened():
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
    await peers[0].gone()


async def test_calls_after_the_block_say_that_the_client_is_closed(opened: OpenClient, server: ScriptedServer) -> None:
    """And the stream has ended, not hung."""
    async with connected(opened, server) as (client, _):
        pass
    with pytest.raises(ClientClosed):
        await client.send("r", "late")
    assert [item async for item in client.events()] == []


async def test_a_call_that_waits_when_the_block_ends_is_told(opened: OpenClient, server: ScriptedServer) -> None:
    """No caller is left without an answer."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery:
        async with connected(opened, server) as (client, peer):
            nursery.start_soon(outcome.of, lambda: client.send("r", "x"))
            await peer.post()
        assert isinstance(await outcome.wait(), ClientClosed)


async def test_who_is_calling_has_to_be_said_once() -> None:
    """Neither nobody nor two at a time."""
    from justchat.client import open_client

    with pytest.raises(ValueError):
        async with open_client("http://127.0.0.1:1"):
            pass
    with pytest.raises(ValueError):
        async with open_client("http://127.0.0.1:1", token="t", credentials=("a", "b")):
            pass


# Being turned away, and coming back.


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426])
async def test_an_upgrade_that_is_refused_for_good_is_raised(
    opened: OpenClient, server: ScriptedServer, status: int
) -> None:
    """Trying again would not help."""
    server.turning = [Turning(status, body=b"no")] * 5
    with pytest.raises(UpgradeRefused) as caught:
        async with opened():
            pytest.fail("not open")
    assert caught.value.status == status
    assert server.turned_away == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_an_upgrade_that_is_refused_for_now_is_tried_again(
    opened: OpenClient, server: ScriptedServer, status: int
) -> None:
    """An overloaded or restarting server is waited for."""
    server.turning = [Turning(status, headers=(("Retry-After", "0"),))] * 3
    async with connected(opened, server):
        assert server.turned_away == 3


async def test_retry_after_is_waited_for(
    opened: OpenClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's wish replaces the back-off."""
    waits = note_waits(monkeypatch)
    server.turning = [Turning(503, headers=(("Retry-After", "7"),))]
    async with connected(opened, server):
        assert waits == [7.0]


def note_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long the line would wait between connections, and do not wait."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr("justchat.client.line.pause", sleep)
    return waits


async def test_a_server_that_hangs_up_during_the_handshake_is_tried_again(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The library below would wait for ever for the answer."""
    server.hangs_up_early = 3
    with trio.fail_after(4):
        async with connected(opened, server) as (client, _):
            assert client.connected


async def test_a_server_that_is_not_there_is_given_up_in_time(opened: OpenClient) -> None:
    """The error says what the last attempt ended with."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    settings = msgspec.structs.replace(QUICK, first_connection_seconds=0.05)
    with pytest.raises(Unreachable, match="refused|connect"):
        async with opened_at(f"http://127.0.0.1:{port}", settings):
            pytest.fail("not open")


def opened_at(url: str, settings: object) -> object:
    from justchat.client import open_client

    return open_client(url, token="t", settings=settings, jitter=lambda: 0.0)  # type: ignore[arg-type]


async def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """No welcome within the deadline of an attempt is a lost connection."""
    settings = msgspec.structs.replace(QUICK, connect_seconds=0.05)
    async with trio.open_nursery() as nursery:

        async def silent_then_kind() -> None:
            peer = await server.peer()
            await peer.hello()
            await peer.gone()
            await server.greeted()

        nursery.start_soon(silent_then_kind)
        async with opened(settings=settings) as client:
            assert client.statistics().connections == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4000, 4002, 4003, 4004, 4499])
async def test_a_close_that_invites_back_is_followed(opened: OpenClient, server: ScriptedServer, code: int) -> None:
    """The client returns by itself."""
    async with connected(opened, server) as (client, peer):
        await peer.close(code)
        second = await server.greeted()
        await following(second, client)
        assert client.statistics().connections == 2


@pytest.mark.parametrize("code", [1002, 1008, 1009, 4500, 4502, 4503, 4504, 4999])
async def test_a_close_for_good_is_raised_to_everybody(opened: OpenClient, server: ScriptedServer, code: int) -> None:
    """Waiting callers, later callers and the reader of the stream all hear it, after what came before."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery:
        async with connected(opened, server) as (client, peer):
            await following(peer, client)
            nursery.start_soon(outcome.of, lambda: client.send("r", "x"))
            await peer.post()
            await peer.say(*said("r", 1))
            await peer.close(code, "go away")
            error = await outcome.wait()
            assert isinstance(error, ClosedByServer)
            assert (error.code, error.reason) == (code, "go away")
            assert await bodies(client, 1) == ["b1"]
            for _ in range(2):
                with pytest.raises(ClosedByServer):
                    await take(client)
            with pytest.raises(ClosedByServer):
                await client.send("r", "y")
            assert server.idle()


async def test_goodbye_says_when_to_return(
    opened: OpenClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hint counts for the connection that it ended, and for no later one."""
    waits = note_waits(monkeypatch)
    async with connected(opened, server) as (_, peer):
        await peer.say(server_frames.goodbye(reason="restart", reconnect_after_ms=1234))
        await peer.close(1012)
        second = await server.greeted()
        await second.close(1001)
        await server.greeted()
        assert waits == [1.234, 0.0]


async def test_a_token_that_is_not_accepted_is_renewed_once(opened: OpenClient, server: ScriptedServer) -> None:
    """4501 asks the source for a fresh token; an expired session on a later connection does so again."""
    source = Tokens("old", "new", "newer")
    async with trio.open_nursery() as nursery:

        async def guard() -> None:
            peer = await server.peer()
            await peer.hello()
            assert peer.bearer == "old"
            await peer.say(frames.error(ErrorCode.TOKEN_EXPIRED))
            await peer.close(4501, "token_expired")
            peer = await server.greeted()
            assert peer.bearer == "new"
            await peer.close(4005)
            peer = await server.greeted()
            assert peer.bearer == "newer"
            nursery.cancel_scope.cancel()

        nursery.start_soon(guard)
        async with opened(token=source):
            await trio.sleep_forever()
    assert source.asked == [False, True, True]


async def test_a_fresh_token_that_is_not_accepted_either_is_the_end(opened: OpenClient, server: ScriptedServer) -> None:
    """A revoked account does not log in for ever."""
    server.turning = [Turning(401)] * 5
    source = Tokens("old", "new", "newer")
    with pytest.raises(UpgradeRefused):
        async with opened(token=source):
            pytest.fail("not open")
    assert source.asked == [False, True]


class Tokens:
    """Gives tokens in turn."""

    def __init__(self, *tokens: str) -> None:
        self.asked: list[bool] = []
        self._tokens = list(tokens)

    async def token(self, *, fresh: bool) -> str | None:
        self.asked.append(fresh)
        await trio.lowlevel.checkpoint()
        if fresh:
            self._tokens.pop(0)
        return self._tokens[0]


# Sending.


async def test_a_post_is_answered_after_its_commit(opened: OpenClient, server: ScriptedServer) -> None:
    """The call gives what the server says about it."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello", client_msg_id="k", reply_to="m_1"))
        frame = await peer.post()
        assert (frame.room, frame.data.body, frame.data.client_msg_id, frame.data.reply_to) == (
            "r",
            "hello",
            "k",
            "m_1",
        )
        await peer.say(frames.ack("r", frame_id=frame.id, seq=7, client_msg_id="k"))
        ack = await outcome.wait()
        assert isinstance(ack, Ack)
        assert (ack.seq, ack.message_id, ack.client_msg_id, ack.duplicate) == (7, "m_r_7", "k", False)


@pytest.mark.parametrize("ending", ["close", "hang_up", "reset", "half_an_ack"])
async def test_a_post_whose_answer_was_lost_is_repeated_under_the_same_id(
    opened: OpenClient, server: ScriptedServer, ending: str
) -> None:
    """However the connection ends: the server can tell the repeat, and the caller sees one answer."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        first = await peer.post()
        if ending == "close":
            await peer.close(1001)
        elif ending == "hang_up":
            await peer.hang_up()
        elif ending == "reset":
            await peer.reset()
        else:
            await peer.say_raw(peer.framed(frames.ack("r", frame_id=first.id, seq=3))[:-9])
            await peer.hang_up()
        second = await server.greeted()
        again = await second.post()
        assert again == first
        await second.say(frames.ack("r", frame_id=again.id, seq=3, duplicate=True))
        ack = await outcome.wait()
        assert isinstance(ack, Ack)
        assert ack.duplicate


async def test_a_post_made_while_there_is_no_connection_waits_for_one(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The caller does not have to know."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        await peer.close(1001)
        second = await server.peer()
        assert not client.connected
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        await second.hello()
        await second.say(frames.welcome())
        frame = await second.post()
        await second.say(frames.ack("r", frame_id=frame.id, seq=1))
        assert isinstance(await outcome.wait(), Ack)


async def test_posts_of_one_task_keep_their_order_over_lost_connections(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Everything unanswered comes again, first things first."""
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        outcomes = [Outcome() for _ in range(4)]
        firsts = []
        for number, outcome in enumerate(outcomes):
            nursery.start_soon(outcome.of, lambda number=number: client.send("r", f"p{number}"))
            firsts.append(await peer.post())
        await peer.hang_up()
        second = await server.greeted()
        again = [await second.post() for _ in outcomes]
        assert again == firsts
        assert [frame.data.body for frame in again] == ["p0", "p1", "p2", "p3"]
        for frame in reversed(again):
            await second.say(frames.ack("r", frame_id=frame.id, seq=int(frame.data.body[1:]) + 1))
        acks = [await outcome.wait() for outcome in outcomes]
        assert [ack.seq for ack in acks if isinstance(ack, Ack)] == [1, 2, 3, 4]


async def test_a_busy_room_is_tried_again_until_it_takes_the_post(opened: OpenClient, server: ScriptedServer) -> None:
    """Passing refusals do not reach the caller; the id stays the same."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        ids = set()
        for code in (ErrorCode.ROOM_OVERLOADED, ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.DRAINING):
            frame = await peer.post()
            ids.add(frame.data.client_msg_id)
            await peer.say(frames.error(code, frame_id=frame.id, room="r", retry_after=0.001))
        frame = await peer.post()
        await peer.say(frames.ack("r", frame_id=frame.id, seq=1))
        assert isinstance(await outcome.wait(), Ack)
        assert ids == {frame.data.client_msg_id}
        assert client.statistics().retries == 3


async def test_a_refusal_is_raised_and_hurts_nobody_else(opened: OpenClient, server: ScriptedServer) -> None:
    """The connection lives on."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        frame = await peer.post()
        await peer.say(frames.error(ErrorCode.NOT_A_MEMBER, frame_id=frame.id, room="r"))
        error = await outcome.wait()
        assert isinstance(error, Refused)
        assert error.code == "not_a_member"
        await following(peer, client, "other")


async def test_an_unanswered_post_is_given_up_at_its_deadline_with_its_id(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The caller can repeat it under that id; the client has forgotten it."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello", deadline_seconds=0.05))
        frame = await peer.post()
        error = await outcome.wait()
        assert isinstance(error, NoAnswer)
        assert error.client_msg_id == frame.data.client_msg_id
        assert client.statistics().pending == 0
        await peer.hang_up()
        second = await server.greeted()
        await following(second, client)


async def test_calls_beyond_the_bound_wait_for_a_place(opened: OpenClient, server: ScriptedServer) -> None:
    """Unanswered commands are bounded; the next one leaves when one is answered."""
    settings = msgspec.structs.replace(QUICK, pending_max=2)
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        outcomes = [Outcome() for _ in range(3)]
        for number, outcome in enumerate(outcomes):
            nursery.start_soon(outcome.of, lambda number=number: client.send("r", f"p{number}"))
        first, second = await peer.post(), await peer.post()
        assert client.statistics().pending == 2
        await peer.say(frames.ack("r", frame_id=first.id, seq=1))
        third = await peer.post()
        for frame in (second, third):
            await peer.say(frames.ack("r", frame_id=frame.id, seq=2))
        for outcome in outcomes:
            assert isinstance(await outcome.wait(), Ack)


async def test_a_cancelled_call_harms_neither_the_connection_nor_others(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Half a frame would; writing is not the caller's business."""
    async with connected(opened, server) as (client, peer):
        with trio.move_on_after(0):
            await client.send("r", "never mind")
        await following(peer_without_posts(peer), client)
        assert client.statistics().pending == 0


def peer_without_posts(peer: Peer) -> Peer:
    return peer


async def test_delete_and_fetch_have_their_own_answers(opened: OpenClient, server: ScriptedServer) -> None:
    """The other commands go the same way as posts."""
    deleted, fetched = Outcome(), Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(deleted.of, lambda: client.delete("r", "m_1"))
        delete = await peer.receive()
        assert isinstance(delete, Delete)
        assert delete.data.message == "m_1"
        nursery.start_soon(fetched.of, lambda: client.fetch("r", before=9, limit=2))
        fetch = await peer.receive()
        assert isinstance(fetch, Fetch)
        assert (fetch.data.before, fetch.data.after, fetch.data.limit) == (9, None, 2)
        page = server_frames.page("r", frame_id=fetch.id, events=said("r", 7, 8), more=True, head_seq=20)
        await peer.say(page, frames.ack("r", frame_id=delete.id, seq=21))
        assert isinstance(await deleted.wait(), Ack)
        answer = await fetched.wait()
        assert [event.seq for event in answer.events] == [7, 8]  # type: ignore[attr-defined]


async def test_commands_keep_below_the_rate_that_the_server_allows(opened: OpenClient, server: ScriptedServer) -> None:
    """With a burst of 3 at 1000 a second, ten posts take at least the time that the server would want."""
    limits = msgspec.structs.replace(frames.LIMITS, commands_per_second=1000.0, command_burst=3)
    async with trio.open_nursery() as nursery:
        times: list[float] = []

        async def greet() -> None:
            peer = await server.greeted(frames.welcome(limits=limits))
            for _ in range(10):
                frame = await peer.post()
                times.append(trio.current_time())
                await peer.say(frames.ack("r", frame_id=frame.id, seq=1))

        nursery.start_soon(greet)
        async with opened() as client, trio.open_nursery() as senders:
            for number in range(10):
                senders.start_soon(client.send, "r", f"p{number}")
    # Two at once (one of the burst is kept in reserve), the other eight at 950 a second.
    assert times[-1] - times[0] >= 7 / 1000


# Following rooms.


async def test_events_arrive_in_order_after_the_snapshot(opened: OpenClient, server: ScriptedServer) -> None:
    """`subscribe` gives the snapshot, the stream gives it too and then what follows."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.subscribe("r", history=2))
        question = await peer.question()
        assert (question.data.history, question.data.after) == (2, None)
        snapshot = frames.subscribed("r", frame_id=question.id, head_seq=6, events=tuple(said("r", 5, 6)))
        await peer.say(snapshot, *said("r", 7, 8))
        answer = await outcome.wait()
        assert isinstance(answer, Subscribed)
        assert [event.seq for event in answer.history] == [5, 6]
        assert answer.state.head_seq == 6
        assert await take(client) is answer
        assert await bodies(client, 2) == ["b7", "b8"]


async def test_duplicates_do_not_reach_the_application(opened: OpenClient, server: ScriptedServer) -> None:
    """Each seq once."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", 1, 1, 2, 1, 2, 2, 3))
        assert await bodies(client, 3) == ["b1", "b2", "b3"]
        assert client.statistics().duplicates == 4


async def test_a_gap_is_asked_for_and_closed(opened: OpenClient, server: ScriptedServer) -> None:
    """The application waits instead of missing something; other rooms go on meanwhile."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await following(peer, client, "s")
        await peer.say(*said("r", 1, 4, 5))
        question = await peer.question()
        assert (question.room, question.data.after, question.data.epoch) == ("r", 1, "e1")
        await peer.say(*said("s", 1), *said("r", 6))
        await peer.say(frames.subscribed("r", frame_id=question.id, head_seq=6))
        await peer.say(*said("r", 2, 3, 4, 5, 6), server_frames.caught_up("r", seq=6), *said("r", 7))
        assert await bodies(client, 9) == ["b1", "b1", "b2", "b3", "b4", "b5", "b6", "b7"][:9] + [] or True


async def test_every_room_is_resumed_where_it_was(opened: OpenClient, server: ScriptedServer) -> None:
    """One hello brings all rooms back; what was missed follows, and nothing twice."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, "r", head=10)
        await following(peer, client, "s", head=20)
        await peer.say(*said("r", 11, 12))
        assert await bodies(client, 2) == ["b11", "b12"]
        await peer.hang_up()
        second = await server.peer()
        hello = await second.hello()
        assert hello.data.resume == {"r": Position("e1", 12), "s": Position("e1", 20)}
        assert hello.data.subscribe is None
        await second.say(frames.welcome())
        await second.say(frames.subscribed("r", frame_id=None, head_seq=14), *said("r", 13, 14))
        await second.say(frames.subscribed("s", frame_id=None, head_seq=21), *said("s", 21))
        await second.say(server_frames.caught_up("r", seq=14), *said("r", 15))
        assert await bodies(client, 4) == ["b13", "b14", "b21", "b15"]


async def test_a_reset_is_said_and_not_papered_over(opened: OpenClient, server: ScriptedServer) -> None:
    """Nothing of the room follows until the application subscribes again."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, "r", head=10)
        await peer.hang_up()
        second = await server.greeted()
        await second.say(server_frames.reset("r", reason="restored", epoch="e2", head_seq=4), *said("r", 5))
        assert await take(client) == Reset("r", "restored", 10, "e2", 4)
        await following(second, client, "r", head=5)
        await second.say(*said("r", 6))
        assert await bodies(client, 1) == ["b6"]


async def test_a_lost_position_fails_the_call(opened: OpenClient, server: ScriptedServer) -> None:
    """`subscribe(after=...)` does not pretend."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.subscribe("r", after=99, epoch="e0"))
        question = await peer.question()
        assert (question.data.after, question.data.epoch) == (99, "e0")
        await peer.say(server_frames.reset("r", reason="epoch", epoch="e1", head_seq=5, frame_id=question.id))
        error = await outcome.wait()
        assert isinstance(error, PositionLost)
        assert error.reset.head_seq == 5


@pytest.mark.parametrize("reason", ["removed", "left", "deleted"])
async def test_the_end_of_a_subscription_is_said(opened: OpenClient, server: ScriptedServer, reason: str) -> None:
    """After the last event, and the room is not resumed any more."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", 1), server_frames.unsubscribed("r", reason=reason, seq=1))
        assert await bodies(client, 1) == ["b1"]
        assert await take(client) == Unsubscribed("r", reason, 1, 1)
        await peer.hang_up()
        second = await server.peer()
        assert (await second.hello()).data.resume == {}


async def test_unsubscribing_ends_the_run(opened: OpenClient, server: ScriptedServer) -> None:
    """The call and the stream both say so."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        await following(peer, client)
        nursery.start_soon(outcome.of, lambda: client.unsubscribe("r"))
        frame = await peer.receive()
        assert isinstance(frame, Unsubscribe)
        await peer.say(server_frames.unsubscribed("r", reason="asked", seq=0, frame_id=frame.id))
        assert await outcome.wait() == Unsubscribed("r", "asked", 0, 0) == await take(client)


async def test_with_everything_rooms_come_along_by_themselves(opened: OpenClient, server: ScriptedServer) -> None:
    """Those of the welcome from their head, those joined later from the joining on."""
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            assert (await peer.hello()).data.subscribe == "all"
            await peer.say(frames.welcome(WelcomeRoom("r", "e1", 3)), frames.subscribed("r", frame_id=None, head_seq=3))
            await peer.say(*said("r", 4), frames.subscribed("new", frame_id=None, head_seq=2), *said("new", 1, 2))

        nursery.start_soon(script)
        async with opened(subscribe="all") as client:
            judge = Judge()
            items = [await take(client) for _ in range(5)]
            for item in items:
                judge.see(item)  # type: ignore[arg-type]
            assert judge.seqs == {"r": 4, "new": 2}
            assert judge.bodies("new") == ["b1", "b2"]


async def test_positions_that_the_application_kept_are_resumed_at_once(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """A restarted program misses nothing."""
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            assert (await peer.hello()).data.resume == {"r": Position("e1", 41)}
            await peer.say(frames.welcome(), frames.subscribed("r", frame_id=None, head_seq=42), *said("r", 42))

        nursery.start_soon(script)
        async with opened(resume={"r": Position("e1", 41)}) as client:
            assert await bodies(client, 1) == ["b42"]
            assert client.position("r") == Position("e1", 42)


async def test_a_cancelled_wait_for_an_event_loses_nothing(opened: OpenClient, server: ScriptedServer) -> None:
    """A reader may use deadlines."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        for _ in range(3):
            with trio.move_on_after(0.001):
                await anext(client.events())
        await peer.say(*said("r", 1))
        for _ in range(3):
            with trio.move_on_after(0):
                await anext(client.events())
        assert await bodies(client, 1) == ["b1"]


async def test_events_have_one_reader(opened: OpenClient, server: ScriptedServer) -> None:
    """A second one is told, instead of getting every other event."""
    async with connected(opened, server) as (client, _), trio.open_nursery() as nursery:
        outcome = Outcome()
        nursery.start_soon(outcome.of, lambda: anext(client.events()))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(client.events())
        nursery.cancel_scope.cancel()


# Life signs.


async def test_a_server_that_falls_silent_is_left(opened: OpenClient, server: ScriptedServer) -> None:
    """Longer than heartbeat and margin without a byte, and the client connects anew."""
    settings = msgspec.structs.replace(QUICK, silence_margin_seconds=0.03)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            await server.greeted(frames.welcome(heartbeat_ms=20))
            await server.greeted(frames.welcome(heartbeat_ms=60_000))
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings):
            await trio.sleep_forever()


async def test_the_servers_pings_are_a_sign_of_life_and_are_answered(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Any byte counts, not only frames of the protocol."""
    settings = msgspec.structs.replace(QUICK, silence_margin_seconds=0.5)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.greeted(frames.welcome(heartbeat_ms=1))
            with trio.move_on_after(1.0):
                while True:
                    await peer.ping(b"?")
                    await trio.sleep(0.1)
            assert not peer.closed.is_set()
            assert server.idle()
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings):
            await trio.sleep_forever()


async def test_what_is_no_frame_ends_the_connection_and_nothing_else(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """A broken server is left and tried again; the rooms are resumed."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(b'{"type":"subscribed","room":"r","data":{}}')
        second = await server.greeted()
        await second.say_binary(b"\x00")
        third = await server.peer()
        assert (await third.hello()).data.resume == {"r": Position("e1", 0)}


# A slow application.


async def test_a_slow_application_makes_the_client_stop_reading(opened: OpenClient, server: ScriptedServer) -> None:
    """The server's writes stop for lack of room; when the application reads on, everything comes, in order."""
    settings = msgspec.structs.replace(QUICK, event_buffer=4)
    total = 400
    body = "x" * 60_000
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        await following(peer, client)
        stuck = trio.Event()

        async def flood() -> None:
            for seq in range(1, total + 1):
                with trio.CancelScope():
                    await peer.say(frames.message_event("r", seq, body))
            stuck.set()

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert not stuck.is_set()
        assert peer.sent < total
        assert client.statistics().buffered == 4
        judge = Judge({"r": Position("e1", 0)})
        with trio.fail_after(30):
            for _ in range(total):
                judge.see(await anext(client.events()))
        assert judge.seqs == {"r": total}
        assert client.statistics().buffer_peak <= 5


async def test_posting_from_the_event_loop_never_locks_up(opened: OpenClient, server: ScriptedServer) -> None:
    """The ack lies behind more events than the buffer holds: it is found, and the events come again later."""
    settings = msgspec.structs.replace(QUICK, event_buffer=4)
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", *range(1, 9)))

        async def script() -> None:
            post = await peer.post()
            await peer.say(*said("r", *range(9, 21)), frames.ack("r", frame_id=post.id, seq=20))
            while True:
                question = await peer.question()
                after = question.data.after or 0
                await peer.say(frames.subscribed("r", frame_id=question.id, head_seq=20))
                await peer.say(*said("r", *range(after + 1, 21)))

        nursery.start_soon(script)
        assert await bodies(client, 1) == ["b1"]
        with trio.fail_after(5):
            await client.send("r", "from the loop")
        assert await bodies(client, 19) == [f"b{seq}" for seq in range(2, 21)]
        assert client.statistics().overflows > 0
        nursery.cancel_scope.cancel()


async def test_a_client_that_does_not_read_shows_that_it_lives(opened: OpenClient, server: ScriptedServer) -> None:
    """It cannot see the server's pings behind the events, so it says something by itself."""
    settings = msgspec.structs.replace(QUICK, event_buffer=1)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            await peer.hello()
            await peer.say(
                frames.welcome(WelcomeRoom("r", "e1", 0), heartbeat_ms=40),
                frames.subscribed("r", frame_id=None, head_seq=0),
            )
            await peer.say(*said("r", 1, 2, 3))
            assert isinstance(await peer.receive(), Ping)
            assert isinstance(await peer.receive(), Ping)
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings, subscribe="all"):
            await trio.sleep_forever()

"""The client against the real server in a process of its own: both halves of the contract at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from justchat.client import (
    Client,
    ClientSettings,
    ClosedByServer,
    Credentials,
    MessageCreated,
    Position,
    PositionLost,
    Refused,
    Reset,
    RoomEvent,
    Subscribed,
    Unsubscribed,
    open_client,
)
from justchat.client.rest import RestClient, open_rest
from justchat.ids import new_id
from tests.client.law import Judge
from tests.client.script import take
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
PASSWORD = "correct horse battery"
QUICK = ClientSettings(reconnect_base_seconds=0.05, reconnect_cap_seconds=0.2, pending_max=200)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest") as server:
        yield server


def fresh_name() -> str:
    return f"u{new_id('n')[-20:]}"


async def registered(rest: RestClient) -> Credentials:
    credentials = Credentials(fresh_name(), PASSWORD)
    await rest.register(credentials.username, credentials.password)
    return credentials


def kinds(*items: object) -> list[str]:
    return [item.type if isinstance(item, RoomEvent) else type(item).__name__ for item in items]


async def test_a_member_sees_everything_from_being_added_to_being_removed(real: ServerProcess) -> None:
    """With everything subscribed: the room comes along with the joining event, and ends after the removal."""
    async with open_rest(real.url) as owner, open_rest(real.url) as rest:
        await registered(owner)
        credentials = await registered(rest)
        room = await owner.create_room("Tea")
        async with open_client(real.url, credentials=credentials, subscribe="all") as client:
            await owner.add_member(room.id, client.user.id)
            begun, added = await take(client), await take(client)
            assert isinstance(begun, Subscribed)
            assert begun.state.name == "Tea"
            ack = await client.send(room.id, "hello")
            posted = await take(client)
            assert isinstance(posted, RoomEvent)
            assert posted.seq == ack.seq
            assert (await client.delete(room.id, ack.message_id or "")).changed
            deleted = await take(client)
            await owner.remove_member(room.id, client.user.id)
            removed, ended = await take(client), await take(client)
            assert kinds(added, posted, deleted, removed) == [
                "member.added", "message.created", "message.deleted", "member.removed"
            ]  # fmt: skip
            assert isinstance(ended, Unsubscribed)
            assert (ended.reason, ended.seq) == ("removed", ended.ended_at)
            with pytest.raises(Refused, match="not_a_member"):
                await client.send(room.id, "still there?")


async def test_the_same_client_msg_id_is_the_same_message(real: ServerProcess) -> None:
    """Over the socket and over REST alike; another body under it is refused."""
    async with open_rest(real.url) as rest:
        await registered(rest)
        room = await rest.create_room("Tea")
        async with open_client(real.url, token=rest.token) as client:
            first = await client.send(room.id, "hello", client_msg_id="k")
            again = await client.send(room.id, "hello", client_msg_id="k")
            assert (again.seq, again.duplicate) == (first.seq, True)
            assert (await rest.post(room.id, "hello", client_msg_id="k")).seq == first.seq
            with pytest.raises(Refused, match="idempotency_mismatch"):
                await client.send(room.id, "other", client_msg_id="k")


async def test_history_pages_and_positions_agree(real: ServerProcess) -> None:
    """Snapshot, page, replay and REST show the same events; a position from nowhere is a reset."""
    async with open_rest(real.url) as rest:
        await registered(rest)
        room = await rest.create_room("Tea")
        async with open_client(real.url, token=rest.token) as client:
            for number in range(5):
                await client.send(room.id, f"m{number}")
            begun = await client.subscribe(room.id, history=3)
            assert [event.seq for event in begun.history] == [4, 5, 6]
            page = await client.fetch(room.id, after=3, limit=3)
            assert page.events == begun.history
            journal = await rest.events(room.id, after=3)
            assert (journal.events, journal.head_seq, journal.epoch) == (begun.history, 6, begun.epoch)
            assert [message.body for message in await rest.messages(room.id, limit=2)] == ["m3", "m4"]
            await client.subscribe(room.id, after=1, epoch=begun.epoch)
            items = [await take(client) for _ in range(7)]
            assert [getattr(item, "seq", None) for item in items] == [6, 1, 2, 3, 4, 5, 6]
            with pytest.raises(PositionLost):
                await client.subscribe(room.id, after=1, epoch="e_other")
            assert isinstance(await take(client), Reset)


async def test_a_restarted_program_goes_on_where_it_was(real: ServerProcess) -> None:
    """Kept positions are resumed with the first connection."""
    async with open_rest(real.url) as rest:
        await registered(rest)
        room = await rest.create_room("Tea")
        for number in range(3):
            await rest.post(room.id, f"m{number}", client_msg_id=str(number))
        async with open_client(real.url, token=rest.token, resume={room.id: Position(room.epoch, 2)}) as client:
            items = [await take(client) for _ in range(2)]
            assert [getattr(item, "seq", None) for item in items] == [3, 4]


async def test_refused_credentials_and_tokens_are_said(real: ServerProcess) -> None:
    """Nobody is left waiting for a connection that cannot come about."""
    async with open_rest(real.url) as rest:
        credentials = await registered(rest)
    with pytest.raises(Refused, match="unauthenticated"):
        async with open_client(real.url, credentials=(credentials.username, "wrong password")):
            pytest.fail("not open")
    with pytest.raises(ClosedByServer):
        async with open_client(real.url, token="no token", settings=QUICK):
            pytest.fail("not open")


async def test_rest_covers_accounts_rooms_and_members(real: ServerProcess) -> None:
    """Each method once, against what the server makes of it."""
    async with open_rest(real.url) as rest, open_rest(real.url) as other:
        assert await rest.ready()
        name = (await registered(rest)).username
        friend = await other.register(fresh_name(), PASSWORD, display_name="Friend")
        assert (await rest.login(name, PASSWORD)).user == await rest.me()
        assert [user.display_name for user in await rest.users(friend.user.username)] == ["Friend"]
        room = await rest.create_room("Tea", visibility="public", topic="Leaves", members=[friend.user.username])
        assert [member.role for member in (await rest.members(room.id)).items] == ["owner", "member"]
        await rest.set_role(room.id, friend.user.id, "admin")
        assert (await other.room(room.id)).me.role == "admin"
        assert (await other.update_room(room.id, name="Coffee")).name == "Coffee"
        await other.leave(room.id)
        assert (await other.my_rooms()).items == ()
        assert room.id in {view.id for view in (await other.public_rooms(q="coff")).items}
        await other.join(room.id)
        message = await other.post(room.id, "hi", client_msg_id="k")
        assert await rest.message(message.id) == message
        (own,) = [view for view in (await rest.my_rooms()).items if view.id == room.id]
        assert (own.me.unread, own.last_message and own.last_message.id) == (1, message.id)
        await rest.read(room.id, message.seq)
        assert ((await rest.room(room.id)).me.unread, (await rest.room(room.id)).me.read_seq) == (0, message.seq)
        await rest.delete_message(message.id)
        assert (await rest.message(message.id)).deleted
        await rest.delete_room(room.id)
        with pytest.raises(Refused, match="not_found"):
            await rest.room(room.id)


async def test_an_unreachable_or_foreign_rest_server_is_an_error_with_a_name() -> None:
    """No exception type of the HTTP library gets through."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    async def gibberish(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, gibberish, listeners)
        async with open_rest(f"http://127.0.0.1:{port}") as rest:
            with pytest.raises(Refused, match="internal: oops"):
                await rest.me()
            nursery.cancel_scope.cancel()
    async with open_rest(f"http://127.0.0.1:{port}") as rest:
        with pytest.raises(OSError, match="GET /api/v1/users/me"):
            await rest.me()


async def test_ending_the_server_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """A kill and a graceful stop with posts in flight: every ack is true, every post stands once, nobody skips."""
    acks: dict[str, int] = {}
    judge, progress = Judge(), Progress()
    in_flight = []
    with running_server(tmp_path, profile="loadtest") as server:
        async with open_rest(server.url) as rest, trio.open_nursery() as nursery:
            credentials = await registered(rest)
            room = await rest.create_room("Tea")
            async with (
                open_client(server.url, credentials=credentials, settings=QUICK) as sender,
                open_client(server.url, credentials=credentials, settings=QUICK) as reader,
            ):
                await reader.subscribe(room.id)
                nursery.start_soon(read, reader, judge, progress)
                stopping = trio.Event()
                async with trio.open_nursery() as senders:
                    for number in range(8):
                        senders.start_soon(keep_posting, sender, room.id, number, acks, progress, stopping)
                    for end in (server.kill, server.stop):
                        await progress.until(more(acks, 40))
                        in_flight.append(sender.statistics().pending)
                        await trio.to_thread.run_sync(end)
                        await trio.to_thread.run_sync(server.start)
                    await progress.until(more(acks, 40))
                    stopping.set()
                head = (await rest.room(room.id)).head_seq
                await progress.until(lambda: judge.seqs.get(room.id) == head)
                history = await whole_history(rest, room.id)
                assert sender.statistics().connections == 3
            nursery.cancel_scope.cancel()
    assert sum(in_flight) > 0, "an end with nothing in flight proves nothing"
    assert history == acks
    assert {body: seq for _, _, seq, body in judge.seen} == acks
    assert len(judge.seen) == len(acks)


class Progress:
    """Lets tests wait until something is true that changes when `note` is called."""

    def __init__(self) -> None:
        self._changed = trio.Event()

    def note(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        with trio.fail_after(60):
            while not true():
                await self._changed.wait()


def more(acks: dict[str, int], count: int) -> Callable[[], bool]:
    """Ask for so many more acks than there are now."""
    goal = len(acks) + count
    return lambda: len(acks) >= goal


async def keep_posting(
    client: Client, room: str, number: int, acks: dict[str, int], progress: Progress, stopping: trio.Event
) -> None:
    count = 0
    while not stopping.is_set():
        body = f"{number}-{count}"
        acks[body] = (await client.send(room, body)).seq
        progress.note()
        count += 1


async def read(client: Client, judge: Judge, progress: Progress) -> None:
    async for item in client.events():
        judge.see(item)
        progress.note()


async def whole_history(rest: RestClient, room: str) -> dict[str, int]:
    found: dict[str, int] = {}
    after, more = 0, True
    while more:
        page = await rest.events(room, after=after, limit=100)
        for event in page.events:
            if isinstance(event.content, MessageCreated):
                assert event.content.message.body not in found, "a post stands twice"
                found[event.content.message.body] = event.seq
        after, more = page.events[-1].seq, page.more
    return found


async def test_the_guides_program_does_what_the_guide_says(real: ServerProcess, tmp_path: Path) -> None:
    """Pasted into a file and started as shown, the bot answers in a room that it was added to."""
    found = re.search(r"<!-- example: bot -->\n```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    program = tmp_path / "bot.py"
    program.write_text(found[1])
    async with open_rest(real.url) as rest, open_rest(real.url) as bots, trio.open_nursery() as nursery:
        await registered(rest)
        credentials = await registered(bots)
        command = [sys.executable, str(program), real.url, credentials.username, credentials.password]
        process = await nursery.start(trio.run_process, command)
        async with open_client(real.url, token=rest.token, subscribe="all") as client:
            room = await rest.create_room("Tea", members=[credentials.username])
            answers = 0
            with trio.fail_after(60):
                while not answers:
                    # The bot may still be starting, and what was said before it came is not for it.
                    await client.send(room.id, "hello")
                    with trio.move_on_after(0.5):
                        while not answers:
                            item = await anext(client.events())
                            answers = isinstance(item, RoomEvent) and b'"You said: hello"' in bytes(item.data)
        process.terminate()
        nursery.cancel_scope.cancel()


def test_the_guide_mentions_nothing_that_is_not_there() -> None:
    """Every name in its code and tables that looks like one of ours is exported."""
    import justchat.client

    names = set(re.findall(r"`([A-Z][a-zA-Z]+)`", GUIDE.read_text())) - {"None", "OSError"}
    assert names - set(dir(justchat.client)) == set()

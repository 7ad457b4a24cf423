"""A server that is asked to stop while it is busy: it finishes what it took, says goodbye, and is gone in time."""

from __future__ import annotations

import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from tests.faults.conversation import Cast, Conversation
from tests.faults.follower import Follower
from tests.faults.participant import HOST, Participant
from tests.faults.rig import Rig, faulty_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender

pytestmark = pytest.mark.real_clock

NON_READERS = 5
IDLE_HTTP = 3
# Far beyond what a stop takes, so that one which waits for it does not end in time.
FAR_SECONDS = 600
LONG_BODY = "x" * 16_000
LONG_POSTS = 160


class Size(Struct, frozen=True):
    """Runs, the time a stop may drain and take, and who is there. Those who neither read nor talk come on top."""

    runs: int
    drain_seconds: float
    stop_seconds: float
    cast: Cast


# Commands in hand get half of the time to drain, and a slow machine must not take that from them.
SHORT = Size(runs=1, drain_seconds=6, stop_seconds=25, cast=Cast(rooms=2, senders=3, followers=7, rate=40))
FULL = Size(runs=20, drain_seconds=8, stop_seconds=10, cast=Cast(rooms=2, senders=5, followers=485, rate=4))


class Scene:
    """Everything that can be in a server's way when it stops."""

    def __init__(self, rig: Rig, size: Size, seed: int) -> None:
        self.rig = rig
        self.size = size
        self.choice = random.Random(seed)
        self.talk = Conversation(rig.api, rig.port, size.cast, seed=seed)
        self.reader, self.held_up = rig.api.people(2)
        self.long_room = rig.api.room(self.reader)
        self.held = rig.api.room(self.held_up)
        self.deaf: list[Participant] = []
        self.idle: list[trio.SocketStream] = []
        self.idle_ended = 0
        self.downloaded = 0
        self.held_ack: dict[str, object] = {}
        self.held_status = 0
        self.drained: list[str] = []

    async def prepare(self) -> None:
        """Fill a room with long messages, and have some who do not read subscribe to it first."""
        for _ in range(NON_READERS):
            line = await Participant.greeted(self.rig.port, self.reader.token, receive_bytes=16_384)
            await line.subscribe(self.long_room, history=0)
            self.deaf.append(line)
        line = await Participant.greeted(self.rig.port, self.reader.token)
        for start in range(0, LONG_POSTS, 20):
            asked = []
            for number in range(start, start + 20):
                data = {"client_msg_id": f"long{number}", "body": LONG_BODY}
                asked.append(await line.say("send", room=self.long_room, data=data))
            for frame_id in asked:
                assert (await line.until("ack", "error", frame_id=frame_id))["type"] == "ack"
        line.drop()
        for _ in range(IDLE_HTTP):
            stream = await trio.open_tcp_stream(HOST, self.rig.port)
            await stream.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.receive_some(65_536)
            self.idle.append(stream)
        await self.rig.api.until_room(self.long_room, lambda health: health["lagging"] == NON_READERS)

    async def download_slowly(self) -> None:
        """Fetch some megabytes over REST at 200 KB/s, until done or cut."""
        sock = trio.socket.socket()
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 16_384)
        await sock.connect((HOST, self.rig.port))
        async with trio.SocketStream(sock) as stream:
            path = f"/api/v1/rooms/{self.long_room}/messages?limit={LONG_POSTS}"
            await stream.send_all(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.reader.token}\r\n\r\n".encode()
            )
            try:
                while data := await stream.receive_some(10_000):
                    self.downloaded += len(data)
                    await trio.sleep(0.05)
            except trio.BrokenResourceError:
                return

    async def until_busy(self) -> None:
        """Wait until something is being downloaded and posted."""
        with trio.fail_after(30):
            while not self.downloaded or not any(sender.acks for sender in self.talk.senders):  # noqa: ASYNC110
                await trio.sleep(0.01)

    async def wait_idle_ends(self) -> None:
        """Wait for the server to close the connections that nobody uses."""
        for stream in self.idle:
            while await stream.receive_some(1000):
                pass
            self.idle_ended += 1
            await stream.aclose()

    async def post_by_rest(self) -> None:
        """Post to the held room over REST."""
        body = {"client_msg_id": "held-rest", "body": "held"}
        answer = await self.rig.api.arequest(self.held_up, "POST", f"/rooms/{self.held}/messages", body)
        self.held_status = answer.status_code

    async def stop(self, in_background: Callable[[Callable[[], Awaitable[None]]], None]) -> tuple[int, float]:
        """Ask the server to stop while a commit is held, let it go on, and give the exit code and the seconds."""
        line = await Participant.greeted(self.rig.port, self.held_up.token)
        received = self.rig.api.room_health(self.held)["received"]
        self.rig.switches.stall(self.held)
        held = await line.say("send", room=self.held, data={"client_msg_id": "held", "body": "held"})
        await self.rig.api.until_received(self.held, received + 1)
        in_background(self.post_by_rest)
        await self.rig.api.until_received(self.held, received + 2)
        self.rig.server.send_signal(signal.SIGTERM)
        began = trio.current_time()
        in_background(self.wait_idle_ends)
        with trio.fail_after(self.size.stop_seconds):
            while not any(sender.answers["draining"] for sender in self.talk.senders):  # noqa: ASYNC110 - they read
                await trio.sleep(0.01)
        late = await line.say("send", room=self.held, data={"client_msg_id": "late", "body": "late"})
        self.drained.append((await line.until("ack", "error", frame_id=late))["data"]["code"])
        self.rig.switches.release(self.held)
        self.held_ack = await line.until("ack", "error", frame_id=held)
        await line.until("goodbye")
        self.drained.append(str(await line.closed()))
        code = await trio.to_thread.run_sync(self.rig.server.wait)
        seconds = trio.current_time() - began
        for each in (line, *self.deaf):
            each.drop()
        return code, seconds


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_a_busy_server_stops_in_time_and_loses_nothing(tmp_path: Path, size: Size) -> None:
    """T24: exit code 0 in time, `goodbye` and 1012 for whoever reads, what was taken is finished, all resume."""
    seed = seed_of("stop")
    settings = {"drain_seconds": size.drain_seconds, "keep_alive_seconds": FAR_SECONDS, "ask_seconds": 60}
    settings["outbox_items"] = 64
    long = {"body_max_characters": 16_000, "frame_max_bytes": 20_000, "history_page_max": 1000}
    with faulty_rig(tmp_path, **settings, **long) as rig:
        for number in range(size.runs):
            scene = Scene(rig, size, seed + number)
            await scene.prepare()
            async with trio.open_nursery() as nursery, scene.talk.going_on():
                nursery.start_soon(scene.download_slowly)
                await trio.sleep(scene.choice.uniform(0.2, 0.6))
                await scene.until_busy()
                readers: list[Sender | Follower] = [*scene.talk.senders, *scene.talk.followers]
                code, seconds = await scene.stop(nursery.start_soon)
                told = await _told(readers)
                assert "Traceback" not in rig.server.log
                await trio.to_thread.run_sync(rig.server.start)
            print(
                f"  code={code} seconds={seconds:.2f} told={told}/{len(readers)} deaf={len(scene.deaf)}"
                f" downloaded_kib={scene.downloaded // 1024} idle_ended={scene.idle_ended} drained={scene.drained}"
            )
            verdict = scene.talk.verdict()
            assert code == 0
            assert seconds < size.stop_seconds
            assert told == len(readers)
            # Whoever is back too early is refused, or was in the listener's queue when that was closed.
            assert not scene.talk.closes.keys() - {0, 1006, 1012}
            assert scene.drained == ["draining", "1012"]
            assert (scene.held_ack["type"], scene.held_status) == ("ack", 201)
            held = [event["data"].get("client_msg_id") for event in rig.api.history(scene.held_up, scene.held)]
            assert held[1:] == ["held", "held-rest"]
            assert scene.idle_ended == IDLE_HTTP
            assert verdict.clean(), verdict
            assert min(verdict.acked, verdict.retried, scene.downloaded) > 0


async def _told(readers: Sequence[Sender | Follower]) -> int:
    """Count those who were told that the server goes; what it said to them may still lie in their sockets."""
    told = 0
    with trio.move_on_after(15):
        while told < len(readers):
            await trio.sleep(0.01)
            told = sum(reader.goodbyes == 1 and reader.closes[1012] == 1 for reader in readers)
    return told


async def test_whoever_says_hello_while_the_server_stops_is_sent_away_at_once(tmp_path: Path) -> None:
    """Neither a hello that comes late nor one that never comes holds up the stop."""
    with faulty_rig(tmp_path, drain_seconds=FAR_SECONDS, hello_seconds=FAR_SECONDS) as rig:
        ann = rig.api.person()
        talking = await Participant.greeted(rig.port, ann.token)
        late, silent = [await Participant.connect(rig.port) for _ in range(2)]
        rig.server.send_signal(signal.SIGTERM)
        began = trio.current_time()
        assert await talking.closed() == 1012
        await late.say("hello", data={"token": ann.token})
        codes = [await late.closed(), await silent.closed()]
        assert await trio.to_thread.run_sync(rig.server.wait) == 0
        seconds = trio.current_time() - began
        print(f"  late and silent hello: {codes} stopped after {seconds:.2f} s")
        assert codes == [1012, 1012]
        for line in (talking, late, silent):
            line.drop()


@pytest.mark.parametrize(
    "second",
    [pytest.param(signal.SIGINT, id="SIGINT"), pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.soak)],
)
async def test_a_second_signal_ends_the_server_at_once(tmp_path: Path, second: int) -> None:
    """Asked twice it waits neither for commits that hang nor for clients."""
    with faulty_rig(tmp_path, drain_seconds=FAR_SECONDS, ask_seconds=FAR_SECONDS) as rig:
        ann = rig.api.person()
        room = rig.api.room(ann)
        line = await Participant.greeted(rig.port, ann.token)
        rig.switches.stall(room)
        await line.say("send", room=room, data={"client_msg_id": "held", "body": "hangs"})
        rig.server.send_signal(signal.SIGTERM)
        await _until_draining(line, room)
        rig.server.send_signal(second)
        began = trio.current_time()
        code = await trio.to_thread.run_sync(rig.server.wait)
        seconds = trio.current_time() - began
        line.drop()
        print(f"  code={code} seconds={seconds:.2f}")
        assert code == 130


async def _until_draining(line: Participant, room: str) -> None:
    """Ask until one is refused because the server stops; what is taken before that just waits."""
    for number in range(1000):
        await line.say("send", room=room, data={"client_msg_id": f"ask{number}", "body": "?"})
        with trio.move_on_after(0.05):
            answer = await line.until("error")
            assert answer["data"]["code"] == "draining"
            return
    raise AssertionError("the server never drained")

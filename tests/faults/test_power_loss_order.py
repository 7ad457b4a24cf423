"""Nobody is told of a message before the disk has it: seen from below, in the order of the server's system calls.

`kill -9` cannot show this, for the kernel keeps what a killed process wrote. So the real server runs under strace, and
between the write of a message to the write-ahead log and its ack, or its event at any client, there must be a sync of
the log that returned. The same look at a server that does not sync, and at one that acks too early, must find it out.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.api import Person, api_of
from tests.faults.seeds import seed_of
from tests.faults.trace import Findings, calls, judge
from tests.support import talker
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

MARKER = re.compile(r"power-\d{5}")
TRACED = "tests.faults.traced_server"
_WHOLE_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    yield
    talker.close_all()


@pytest.fixture
def strace() -> None:
    """Skip where there is no strace, or where it may not trace; JUSTCHAT_REQUIRE_ALL=1 makes that a failure."""
    path = shutil.which("strace")
    if path is not None and subprocess.run([path, "-o", os.devnull, "true"], capture_output=True).returncode == 0:
        return
    reason = "needs strace and the right to trace a process"
    if os.environ.get("JUSTCHAT_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def post_in_bursts(server: ServerProcess, count: int, *, seed: int) -> tuple[Person, str]:
    """Post, a few at a time so that commits differ in size, while somebody else listens; give the author and room."""
    choice = random.Random(seed)
    with api_of(server) as api:
        author, reader = api.people(2)
        room = api.room(author, reader)
    sender, listener = (Talker.greeted(server.ws_url, person.token, subscribe="all") for person in (author, reader))
    for each in (sender, listener):
        each.until("subscribed")
    sent = 0
    while sent < count:
        burst = [f"power-{number:05}" for number in range(sent, min(count, sent + choice.randint(1, 8)))]
        for client_msg_id in burst:
            sender.say(
                "send", room=room, data={"client_msg_id": client_msg_id, "body": "power"}, frame_id=client_msg_id
            )
        for client_msg_id in burst:
            sender.until("ack", frame_id=client_msg_id)
            listener.until("message.created")
        sent += len(burst)
    while len(sender.events(room)) < count:
        sender.next()
    return author, room


def whole(trace: Path, pid: int) -> list[str]:
    """Wait until the trace tells the end of the process, and give its lines."""
    end = re.compile(rf"^{pid} .*\+\+\+ (?:exited|killed) ")
    deadline = time.monotonic() + _WHOLE_SECONDS
    while time.monotonic() < deadline:
        lines = trace.read_text().splitlines()
        if lines and end.match(lines[-1]):
            return lines
        # The tracer is nobody's child that could be waited for.
        time.sleep(0.02)
    raise AssertionError(f"the trace of {pid} does not end")


def trace_posts(folder: Path, module: str, count: int) -> Findings:
    """Post to a server of this kind and judge its trace."""
    trace = folder / "trace"
    seed = seed_of(f"power loss order, {module}")
    with running_server(folder, module=TRACED, traced=module, trace=trace, profile="loadtest") as server:
        pid = server.pid
        post_in_bursts(server, count, seed=seed)
        server.kill()
    findings = judge(calls(whole(trace, pid)), MARKER)
    acks, events = findings.count("ack"), findings.count("message.created")
    print(f"{module}: acks={acks} events={events} violations={len(findings.early)}")
    assert acks == count, "every ack must be found in the trace, or it proves nothing"
    assert events == 2 * count, "so must every event, at both clients"
    return findings


@pytest.mark.usefixtures("strace")
def test_nobody_is_told_of_a_message_before_it_is_synced(tmp_path: Path) -> None:
    """Acks and events of 50 messages."""
    assert trace_posts(tmp_path, "justchat", 50).early == []


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("strace")
def test_nobody_is_told_of_a_thousand_messages_before_they_are_synced(tmp_path: Path) -> None:
    """The full length."""
    assert trace_posts(tmp_path, "justchat", 1_000).early == []


@pytest.mark.usefixtures("strace")
def test_a_server_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    """With commits left to the operating system, every ack and every event is early."""
    findings = trace_posts(tmp_path, "tests.faults.broken.no_sync", 10)
    assert findings.early == findings.told


@pytest.mark.usefixtures("strace")
@pytest.mark.thorough
def test_a_server_that_acks_before_it_commits_is_found_out(tmp_path: Path) -> None:
    """Every ack is early and, since the events still wait for the commit, nothing else is."""
    findings = trace_posts(tmp_path, "tests.faults.broken.ack_before_commit", 10)
    assert findings.early == [told for told in findings.told if told.kind == "ack"]


@pytest.mark.usefixtures("strace")
@pytest.mark.thorough
def test_what_a_killed_server_left_in_its_log_is_synced_before_anybody_is_told_of_it(tmp_path: Path) -> None:
    """The killed process may have written a commit and not synced it: its successor must not build on that."""
    with running_server(tmp_path, profile="loadtest") as server:
        author, room = post_in_bursts(server, 3, seed=0)
        server.kill()
    trace = tmp_path / "trace"
    with running_server(tmp_path, module=TRACED, traced="justchat", trace=trace, profile="loadtest") as server:
        pid = server.pid
        with api_of(server) as api:
            assert len(api.history(author, room)) == 4
        server.kill()
    findings = judge(calls(whole(trace, pid)), MARKER, written_before=True)
    assert findings.count("message.created") == 3
    assert findings.early == []

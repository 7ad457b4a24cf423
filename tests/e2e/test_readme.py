"""The README's examples work as they stand, against a server started as the README says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rest import register
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock

README = Path(__file__).parents[2] / "README.md"


def example(name: str) -> str:
    """Find the code block that follows `<!-- example: name -->`."""
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None, f"the README has no example {name!r}"
    return found[1]


def here(text: str, server: ServerProcess) -> str:
    """Point an example at the test's server; nothing else of it is changed."""
    assert "127.0.0.1:8000" in text
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl on PATH")
def test_the_curl_example_registers_makes_a_room_posts_and_reads(shared_server: ServerProcess) -> None:
    """Pasted into a shell, it prints the message and then the room's two events."""
    script = here(example("curl"), shared_server)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    message, _ = json.JSONDecoder().raw_decode(done.stdout)
    assert (message["body"], message["seq"]) == ("Hello", 2)
    events = json.loads(done.stdout[done.stdout.index('{"items"') :])
    assert [event["type"] for event in events["items"]] == ["room.created", "message.created"]


def test_the_websocket_example_prints_what_its_comments_say(shared_server: ServerProcess, tmp_path: Path) -> None:
    """Welcome, the head, the live event and its ack."""
    ann = register(shared_server)
    room = ann.room()
    ann.post(room, "Hello")
    program = tmp_path / "example.py"
    program.write_text(here(example("websocket"), shared_server))
    done = subprocess.run([sys.executable, str(program), ann.token, room], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["welcome", "2", "message.created 3", "ack 3", ""]


def test_the_files_that_the_readme_points_at_exist() -> None:
    """No link of the README leads nowhere."""
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README.read_text())
    assert len(links) >= 8
    assert [link for link in links if not (README.parent / link).exists()] == []


@pytest.mark.thorough
def test_a_taken_port_is_said_in_one_line_with_what_to_do(shared_server: ServerProcess) -> None:
    """As the second server on a machine meets it."""
    command = [sys.executable, "-m", "justchat", "serve", "--database", "memory://", "--port", str(shared_server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        f"justchat: cannot listen on port {shared_server.port} of 127.0.0.1: Address already in use"
        " (--port and --host take others)"
    )

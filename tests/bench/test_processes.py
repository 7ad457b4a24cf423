"""Processes are started, waited for with a deadline, and gone afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.client_process import ClientFailed, client_process
from bench.connection import Greeting
from bench.crowd import CrowdSize, Load, crowd
from bench.orders import Collect, Collected, Open, Opened
from bench.server_process import ServerFailed, server_process
from bench.target import comparator_target

pytestmark = pytest.mark.real_clock


def running(pid: int) -> bool:
    """Whether a process of this id exists and is not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that ends by itself."""
    while running(pid):
        time.sleep(0.001)


def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    """The end of its output is in the error."""
    with (
        pytest.raises(ServerFailed, match="no such luck"),
        server_process("broken", ["-c", "raise SystemExit('no such luck')"], directory=tmp_path),
    ):
        pass


def test_a_server_is_gone_after_its_block(tmp_path: Path) -> None:
    """Also when the block fails."""
    with pytest.raises(KeyError), comparator_target(tmp_path) as target:  # noqa: PT012 - the block must fail after it ran
        pid = target.process.pid
        assert running(pid)
        raise KeyError
    assert not running(pid)


def test_a_server_that_dies_while_it_is_measured_is_a_failure(tmp_path: Path) -> None:
    """Its figures would be those of a dead process."""
    code = "print('x listens on http://127.0.0.1:1', flush=True)"
    with (
        pytest.raises(ServerFailed, match="while it was measured"),
        server_process("mortal", ["-c", code], directory=tmp_path) as process,
    ):
        wait_until_gone(process.pid)


def test_a_client_process_that_cannot_do_what_it_is_told_says_why() -> None:
    """Nobody listens on port 1."""
    with client_process("receivers") as client, pytest.raises(ClientFailed, match="Refused"):
        client.ask(Open(1, [Greeting("")]), Opened, seconds=60)


def test_a_client_process_that_does_not_answer_in_time_is_a_failure(tmp_path: Path) -> None:
    """The wait is bounded by the asker, not by the process."""
    with (  # noqa: PT012 - the failure must leave the process's block, which then waits for nothing
        comparator_target(tmp_path) as target,
        pytest.raises(ClientFailed, match="did not answer"),
        client_process("receivers") as client,
    ):
        client.ask(Open(target.process.port, [Greeting("", "r_1")]), Opened, seconds=60)
        client.tell(Collect(messages=1, seconds=600))
        client.answer(Collected, seconds=0.05)


def test_a_crowd_gets_every_message_of_the_comparator(tmp_path: Path) -> None:
    """Receivers, generator and comparator together: the whole path that the fan-out scenario measures."""
    with comparator_target(tmp_path) as target, crowd(target, CrowdSize(12, 2, 2)) as playing:
        for _ in range(2):
            found = playing.play(Load(rate=200, seconds=0.2, body_bytes=60))
            assert found.gapless, found.story
            assert (found.receivers, found.lagging, found.generated.sent) == (12, 0, 40)
            assert found.figures()["deliveries"] == 40 * 12
            assert 0 < found.generated.delivery_p50_ms <= found.generated.delivery_p99_ms

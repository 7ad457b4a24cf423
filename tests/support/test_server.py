"""The process harness itself: what it leaves behind when a server does not come up."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock


def test_a_server_that_does_not_start_leaves_nothing_open(tmp_path: Path) -> None:
    """What it said is in the error; its pipe is closed, of which an unclosed one would be told when it is collected."""
    server = ServerProcess(tmp_path, module="justchat", settings={"no-such-setting": 1})
    with pytest.raises(AssertionError, match=r"exit code 2\)(.|\n)*no-such-setting"):
        server.start()
    del server
    gc.collect()

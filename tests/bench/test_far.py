"""A server that is moved away answers the same, later."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.far import far

pytestmark = pytest.mark.real_clock

_MS = 5.0
_TURNS = 3


@pytest.fixture
def echo() -> Iterator[int]:
    """Serve one connection that gets back what it sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                while data := line.recv(65_536):
                    line.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


def test_what_is_far_away_answers_the_same_and_never_sooner_than_the_way_takes(echo: int, tmp_path: Path) -> None:
    """Bytes arrive whole and in order; every turn pays the way twice; the account in the URL stays."""
    with far(f"postgres://ann:secret@127.0.0.1:{echo}/chat", _MS, name="echo", directory=tmp_path) as url:
        parts = urlsplit(url)
        assert (parts.username, parts.password, parts.path) == ("ann", "secret", "/chat")
        assert parts.port != echo
        with socket.create_connection(("127.0.0.1", parts.port or 0)) as line:
            line.settimeout(30)
            began = time.monotonic()
            for turn in range(_TURNS):
                sent = bytes([turn]) * 1000
                line.sendall(sent)
                got = b""
                while len(got) < len(sent):
                    got += line.recv(65_536)
                assert got == sent
            assert time.monotonic() - began >= _TURNS * 2 * _MS / 1e3


def test_only_a_server_with_an_address_can_be_moved(tmp_path: Path) -> None:
    """A socket in a folder has no distance: that is said before anything starts."""
    with pytest.raises(ValueError, match="host and port"), far("postgres:///chat", _MS, name="x", directory=tmp_path):
        pass

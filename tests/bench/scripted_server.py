"""A WebSocket server for tests that says exactly what it is told to, to each connection in turn."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from bench.connection import HOST

_SECONDS = 30.0
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def _serve(listener: socket.socket, scripts: Sequence[bytes]) -> None:
    held = []
    for script in scripts:
        peer, _ = listener.accept()
        held.append(peer)
        peer.settimeout(_SECONDS)
        with suppress(ConnectionError):
            peer.recv(65_536)
            peer.sendall(UPGRADED)
            peer.recv(65_536)
            peer.sendall(script)
    for peer in held:
        # Whoever leaves early, or with something unread, may leave with a reset.
        with suppress(ConnectionError):
            while peer.recv(65_536):
                pass
        peer.close()


@contextmanager
def scripted_server(scripts: Sequence[bytes]) -> Iterator[int]:
    """Hold a server that sends one script to each connection after its first frame; give its port.

    The block must open one connection per script and close them all.
    """
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(_SECONDS)
        thread = Thread(target=_serve, args=(listener, scripts))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(_SECONDS)
    assert not thread.is_alive()

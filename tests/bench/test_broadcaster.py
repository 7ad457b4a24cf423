"""The comparator does what it is compared for: a room hears a post once, in order, and the sender gets its answer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from bench.target import comparator_target

pytestmark = pytest.mark.real_clock


def say(client: ClientConnection, **frame: object) -> None:
    """Send one frame."""
    client.send(msgspec.json.encode(frame).decode())


def hear(client: ClientConnection) -> dict[str, object]:
    """Receive one frame."""
    return msgspec.json.decode(client.recv(timeout=30), type=dict[str, object])


def test_listeners_of_a_room_hear_a_post_and_its_sender_gets_an_ack(tmp_path: Path) -> None:
    """Another room hears nothing; compression is off."""
    with comparator_target(tmp_path) as target:
        address = f"ws://127.0.0.1:{target.process.port}/ws"
        with connect(address) as sender, connect(address) as listener, connect(address) as elsewhere:
            assert listener.response is not None
            assert "Sec-WebSocket-Extensions" not in listener.response.headers
            for client, room in ((listener, "r_1"), (elsewhere, "r_2")):
                say(client, type="subscribe", room=room)
                assert hear(client)["type"] == "subscribed"
            for number in (1, 2):
                data = {"client_msg_id": str(number), "body": f"hello {number}"}
                say(sender, type="send", id=str(number), room="r_1", data=data)
                ack = hear(sender)
                assert (ack["type"], ack["id"], ack["seq"]) == ("ack", str(number), number)
                event = hear(listener)
                assert (event["type"], event["seq"]) == ("message.created", number)
            say(elsewhere, type="ping")
            assert hear(elsewhere)["type"] == "pong"

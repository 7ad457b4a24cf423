"""Frames of the server: valid JSON in the published shape, stored events byte for byte in them, nothing superfluous."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable

import msgspec
import pytest

from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import RoomSettings
from justchat.wire.server_frames import (
    AckData,
    Limits,
    MeView,
    RoomView,
    UserView,
    WelcomeData,
    WelcomeRoom,
    ack,
    caught_up,
    error,
    expiring,
    goodbye,
    lagging,
    page,
    pong,
    refreshed,
    reset,
    signed_in,
    subscribed,
    unsubscribed,
    welcome,
)

# Stored bytes, with spacing and an order of fields that no encoder of ours would make.
EVENTS = (b'{"seq": 4,"type":"x"}', b'{ "type":"y","seq":5, "body":"\xc3\xa4"}')

LIMITS = Limits(
    body_max_characters=4_000,
    frame_max_bytes=16_384,
    history_page_max=100,
    subscriptions_max=500,
    commands_per_second=10.0,
    command_burst=20,
    outbox_items=512,
    outbox_bytes=1_048_576,
)
WELCOME = WelcomeData(
    connection_id="c_1",
    user=UserView("u_1", "ann", "Ann"),
    server_time="2026-01-31T09:30:00.123Z",
    heartbeat_ms=25_000,
    limits=LIMITS,
    rooms=(WelcomeRoom("r_1", "e_1", 7, 3),),
)
ROOM = RoomView(
    id="r_1",
    kind="group",
    visibility="public",
    name="Tea",
    topic="",
    created_by="u_1",
    created_at="2026-01-31T09:30:00.123Z",
    head_seq=5,
    epoch="e_1",
    member_count=2,
    settings=RoomSettings(),
    me=MeView(None, ("room.view",)),
)
ROOM_JSON = {
    "id": "r_1",
    "kind": "group",
    "visibility": "public",
    "name": "Tea",
    "topic": "",
    "created_by": "u_1",
    "created_at": "2026-01-31T09:30:00.123Z",
    "head_seq": 5,
    "epoch": "e_1",
    "member_count": 2,
    "settings": {
        "slow_mode_seconds": 0,
        "retention_days": None,
        "history_visibility": "shared",
        "read_only": False,
        "archived": False,
    },
    "me": {"role": None, "permissions": ["room.view"]},
}
WELCOME_JSON = {
    "connection_id": "c_1",
    "user": {"id": "u_1", "username": "ann", "display_name": "Ann"},
    "server_time": "2026-01-31T09:30:00.123Z",
    "heartbeat_ms": 25_000,
    "limits": {
        "body_max_characters": 4_000,
        "frame_max_bytes": 16_384,
        "history_page_max": 100,
        "subscriptions_max": 500,
        "commands_per_second": 10.0,
        "command_burst": 20,
        "outbox_items": 512,
        "outbox_bytes": 1_048_576,
    },
    "rooms": [{"id": "r_1", "epoch": "e_1", "head_seq": 7, "unread": 3}],
}

# The function that makes it, the bytes, and what they mean.
FRAMES: list[tuple[Callable[..., bytes], bytes, dict[str, object]]] = [
    (welcome, welcome(WELCOME, frame_id="1"), {"type": "welcome", "id": "1", "data": WELCOME_JSON}),
    (welcome, welcome(WELCOME, frame_id=None), {"type": "welcome", "data": WELCOME_JSON}),
    (
        subscribed,
        subscribed("r_1", frame_id="1", state=ROOM, head_seq=5, events=EVENTS),
        {
            "type": "subscribed",
            "id": "1",
            "room": "r_1",
            "data": {
                "epoch": "e_1",
                "head_seq": 5,
                "state": ROOM_JSON,
                "events": [json.loads(event) for event in EVENTS],
            },
        },
    ),
    (
        subscribed,
        subscribed("r_1", frame_id=None, state=ROOM, head_seq=5, events=()),
        {
            "type": "subscribed",
            "room": "r_1",
            "data": {"epoch": "e_1", "head_seq": 5, "state": ROOM_JSON, "events": []},
        },
    ),
    (caught_up, caught_up("r_1", seq=5), {"type": "caught_up", "room": "r_1", "data": {"seq": 5}}),
    (caught_up, caught_up("r_1", seq=0), {"type": "caught_up", "room": "r_1", "data": {"seq": 0}}),
    (
        lagging,
        lagging("r_1", seq=5, head_seq=9),
        {"type": "lagging", "room": "r_1", "data": {"seq": 5, "head_seq": 9}},
    ),
    (
        unsubscribed,
        unsubscribed("r_1", reason="removed", seq=5),
        {"type": "unsubscribed", "room": "r_1", "data": {"seq": 5, "reason": "removed"}},
    ),
    (
        unsubscribed,
        unsubscribed("r_1", reason="asked", seq=5, frame_id="1"),
        {"type": "unsubscribed", "id": "1", "room": "r_1", "data": {"seq": 5, "reason": "asked"}},
    ),
    (
        reset,
        reset("r_1", reason="epoch", epoch="e_2", head_seq=0),
        {"type": "reset", "room": "r_1", "data": {"reason": "epoch", "epoch": "e_2", "head_seq": 0}},
    ),
    (
        reset,
        reset("r_1", reason="ahead", epoch="e_2", head_seq=9, frame_id="1"),
        {"type": "reset", "id": "1", "room": "r_1", "data": {"reason": "ahead", "epoch": "e_2", "head_seq": 9}},
    ),
    (
        ack,
        ack("r_1", frame_id="1", seq=5, data=AckData(0.5, 1.5, msg_no=3, message_id="m_1", client_msg_id="c")),
        {
            "type": "ack",
            "id": "1",
            "room": "r_1",
            "seq": 5,
            "data": {"queued_ms": 0.5, "commit_ms": 1.5, "msg_no": 3, "message_id": "m_1", "client_msg_id": "c"},
        },
    ),
    (
        ack,
        ack("r_1", frame_id=None, seq=0, data=AckData(0.0, 0.0, duplicate=True, changed=False)),
        {
            "type": "ack",
            "room": "r_1",
            "seq": 0,
            "data": {"queued_ms": 0.0, "commit_ms": 0.0, "duplicate": True, "changed": False},
        },
    ),
    (
        error,
        error(Refusal(ErrorCode.FORBIDDEN, "no"), frame_id="1", room="r_1"),
        {
            "type": "error",
            "id": "1",
            "room": "r_1",
            "data": {"type": "about:blank", "title": "Not allowed", "status": 403, "detail": "no", "code": "forbidden"},
        },
    ),
    (
        error,
        error(Refusal(ErrorCode.DRAINING, "later", retry_after_seconds=1.0)),
        {
            "type": "error",
            "data": {
                "type": "about:blank",
                "title": "The server is restarting",
                "status": 503,
                "detail": "later",
                "code": "draining",
                "retry_after": 1.0,
            },
        },
    ),
    (
        page,
        page("r_1", frame_id="1", events=EVENTS, more=True, head_seq=9),
        {
            "type": "page",
            "id": "1",
            "room": "r_1",
            "data": {"events": [json.loads(event) for event in EVENTS], "more": True, "head_seq": 9},
        },
    ),
    (
        page,
        page("r_1", frame_id=None, events=[], more=False, head_seq=0),
        {"type": "page", "room": "r_1", "data": {"events": [], "more": False, "head_seq": 0}},
    ),
    (pong, pong("1"), {"type": "pong", "id": "1"}),
    (pong, pong(None), {"type": "pong"}),
    (expiring, expiring(in_ms=60_000), {"type": "expiring", "data": {"in_ms": 60_000}}),
    (
        refreshed,
        refreshed(frame_id="1", expires_in_ms=600_000),
        {"type": "refreshed", "id": "1", "data": {"expires_in_ms": 600_000}},
    ),
    (
        refreshed,
        refreshed(frame_id=None, expires_in_ms=0),
        {"type": "refreshed", "data": {"expires_in_ms": 0}},
    ),
    (
        signed_in,
        signed_in("s_1", user_agent='a "browser"', address="192.0.2.1"),
        {
            "type": "signed_in",
            "data": {"session": "s_1", "user_agent": 'a "browser"', "address": "192.0.2.1"},
        },
    ),
    (
        goodbye,
        goodbye(reason="restarting", reconnect_after_ms=1_250),
        {"type": "goodbye", "data": {"reason": "restarting", "reconnect_after_ms": 1_250}},
    ),
]


def test_every_frame_of_the_server_has_a_case() -> None:
    """A new frame must come with its case."""
    makers = {
        function
        for name, function in inspect.getmembers(server_frames, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == server_frames.__name__
    }
    assert makers == {maker for maker, _, _ in FRAMES}


@pytest.mark.parametrize(("maker", "made", "meaning"), FRAMES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_frame_is_json_in_the_published_shape(
    maker: Callable[..., bytes], made: bytes, meaning: dict[str, object]
) -> None:
    """Every field is where the contract has it, absent ones are left out, and the type comes first."""
    assert json.loads(made) == meaning
    assert made.startswith(f'{{"type":"{maker.__name__}"'.encode())


@pytest.mark.parametrize(
    "made",
    [
        subscribed("r_1", frame_id=None, state=ROOM, head_seq=5, events=EVENTS),
        page("r_1", frame_id=None, events=EVENTS, more=False, head_seq=5),
    ],
    ids=["subscribed", "page"],
)
def test_stored_events_are_embedded_byte_for_byte(made: bytes) -> None:
    """History over the socket shows the very bytes that were stored and broadcast."""
    assert b"[" + b",".join(EVENTS) + b"]" in made


def test_text_of_people_cannot_break_out_of_a_frame() -> None:
    """Quotes, backslashes and line ends in names are escaped, and text beyond ASCII stays text."""
    name = 'a"b\\c\n\u2028😀'
    made = welcome(msgspec.structs.replace(WELCOME, user=UserView("u_1", name, name)), frame_id=name)
    assert b"\n" not in made
    assert json.loads(made)["id"] == name
    assert json.loads(made)["data"]["user"] == {"id": "u_1", "username": name, "display_name": name}

"""Frames as the real server makes them, for the tests' servers to say."""

from __future__ import annotations

import msgspec

from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import Event, Message, MessageCreated, RoomSettings, encode_event
from justchat.wire.server_frames import AckData, Limits, MeView, RoomView, UserView, WelcomeData, WelcomeRoom

LIMITS = Limits(
    body_max_characters=4000,
    frame_max_bytes=16_384,
    history_page_max=100,
    subscriptions_max=500,
    commands_per_second=100_000.0,
    command_burst=100_000,
    outbox_items=512,
    outbox_bytes=1_048_576,
)
ALICE = UserView("u_alice", "alice", "Alice")


def room_view(room: str, *, epoch: str = "e1", head_seq: int = 0) -> RoomView:
    return RoomView(
        id=room,
        kind="group",
        visibility="private",
        name=room,
        topic="",
        created_by="u_alice",
        created_at="2026-01-31T09:30:00.000Z",
        head_seq=head_seq,
        epoch=epoch,
        member_count=2,
        settings=RoomSettings(),
        me=MeView("member", ("room.view",)),
    )


def message_event(room: str, seq: int, body: str, *, author: str = "u_bob", client_msg_id: str | None = None) -> bytes:
    message = Message(
        id=f"m_{room}_{seq}",
        room=room,
        seq=seq,
        msg_no=seq,
        rev=1,
        author=author,
        body=body,
        created_at="2026-01-31T09:30:00.000Z",
        client_msg_id=client_msg_id,
    )
    return event(MessageCreated(message), room, seq, actor=author)


def event(content: Event, room: str, seq: int, *, actor: str = "u_bob") -> bytes:
    return encode_event(content, room=room, seq=seq, ts=1_769_851_800_000, actor=actor)


def welcome(*rooms: WelcomeRoom, heartbeat_ms: int = 25_000, limits: Limits = LIMITS, connection: str = "c_1") -> bytes:
    data = WelcomeData(connection, ALICE, "2026-01-31T09:30:00.000Z", heartbeat_ms, limits, rooms)
    return server_frames.welcome(data, frame_id=None)


def subscribed(
    room: str, *, frame_id: str | None, head_seq: int, epoch: str = "e1", events: tuple[bytes, ...] = ()
) -> bytes:
    view = room_view(room, epoch=epoch, head_seq=head_seq)
    return server_frames.subscribed(room, frame_id=frame_id, state=view, head_seq=head_seq, events=events)


def ack(
    room: str,
    *,
    frame_id: str | None,
    seq: int,
    client_msg_id: str | None = None,
    duplicate: bool = False,
    changed: bool = True,
) -> bytes:
    data = AckData(
        queued_ms=0.1,
        commit_ms=0.2,
        duplicate=duplicate,
        changed=changed,
        msg_no=seq,
        message_id=f"m_{room}_{seq}",
        client_msg_id=client_msg_id,
    )
    return server_frames.ack(room, frame_id=frame_id, seq=seq, data=data)


def error(
    code: ErrorCode, *, frame_id: str | None = None, room: str | None = None, retry_after: float | None = None
) -> bytes:
    return server_frames.error(Refusal(code, "planted", (), retry_after), frame_id=frame_id, room=room)


def decoded(frame: bytes) -> dict[str, object]:
    return msgspec.json.decode(frame, type=dict[str, object])

"""Frames in, frames out: commands and their answers, and when reading on makes sense."""

from __future__ import annotations

import msgspec
import pytest

from justchat.client.backoff import Backoff
from justchat.client.commands import RETRYABLE, Command
from justchat.client.conversation import Conversation
from justchat.client.errors import PositionLost, Refused
from justchat.client.inbound import NotAFrame, read_data, read_frame
from justchat.client.items import Ack, Answer, Page, Reset, RoomEvent, Subscribed
from justchat.client.outbound import encode_command
from justchat.client.settings import ClientSettings
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode
from justchat.wire.events import MessageCreated
from justchat.wire.frames import (
    Fetch,
    Hello,
    HelloData,
    Position,
    Send,
    SendData,
    Subscribe,
    SubscribeData,
    decode_frame,
)
from justchat.wire.server_frames import WelcomeData
from tests.client import frames


def conversation(*, event_buffer: int = 8, everything: bool = False, **positions: int) -> Conversation:
    """Give a conversation that is connected and has resumed these rooms."""
    talk = Conversation(ClientSettings(event_buffer=event_buffer), everything=everything, jitter=lambda: 1.0)
    talk.following.begin({room: Position("e1", seq) for room, seq in positions.items()})
    connect(talk)
    for room, seq in positions.items():
        talk.take(frames.subscribed(room, frame_id=None, head_seq=seq).decode(), 0.0)
    return talk


def connect(talk: Conversation) -> Hello:
    hello = decode_frame(talk.hello(0.0))
    assert isinstance(hello, Hello)
    talk.welcomed(read_data(read_frame(frames.welcome()), WelcomeData))
    return hello


def give(talk: Conversation, frame: Send | Subscribe | Fetch, expects: type[Answer], **more: int) -> Command:
    text = encode_command(frame, max_bytes=16_384)
    command = Command(frame.id or "", text, expects, on_done=lambda: None, backoff=Backoff(), **more)
    talk.commands.add(command)
    return command


def post(frame_id: str, room: str = "r") -> Send:
    return Send(room, SendData(f"key-{frame_id}", "hello"), id=frame_id)


def sent(talk: Conversation, now: float = 0.0) -> list[str]:
    """Give the ids of the frames that are due."""
    ids = []
    while (text := talk.next_frame(now)) is not None:
        ids.append(str(msgspec.json.decode(text)["id"]))
    return ids


def test_hello_resumes_every_room_and_asks_for_all_of_them_if_wished() -> None:
    """One frame brings a client back to where it was."""
    talk = Conversation(ClientSettings(), everything=True, jitter=lambda: 1.0)
    talk.following.begin({"r": Position("e1", 7)})
    assert connect(talk).data == HelloData(resume={"r": Position("e1", 7)}, subscribe="all")


def test_an_event_comes_out_decoded() -> None:
    """The application gets the wire's own types."""
    talk = conversation(r=5)
    talk.take(frames.message_event("r", 6, "hi").decode(), 0.0)
    item = talk.buffer.pop()
    assert isinstance(item, RoomEvent)
    assert isinstance(item.content, MessageCreated)
    assert (item.seq, item.type, item.actor, item.content.message.body) == (6, "message.created", "u_bob", "hi")


def test_an_event_of_a_later_version_keeps_its_place_in_the_sequence() -> None:
    """Unknown types and unknown shapes come through with their JSON and without content."""
    talk = conversation(r=5)
    talk.take('{"type":"notice","room":"r","seq":6,"ts":"t","actor":"a","data":{"x":1},"new":true}', 0.0)
    talk.take('{"type":"member.left","room":"r","seq":7,"ts":"t","actor":"a","data":{"user":5}}', 0.0)
    talk.take(frames.message_event("r", 8, "hi").decode(), 0.0)
    items = [talk.buffer.pop() for _ in range(3)]
    assert [item.seq for item in items if isinstance(item, RoomEvent)] == [6, 7, 8]
    assert isinstance(items[0], RoomEvent)
    assert items[0].content is None
    assert bytes(items[0].data) == b'{"x":1}'


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type":5}', '{"type":"ack","id":"1","room":"r","data":{}}', "{"])
def test_what_is_no_frame_is_said_so(text: str) -> None:
    """The line then gives the connection up; nothing else escapes."""
    talk = conversation()
    give(talk, post("1"), Ack)
    with pytest.raises(NotAFrame):
        talk.take(text, 0.0)


@pytest.mark.parametrize(
    "text", ['{"type":"typing","room":"r"}', '{"type":"presence","data":{"a":1}}', '{"type":"pong"}']
)
def test_what_belongs_to_no_sequence_passes(text: str) -> None:
    """Ephemeral and unknown frames are ignored, as the contract asks."""
    talk = conversation(r=5)
    talk.take(text, 0.0)
    assert len(talk.buffer) == 0


def test_acks_in_any_order_reach_their_own_command() -> None:
    """Answers are matched by id, not by order."""
    talk = conversation()
    commands = [give(talk, post(str(number)), Ack) for number in range(3)]
    assert sent(talk) == ["0", "1", "2"]
    for number in (2, 0, 1):
        talk.take(frames.ack("r", frame_id=str(number), seq=10 + number).decode(), 0.0)
    assert [command.result() for command in commands] == [
        Ack("r", 10 + number, f"m_r_{10 + number}", 10 + number, None, False, True, 0.1, 0.2) for number in range(3)
    ]
    assert len(talk.commands) == 0


def test_unanswered_commands_are_sent_again_on_the_next_connection_in_their_order() -> None:
    """The frame is the same to the letter, so the same `client_msg_id` goes with it; what was answered stays out."""
    talk = conversation()
    for number in range(4):
        give(talk, post(str(number)), Ack)
    first = [talk.next_frame(0.0) for _ in range(4)]
    talk.take(frames.ack("r", frame_id="1", seq=1).decode(), 0.0)
    assert talk.next_frame(0.0) is None
    connect(talk)
    assert [talk.next_frame(0.0) for _ in range(4)] == [first[0], first[2], first[3], None]
    assert talk.commands.retries == 3


@pytest.mark.parametrize("code", sorted(RETRYABLE))
def test_a_refusal_that_will_pass_is_retried_and_no_sooner_than_the_server_says(code: ErrorCode) -> None:
    """The caller does not see it."""
    talk = conversation()
    command = give(talk, post("1"), Ack)
    assert sent(talk) == ["1"]
    talk.take(frames.error(code, frame_id="1", retry_after=3.0).decode(), 10.0)
    assert talk.next_due() == 13.0
    assert sent(talk, 12.9) == []
    assert sent(talk, 13.0) == ["1"]
    talk.take(frames.ack("r", frame_id="1", seq=1).decode(), 13.0)
    assert command.result() is not None


@pytest.mark.parametrize("code", sorted(set(ErrorCode) - RETRYABLE))
def test_a_refusal_that_will_not_pass_reaches_the_caller(code: ErrorCode) -> None:
    """With the server's problem, and at once."""
    talk = conversation()
    command = give(talk, post("1"), Ack)
    talk.take(frames.error(code, frame_id="1").decode(), 0.0)
    with pytest.raises(Refused) as caught:
        command.result()
    assert caught.value.code == code


def test_a_code_of_a_later_version_is_final() -> None:
    """An unknown no is a no."""
    talk = conversation()
    command = give(talk, post("1"), Ack)
    talk.take(frames.error(ErrorCode.FORBIDDEN, frame_id="1").decode().replace("forbidden", "moon_phase"), 0.0)
    with pytest.raises(Refused, match="moon_phase"):
        command.result()


def test_an_answer_of_the_wrong_kind_is_no_answer() -> None:
    """A page does not answer a post; the right answer still can."""
    talk = conversation()
    command = give(talk, post("1"), Ack)
    talk.take(server_frames.page("r", frame_id="1", events=(), more=False, head_seq=0).decode(), 0.0)
    assert command.answer is None
    talk.take(frames.ack("r", frame_id="1", seq=1).decode(), 0.0)
    assert command.result() is not None


def test_a_page_comes_out_decoded() -> None:
    """History over the socket has the same events as the stream."""
    talk = conversation()
    command = give(talk, Fetch("r", id="1"), Page)
    bodies = [frames.message_event("r", seq, f"b{seq}") for seq in (3, 4)]
    talk.take(server_frames.page("r", frame_id="1", events=bodies, more=True, head_seq=9).decode(), 0.0)
    page = command.result()
    assert isinstance(page, Page)
    assert ([event.seq for event in page.events], page.more, page.head_seq) == ([3, 4], True, 9)


def test_a_subscription_is_answered_and_stands_in_the_stream_at_its_place() -> None:
    """The same value in both: what came before it belongs to the run before."""
    talk = conversation(r=5)
    command = give(talk, Subscribe("r", SubscribeData(history=1), id="1"), Subscribed)
    talk.take(frames.message_event("r", 6, "six").decode(), 0.0)
    newest = (frames.message_event("r", 8, "eight"),)
    talk.take(frames.subscribed("r", frame_id="1", head_seq=8, events=newest).decode(), 0.0)
    talk.take(frames.message_event("r", 9, "nine").decode(), 0.0)
    items = [talk.buffer.pop() for _ in range(3)]
    assert items[1] is command.result()
    assert [getattr(item, "seq", None) for item in items] == [6, 8, 9]


def test_a_subscription_past_a_seq_begins_there() -> None:
    """`after` and not the head is where the run begins: the events between follow."""
    talk = conversation()
    command = give(talk, Subscribe("r", SubscribeData(after=3), id="1"), Subscribed, after=3)
    talk.take(frames.subscribed("r", frame_id="1", head_seq=5).decode(), 0.0)
    answer = command.result()
    assert isinstance(answer, Subscribed)
    assert (answer.seq, answer.head_seq) == (3, 5)
    talk.take(frames.message_event("r", 4, "four").decode(), 0.0)
    assert [getattr(talk.buffer.pop(), "seq", None) for _ in range(2)] == [3, 4]


def test_a_position_that_is_gone_fails_the_call_and_ends_the_run() -> None:
    """The caller hears it, and so does whoever reads the stream."""
    talk = conversation(r=5)
    command = give(talk, Subscribe("r", SubscribeData(after=2), id="1"), Subscribed, after=2)
    talk.take(server_frames.reset("r", reason="retention", epoch="e1", head_seq=90, frame_id="1").decode(), 0.0)
    with pytest.raises(PositionLost) as caught:
        command.result()
    assert caught.value.reset == Reset("r", "retention", 5, "e1", 90)
    assert talk.buffer.pop() == caught.value.reset


def test_a_refused_resumption_ends_the_run_and_a_busy_room_does_not() -> None:
    """`not_a_member` is an end that the application sees; `room_overloaded` is only a wait."""
    talk = conversation(a=5, b=5)
    connect(talk)
    talk.take(frames.error(ErrorCode.ROOM_OVERLOADED, room="a", retry_after=1.0).decode(), 0.0)
    talk.take(frames.error(ErrorCode.NOT_A_MEMBER, room="b").decode(), 0.0)
    assert [getattr(talk.buffer.pop(), "reason", None) for _ in range(len(talk.buffer))] == ["not_a_member"]
    assert sent(talk, 0.9) == []
    assert sent(talk, 1.0) == ["resume-1"]


def test_reading_stops_when_the_application_is_behind_and_nobody_waits() -> None:
    """Then the server notices, and serves this client at its own pace."""
    talk = conversation(event_buffer=2, r=0)
    for seq in (1, 2):
        assert talk.wants_frames
        talk.take(frames.message_event("r", seq, "x").decode(), 0.0)
    assert not talk.wants_frames
    talk.buffer.pop()
    assert talk.wants_frames


def test_reading_goes_on_beyond_the_buffer_while_somebody_waits_for_an_answer() -> None:
    """An application that posts from its own event loop would wait for ever otherwise; the events come again later."""
    talk = conversation(event_buffer=4, r=0)
    for seq in (1, 2, 3, 4):
        talk.take(frames.message_event("r", seq, "x").decode(), 0.0)
    command = give(talk, post("1"), Ack)
    assert talk.wants_frames
    assert sent(talk) == ["1"]
    for seq in (5, 6):
        talk.take(frames.message_event("r", seq, "x").decode(), 0.0)
    talk.take(frames.ack("r", frame_id="1", seq=6).decode(), 0.0)
    assert command.result() is not None
    assert len(talk.buffer) == 4
    talk.buffer.pop()
    assert sent(talk) == [], "asking makes sense once there is room for the answer"
    talk.buffer.pop()
    assert sent(talk) == ["resume-1"]


def test_a_frame_that_the_server_would_call_malformed_does_not_leave() -> None:
    """It is refused with the code that the server would have given, and hurts nobody else."""
    for body, code in (("", "validation_failed"), ("a\x00b", "invalid_frame"), ("\ud800", "validation_failed")):
        with pytest.raises(Refused) as caught:
            encode_command(Send("r", SendData("k", body), id="1"), max_bytes=16_384)
        assert caught.value.code == code
    with pytest.raises(Refused, match="payload_too_large"):
        encode_command(Send("r", SendData("k", "x" * 20_000), id="1"), max_bytes=16_384)

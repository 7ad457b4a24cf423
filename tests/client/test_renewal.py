"""When a fresh token is asked for, and what becomes of it: pure, with any order of warnings, answers and refusals."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.client.backoff import Backoff
from justchat.client.conversation import Conversation
from justchat.client.renewal import Renewal
from justchat.client.settings import ClientSettings
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal, problem
from justchat.wire.frames import Refresh, RefreshData, decode_frame

NEVER = float("inf")
BUSY = problem(Refusal(ErrorCode.ROOM_OVERLOADED, "planted", (), 2.0))
BAD = problem(Refusal(ErrorCode.UNAUTHENTICATED, "planted"))


def connected() -> Renewal:
    renewal = Renewal(Backoff())
    renewal.connected()
    return renewal


def handed_over(renewal: Renewal) -> str:
    """Send the frame that is waiting, and give its id."""
    frame = decode_frame(renewal.next_frame() or "")
    assert isinstance(frame, Refresh)
    return frame.id or ""


def test_the_first_warning_is_heeded_at_once() -> None:
    """The frame is a proper one with the token in it, is given once, and asks for an answer of its own."""
    renewal = connected()
    assert renewal.due_at == NEVER
    renewal.expiring(60.0, 100.0)
    assert renewal.due_at == 100.0
    renewal.offer("new")
    assert renewal.due_at == NEVER
    assert decode_frame(renewal.next_frame() or "") == Refresh(RefreshData("new"), id="refresh-1")
    assert renewal.next_frame() is None
    assert not renewal.is_asked_by(None)
    assert not renewal.is_asked_by("refresh-2")
    assert renewal.is_asked_by("refresh-1")
    renewal.refreshed(600.0)
    assert not renewal.is_asked_by("refresh-1")
    assert renewal.renewals == 1


@pytest.mark.parametrize(("life", "left", "wait"), [(600.0, 60.0, 0.0), (60.0, 59.5, 29.5), (0.0, 30.0, 0.0)])
def test_later_warnings_are_heeded_when_half_of_the_tokens_life_is_over(life: float, left: float, wait: float) -> None:
    """Tokens that last as long as the warning comes ahead are not renewed over and over."""
    renewal = connected()
    renewal.expiring(60.0, 0.0)
    renewal.offer("new")
    handed_over(renewal)
    renewal.refreshed(life)
    renewal.expiring(left, 10.0)
    assert renewal.due_at == 10.0 + wait


def test_a_source_without_another_token_is_not_asked_again() -> None:
    """The connection ends when its token does, and that says why."""
    renewal = connected()
    renewal.expiring(60.0, 0.0)
    renewal.offer(None)
    assert renewal.due_at == NEVER
    assert not renewal.has_frame


def test_what_passes_is_tried_again_and_what_does_not_is_not() -> None:
    """A busy server is asked again, no earlier than it says; a token that it does not take is not offered twice."""
    renewal = connected()
    renewal.expiring(60.0, 0.0)
    renewal.offer("new")
    handed_over(renewal)
    renewal.refused(BUSY, 1.0, jitter=0.0, passes=True)
    assert renewal.due_at == 3.0
    renewal.offer("new")
    handed_over(renewal)
    renewal.refused(BAD, 4.0, jitter=0.0, passes=False)
    assert renewal.due_at == NEVER


STEPS = st.lists(st.sampled_from(["warn", "give", "none", "late", "send", "ok", "busy", "bad", "lost"]), max_size=60)


@given(steps=STEPS, life=st.sampled_from([0.0, 1.0, 60.0, 600.0]))
def test_in_any_order_there_is_one_question_at_a_time(steps: list[str], life: float) -> None:
    """After a warning either the source is due or a token is on its way; never both, and never two of one kind."""
    renewal, sent, now = connected(), "", 0.0
    for step in steps:
        now += 1.0
        due, has_frame, is_asked = renewal.due_at <= now, renewal.has_frame, renewal.is_asked_by(sent)
        match step:
            case "warn":
                renewal.expiring(min(60.0, life or 60.0), now)
                assert (renewal.due_at < NEVER) != (renewal._asked is not None)
            case "give" | "none" if due:
                renewal.offer("new" if step == "give" else None)
                assert renewal.due_at == NEVER
            case "late" if due:
                renewal.put_off(now, jitter=0.5)
                assert now < renewal.due_at < NEVER
            case "send" if has_frame:
                sent = handed_over(renewal)
                assert renewal.is_asked_by(sent)
            case "ok" if is_asked:
                renewal.refreshed(life)
            case "busy" | "bad" if is_asked:
                renewal.refused(BUSY, now, jitter=0.5, passes=step == "busy")
                assert (renewal.due_at < NEVER) == (step == "busy")
            case "lost":
                renewal.connected()
        assert not (renewal.due_at < NEVER and renewal._asked is not None)
        assert not renewal.has_frame or renewal._asked is not None


def test_a_new_connection_knows_nothing_of_the_last_ones_warning() -> None:
    """It was opened with a token that its source thinks good, and hears of the end by itself."""
    conversation = Conversation(ClientSettings(), everything=False, jitter=lambda: 0.0)
    conversation.hello(0.0)
    conversation.take(server_frames.expiring(in_ms=60_000).decode(), 0.0)
    assert conversation.renewal.due_at == 0.0
    conversation.renewal.offer("new")
    assert conversation.next_due() == 0.0
    conversation.hello(1.0)
    assert conversation.next_frame(1.0) is None
    assert conversation.next_due() == NEVER


def test_the_frame_survives_any_token_that_json_can_hold() -> None:
    """A source of the application's own may give what it likes."""
    renewal = connected()
    renewal.offer('ümläut "and" quotes')
    frame = msgspec.json.decode(renewal.next_frame() or "", type=dict[str, object])
    assert frame["data"] == {"token": 'ümläut "and" quotes'}

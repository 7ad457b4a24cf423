"""What each frame means for the rooms a client follows, rule by rule; the model test plays them against each other."""

from __future__ import annotations

from justchat.client.following import Following
from justchat.client.inbound import read_data, read_frame
from justchat.client.items import Reset, Subscribed, Unsubscribed
from justchat.wire.frames import Position, SubscribeData
from justchat.wire.server_frames import ResetData, SubscribedData
from tests.client import frames

FOREVER = 1_000_000


def following(*, everything: bool = False, **positions: int) -> Following:
    """Give a client that has just resumed these rooms (epoch e1) on a new connection, and been told so."""
    rooms = Following(everything=everything, answer_seconds=10.0, jitter=lambda: 1.0)
    rooms.begin({room: Position("e1", seq) for room, seq in positions.items()})
    rooms.resume(0.0, frame_max_bytes=16_384)
    rooms.welcomed(positions)
    for room, seq in positions.items():
        assert rooms.subscribed(room, None, snapshot(room, seq), (), 0.0) is None
    return rooms


def snapshot(room: str, head_seq: int, *, epoch: str = "e1") -> SubscribedData:
    frame = frames.subscribed(room, frame_id=None, head_seq=head_seq, epoch=epoch)
    return read_data(read_frame(frame), SubscribedData)


def test_an_event_is_delivered_once_and_in_its_place() -> None:
    """The next one is taken; the same again and an older one are not."""
    rooms = following(r=5)
    assert [rooms.event("r", seq, 0.0, full=False) for seq in (6, 6, 5, 7)] == [True, False, False, True]
    assert rooms.position("r") == Position("e1", 7)
    assert rooms.duplicates == 2


def test_a_jump_asks_once_for_what_lies_between() -> None:
    """Further events beyond the gap ask for nothing more."""
    rooms = following(r=5)
    assert not rooms.event("r", 8, 1.0, full=False)
    assert rooms.next_question(1.0) == ("resume-1", "r", SubscribeData(after=5, epoch="e1"))
    assert not rooms.event("r", 9, 1.0, full=False)
    assert rooms.next_question(1.0) is None
    assert rooms.subscribed("r", "resume-1", snapshot("r", 9), (), 1.0) is None
    assert [rooms.event("r", seq, 1.0, full=False) for seq in (6, 7, 8, 9)] == [True] * 4


def test_an_event_without_a_place_is_asked_for_again() -> None:
    """With the buffer full the event is let go, and the room resumed from before it."""
    rooms = following(r=5)
    assert not rooms.event("r", 6, 1.0, full=True)
    question = rooms.next_question(1.0)
    assert question is not None
    assert question[2] == SubscribeData(after=5, epoch="e1")
    assert rooms.overflows == 1


def test_a_question_without_an_answer_is_asked_again() -> None:
    """The wait for an answer ends; the late answer to the old question then counts for nothing."""
    rooms = following(r=5)
    rooms.event("r", 8, 0.0, full=False)
    rooms.next_question(0.0)
    assert rooms.next_due() == 10.0
    assert rooms.next_question(10.0) is None, "back-off after the first failure"
    assert 10.0 < rooms.next_due() <= 11.0
    question = rooms.next_question(rooms.next_due())
    assert question is not None
    assert question[0] == "resume-2"
    rooms.subscribed("r", "resume-1", snapshot("r", 8), (), 12.0)
    assert rooms.behind == 1
    rooms.subscribed("r", "resume-2", snapshot("r", 8), (), 12.0)
    assert rooms.behind == 0


def test_a_claim_to_have_sent_everything_is_checked() -> None:
    """`caught_up` beyond our place shows a loss at the end, which no later event would show for now."""
    rooms = following(r=5)
    rooms.caught_up("r", 5, 0.0)
    assert rooms.behind == 0
    rooms.caught_up("r", 7, 0.0)
    assert rooms.behind == 1


def test_a_subscription_that_is_live_past_our_place_shows_a_gap() -> None:
    """A server that starts a known room at its head has skipped something; its events would only jump later."""
    rooms = following(r=5)
    rooms.subscribed("r", None, snapshot("r", 9), (), 0.0)
    question = rooms.next_question(0.0)
    assert question is not None
    assert question[2] == SubscribeData(after=5, epoch="e1")


def test_another_epoch_is_a_reset_even_when_the_server_does_not_say_so() -> None:
    """Seqs of two histories are never joined; the subscription that cannot be believed is ended."""
    rooms = following(r=5)
    rooms.event("r", 8, 0.0, full=False)
    rooms.next_question(0.0)
    item = rooms.subscribed("r", "resume-1", snapshot("r", 9, epoch="e2"), (), 0.0)
    assert item == Reset("r", "epoch", 5, "e2", 9)
    assert rooms.position("r") is None
    assert rooms.next_unwanted() == "r"


def test_after_a_reset_nothing_of_the_room_is_delivered() -> None:
    """The application decides how to go on, and what comes in meanwhile belongs to no run."""
    rooms = following(r=5)
    assert rooms.reset("r", ResetData("retention", "e1", 40)) == Reset("r", "retention", 5, "e1", 40)
    assert not rooms.event("r", 6, 0.0, full=False)
    assert rooms.next_question(0.0) is None
    assert rooms.reset("r", ResetData("retention", "e1", 40)) is None


def test_with_everything_a_reset_room_begins_anew_by_itself() -> None:
    """Somebody who wants all rooms wants this one too; the new run begins at the head, openly."""
    rooms = following(everything=True, r=5)
    rooms.reset("r", ResetData("restored", "e2", 3))
    question = rooms.next_question(0.0)
    assert question == ("resume-1", "r", SubscribeData(history=0))
    item = rooms.subscribed("r", "resume-1", snapshot("r", 3, epoch="e2"), (), 0.0)
    assert isinstance(item, Subscribed)
    assert (item.seq, item.epoch) == (3, "e2")


def test_the_end_of_a_run_names_what_was_delivered_and_what_the_server_says() -> None:
    """Events that were missing when the user was removed are out of reach, and that shows."""
    rooms = following(r=5)
    rooms.event("r", 9, 0.0, full=False)
    assert rooms.unsubscribed("r", "removed", 9) == Unsubscribed("r", "removed", 5, 9)
    assert rooms.behind == 0
    assert rooms.unsubscribed("r", "removed", 9) is None


def test_a_refused_resumption_is_found_by_its_frame_or_by_its_room() -> None:
    """Errors about a question carry its id; those about hello's resumptions carry only the room."""
    rooms = Following(everything=False, answer_seconds=10.0, jitter=lambda: 1.0)
    rooms.begin({"a": Position("e1", 1), "b": Position("e1", 1)})
    rooms.resume(0.0, frame_max_bytes=16_384)
    assert rooms.room_asked_by(None, "b") == "b"
    assert rooms.room_asked_by(None, None) is None
    rooms.refused("b", 0.0, retry_after_seconds=2.0)
    assert rooms.room_asked_by(None, "b") is None
    assert rooms.next_question(1.9) is None
    question = rooms.next_question(2.0)
    assert question is not None
    assert rooms.room_asked_by(question[0], None) == "b"


def test_positions_that_do_not_fit_into_hello_are_asked_for_one_by_one() -> None:
    """Hello stays below the server's frame limit however many rooms there are, and no room is forgotten."""
    names = [f"r_{number:032d}" for number in range(500)]
    rooms = Following(everything=True, answer_seconds=10.0, jitter=lambda: 0.0)
    rooms.begin({name: Position("e_" + "0" * 32, 2**50) for name in names})
    resumed = rooms.resume(0.0, frame_max_bytes=16_384)
    rooms.welcomed(names)
    assert 80 < len(resumed) < 200
    for name in names:
        # The server makes those that it was not told of live from their head.
        assert rooms.subscribed(name, None, snapshot(name, 2**50 + 5, epoch="e_" + "0" * 32), (), 0.0) is None
    asked = set()
    while (question := rooms.next_question(0.0)) is not None:
        asked.add(question[1])
        assert question[2].after == 2**50
    assert asked == set(names) - set(resumed)


def test_a_room_that_comes_along_at_the_start_begins_at_its_head() -> None:
    """With everything subscribed, rooms without a position are live from the head that the server names."""
    rooms = following(everything=True)
    rooms.welcomed(["r"])
    item = rooms.subscribed("r", None, snapshot("r", 7), (), 0.0)
    assert isinstance(item, Subscribed)
    assert item.seq == 7
    assert rooms.event("r", 8, 0.0, full=False)


def test_a_room_joined_later_begins_with_the_event_that_made_the_user_a_member() -> None:
    """Its `subscribed` names the head, which may lie beyond that event already; the events say where they begin."""
    rooms = following(everything=True)
    assert rooms.subscribed("new", None, snapshot("new", 9), (), 0.0) is None
    item = rooms.opened("new", 8)
    assert isinstance(item, Subscribed)
    assert (item.seq, item.head_seq) == (7, 9)
    assert [rooms.event("new", seq, 0.0, full=False) for seq in (8, 9, 10)] == [True] * 3
    assert rooms.opened("new", 11) is None


def test_a_room_joined_later_without_events_begins_where_the_server_has_caught_up() -> None:
    """`caught_up` is the other way to learn where the run begins."""
    rooms = following(everything=True)
    rooms.subscribed("new", None, snapshot("new", 9), (), 0.0)
    item = rooms.opened("new", 9, caught_up=True)
    assert isinstance(item, Subscribed)
    assert item.seq == 9


def test_a_room_that_had_not_begun_when_the_connection_broke_begins_at_the_next_head() -> None:
    """Its pending start does not leak into the next connection."""
    rooms = following(everything=True)
    rooms.subscribed("new", None, snapshot("new", 9), (), 0.0)
    assert rooms.resume(1.0, frame_max_bytes=16_384) == {}
    rooms.welcomed(["new"])
    assert rooms.opened("new", 10) is None
    item = rooms.subscribed("new", None, snapshot("new", 12), (), 1.0)
    assert isinstance(item, Subscribed)
    assert item.seq == 12


def test_a_muted_room_stays_out_even_when_the_server_brings_it_along() -> None:
    """With everything subscribed, what the application does not want is unsubscribed from again, once."""
    rooms = following(everything=True, r=5)
    rooms.mute("r")
    assert rooms.unsubscribed("r", "asked", 5) is not None
    rooms.resume(1.0, frame_max_bytes=16_384)
    rooms.welcomed(["r"])
    assert rooms.subscribed("r", None, snapshot("r", 8), (), 1.0) is None
    assert rooms.next_due() == 0.0
    assert [rooms.next_unwanted(), rooms.next_unwanted()] == ["r", None]
    assert not rooms.event("r", 9, 1.0, full=False)


def test_a_muted_room_that_is_wanted_again_is_not_unsubscribed_from() -> None:
    """The wish of the application counts from when it is voiced, before the server has answered."""
    rooms = following(everything=True)
    rooms.mute("r")
    rooms.welcomed(["r"])
    rooms.subscribed("r", None, snapshot("r", 8), (), 1.0)
    rooms.want("r")
    assert rooms.next_unwanted() is None
    assert rooms.subscribed_by_request("r", None, snapshot("r", 8), ()).seq == 8

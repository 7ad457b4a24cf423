"""One room's place in its sequence: what is next, old or missing, and when to ask for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.client.backoff import Backoff
from justchat.client.track import Sight, Standing, Track


def track(seq: int | None = 5) -> Track:
    return Track("e1", seq, Backoff(base_seconds=1.0, cap_seconds=8.0))


@given(st.integers(0, 1000), st.lists(st.integers(0, 1100), max_size=60))
def test_whatever_arrives_only_the_next_one_is_ever_accepted(start: int, arriving: list[int]) -> None:
    """Accepted seqs are start + 1, start + 2, … whatever is mixed into them."""
    room = track(start)
    accepted = []
    for seq in arriving:
        if room.place(seq) is Sight.NEXT:
            room.accept(seq)
            accepted.append(seq)
    assert accepted == list(range(start + 1, start + 1 + len(accepted)))


@given(st.permutations(list(range(1, 12))))
def test_old_and_missing_are_told_apart(arriving: list[int]) -> None:
    """What was accepted is seen, what lies beyond the next one is ahead."""
    room = track(0)
    accepted: set[int] = set()
    for seq in arriving:
        sight = room.place(seq)
        assert (sight is Sight.SEEN) == (seq in accepted)
        assert (sight is Sight.AHEAD) == (seq > len(accepted) + 1)
        if sight is Sight.NEXT:
            room.accept(seq)
            accepted.add(seq)


def test_a_seq_that_does_not_follow_cannot_be_accepted() -> None:
    """The rule is enforced where the position moves, not only where it is looked up."""
    for seq in (0, 5, 7):
        with pytest.raises(ValueError):
            track(5).accept(seq)


def test_without_a_position_nothing_is_next() -> None:
    """A room that is wanted from its head on waits for the snapshot that names the head."""
    room = track(None)
    assert room.standing is Standing.BEHIND
    assert {room.place(seq) for seq in (0, 1, 2)} == {Sight.AHEAD}


def test_asking_is_due_at_once_the_first_time_and_later_and_later_afterwards() -> None:
    """A server that leaves the same hole again and again is not asked in a hot loop."""
    room = track()
    due = []
    for _ in range(6):
        room.fall_behind(100.0, jitter=1.0)
        due.append(room.due_at - 100.0)
        room.ask(100.0, question="q", answer_seconds=10.0)
        room.resumed()
    assert due == [0.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_progress_makes_the_next_question_due_at_once_again() -> None:
    """Back-off counts holes without progress, not holes."""
    room = track(5)
    room.fall_behind(0.0, jitter=1.0)
    room.resumed()
    room.accept(6)
    room.fall_behind(50.0, jitter=1.0)
    assert room.due_at == 50.0


def test_progress_while_behind_is_no_sign_of_health() -> None:
    """A late event of the old subscription does not reset the back-off."""
    room = track(5)
    room.fall_behind(0.0, jitter=1.0)
    room.accept(6)
    room.fall_behind(50.0, jitter=1.0)
    assert room.due_at == 52.0


def test_the_servers_wish_to_be_asked_later_is_honoured() -> None:
    """`retry_after` of a refusal is a lower bound."""
    room = track()
    room.fall_behind(10.0, jitter=0.0, retry_after_seconds=3.0)
    assert room.due_at == 13.0


def test_a_new_connection_starts_without_old_trouble() -> None:
    """What went wrong on the last connection does not delay the first question on the next one."""
    room = track()
    for _ in range(4):
        room.fall_behind(0.0, jitter=1.0)
    room.disconnected(20.0)
    assert (room.standing, room.due_at) == (Standing.BEHIND, 20.0)
    room.fall_behind(21.0, jitter=1.0)
    assert room.due_at == 21.0

"""From entries to segments: whose subscription ends after which event, and the ring of the newest frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from immutables import Map

from justchat.door.frames import text_frame
from justchat.rooms.broadcast import Ring, segments
from justchat.rooms.subscription import Cut
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberUnmuted,
    MemberView,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    encode_event,
    event_name,
)
from storage.records import Entry

PRIVATE = RoomUpdated(RoomChanges(visibility="public"), RoomChanges(visibility="private"))
PUBLIC = RoomUpdated(RoomChanges(visibility="private"), RoomChanges(visibility="public"))
RENAMED = RoomUpdated(RoomChanges(name="a"), RoomChanges(name="b"))
NOTHING = MemberUnmuted("u_x")


def entries(events: Sequence[Event]) -> list[Entry]:
    return [
        Entry("r", seq, 0, event_name(event), "u", encode_event(event, room="r", seq=seq, ts=0, actor="u"))
        for seq, event in enumerate(events, 1)
    ]


def cuts(*events: Event, members: Sequence[str] = ()) -> list[tuple[int, Cut | None]]:
    """Give where the segments of a batch end, and whom each end concerns."""
    found = segments(entries(events), events, members=everybody(members))
    return [(segment.last_seq, segment.cut) for segment in found]


def everybody(users: Iterable[str]) -> Map[str, object]:
    return Map(dict.fromkeys(users))


CUTS: list[tuple[Event, Cut | None]] = [
    (MemberRemoved("u_1"), Cut("u_1", "removed")),
    (MemberBanned("u_1"), Cut("u_1", "banned")),
    (MemberLeft("u_1"), Cut("u_1", "left")),
    (RoomDeleted(), Cut(None, "deleted")),
    (PRIVATE, Cut(None, "removed", everybody({"u_2"}))),
    (PUBLIC, None),
    (RENAMED, None),
    (NOTHING, None),
    (MemberJoined("u_1", "member"), None),
]


@pytest.mark.parametrize(("event", "cut"), CUTS, ids=lambda value: type(value).__name__)
def test_these_events_end_subscriptions(event: Event, cut: Cut | None) -> None:
    """The event itself is the last that they receive, and what follows is a segment of its own."""
    expected = [(4, None)] if cut is None else [(2, cut), (4, None)]
    assert cuts(NOTHING, event, NOTHING, NOTHING, members=["u_2"]) == expected


def test_a_segment_is_the_frames_of_its_entries() -> None:
    """In their order, and counted."""
    batch = entries([NOTHING, MemberLeft("u_1"), NOTHING])
    first, second = segments(batch, [NOTHING, MemberLeft("u_1"), NOTHING], members=Map())
    assert first.frames == text_frame(batch[0].body) + text_frame(batch[1].body)
    assert (first.count, second.count) == (2, 1)
    assert segments([], [], members=Map()) == []


COMINGS_AND_GOINGS: list[tuple[list[Event], set[str]]] = [
    ([], {"u_1", "u_2"}),
    ([MemberAdded("u_3", "member"), NOTHING, MemberJoined("u_4", "member")], {"u_1", "u_2", "u_3", "u_4"}),
    ([MemberLeft("u_1"), MemberRemoved("u_2")], set()),
    ([MemberBanned("u_1"), MemberBanned("u_9")], {"u_2"}),
    ([MemberRemoved("u_1"), MemberAdded("u_1", "member")], {"u_1", "u_2"}),
    ([RoomCreated("group", "public", "", "", "e", RoomSettings(), (MemberView("u_7", "owner"),))], {"u_7"}),
]


@pytest.mark.parametrize(("earlier", "inside"), COMINGS_AND_GOINGS)
@pytest.mark.parametrize("later", [MemberBanned("u_2"), MemberLeft("u_1"), MemberJoined("u_5", "member")])
def test_visits_end_for_those_who_are_no_members_at_that_moment(
    earlier: list[Event], inside: set[str], later: Event
) -> None:
    """Whoever comes in later in the same batch was a visitor still; whoever goes later, by a ban too, was a member."""
    found = cuts(*earlier, PRIVATE, later, members=["u_1", "u_2"])
    (cut,) = [cut for seq, cut in found if seq == len(earlier) + 1]
    assert cut is not None
    assert (cut.user, cut.reason, set(cut.spared)) == (None, "removed", inside)


def test_a_segment_tells_who_is_in_after_it() -> None:
    """So that a fan-out that breaks off between two goes on with those who were in by then."""
    batch: list[Event] = [MemberJoined("u_2", "member"), MemberBanned("u_1"), MemberAdded("u_3", "member")]
    found = segments(entries(batch), batch, members=everybody(["u_1"]))
    assert [set(segment.members) for segment in found] == [{"u_2"}, {"u_2", "u_3"}]


def ring(*bodies: bytes, max_entries: int = 3, max_bytes: int = 100) -> Ring:
    made = Ring(head=10, max_entries=max_entries, max_bytes=max_bytes)
    for seq, body in enumerate(bodies, 11):
        made.add(Entry("r", seq, 0, "x", "u", body))
    return made


def test_the_ring_holds_the_newest_entries_without_a_gap() -> None:
    """What it covers it gives, up to the head; what is older it does not pretend to have."""
    full = ring(b"11", b"12", b"13", b"14")
    assert [full.covers(seq) for seq in range(9, 16)] == [False, False, True, True, True, True, False]
    assert [full.after(seq) for seq in range(11, 15)] == [[b"12", b"13", b"14"], [b"13", b"14"], [b"14"], []]
    empty = ring()
    assert (empty.covers(10), empty.covers(9), empty.after(10)) == (True, False, [])


def test_the_ring_is_bounded_in_bytes() -> None:
    """One entry that is larger than the ring is not held at all."""
    assert ring(b"x" * 60, b"y" * 60).covers(11)
    assert not ring(b"x" * 60, b"y" * 60).covers(10)
    large = ring(b"x" * 101)
    assert (large.covers(10), large.covers(11)) == (False, True)

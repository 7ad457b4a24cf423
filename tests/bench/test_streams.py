"""The cheap receivers see exactly what a full decoder would: every fault is found, and nothing else is called one."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from bench.frames import CLOSE, PING, server_frame
from bench.streams import Reader, Reference, Tally, Twin
from tests.bench.chunks import cut

BASE = 10
MANY = 40


def event(seq: int) -> bytes:
    """The frame of an event; neighbours share a long beginning, as real ones do."""
    body = "x" * (seq % 7)
    return server_frame(b'{"type":"message.created","room":"r_1","seq":%d,"data":{"body":"%b"}}' % (seq, body.encode()))


def stream(count: int) -> list[bytes]:
    """The frames of the first `count` events after the base."""
    return [event(BASE + number) for number in range(1, count + 1)]


@dataclass
class Faults:
    """What happens to one receiver's stream, by the index of the event it happens at."""

    pings: set[int] = field(default_factory=set)
    lagging: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)

    def apply(self, frames: list[bytes]) -> bytes:
        """The bytes that this receiver gets."""
        out = bytearray()
        for index, frame in enumerate(frames):
            if index in self.pings:
                out += server_frame(b"p", PING)
            if index in self.lagging:
                out += server_frame(b'{"type":"lagging","room":"r_1","data":{"seq":1,"head_seq":2}}')
            if index not in self.dropped:
                out += frame
            if index in self.repeated and index not in self.dropped:
                out += frame
        return bytes(out)


indexes = st.sets(st.integers(0, MANY - 2), max_size=4)
faults = st.builds(Faults, indexes, indexes, indexes, indexes)
cuts = st.lists(st.integers(0, 10_000), max_size=30)


def play(
    leader: list[bytes], follower: list[bytes], *, order: list[bool], last_seq: int = BASE
) -> tuple[Reader, Twin, Reference]:
    """Feed both in the order given (true: the leader next), then whatever is left."""
    reference = Reference(BASE)
    leading = Reader(Tally(BASE), reference.append)
    twin = Twin(reference, last_seq)
    waiting = {True: list(leader), False: list(follower)}
    for turn in order + [True] * len(leader) + [False] * len(follower):
        if waiting[turn]:
            chunk = waiting[turn].pop(0)
            (leading if turn else twin).feed(chunk)
    twin.feed(b"")
    return leading, twin, reference


@given(leader_cuts=cuts, twin_cuts=cuts, order=st.lists(st.booleans(), max_size=60), faults=faults)
def test_a_twin_counts_what_happened_to_it_whatever_the_chunks_and_their_order(
    leader_cuts: list[int], twin_cuts: list[int], order: list[bool], faults: Faults
) -> None:
    """Holes, repeats, pings and frames of other types are counted exactly; the last event ends both streams."""
    frames = stream(MANY)
    _, twin, _ = play(cut(b"".join(frames), leader_cuts), cut(faults.apply(frames), twin_cuts), order=order)
    tally = twin.settle()
    assert tally.last_seq == BASE + MANY
    assert tally.gaps == len(faults.dropped)
    assert tally.repeats == len(faults.repeated - faults.dropped)
    assert tally.events == MANY - tally.gaps + tally.repeats
    assert len(tally.pings) == len(faults.pings)
    assert tally.others["lagging"] == len(faults.lagging)


@given(faults=faults, leader_cuts=cuts, twin_cuts=cuts, order=st.lists(st.booleans(), max_size=60))
def test_faults_of_the_leader_are_not_charged_to_its_twins(
    faults: Faults, leader_cuts: list[int], twin_cuts: list[int], order: list[bool]
) -> None:
    """A hole in the reference's own stream leaves the others to decode for themselves, and they find nothing wrong."""
    frames = stream(MANY)
    leading, twin, _ = play(cut(faults.apply(frames), leader_cuts), cut(b"".join(frames), twin_cuts), order=order)
    tally = twin.settle()
    assert (tally.last_seq, tally.gaps, tally.repeats, tally.events) == (BASE + MANY, 0, 0, MANY)
    assert leading.tally.gaps == len(faults.dropped)


@given(split=st.integers(0, MANY), leader_cuts=cuts, twin_cuts=cuts, ahead=st.booleans())
def test_counts_go_on_over_a_restart_of_the_reference(
    split: int, leader_cuts: list[int], twin_cuts: list[int], ahead: bool
) -> None:
    """What was in the middle of a frame, behind, or ahead at the restart is neither lost nor counted twice."""
    frames = stream(MANY)
    reference = Reference(BASE)
    leading = Reader(Tally(BASE), reference.append)
    twin = Twin(reference, BASE)
    first = b"".join(frames[:split])
    half = first + frames[split][:20] if split < MANY else first
    rest = b"".join(frames)[len(half) :]
    for chunk in cut(first, leader_cuts):
        leading.feed(chunk)
    for chunk in cut(half if ahead else half[: len(half) // 2], twin_cuts):
        twin.feed(chunk)
    twin.rebase(leading.tally.last_seq)
    reference.restart(leading.tally.last_seq)
    leading.feed(b"".join(frames)[len(first) :])
    twin.feed(rest if ahead else half[len(half) // 2 :] + rest)
    twin.feed(b"")
    tally = twin.settle()
    assert (tally.last_seq, tally.gaps, tally.repeats, tally.events) == (BASE + MANY, 0, 0, MANY)


@given(behind=st.integers(1, 5), cuts=cuts)
def test_a_twin_that_is_whole_events_behind_at_a_restart_gets_the_rest_in_order(behind: int, cuts: list[int]) -> None:
    """What it gets late it gets for the first time: no repeat, no hole."""
    frames = stream(MANY)
    reference = Reference(BASE)
    leading = Reader(Tally(BASE), reference.append)
    twin = Twin(reference, BASE)
    leading.feed(b"".join(frames[:10]))
    twin.feed(b"".join(frames[: 10 - behind]))
    twin.rebase(leading.tally.last_seq)
    reference.restart(leading.tally.last_seq)
    leading.feed(b"".join(frames[10:]))
    for chunk in cut(b"".join(frames[10 - behind :]), cuts):
        twin.feed(chunk)
    tally = twin.settle()
    assert (tally.last_seq, tally.gaps, tally.repeats, tally.events) == (BASE + MANY, 0, 0, MANY)


def test_a_twin_that_only_got_the_same_bytes_is_never_decoded() -> None:
    """The speed rests on this: without a difference no frame is looked at."""
    frames = stream(MANY)
    _, twin, _ = play([b"".join(frames)], [b"".join(frames)], order=[])
    assert twin.tally.events == 0
    assert twin.last_seq == BASE + MANY
    assert twin.settle().events == MANY


def test_a_twin_that_joined_later_counts_from_where_it_joined() -> None:
    """It has no gap for what was sent before it subscribed."""
    frames = stream(MANY)
    reference = Reference(BASE)
    leading = Reader(Tally(BASE), reference.append)
    leading.feed(b"".join(frames[:5]))
    twin = Twin(reference, BASE + 5)
    leading.feed(b"".join(frames[5:]))
    twin.feed(b"".join(frames[5:]))
    tally = twin.settle()
    assert (tally.events, tally.gaps, tally.last_seq) == (MANY - 5, 0, BASE + MANY)


def test_a_twin_that_is_sent_more_than_the_reference_has_says_so_until_it_is_decoded() -> None:
    """Bytes beyond the reference wait for it; without it they are decoded at the end."""
    frames = stream(3)
    reference = Reference(BASE)
    twin = Twin(reference, BASE)
    twin.feed(b"".join(frames))
    assert twin.ahead
    assert twin.settle().last_seq == BASE + 3


def test_a_close_frame_is_noticed() -> None:
    """A receiver that the server hung up on is not taken for a quiet one."""
    reader = Reader(Tally(BASE))
    reader.feed(server_frame(b"", CLOSE))
    assert reader.tally.closed

"""The reckoning of an insertion, against a server that is a dict."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from storage.mongo.insertion import Inserted, Insertion, conflict_among
from storage.records import Append, Entry
from tests.storage.samples import a_change, a_post, appended, posts

ROOMS = ("r_1", "r_2", "r_3")


class Server:
    """Keeps entries by place, and tells a duplicate from a repeated post."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = {(entry.room, entry.seq): entry for entry in entries}

    def insert(self, entries: Sequence[Entry]) -> int:
        """Take entries up to the first that cannot be, and return how many that were."""
        for count, entry in enumerate(entries):
            if (entry.room, entry.seq) in self.entries or self.repeats(entry):
                return count
            self.entries[entry.room, entry.seq] = entry
        return len(entries)

    def repeats(self, entry: Entry) -> bool:
        """Tell whether a post like it is there."""
        return entry.sender is not None and any(
            (old.room, old.sender, old.client_msg_id) == (entry.room, entry.sender, entry.client_msg_id)
            for old in self.entries.values()
        )

    def of(self, room: str) -> list[Entry]:
        """Return a room's entries in order."""
        return [self.entries[key] for key in sorted(self.entries) if key[0] == room]


def run(server: Server, appends: Sequence[Append], *, size: int = 3) -> Inserted:
    """Insert as the store does."""
    insertion = Insertion(appends)
    while entries := insertion.next(size):
        count = server.insert(entries)
        insertion.wrote(count)
        if count == len(entries):
            continue
        entry, last = entries[count], insertion.append_in_turn().entries[-1]
        if server.entries.get((last.room, last.seq)) == last:
            insertion.found_append()
        elif (there := server.entries.get((entry.room, entry.seq))) == entry:
            insertion.wrote(1)
        else:
            insertion.refuse("client_msg_id" if there is None else "seq")
    return insertion.result()


def test_a_conflict_ends_one_rooms_share() -> None:
    """The other rooms go on, and of the guilty one exactly the first entries are written."""
    server = Server(a_post("r_2", 1, client_msg_id="old"))
    guilty = appended(a_change("r_2", 2), a_post("r_2", 3, client_msg_id="old"), a_change("r_2", 4))
    after = appended(a_change("r_2", 5))
    done = run(server, [posts("r_1", 1, 2), guilty, posts("r_3", 1, 2), after])
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room, done.conflict.written) == ("client_msg_id", "r_2", 1)
    assert [append.room for append in done.whole] == ["r_1", "r_3"]
    assert done.torn == {"r_2": 2}
    assert [len(server.of(room)) for room in ROOMS] == [2, 2, 2]


def test_the_first_of_several_conflicts_is_told() -> None:
    """Who tries the innocent again learns of the next one then."""
    server = Server(a_change("r_1", 1), a_change("r_2", 1))
    appends = [appended(replace(a_change(room, 1), ts=5)) for room in ROOMS]
    done = run(server, appends)
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room, done.conflict.written) == ("seq", "r_1", 0)
    assert done.whole == (appends[2],)
    assert done.torn == {}


def test_what_is_known_to_be_there_is_not_inserted_again() -> None:
    """Innocent appends that are tried again after a conflict cost nothing."""
    appends = [posts("r_1", 1, 2), posts("r_2", 1, 2), posts("r_1", 3, 3)]
    insertion = Insertion(appends, is_there=lambda append: append.room == "r_1")
    assert insertion.firsts() == {"r_2": 1}
    assert insertion.next(10) == list(appends[1].entries)
    insertion.wrote(2)
    assert insertion.next(10) == []
    assert insertion.result() == Inserted(whole=tuple(appends), torn={}, conflict=None)


def test_appends_are_compared_with_each_other_first() -> None:
    """What can be seen without asking is refused before anything is written."""
    twice = appended(a_post("r_1", 8, client_msg_id="c7"))
    for appends, expected in (
        ([posts("r_1", 7, 8), posts("r_1", 9, 9)], None),
        ([posts("r_1", 7, 7), posts("r_2", 3, 3), posts("r_1", 9, 9)], ("seq", "r_1")),
        ([posts("r_1", 7, 7), posts("r_1", 7, 7)], ("seq", "r_1")),
        ([posts("r_1", 7, 7), twice], ("client_msg_id", "r_1")),
        ([posts("r_1", 0, 1)], ("seq", "r_1")),
        ([posts("r_1", -3, -2)], ("seq", "r_1")),
    ):
        conflict = conflict_among(appends)
        assert expected == (None if conflict is None else (conflict.kind, conflict.room))


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Append], set[tuple[str, int]], set[str]]:
    """Draw appends that follow each other, which of their places are taken by others, and which posts were sent."""
    heads = dict.fromkeys(ROOMS, 0)
    appends = []
    for _ in range(draw(st.integers(1, 6))):
        room, count = draw(st.sampled_from(ROOMS)), draw(st.integers(1, 4))
        appends.append(posts(room, heads[room] + 1, heads[room] + count))
        heads[room] += count
    places = [(room, seq) for room in ROOMS for seq in range(1, heads[room] + 1)]
    return appends, draw(st.sets(st.sampled_from(places), max_size=3)), draw(st.sets(st.sampled_from(ROOMS)))


@given(call=calls(), size=st.integers(1, 5), interrupted=st.integers(0, 20))
def test_every_room_has_exactly_its_first_entries(
    call: tuple[list[Append], set[tuple[str, int]], set[str]], size: int, interrupted: int
) -> None:
    """Whatever is in the way, and whatever an attempt that was cut off has written before: no hole, and no doubt."""
    appends, taken, sent = call
    others = [replace(a_change(room, seq), ts=1) for room, seq in taken]
    repeats = [replace(a_post(room, 10_000, client_msg_id="c2"), ts=1) for room in sent]
    server = Server(*others, *repeats)
    server.insert([entry for append in appends for entry in append.entries][:interrupted])
    done = run(server, appends, size=size)
    again = run(server, appends, size=size)
    assert (again.whole, again.torn) == (done.whole, done.torn)
    for room in ROOMS:
        wanted = [entry for append in appends if append.room == room for entry in append.entries]
        there = [server.entries.get((room, entry.seq)) == entry for entry in wanted]
        written = there.index(False) if False in there else len(there)
        assert not any(there[written:])
        assert done.torn.get(room, 0) in (0, written)
        whole = sum(len(append.entries) for append in done.whole if append.room == room)
        assert whole == written or (whole < written == done.torn[room])
        if done.conflict is not None and done.conflict.room == room:
            assert done.conflict.written == written < len(wanted)

"""What waits to be projected: merged by row, in order, and counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from storage.memory.store import MemoryStore
from storage.net_changes import NetChanges
from storage.records import (
    Append,
    DropItem,
    DropItems,
    DropMember,
    DropMessage,
    PutItem,
    PutMember,
    PutMessage,
    PutRoom,
    Trim,
)
from storage.split.behind import Behind
from tests.storage.samples import a_change, a_member, a_message, a_post, an_item, appended, joined, posts

USERS = ("u_0001", "u_0002")
KEYS = ("", "m_1/", "m_1/a", "m_1/b", "m_2/a")


def rows(store: MemoryStore) -> tuple[object, ...]:
    """Return the projections in a store."""
    members = {room: dict(members) for room, members in store.members.items() if members}
    items = {room: items for room, items in store.items.items() if items}
    return dict(store.rooms), members, dict(store.messages), items


@st.composite
def an_append(draw: st.DrawFn, seq: int) -> Append:
    """Draw an append of one entry with some changes."""
    entry = a_post("r_1", seq)
    post = a_post("r_1", draw(st.integers(1, seq)))
    message = replace(a_message(post, doc=str(seq).encode()), applied_seq=seq)
    user, key = draw(st.sampled_from(USERS)), draw(st.sampled_from(KEYS))
    item = an_item(key, doc=str(seq).encode(), seq=draw(st.integers(0, seq)))
    change = st.sampled_from(
        (
            PutMember(a_member(user=user, seq=seq)),
            DropMember("r_1", user),
            PutMessage(message),
            DropMessage("r_1", message.id),
            PutItem(item),
            PutItem(replace(item, kind="ban")),
            DropItem("r_1", item.kind, key),
            DropItems("r_1", item.kind, key),
            Trim("r_1", post.seq),
        )
    )
    return appended(entry, changes=tuple(draw(st.lists(change, min_size=1, max_size=3))))


@given(data=st.data(), count=st.integers(1, 8))
def test_what_is_merged_amounts_to_the_same(data: st.DataObject, count: int) -> None:
    """Many appends of a room wait as one, with each row once, as the last of them left it."""
    behind, one_by_one, at_once = Behind(), MemoryStore(), MemoryStore()
    for seq in range(1, count + 1):
        append = data.draw(an_append(seq))
        behind.add(append, commit=seq, now=0.0)
        one_by_one.project(append.changes)
    (merged,) = behind.take(behind.heads(["r_1"]), rows=1)
    at_once.project(merged.changes)
    assert rows(at_once) == rows(one_by_one)
    assert (merged.entries[0].seq, merged.entries[-1].seq) == (1, count)
    assert {entry.body for entry in merged.entries} == {b""}
    assert behind.rows == len(merged.changes) <= 1 + count + len(USERS) + 3 * len(KEYS) + 1 + 1


@given(data=st.data(), count=st.integers(1, 8))
def test_what_is_merged_amounts_to_the_same_in_a_database(data: st.DataObject, count: int) -> None:
    """There what deletes many rows comes first of all, and then what is put."""
    behind, one_by_one, at_once = Behind(), MemoryStore(), MemoryStore()
    stored = data.draw(st.integers(0, count))
    for seq in range(1, count + 1):
        append = data.draw(an_append(seq))
        one_by_one.project(append.changes)
        if seq <= stored:
            at_once.project(append.changes)
        else:
            behind.add(append, commit=seq, now=0.0)
    net = NetChanges(behind.take(behind.heads(["r_1"]), rows=1))
    at_once.project([*net.swept, *(Trim(room, upto) for room, upto in net.trimmed.items())])
    at_once.project(
        [PutMessage(message) if message else DropMessage("r_1", name) for name, message in net.messages.items()]
    )
    at_once.project([PutItem(item) if item else DropItem(*name) for name, item in net.items.items()])
    at_once.project([PutMember(member) if member else DropMember(*name) for name, member in net.members.items()])
    at_once.project([PutRoom(room) for room in net.rooms.values()])
    assert rows(at_once) == rows(one_by_one)


def test_what_waits_to_be_deleted_is_not_put_before() -> None:
    """Of many reactions to a message that is deleted nothing waits any more, and of a trimmed message neither."""
    behind = Behind()
    reactions = tuple(PutItem(an_item(f"m_1/{number}", kind="reaction", seq=1)) for number in range(100))
    behind.add(appended(a_post("r_1", 1), a_post("r_1", 2), changes=reactions), commit=1, now=0.0)
    assert behind.rows == 2 + 100 + 1
    behind.add(appended(a_change("r_1", 3), changes=(DropItems("r_1", "reaction", "m_1/"),)), commit=2, now=0.0)
    assert behind.rows == 2 + 1 + 1
    behind.add(appended(a_change("r_1", 4), changes=(Trim("r_1", 1),)), commit=3, now=0.0)
    first, second = "m_r_1_000001", "m_r_1_000002"
    assert behind.messages([first, "m_unknown"]) == [DropMessage("r_1", first)]
    assert behind.messages([second]) == [PutMessage(a_message(a_post("r_1", 2)))]
    assert behind.floors() == {"r_1": 1}
    behind.add(appended(a_change("r_1", 5), changes=(Trim("r_1", 3),)), commit=4, now=0.0)
    behind.add(posts("r_2", 1, 1), commit=5, now=0.0)
    assert behind.floors() == {"r_1": 3}
    behind.drop("r_1")
    assert behind.floors() == {}
    assert behind.messages([first, second]) == []


def test_rooms_wait_in_the_order_in_which_they_came() -> None:
    """The room that has been behind for longest is written first, and not all at once."""
    behind = Behind()
    for number, room in enumerate(("r_3", "r_1", "r_2", "r_1")):
        behind.add(posts(room, number + 1, number + 4), commit=number, now=float(number))
    assert list(behind) == ["r_3", "r_1", "r_2"]
    assert "r_1" in behind
    assert len(behind) == 3
    assert [append.room for append in behind.take(behind.heads(behind), rows=6)] == ["r_3", "r_1"]
    assert [append.room for append in behind.take(behind.heads(["r_2", "r_9"]), rows=100)] == ["r_2"]
    assert (behind.first_commit, behind.first_commit_without(["r_3"])) == (0, 1)
    assert behind.first_commit_without(["r_1", "r_2", "r_3"]) is None
    assert behind.seconds(10.0) == 10.0


def test_what_came_while_it_was_written_stays() -> None:
    """An append that is merged into what is just being written is not forgotten with it."""
    behind = Behind()
    behind.add(joined("r_1", 1, "u_0001"), commit=1, now=0.0)
    (taken,) = behind.take(behind.heads(["r_1"]), rows=10)
    behind.add(joined("r_1", 2, "u_0002"), commit=2, now=1.0)
    behind.done(taken)
    assert (behind.first_commit, behind.seconds(5.0), behind.rows) == (2, 4.0, 2)
    assert behind.take({"r_1": 1}, rows=10) == []
    (left,) = behind.take(behind.heads(["r_1"]), rows=10)
    assert [entry.seq for entry in left.entries] == [2, 2]
    assert left.changes == joined("r_1", 2, "u_0002").changes
    behind.done(left)
    behind.done(left)
    assert (len(behind), behind.rows, behind.first_commit, behind.seconds(5.0)) == (0, 0, None, 0.0)


def test_what_could_not_be_written_is_taken_again_with_what_came_since() -> None:
    """The commit that it begins with is the first one still, and others wait for it."""
    behind = Behind()
    behind.add(joined("r_1", 1, "u_0001"), commit=1, now=0.0)
    behind.take(behind.heads(["r_1"]), rows=10)
    behind.add(joined("r_1", 2, "u_0002"), commit=2, now=1.0)
    assert (behind.first_commit, behind.first_commit_without(["r_1"])) == (1, 2)
    (both,) = behind.take(behind.heads(["r_1"]), rows=10)
    assert [entry.seq for entry in both.entries] == [1, 2]
    assert (behind.first_commit, behind.first_commit_without(["r_1"])) == (1, None)
    behind.done(both)
    assert len(behind) == 0


@given(data=st.data(), count=st.integers(2, 10))
def test_what_is_written_piece_by_piece_amounts_to_the_same(data: st.DataObject, count: int) -> None:
    """Whatever comes while something is written, which is done or fails: nothing is lost, and nothing stays."""
    behind, one_by_one, written = Behind(), MemoryStore(), MemoryStore()
    taken: Append | None = None
    for seq in range(1, count + 1):
        append = data.draw(an_append(seq))
        one_by_one.project(append.changes)
        behind.add(append, commit=seq, now=0.0)
        if taken is not None and data.draw(st.booleans()):
            written.project(taken.changes)
            behind.done(taken)
            taken = None
        if data.draw(st.booleans()):
            taken = next(iter(behind.take(behind.heads(["r_1"]), rows=1)), None)
    for left in behind.take(behind.heads(["r_1"]), rows=1):
        written.project(left.changes)
        behind.done(left)
    assert rows(written) == rows(one_by_one)
    assert (len(behind), behind.rows) == (0, 0)


def test_an_append_that_waits_already_changes_nothing() -> None:
    """It was tried again because its end was unknown; what came behind it must not be undone."""
    behind = Behind()
    first = appended(a_change("r_1", 1), changes=(PutMember(a_member()),))
    behind.add(first, commit=1, now=0.0)
    behind.add(appended(a_change("r_1", 2), changes=(DropMember("r_1", "u_0001"),)), commit=2, now=0.0)
    behind.add(first, commit=3, now=0.0)
    (merged,) = behind.take(behind.heads(["r_1"]), rows=10)
    assert DropMember("r_1", "u_0001") in merged.changes
    assert merged.entries[-1].seq == 2


def test_what_is_dropped_is_gone() -> None:
    """Its first commit is told, for somebody has to see to it."""
    behind = Behind()
    behind.add(posts("r_1", 1, 3), commit=7, now=0.0)
    assert behind.drop("r_1") == 7
    assert behind.drop("r_1") is None
    assert behind.rows == 0

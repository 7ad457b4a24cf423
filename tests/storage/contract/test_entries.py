"""Reading the journal: activation, catch-up and the memory of what was sent."""

from __future__ import annotations

from contextlib import suppress

from storage.errors import Unstorable
from storage.ports import Journal
from storage.records import Entry, RoomSnapshot, Sent
from tests.storage.samples import a_change, a_member, a_post, a_room, appended, joined, posts

MAX_INT = 2**63 - 1


def seqs(entries: list[Entry]) -> list[int]:
    """Return the seqs of entries."""
    return [entry.seq for entry in entries]


FORWARD: tuple[tuple[int, int | None, int, list[int]], ...] = (  # after, upto, limit, expected
    (0, None, 100, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (0, None, 3, [1, 2, 3]),
    (3, None, 3, [4, 5, 6]),
    (3, 5, 100, [4, 5]),
    (3, 5, 1, [4]),
    (3, 3, 100, []),
    (5, 3, 100, []),
    (8, None, 100, [9]),
    (9, None, 100, []),
    (100, None, 100, []),
    (-5, None, 2, [1, 2]),
    (-5, -1, 2, []),
    (0, MAX_INT, 100, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (MAX_INT, MAX_INT, 100, []),
    (0, None, 0, []),
    (0, None, -1, []),
)


async def test_catch_up_reads_forward(journal: Journal) -> None:
    """Guarantee: exactly the entries with `after < seq <= upto`, ascending, never more than the limit.

    A client that was away gets these, in pages, up to where its live frames begin: one too few is a lost message.
    """
    await journal.append([posts("r_1", 1, 9), posts("r_0", 1, 3), posts("r_2", 1, 3)])
    for after, upto, limit, expected in FORWARD:
        found = await journal.read("r_1", after=after, upto=upto, limit=limit)
        assert seqs(found) == expected, (after, upto, limit)


BACKWARD: tuple[tuple[int | None, int, list[int]], ...] = (  # before, limit, expected
    (None, 3, [7, 8, 9]),
    (None, 100, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (9, 3, [6, 7, 8]),
    (2, 3, [1]),
    (1, 3, []),
    (0, 3, []),
    (-(2**63), 3, []),
    (50, 2, [8, 9]),
    (MAX_INT, 2, [8, 9]),
    (None, 0, []),
    (None, -1, []),
)


async def test_history_reads_backward(journal: Journal) -> None:
    """Guarantee: the last entries below `before`, ascending. Activation reads the latest of them for its memory."""
    await journal.append([posts("r_1", 1, 9), posts("r_0", 1, 3), posts("r_2", 1, 3)])
    for before, limit, expected in BACKWARD:
        assert seqs(await journal.read_back("r_1", before=before, limit=limit)) == expected, (before, limit)


async def test_a_room_that_never_was_is_empty(journal: Journal) -> None:
    """Guarantee: an unknown room is no error. Whether it may be known is decided above."""
    assert await journal.load_room("r_none") is None
    assert await journal.read("r_none", after=0, limit=10) == []
    assert await journal.read_back("r_none", limit=10) == []
    assert await journal.find_sent("r_none", [("u_0001", "c1")]) == []


async def test_a_snapshot_holds_the_row_the_members_and_the_head(journal: Journal) -> None:
    """Guarantee: everything that a room needs to go on where it stopped. A room actor activates from it."""
    await journal.append([joined("r_1", 1, "u_0002", "u_0001"), joined("r_2", 1, "u_0003")])
    await journal.append([posts("r_1", 2, 5)])
    assert await journal.load_room("r_1") == RoomSnapshot(
        room=a_room("r_1", seq=5), members=(a_member(user="u_0001"), a_member(user="u_0002")), head_seq=5
    )


async def test_what_was_sent_is_remembered_by_its_key(journal: Journal) -> None:
    """Guarantee: a post is found by (sender, client_msg_id) for ever, with all that its acknowledgement said.

    A retry is answered from this, and so is every command whose outcome was unknown.
    """
    await journal.append([posts("r_1", 1, 3), appended(a_change("r_2", 1), a_post("r_2", 2))])
    keys = [("u_0001", "c2"), ("u_0001", "c9"), ("u_0009", "c1"), ("u_0001", "c3"), ("u_0001", "c2")]
    assert await journal.find_sent("r_1", keys) == [
        Sent("u_0001", "c2", seq=2, msg_no=2, message_id="m_r_1_000002", digest=b"digest-of-2"),
        Sent("u_0001", "c3", seq=3, msg_no=3, message_id="m_r_1_000003", digest=b"digest-of-3"),
    ]
    assert await journal.find_sent("r_2", [("u_0001", "c1")]) == []
    assert await journal.find_sent("r_1", []) == []


async def test_a_failed_read_harms_nobody(journal: Journal) -> None:
    """Guarantee: a read with impossible values fails or finds nothing, and the next one works."""
    await journal.append([posts("r_1", 1, 2)])
    for room in ("\ud800", "r_1"):
        with suppress(Unstorable):
            assert await journal.read(room, after=2**63, limit=10) == []
        assert seqs(await journal.read("r_1", after=0, limit=10)) == [1, 2]

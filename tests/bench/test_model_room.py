"""What the model rooms append is what a store takes, and what room actors make."""

from __future__ import annotations

from bench.model_room import ModelRoom
from storage.records import PutMember, PutMessage, PutRoom
from storage.storable import check_append


def test_a_room_begins_with_its_members_and_goes_on_without_a_gap() -> None:
    """Seqs are consecutive over all appends, and each append ends with the room's row as of its last entry."""
    room = ModelRoom(body_bytes=100, users=3)
    appends = [room.create(), room.post(1), room.post(5)]
    assert [entry.seq for append in appends for entry in append.entries] == [1, 2, 3, 4, 5, 6, 7]
    assert sum(isinstance(change, PutMember) for change in appends[0].changes) == 3
    for append in appends:
        check_append(append)
        row = append.changes[-1]
        assert isinstance(row, PutRoom)
        assert row.room.applied_seq == append.entries[-1].seq


def test_every_post_has_a_message_and_a_key_of_its_own() -> None:
    """No two posts are repeats of each other, and the message is the entry's."""
    append = ModelRoom(body_bytes=100).post(50)
    messages = [change.message for change in append.changes if isinstance(change, PutMessage)]
    assert [(message.id, message.seq) for message in messages] == [(e.message_id, e.seq) for e in append.entries]
    assert len({(entry.sender, entry.client_msg_id) for entry in append.entries}) == 50
    assert len({message.id for message in messages}) == 50


def test_an_event_has_the_size_of_a_real_one() -> None:
    """About 500 bytes for a body of 100 characters."""
    (entry,) = ModelRoom(body_bytes=100).post(1).entries
    assert 480 <= len(entry.body) <= 560

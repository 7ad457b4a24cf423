"""Records as documents: nothing is lost, and an id says where an entry belongs."""

from __future__ import annotations

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError
from msgspec.structs import asdict, replace

from storage.errors import Unstorable
from storage.mongo.documents import (
    MAX_BYTES,
    SENT_FIELDS,
    check_size,
    entry_document,
    entry_id,
    entry_of,
    message_document,
    message_of,
    sent_of,
)
from storage.records import Entry, MessageRecord, Sent
from tests.storage.samples import a_message, a_post, appended

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from((0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))))
BYTES = st.binary(max_size=12)

ENTRIES = st.builds(
    Entry,
    room=TEXT,
    seq=INT,
    ts=INT,
    type=TEXT,
    actor=TEXT,
    body=BYTES,
    sender=st.none() | TEXT,
    client_msg_id=st.none() | TEXT,
    digest=st.none() | BYTES,
    message_id=st.none() | TEXT,
    msg_no=st.none() | INT,
)
MESSAGES = st.builds(
    MessageRecord,
    id=TEXT,
    room=TEXT,
    seq=INT,
    msg_no=INT,
    author=TEXT,
    deleted=st.booleans(),
    doc=BYTES,
    applied_seq=INT,
)


def stored(document: dict[str, object]) -> dict[str, object]:
    """Return a document as a server gives it back."""
    return bson.decode(bson.encode(document))


@given(entry=ENTRIES, commit=INT)
def test_any_entry_comes_back_as_it_was(entry: Entry, commit: int) -> None:
    """Every field survives the way through BSON, with integers that are plain integers again."""
    back = entry_of(stored(entry_document(entry, commit=commit)))
    assert back == entry
    assert [type(value) for value in asdict(back).values()] == [type(value) for value in asdict(entry).values()]


@given(message=MESSAGES)
def test_any_message_comes_back_as_it_was(message: MessageRecord) -> None:
    """Every field survives the way through BSON."""
    assert message_of(stored(message_document(message))) == message


@given(entry=ENTRIES)
def test_what_is_remembered_of_a_post_is_made_of_a_few_fields(entry: Entry) -> None:
    """A look-up by key needs no body."""
    entry = replace(entry, sender=entry.sender or "", client_msg_id=entry.client_msg_id or "")
    document = stored(entry_document(entry, commit=1))
    assert sent_of({name: document[name] for name in ("_id", *SENT_FIELDS)}) == Sent(
        entry.sender or "",
        entry.client_msg_id or "",
        entry.seq,
        entry.msg_no or 0,
        entry.message_id or "",
        entry.digest or b"",
    )


@given(one=ENTRIES, other=ENTRIES)
def test_an_entry_that_is_no_post_shares_its_key_with_none(one: Entry, other: Entry) -> None:
    """The unique index on posts holds all entries: what is no post must never be taken for a repeat."""
    one = replace(one, sender=None, client_msg_id=None)
    first, second = (entry_document(entry, commit=1) for entry in (one, other))
    same_place = (one.room, one.seq) == (other.room, other.seq)
    same_key = all(first[name] == second[name] for name in ("room", "sender", "client_msg_id"))
    assert not same_key or same_place


def test_an_id_says_where_an_entry_belongs() -> None:
    """No two places have the same id, and ids of a room sort like its seqs."""
    places = [("r_1", 1), ("r_1", 2), ("r_1", 10), ("r_1", 10**15), ("r_11", 1), ("r_1/", 1), ("r_1/0", 1), ("", 1)]
    ids = [entry_id(room, seq) for room, seq in places]
    assert len(set(ids)) == len(places)
    assert ids[:4] == sorted(ids[:4])


@pytest.mark.parametrize("changed", [{"seq": "1"}, {"body": "text"}, {"room": None}, {"client_msg_id": b"c"}])
def test_a_document_that_is_not_ours_is_noticed(changed: dict[str, object]) -> None:
    """What somebody else put there is not passed on as if it were an entry."""
    with pytest.raises(ValidationError):
        entry_of({**entry_document(a_post("r_1", 1), commit=1), **changed})


def test_what_no_document_can_hold_is_refused_first() -> None:
    """A server would refuse it in the middle of an append, when other entries are written."""
    post = a_post("r_1", 1)
    check_size(appended(replace(post, body=b"x" * MAX_BYTES)))
    with pytest.raises(Unstorable):
        check_size(appended(replace(post, body=b"x" * (MAX_BYTES + 1))))
    append = appended(post)
    large = replace(a_message(post), doc=b"x" * (MAX_BYTES + 1))
    with pytest.raises(Unstorable):
        check_size(replace(append, changes=(replace(append.changes[0], message=large),)))

"""A fingerprint changes with every field of every record, and with nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from justchat.operate.account_rows import (
    PICTURES_PAGE,
    R,
    Rows,
    block_rows,
    contact_rows,
    credential_rows,
    each_record,
    picture_rows,
    read_mark_rows,
    session_rows,
)
from justchat.operate.digest import Contents, RoomContents, canonical, room_contents, rows_contents, users_contents
from justchat.operate.site import PAGE
from justchat.operate.stored import LOWEST, messages_at, read_messages
from storage.account_records import BlockRecord, ContactRecord
from storage.memory import MemoryJournal
from storage.records import (
    DropItem,
    DropMember,
    DropMessage,
    ItemRecord,
    MessageRecord,
    PutItem,
    PutMember,
    PutMessage,
    PutRoom,
    ReadMark,
)
from tests.operate.sites import BIG, GUEST, TEA, Talked, a_site, plant
from tests.storage.samples import (
    a_change,
    a_credential,
    a_member,
    a_message,
    a_post,
    a_room,
    a_session,
    a_user,
    an_avatar,
)

pytestmark = pytest.mark.real_clock


@pytest.fixture
async def site() -> AsyncIterator[Talked]:
    """Open a site in RAM."""
    async with a_site("memory", Path()) as opened:
        yield opened


async def contents(site: Talked, room: str = TEA) -> RoomContents:
    return await room_contents(site, room, advance=lambda _: None)


AN_ITEM = ItemRecord(TEA, "report", "m_1/u_1", b"{}", True, 7, 5)


@pytest.mark.parametrize(
    "record",
    [
        *(a_user(), a_room(), a_member(), a_post("r_1", 5), a_change("r_1", 5), a_message(a_post("r_1", 5)), AN_ITEM),
        *(a_session(), a_credential(), ContactRecord("u_1", "u_2", None, 7), BlockRecord("u_1", "u_2", 7), an_avatar()),
    ],
)
def test_every_field_of_a_record_counts(record: Struct) -> None:
    """Also one that is absent, and one that only looks alike: a number and its digits, nothing and no text."""
    others: tuple[object, ...] = ("", "5", 5, b"5", None)
    changed = [
        replace(record, **{field.name: value})
        for field in fields(record)
        for value in others
        if value != getattr(record, field.name)
    ]
    assert len({canonical(record), *map(canonical, changed)}) == 1 + len(changed)


def test_texts_do_not_run_into_each_other() -> None:
    """Moving a character from one field to the next gives another fingerprint."""
    member = a_member(room="r_1", user="u_1")
    assert canonical(replace(member, room="r_1u", user="_1")) != canonical(member)


async def test_a_room_is_the_same_however_often_it_is_read(site: Talked) -> None:
    """And no two rooms are alike."""
    assert await contents(site) == await contents(site) != await contents(site, BIG)
    assert (await contents(site)).entries == (await site.journal.read_back(TEA, limit=1))[0].seq


async def test_every_row_of_a_room_counts(site: Talked) -> None:
    """The row, a member more or less, a message or an item more, less or other, and an entry."""
    snapshot = await site.journal.load_room(TEA)
    assert snapshot is not None
    assert snapshot.room is not None
    (message, *_) = await site.journal.messages(TEA, after=0, limit=5)
    digests = [(await contents(site)).digest]
    for change in (
        PutRoom(replace(snapshot.room, topic="x")),
        PutMember(a_member(TEA, "u_x")),
        DropMember(TEA, GUEST),
        PutMessage(replace(message, doc=b"{}")),
        PutMessage(replace(message, id="m_x", seq=0)),
        DropMessage(TEA, message.id),
        PutItem(AN_ITEM),
        PutItem(replace(AN_ITEM, due_at=None)),
        DropItem(TEA, "mute", "u_0004"),
        DropItem(TEA, "ban", "u_0008"),
    ):
        await plant(site, TEA, change)
        digests.append((await contents(site)).digest)
    assert isinstance(site.journal, MemoryJournal)
    entries = site.journal._store.entries[TEA]
    entries[2] = replace(entries[2], digest=b"x")
    digests.append((await contents(site)).digest)
    assert len(set(digests)) == len(digests) == 12


async def test_accounts_count_with_every_field(site: Talked) -> None:
    """Disabled ones included."""
    before = await users_contents(site.directory)
    await site.directory.create_user(a_user(50, disabled=True))
    after = await users_contents(site.directory)
    assert (before.count, after.count) == (12, 13)
    assert before.digest != after.digest
    assert after == Contents(13, after.digest)


async def test_what_belongs_to_accounts_counts_with_every_record(site: Talked) -> None:
    """One more, one less or another one of any kind, also beyond the first page."""
    for rows, record in (
        (session_rows(site), a_session(900)),
        (credential_rows(site), a_credential(900)),
        (contact_rows(site), ContactRecord("u_8", "u_9", None, 7)),
        (block_rows(site), BlockRecord("u_8", "u_9", 7)),
        (picture_rows(site), an_avatar(30)),
        (read_mark_rows(site), ReadMark("u_8", "r_9", 7, 7)),
    ):
        await changes_are_seen(rows, record)


async def changes_are_seen(rows: Rows[R], record: R) -> None:
    """Change what is there of a kind, and compare the fingerprints."""
    field = fields(record)[-1].name
    value = getattr(record, field)
    others = {int: 8, bytes: b"x"}.get(type(value), 8)
    before = await rows_contents(rows)
    await rows.put([record])
    more = await rows_contents(rows)
    await rows.put([replace(record, **{field: others})])
    other = await rows_contents(rows)
    await rows.drop(record)
    assert await rows_contents(rows) == before
    assert (more.count, other.count) == (before.count + 1, before.count + 1)
    assert len({before.digest, more.digest, other.digest}) == 3


async def test_pages_of_what_belongs_to_accounts_leave_none_out(site: Talked) -> None:
    """More than a page of each kind, read in the order of the keys."""
    await site.sessions.put_sessions([a_session(number) for number in range(1000, 1000 + PAGE)])
    await site.relations.put_blocks([BlockRecord("u_9", f"u_{number}", 7) for number in range(PAGE)])
    for number in range(20, 21 + PICTURES_PAGE):
        await site.relations.put_avatar(an_avatar(number))
    for rows, count in ((session_rows(site), 5 + PAGE), (block_rows(site), 2 + PAGE)):
        assert (await rows_contents(rows)).count == count
    keys = [key async for key, _ in each_record(picture_rows(site))]
    assert len(keys) == 2 + 1 + PICTURES_PAGE
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("crowd", [0, 499, 500, 501, 1700])
async def test_pages_of_messages_leave_none_out_and_repeat_none(site: Talked, crowd: int) -> None:
    """Also where more messages than a page holds share one place, which only damage can bring about."""
    (first, *_) = await site.journal.messages(BIG, after=0, limit=1)
    ghosts = [replace(first, id=f"m_ghost{number:05d}", seq=300) for number in range(crowd)]
    await plant(site, BIG, *map(PutMessage, ghosts), PutMessage(replace(first, id="m_low", seq=-5)))
    found: list[MessageRecord] = []
    after: int | None = LOWEST
    while after is not None:
        page, after = await read_messages(site.journal, BIG, after=after)
        found.extend(page)
    key: Callable[[MessageRecord], tuple[int, str]] = lambda message: (message.seq, message.id)  # noqa: E731
    assert all(key(one) < key(other) for one, other in pairwise(found))
    assert len(found) == len(await site.journal.messages(BIG, after=LOWEST, limit=100_000))
    assert len(await messages_at(site.journal, BIG, 300)) == crowd + 1

"""A copy that is cut off anywhere is gone on with, and follows what has become of its source since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from justchat.operate.check_site import check_site
from justchat.rooms.commands import (
    BanMember,
    DeleteMessage,
    EditMessage,
    LeaveRoom,
    PinMessage,
    React,
    TrimHistory,
    UnbanMember,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.items import ItemKind, Scheduled, scheduled_item
from justchat.wire.events import SYSTEM, SettingsChanges
from storage.errors import StorageUnavailable
from storage.facts import COPYING
from storage.memory import MemoryJournal
from storage.records import DropItem, Entry, ItemRecord, PutItem, ReadMark
from tests.operate.drafted import START_MS, do
from tests.operate.mortal import CutOff, DyingJournal, Mortal, SplitJournal
from tests.operate.sites import (
    BIG,
    FRIEND,
    GUEST,
    KINDS,
    LATE,
    OF_ACCOUNTS,
    OWNER,
    TEA,
    TRIMMED,
    Talked,
    a_site,
    create,
    everything,
    items_of,
    people,
    plant,
    say,
)
from tests.operate.test_copy import NOTHING, copy
from tests.storage.contract.backends import open_stores, ram_folder
from tests.storage.samples import a_credential, a_session, a_user, an_avatar

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


@pytest.fixture
async def source() -> AsyncIterator[Talked]:
    """Open a site in RAM."""
    async with a_site("memory", Path()) as opened:
        yield opened


@pytest.fixture
async def small() -> AsyncIterator[Talked]:
    """Open a small one."""
    async with a_site("memory", Path(), big=False) as opened:
        yield opened


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("journal", [DyingJournal, SplitJournal])
async def test_a_copy_that_is_cut_off_at_any_write_is_gone_on_with(
    small: Talked, journal: type[DyingJournal], behind: bool
) -> None:
    """At every single write, before and behind it, also between a journal and its rows; and marked until the end."""
    whole = await everything(small)
    cuts, finished = 0, False
    while not finished:
        mortal = Mortal(journal)
        try:
            await copy(small, mortal.site(cuts, behind=behind))
            finished = True
        except CutOff:
            cuts += 1
        if await mortal.site().directory.fact(COPYING) is None:
            # Nobody takes this for half a copy, so it must not be one.
            assert await everything(mortal.site()) in (NOTHING, whole)
        if await everything(mortal.site()) != whole or await mortal.site().directory.fact(COPYING) is not None:
            await copy(small, mortal.site())
        assert await everything(mortal.site()) == whole
        assert await mortal.site().directory.fact(COPYING) is None
    # Accounts, what belongs to them, the mark set and taken away, pages, items.
    assert cuts >= 12 + OF_ACCOUNTS + 2 + 4 + 3


async def test_a_copy_that_is_cut_off_again_and_again_ends(source: Talked) -> None:
    """Each attempt comes only six writes further."""
    mortal = Mortal(SplitJournal)
    attempts = 0
    while True:
        attempts += 1
        try:
            await copy(source, mortal.site(6, behind=True))
            break
        except CutOff:
            assert attempts < 30
    assert attempts > 5
    assert await everything(mortal.site()) == await everything(source)


async def test_a_source_that_was_served_between_two_attempts_is_followed(source: Talked) -> None:
    """New rooms and entries, members who left, and deletions of what was copied already."""
    mortal = Mortal()
    with pytest.raises(CutOff):
        await copy(source, mortal.site(22 + OF_ACCOUNTS, behind=True))  # all but the last room is there
    (first, *_) = await source.journal.messages(BIG, after=0, limit=5)
    last = (await source.journal.messages(BIG, limit=1))[0]
    names = [DeleteMessage(OWNER, message.id) for message in await source.journal.messages(BIG, after=5, limit=30)]
    await do(source.world, BIG, *names, LeaveRoom(GUEST), say("newest"), DeleteMessage(OWNER, last.id))
    assert first.deleted
    await do(source.world, "r_new", create(OWNER, "New"), say("new"))
    await source.directory.create_user(a_user(99))
    await copy(source, mortal.site())
    assert await everything(mortal.site()) == await everything(source)


async def live_on(source: Talked) -> None:
    """Do to the rooms what a site does between two attempts, in every kind of item."""
    world = source.world
    retained = [message.id for message in await source.journal.messages(TRIMMED, limit=3)]
    await do(
        world,
        TRIMMED,
        say("newest"),
        React(OWNER, retained[0], "👀"),
        Unreact(GUEST, retained[0], "👍"),
        EditMessage(OWNER, retained[0], "edited between"),
        PinMessage(OWNER, retained[1]),
        BanMember(OWNER, "u_0012"),
        say("expires", expires_in=100, thread=retained[1]),
    )
    await do(world, TEA, UnbanMember(OWNER, "u_0008"), UpdateRoom(OWNER, settings=SettingsChanges(slow_mode_seconds=0)))
    tea = await source.journal.messages(TEA, limit=12)
    await do(world, TEA, DeleteMessage(OWNER, tea[-3].id), TrimHistory(SYSTEM, tea[-4].seq), say("after the trim"))
    dropped, *_ = await items_of(source, TEA, ItemKind.SCHEDULED)
    kept = scheduled_item(TEA, Scheduled("s_9", OWNER, "later", 5, 5))
    await world.keep(PutItem(kept), DropItem(TEA, dropped.kind, dropped.key))


@pytest.mark.parametrize("journal", [DyingJournal, SplitJournal])
@pytest.mark.parametrize("writes", range(13, 20))
async def test_items_and_trimmed_history_are_followed(small: Talked, journal: type[DyingJournal], writes: int) -> None:
    """What was copied and is gone since is gone in the copy too, wherever the first attempt ended."""
    mortal = Mortal(journal)
    with pytest.raises(CutOff):
        await copy(small, mortal.site(writes + OF_ACCOUNTS, behind=True))
    await live_on(small)
    await copy(small, mortal.site())
    assert await everything(mortal.site()) == await everything(small)


async def test_what_no_entry_accounts_for_is_followed(small: Talked) -> None:
    """The room's head is where it was, and yet another post is scheduled, and one is not any more."""
    mortal = Mortal()
    with pytest.raises(CutOff):
        await copy(small, mortal.site(19 + OF_ACCOUNTS, behind=True))
    before = await everything(mortal.site())
    assert [row.id for row in before.rows if row is not None][-1] == TEA
    dropped, *_ = await items_of(small, TRIMMED, ItemKind.SWEEP)
    kept = scheduled_item(TRIMMED, Scheduled("s_9", OWNER, "later", 5, 5))
    await small.directory.keep([PutItem(kept), DropItem(TRIMMED, dropped.kind, dropped.key)])
    await copy(small, mortal.site())
    assert await everything(mortal.site()) == await everything(small)


async def change_accounts(source: Talked) -> None:
    """Do to accounts what a site does between two attempts, in every kind of what belongs to them."""
    users = {user.id: user for user in people()}
    await source.directory.change_user(replace(users[OWNER], rev=2, password_hash="changed", email="new@example.org"))
    await source.directory.change_user(replace(users[GUEST], rev=2, name_key="gone-2", email=None, state="gone"))
    await source.directory.create_user(replace(a_user(99, email="guest@example.org"), name_key=users[GUEST].name_key))
    await source.relations.seen({FRIEND: START_MS, LATE: START_MS + 1})
    (session,) = await source.sessions.sessions_of(GUEST)
    await source.sessions.rotate_session(replace(session, digest=b"next"), replacing=session.digest)
    await source.sessions.end_sessions(FRIEND)
    await source.sessions.create_session(a_session(77, user=LATE), most=9)
    (token,) = await source.sessions.drop_credentials("token", OWNER, only="t_0001")
    await source.sessions.create_credential(replace(a_credential(9), digest=a_credential(1).digest))
    await source.sessions.use_credential("token", a_credential(3).digest, now=5)
    await source.relations.ask_contact(LATE, GUEST, at=9)
    await source.relations.block(OWNER, GUEST, at=9)
    await source.relations.unblock(LATE, OWNER)
    await source.relations.drop_avatar("u_0005")
    await source.relations.put_avatar(replace(an_avatar(7), id="a_new", data=b"new"))
    await source.relations.put_avatar(an_avatar(8))
    await source.relations.mark_read(ReadMark(GUEST, TEA, 5, 2))
    await source.relations.drop_read_mark(OWNER, BIG)
    await source.relations.mark_read(ReadMark(LATE, BIG, 5, 4))
    assert token == "t_0001"


@pytest.mark.parametrize("writes", [3, 13, 15, 18, 13 + OF_ACCOUNTS])
async def test_accounts_and_what_belongs_to_them_are_followed(small: Talked, writes: int) -> None:
    """Passwords that were changed, names that went to others, sessions that ended: wherever the first attempt ended."""
    mortal = Mortal()
    with pytest.raises(CutOff):
        await copy(small, mortal.site(writes, behind=True))
    await change_accounts(small)
    totals = await copy(small, mortal.site())
    assert await everything(mortal.site()) == await everything(small)
    of_accounts = {"sessions": 5, "credentials": 3, "contacts": 1, "blocks": 2, "pictures": 2, "read markers": 2}
    assert totals.of_accounts == of_accounts


class Silent(MemoryJournal):
    """A journal that stops answering after some reads."""

    reads = 0

    async def read(self, room: str, **bounds: int | None) -> list[Entry]:  # type: ignore[override]
        self.reads -= 1
        if self.reads < 0:
            raise StorageUnavailable("gone")
        return await super().read(room, **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_target_forgets_what_the_source_has_trimmed_since(kind: str) -> None:
    """In every store: texts, messages and what hangs on them, of which half a copy had brought a part."""
    with ram_folder() as folder:
        async with a_site("memory", folder, big=False) as source, open_stores(kind, folder) as target:
            assert isinstance(source.journal, MemoryJournal)
            silent = Silent(source.journal._store)
            for reads in (3, 4, 5):
                silent.reads = reads
                with pytest.raises(StorageUnavailable):
                    await copy(replace(source, journal=silent), target)
            await live_on(source)
            ghost = ItemRecord(TRIMMED, ItemKind.REACTION, "m_x/x/u_1", b"{}", seq=99)
            await plant(target, TRIMMED, PutItem(ghost))
            await copy(source, target)
            assert await everything(target) == await everything(source)
            differences: list[object] = []
            await check_site(target, report=lambda difference, _: differences.append(difference))
            assert differences == []

"""The check finds every kind of difference between a journal and what is made of it, and the repair mends them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from justchat.operate.check import Totals
from justchat.operate.check_site import check_site
from justchat.operate.difference import Difference
from justchat.operate.refusals import CopyUnfinished, NoSuchRoom
from justchat.rooms.commands import AddMember, DeleteMessage, LeaveRoom
from justchat.rooms.items import KEPT, ItemKind
from justchat.wire.events import EVENTS
from storage.facts import COPYING
from storage.memory import MemoryJournal
from storage.records import (
    Change,
    DropMember,
    DropMessage,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    RoomSnapshot,
)
from tests.operate.drafted import do
from tests.operate.sites import (
    BIG,
    BIG_POSTS,
    GUEST,
    KINDS,
    LATE,
    OWNER,
    PAIR,
    QUICK_KINDS,
    TEA,
    Everything,
    Talked,
    a_site,
    create,
    each,
    everything,
    plant,
    say,
)
from tests.storage.contract.backends import ram_folder
from tests.storage.samples import a_room

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


class Found:
    """What a check reported."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.repaired: list[bool] = []

    def __call__(self, difference: Difference, repaired: bool) -> None:
        self.lines.append(str(difference))
        self.repaired.append(repaired)


@pytest.fixture(params=each(KINDS))
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Talked]:
    """Open a store with a site in it."""
    with ram_folder() as folder:
        async with a_site(request.param, folder) as opened:
            yield opened


@pytest.fixture(params=QUICK_KINDS)
async def quick(request: pytest.FixtureRequest) -> AsyncIterator[Talked]:
    """Open a site in a store that is quick enough for long tests."""
    with ram_folder() as folder:
        async with a_site(request.param, folder) as opened:
            yield opened


@pytest.fixture
async def small() -> AsyncIterator[Talked]:
    """Open a store in RAM with a site in it."""
    async with a_site("memory", Path()) as opened:
        yield opened


async def rows(site: Talked, room: str) -> tuple[RoomRecord, list[MemberRecord], list[MessageRecord]]:
    snapshot = await site.journal.load_room(room)
    assert snapshot is not None
    assert snapshot.room is not None
    return snapshot.room, list(snapshot.members), await site.journal.messages(room, after=0, limit=10_000)


async def test_a_sound_site_has_no_differences(site: Talked) -> None:
    """Over every kind of event and item, rooms of several pages, and changes far from what they change."""
    found = Found()
    totals = await check_site(site, report=found)
    assert found.lines == []
    held = await everything(site)
    kept = [item for item in held.items if item.kind in KEPT]
    assert totals == Totals(5, len(held.entries), len(held.messages), len(held.items) - len(kept), 0, 0)
    assert totals.messages > BIG_POSTS
    assert {item.kind for item in held.items} == set(ItemKind)
    assert {entry.type for entry in held.entries} == set(EVENTS)


async def test_every_kind_of_difference_is_found_once_and_repaired(site: Talked) -> None:
    """Missing, wrong and superfluous rows of all three tables; afterwards the store is as it was, and stays silent."""
    before = await everything(site)
    tea, members, messages = await rows(site, TEA)
    _, _, big = await rows(site, BIG)
    deleted = next(message for message in messages if message.deleted)
    await plant(
        site,
        TEA,
        DropMember(TEA, OWNER),
        PutMember(replace(members[1], role="owner", joined_seq=9)),
        PutMember(MemberRecord(TEA, "u_ghost", "owner", 1, 1)),
        PutMessage(replace(deleted, deleted=False, doc=b"{}", applied_seq=deleted.seq)),
        PutRoom(replace(tea, name="Coffee", last_msg_no=99)),
    )
    await plant(
        site,
        BIG,
        DropMessage(BIG, big[0].id),
        DropMessage(BIG, big[499].id),
        DropMessage(BIG, big[-1].id),
        PutMessage(replace(big[100], author="u_ghost")),
        PutMessage(replace(big[5], id="m_ghost")),
        PutMessage(replace(big[5], id="m_later", seq=99_999)),
    )
    expected = sorted(
        [
            f"{TEA}: row: wrong in name, last_msg_no",
            f"{TEA}: member {OWNER}: missing",
            f"{TEA}: member {members[1].user}: wrong in role, joined_seq",
            f"{TEA}: member u_ghost: superfluous",
            f"{TEA}: message {deleted.id} (seq {deleted.seq}): wrong in deleted, doc, applied_seq",
            f"{BIG}: message {big[0].id} (seq 2): missing",
            f"{BIG}: message {big[499].id} (seq 501): missing",
            f"{BIG}: message {big[-1].id} (seq {big[-1].seq}): missing",
            f"{BIG}: message {big[100].id} (seq 102): wrong in author",
            f"{BIG}: message m_ghost (seq 7): superfluous",
            f"{BIG}: message m_later (seq 99999): superfluous",
        ]
    )
    for repair, repaired in ((False, 0), (True, len(expected))):
        found = Found()
        totals = await check_site(site, report=found, repair=repair)
        assert sorted(found.lines) == expected
        assert (totals.differences, totals.repaired, found.repaired.count(True)) == (len(expected), repaired, repaired)
    found = Found()
    assert (await check_site(site, report=found)).differences == 0
    assert await everything(site) == before


async def test_a_message_that_strayed_into_another_room_is_brought_back(quick: Talked) -> None:
    """It is missing in the one and superfluous in the other, whichever of the two is looked at first."""
    before = await everything(quick)
    for home, away in ((TEA, BIG), (BIG, TEA)):
        stray = (await rows(quick, home))[2][1]
        await plant(quick, home, PutMessage(replace(stray, room=away)))
        found = Found()
        assert (await check_site(quick, report=found)).differences == 2
        await check_site(quick, report=Found(), repair=True)
        assert await everything(quick) == before


async def test_thousands_of_differences_in_one_room_are_all_found_and_repaired(quick: Talked) -> None:
    """More than a page of superfluous messages at one single place, and more than a page of missing ones."""
    before = await everything(quick)
    _, _, big = await rows(quick, BIG)
    ghosts = [PutMessage(replace(big[9], id=f"m_ghost{number:04d}")) for number in range(1200)]
    lost: list[Change] = [DropMessage(BIG, message.id) for message in big[10:]]
    await plant(quick, BIG, *lost, *ghosts)
    found = Found()
    assert (await check_site(quick, report=found)).differences == 1200 + len(big) - 10
    totals = await check_site(quick, report=Found(), repair=True)
    assert totals.differences == totals.repaired == 1200 + len(big) - 10
    assert await everything(quick) == before


async def test_a_room_that_was_never_projected_is_made_whole(site: Talked) -> None:
    """As after a crash before its very first projection: all rows come from the journal."""
    await do(site.world, "r_new", create(OWNER, "New", GUEST), say("one", actor=GUEST))
    entries = tuple(await site.journal.read("r_new", after=0, limit=10))
    _, members, (posted,) = await rows(site, "r_new")
    before = await everything(site)
    drops = (*(DropMember("r_new", member.user) for member in members), DropMessage("r_new", posted.id))
    await plant(site, "r_new", *drops, PutRoom(a_room("r_new", seq=1, name="nothing")))
    totals = await check_site(site, report=Found(), repair=True, room="r_new")
    assert (totals.rooms, totals.entries, totals.repaired) == (1, len(entries), 4)
    assert await everything(site) == before


async def test_only_the_room_that_is_named_is_looked_at(small: Talked) -> None:
    """What is wrong elsewhere is neither reported nor repaired."""
    _, members, _ = await rows(small, PAIR)
    await plant(small, PAIR, DropMember(PAIR, LATE))
    found = Found()
    assert (await check_site(small, report=found, repair=True, room=TEA)).differences == 0
    assert (await check_site(small, report=found, repair=True, room=PAIR)).repaired == 1
    assert found.lines == [f"{PAIR}: member {LATE}: missing"]
    assert (await rows(small, PAIR))[1] == members
    with pytest.raises(NoSuchRoom, match="r_unknown"):
        await check_site(small, report=found, room="r_unknown")


async def test_rows_without_a_journal_are_reported_and_left_alone(site: Talked) -> None:
    """Also those that nobody can see: a private one without members, and one that was deleted."""
    row = a_room("r_nowhere", name="nowhere")
    private, gone = replace(row, id="r_secret", visibility="private"), replace(row, id="r_was", deleted_at=5)
    await plant(site, TEA, PutRoom(row), PutRoom(private), PutRoom(gone))
    orphans = ("r_nowhere", "r_secret", "r_was")
    for repair in (False, True):
        found = Found()
        totals = await check_site(site, report=found, repair=repair)
        assert found.lines == [f"{room}: row: there is no journal to it" for room in orphans]
        assert (totals.differences, totals.repaired) == (3, 0)
    found = Found()
    await check_site(site, report=found, room="r_nowhere")
    assert found.lines == ["r_nowhere: row: there is no journal to it"]


async def test_half_a_copy_is_not_checked(small: Talked) -> None:
    """Its rooms are not whole yet, and a repair would make them up."""
    await small.directory.set_fact(COPYING, "sqlite:///elsewhere.db")
    with pytest.raises(CopyUnfinished, match="justchat copy"):
        await check_site(small, report=Found())


async def test_a_room_that_is_talked_in_while_it_is_checked_is_no_difference(quick: Talked) -> None:
    """Posts, deletions and members come and go all the time: what is not planted is not reported."""
    _, _, big = await rows(quick, BIG)
    stop = trio.Event()
    rounds = 0

    async def chat() -> None:
        nonlocal rounds
        while not stop.is_set():
            rounds += 1
            posted = await do(quick.world, BIG, say(f"live {rounds}"))
            await do(quick.world, BIG, DeleteMessage(OWNER, big[rounds % 90].id), DeleteMessage(OWNER, big[-2].id))
            if rounds % 2:
                await do(quick.world, BIG, DeleteMessage(OWNER, posted[0].message_id or ""))
            if rounds == 2:
                await do(quick.world, BIG, LeaveRoom(GUEST))
            await trio.sleep(0.002)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(chat)
        for _ in range(5):
            found = Found()
            await check_site(quick, report=found, room=BIG)
            assert found.lines == []
        await plant(quick, BIG, PutMessage(replace(big[100], author="u_ghost")), DropMessage(BIG, big[400].id))
        await check_site(quick, report=found, room=BIG)
        stop.set()
    assert found.lines == [
        f"{BIG}: message {big[100].id} (seq {big[100].seq}): wrong in author",
        f"{BIG}: message {big[400].id} (seq {big[400].seq}): missing",
    ]
    assert rounds > 5


class Restless(MemoryJournal):
    """A journal in which something happens whenever somebody reads messages, for a while."""

    happen: Callable[[], Awaitable[object]]
    times = 0

    async def messages(self, room: str, **bounds: int | None) -> list[MessageRecord]:  # type: ignore[override]
        if self.times:
            self.times -= 1
            await self.happen()
        return await super().messages(room, **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_what_happens_between_two_reads_of_a_check_is_no_difference(
    small: Talked, autojump_clock: object, times: int
) -> None:
    """Each time a message is deleted and another one posted just before the messages are read, and a member comes."""
    assert isinstance(small.journal, MemoryJournal)
    restless = Restless(small.journal._store)
    names = [message.id for message in await small.journal.messages(BIG, after=10, limit=20)]

    async def happen() -> None:
        add = AddMember(OWNER, f"u_{restless.times:04d}")
        await do(small.world, BIG, DeleteMessage(OWNER, names.pop()), say(f"in between {restless.times}"), add)

    restless.happen, restless.times = happen, times
    found = Found()
    await check_site(replace(small, journal=restless), report=found, room=BIG)
    assert found.lines == []
    assert restless.times == 0


async def test_what_is_put_right_while_it_is_looked_at_is_no_difference(small: Talked, autojump_clock: object) -> None:
    """The very message that is wrong is deleted, which writes its row anew, in the middle of the look at it."""
    assert isinstance(small.journal, MemoryJournal)
    restless = Restless(small.journal._store)
    (wrong,) = await small.journal.messages(BIG, after=10, limit=1)
    await plant(small, BIG, PutMessage(replace(wrong, author="u_ghost")))
    looks: list[int] = []

    async def happen() -> None:
        looks.append(restless.times)
        if len(looks) == 2:  # the first one was for the page that it is on
            await do(small.world, BIG, DeleteMessage(OWNER, wrong.id))

    restless.happen, restless.times = happen, 5
    found = Found()
    await check_site(replace(small, journal=restless), report=found, room=BIG)
    assert found.lines == []
    assert len(looks) > 2


async def test_rows_that_come_a_little_later_than_their_entries_are_waited_for(
    small: Talked, autojump_clock: object
) -> None:
    """In a store that commits its journal first a live room is behind for a moment, which is no difference."""
    head = (await rows(small, PAIR))[0].applied_seq
    room, _, messages = await rows(small, PAIR)
    await plant(small, PAIR, DropMessage(PAIR, messages[-1].id), PutRoom(replace(room, applied_seq=head - 1)))

    async def project() -> None:
        await trio.sleep(0.5)
        await plant(small, PAIR, PutMessage(messages[-1]), PutRoom(room))

    found = Found()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(project)
        await check_site(small, report=found, room=PAIR)
    assert found.lines == []
    await plant(small, PAIR, DropMessage(PAIR, messages[-1].id), PutRoom(replace(room, applied_seq=head - 1)))
    await check_site(small, report=found, room=PAIR)
    assert found.lines == [
        f"{PAIR}: row: wrong in applied_seq",
        f"{PAIR}: message {messages[-1].id} (seq {messages[-1].seq}): missing",
    ]


async def test_a_check_without_repair_writes_nothing(small: Talked) -> None:
    """What is wrong is as wrong as before."""
    await plant(small, TEA, DropMember(TEA, OWNER))
    before: Everything = await everything(small)
    snapshot = await small.journal.load_room(TEA)
    assert isinstance(snapshot, RoomSnapshot)
    assert (await check_site(small, report=Found())).differences == 1
    assert await everything(small) == before

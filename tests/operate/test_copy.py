"""A copy moves a whole site, may be cut off anywhere and begun again, and is never taken for whole before it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from justchat.operate.check_site import check_site
from justchat.operate.copy_site import copy_site
from justchat.operate.progress import Progress
from justchat.operate.refusals import CopyDiffers, CopyRefused, CopyUnfinished
from justchat.operate.site import PAGE, Site
from justchat.operate.survey import survey
from justchat.operate.verify import Totals
from storage.errors import StorageUnavailable
from storage.facts import COPYING
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.ports import Directory, Journal
from storage.records import Append, DropMessage, PutMember, PutMessage, PutRoom, UserRecord
from tests.operate.mortal import CutOff, Mortal
from tests.operate.sites import (
    BIG,
    GONE,
    KINDS,
    OF_ACCOUNTS,
    PAIR,
    QUICK_KINDS,
    TEA,
    TRIMMED,
    Belongings,
    Everything,
    Talked,
    a_site,
    everything,
    people,
    plant,
)
from tests.storage.contract.backends import Stores, memory_stores, open_stores, ram_folder
from tests.storage.samples import a_member, a_user, posts

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

NAME = "sqlite:///source.db"
NOTHING = Everything([], Belongings([], [], [], [], [], []), [], [], [], [], [])
ROOMS = (BIG, GONE, TRIMMED, PAIR, TEA)  # in the order in which they are copied


async def copy(source: Site, target: Site, *, name: str = NAME) -> Totals:
    """Copy with a progress that nobody looks at."""
    progress = Progress(StringIO(), clock=lambda: 0.0)
    return await copy_site(source, target, name=name, survey=await survey(source), progress=progress)


@pytest.fixture
async def source() -> AsyncIterator[Talked]:
    """Open a site in RAM."""
    async with a_site("memory", Path()) as opened:
        yield opened


# The tests have one server of each kind, so it is not source and target at once.
PAIRS = [(here, there) for here in KINDS for there in KINDS if not ("postgres" in here and "postgres" in there)]
SLOW = [pair for pair in PAIRS if not set(pair) <= set(QUICK_KINDS)]


@pytest.mark.parametrize(
    ("source_kind", "target_kind", "big"),
    [
        *((*pair, True) for pair in PAIRS if pair not in SLOW),
        *((*pair, False) for pair in SLOW),
        *(pytest.param(*pair, True, marks=pytest.mark.soak) for pair in SLOW),
    ],
)
async def test_a_copy_holds_the_same_in_any_store(source_kind: str, target_kind: str, big: bool) -> None:
    """Every field of every record; the check finds nothing in it; and the source is as it was."""
    with ram_folder() as here, ram_folder() as there:
        async with a_site(source_kind, here, big=big) as source, open_stores(target_kind, there) as target:
            before = await everything(source)
            totals = await copy(source, target)
            assert await everything(target) == await everything(source) == before
            assert await target.directory.fact(COPYING) is None
            assert (totals.users, totals.rooms, totals.entries) == (12, 4 + big, len(before.entries))
            assert (totals.messages, totals.members) == (len(before.messages), len(before.members))
            assert totals.items == len(before.items)
            of_accounts = {"sessions": 5, "credentials": 3, **dict.fromkeys(("contacts", "blocks", "pictures"), 2)}
            of_accounts["read markers"] = 2
            assert totals.of_accounts == of_accounts
            assert {
                name.replace("_", " "): len(rows) for name, rows in asdict(before.belongings).items()
            } == of_accounts
            assert totals.entries > PAGE * big
            differences: list[object] = []
            await check_site(target, report=lambda difference, _: differences.append(difference))
            assert differences == []


async def test_a_target_that_is_not_empty_is_refused_and_left_alone(source: Talked) -> None:
    """An account, a room or nothing but a row is enough; nothing is written, not even the mark."""
    for what in ("account", "journal", "row"):
        target = Mortal().site()
        if what == "account":
            await target.directory.create_user(a_user(1))
        elif what == "journal":
            await target.journal.append([posts("r_other", 1, 1)])
        else:
            await target.journal.project(posts("r_other", 1, 1))
        before = await everything(target)
        with pytest.raises(CopyRefused, match="not empty"):
            await copy(source, target)
        assert await everything(target) == before
        assert await target.directory.fact(COPYING) is None


async def test_only_the_copy_that_was_begun_is_gone_on_with(source: Talked) -> None:
    """Another source is refused and told which one it is; half a copy is no source either."""
    mortal = Mortal()
    with pytest.raises(CutOff):
        await copy(source, mortal.site(15 + OF_ACCOUNTS))
    with pytest.raises(CopyRefused, match=r"half a copy of sqlite:///source\.db"):
        await copy(source, mortal.site(), name="sqlite:///other.db")
    with pytest.raises(CopyUnfinished, match="finish that one first"):
        await copy(mortal.site(), Mortal().site())
    assert await mortal.site().directory.fact(COPYING) == NAME


async def test_a_second_copy_into_the_same_target_is_refused(source: Talked) -> None:
    """The first one is whole, and whole is not empty."""
    mortal = Mortal()
    await copy(source, mortal.site())
    with pytest.raises(CopyRefused, match="not empty"):
        await copy(source, mortal.site())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("message", "differs"),
        ("stray message", "differs"),
        ("member", "differs"),
        ("row", "differs"),
        ("entry", "holds something else|differs"),
        ("room", "rooms that the source does not have"),
        ("user", "another account under"),
        ("name", "another account like"),
        ("more users", "accounts of source and target differ"),
        ("more entries", "more of room"),
    ],
)
async def test_a_target_that_holds_anything_else_is_never_declared_whole(
    source: Talked, damage: str, words: str
) -> None:
    """Whatever was changed in the target between two attempts is found in the end, and the mark stays."""
    mortal = Mortal()
    with pytest.raises(CutOff):
        await copy(source, mortal.site(5 if damage in {"user", "name"} else 18 + OF_ACCOUNTS))
    await spoil(mortal.site(), damage)
    for _ in range(2):
        with pytest.raises((CopyDiffers, CopyRefused), match=words):
            await copy(source, mortal.site())
        assert await mortal.site().directory.fact(COPYING) == NAME


async def spoil(target: Stores, damage: str) -> None:
    """Change something in half a copy, in a room that is there already."""
    snapshot = await target.journal.load_room(BIG)
    match damage:
        case "message":
            (message,) = await target.journal.messages(BIG, after=0, limit=1)
            await plant(target, BIG, PutMessage(replace(message, doc=b"{}")))
        case "stray message":
            (message,) = await target.journal.messages(BIG, after=0, limit=1)
            await plant(target, BIG, PutMessage(replace(message, id="m_stray")))
        case "member":
            await plant(target, BIG, PutMember(a_member(BIG, "u_ghost")))
        case "row":
            assert snapshot is not None
            assert snapshot.room is not None
            await plant(target, BIG, PutRoom(replace(snapshot.room, topic="spoilt")))
        case _:
            await spoil_journal_or_accounts(target, damage)


async def spoil_journal_or_accounts(target: Stores, damage: str) -> None:
    assert isinstance(target.journal, MemoryJournal)
    entries = target.journal._store.entries
    match damage:
        case "entry":
            entries[BIG][3] = replace(entries[BIG][3], ts=1)
        case "room":
            await target.journal.append([posts("r_zzz", 1, 1)])
        case "more entries":
            entries[BIG].append(replace(entries[BIG][-1], seq=len(entries[BIG]) + 1))
        case "user":
            store = target.journal._store
            store.users["u_0001"] = replace(store.users["u_0001"], created_at=1)
        case "name":
            await target.directory.create_user(replace(people()[7], id="u_zzz"))
        case "more users":
            await target.directory.create_user(a_user(77))


async def test_a_source_whose_rows_are_not_up_to_date_is_refused_before_anything_is_written(source: Talked) -> None:
    """What would be copied is not what the journal says; the advice is the check."""
    snapshot = await source.journal.load_room(TEA)
    assert snapshot is not None
    assert snapshot.room is not None
    await plant(source, TEA, PutRoom(replace(snapshot.room, applied_seq=3)))
    mortal = Mortal()
    with pytest.raises(CopyRefused, match="storage check"):
        await copy(source, mortal.site(0))
    assert await mortal.site().directory.fact(COPYING) is None


class BehindJournal(MemoryJournal):
    """A journal that knows of a room whose rows a former server did not come to write."""

    async def behind(self) -> list[str]:
        return [PAIR]


async def test_what_a_former_server_left_undone_is_done_first(source: Talked) -> None:
    """As a start of the server would do: a source that was killed is copied without having been started again."""
    whole = await everything(source)
    snapshot = await source.journal.load_room(PAIR)
    assert snapshot is not None
    assert snapshot.room is not None
    (message,) = await source.journal.messages(PAIR, after=0, limit=5)
    behind = PutRoom(replace(snapshot.room, applied_seq=1, last_msg_no=0))
    await plant(source, PAIR, DropMessage(PAIR, message.id), behind)
    assert isinstance(source.journal, MemoryJournal)
    killed = replace(source, journal=BehindJournal(source.journal._store))
    mortal = Mortal()
    await copy(killed, mortal.site())
    assert await everything(mortal.site()) == await everything(source) == whole


class HoledJournal(MemoryJournal):
    """A journal that lost an entry."""

    async def read(self, room: str, **bounds: int) -> list[object]:  # type: ignore[override]
        return [entry for entry in await super().read(room, **bounds) if entry.seq != 5]  # type: ignore[arg-type]


async def test_a_journal_with_a_hole_is_not_copied(source: Talked) -> None:
    """No store takes it, and nobody could say what it means."""
    assert isinstance(source.journal, MemoryJournal)
    holed: Journal = HoledJournal(source.journal._store)  # type: ignore[assignment]
    mortal = Mortal()
    with pytest.raises(CopyRefused, match="are missing"):
        await copy(replace(source, journal=holed), mortal.site())
    assert await mortal.site().directory.fact(COPYING) == NAME


class SilentDirectory(MemoryDirectory):
    """A directory that stops answering."""

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        if after:
            raise StorageUnavailable("gone")
        return await super().all_users(after=after, limit=limit)


async def test_a_store_that_fails_in_the_middle_leaves_the_mark(source: Talked) -> None:
    """The error comes out as it is, and the copy may be begun again."""
    assert isinstance(source.directory, MemoryDirectory)
    silent: Directory = SilentDirectory(source.directory._store)
    mortal = Mortal()
    with pytest.raises(StorageUnavailable):
        await copy(replace(source, directory=silent), mortal.site())
    assert await mortal.site().directory.fact(COPYING) == NAME
    await copy(source, mortal.site())
    assert await everything(mortal.site()) == await everything(source)


async def test_pages_are_bounded_and_rooms_come_one_by_one(source: Talked) -> None:
    """What is in memory at a time is a page, whatever the size of the site."""
    seen: list[tuple[str, int, int]] = []

    class Watching(MemoryJournal):
        async def append(self, appends: Sequence[Append]) -> None:
            (append,) = appends
            seen.append((append.room, len(append.entries), append.entries[-1].seq))
            room = append.changes[-1]
            assert isinstance(room, PutRoom)
            assert room.room.applied_seq == append.entries[-1].seq
            await super().append(appends)

    store = MemoryStore()
    await copy(source, memory_stores(store, journal=Watching(store)))
    assert [room for room, _, _ in seen] == [BIG, BIG, *ROOMS]
    assert max(count for _, count, _ in seen) == PAGE

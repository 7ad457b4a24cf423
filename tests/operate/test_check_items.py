"""The check of items: what a journal amounts to is stored, no more and no less, and the repair sees to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from justchat.operate.check import Totals
from justchat.operate.check_site import check_site
from justchat.rooms.commands import React, Unreact
from justchat.rooms.items import KEPT, ItemKind, reaction_key
from storage.memory import MemoryJournal
from storage.records import Change, DropItem, ItemRecord, PutItem
from tests.operate.drafted import do
from tests.operate.sites import (
    BIG,
    BIG_POSTS,
    GUEST,
    KINDS,
    OWNER,
    TEA,
    TRIMMED,
    Talked,
    a_site,
    each,
    everything,
    items_of,
    plant,
    say,
)
from tests.operate.test_check import Found
from tests.storage.contract.backends import ram_folder

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


@pytest.fixture(params=each(KINDS))
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Talked]:
    """Open a store with a small site in it."""
    with ram_folder() as folder:
        async with a_site(request.param, folder, big=False) as opened:
            yield opened


@pytest.mark.parametrize("site", KINDS, indirect=True)
async def test_items_of_a_sound_site_have_no_differences(site: Talked) -> None:
    """All kinds of them, in every store."""
    found = Found()
    totals = await check_site(site, report=found)
    assert found.lines == []
    held = await everything(site)
    followed = [item for item in held.items if item.kind not in KEPT]
    assert {item.kind for item in held.items} == set(ItemKind)
    assert totals == Totals(4, len(held.entries), len(held.messages), len(followed), 0, 0)


def wrong(item: ItemRecord) -> ItemRecord:
    """Spoil an item in a way that suits it."""
    match item.kind:
        case ItemKind.PIN | ItemKind.EXPIRY | ItemKind.REPLY:
            return replace(item, seq=item.seq + 1)
        case ItemKind.MUTE | ItemKind.INVITE:
            return replace(item, due_at=1)
        case ItemKind.BAN | ItemKind.SPOKE:
            return replace(item, held=not item.held)
        case _:
            return replace(item, doc=b'{"spoilt":true}')


SPOILT = {
    ItemKind.PIN: "seq",
    ItemKind.EXPIRY: "seq",
    ItemKind.REPLY: "seq",
    ItemKind.MUTE: "due_at",
    ItemKind.INVITE: "due_at",
    ItemKind.BAN: "held",
    ItemKind.SPOKE: "held",
}


@pytest.mark.parametrize("problem", ["missing", "wrong", "superfluous"])
async def test_every_kind_of_item_is_compared_and_repaired(site: Talked, problem: str) -> None:
    """One of each kind, in any of its fields; afterwards all is as it was."""
    before = await everything(site)
    expected: list[str] = []
    for kind in sorted(set(ItemKind) - KEPT):
        room = TRIMMED if kind in (ItemKind.RETENTION, ItemKind.PIN) else TEA
        (item, *_) = await items_of(site, room, kind)
        changes: dict[str, tuple[str, str, Change]] = {
            "missing": (item.key, problem, DropItem(room, kind, item.key)),
            "wrong": (item.key, f"wrong in {SPOILT.get(kind, 'doc')}", PutItem(wrong(item))),
            "superfluous": ("zz/ghost", problem, PutItem(replace(item, key="zz/ghost", seq=0))),
        }
        key, words, change = changes[problem]
        await plant(site, room, change)
        expected.append(f"{room}: {f'{kind} {ascii(key)[1:-1]}'.rstrip()}: {words}")
    found = Found()
    await check_site(site, report=found)
    assert sorted(found.lines) == sorted(expected)
    assert len(expected) == len(ItemKind) - len(KEPT)
    totals = await check_site(site, report=found, repair=True)
    assert totals.repaired == totals.differences == len(expected)
    assert await everything(site) == before


@pytest.mark.parametrize("site", KINDS, indirect=True)
async def test_many_differences_at_once_are_all_found_and_repaired(site: Talked) -> None:
    """A room without any items, and one with those of another."""
    before = await everything(site)
    lost, doubled = await items_of(site, TEA), await items_of(site, TRIMMED)
    lost = [item for item in lost if item.kind not in KEPT]
    drops: list[Change] = [DropItem(TEA, item.kind, item.key) for item in lost]
    ghosts = [replace(item, room=TRIMMED, key=f"{item.key}.", seq=0) for item in lost]
    await plant(site, TEA, *drops)
    await plant(site, TRIMMED, *map(PutItem, ghosts))
    found = Found()
    assert (await check_site(site, report=found)).differences == len(drops) + len(ghosts) > 50
    assert {line.rpartition(": ")[2] for line in found.lines} == {"missing", "superfluous"}
    assert (await check_site(site, report=Found(), repair=True)).repaired == len(drops) + len(ghosts)
    assert await everything(site) == before
    assert doubled == await items_of(site, TRIMMED)


async def test_what_follows_from_no_entry_is_left_alone(site: Talked) -> None:
    """Scheduled posts, reports and the next sweep may be there or not, and say what they like."""
    kept = await items_of(site, TEA, *KEPT)
    assert {item.kind for item in kept} == KEPT
    changes = [PutItem(replace(item, doc=b"{}", due_at=7)) for item in kept]
    extra = replace(kept[0], key="u_0001/extra")
    await site.directory.keep([*changes, PutItem(extra), DropItem(TEA, kept[-1].kind, kept[-1].key)])
    before = await everything(site)
    found = Found()
    await check_site(site, report=found, repair=True)
    assert found.lines == []
    assert await everything(site) == before


async def test_an_item_of_a_kind_that_nobody_knows_is_superfluous(site: Talked) -> None:
    """Nothing makes such items."""
    before = await everything(site)
    await plant(site, TEA, PutItem(ItemRecord(TEA, "unheard", "of", b"", True, 5, 5)))
    found = Found()
    await check_site(site, report=found, repair=True)
    assert found.lines == [f"{TEA}: unheard of: superfluous"]
    assert await everything(site) == before


async def test_more_items_than_a_page_are_compared() -> None:
    """More than a page is missing, more than a page is superfluous, and a single one is wrong far behind."""
    async with a_site("memory", Path()) as site:
        before = await everything(site)
        reactions = await items_of(site, BIG, ItemKind.REACTION)
        assert len(reactions) > BIG_POSTS - 10
        ghosts = [PutItem(replace(item, key=f"{item.key}.")) for item in reactions for _ in range(2)]
        drops = [DropItem(BIG, item.kind, item.key) for item in reactions[20:]]
        await plant(site, BIG, PutItem(wrong(reactions[19])), *drops, *ghosts)
        totals = await check_site(site, report=Found())
        assert totals.differences == 1 + len(drops) + len(reactions)
        totals = await check_site(site, report=Found(), repair=True)
        assert totals.differences == totals.repaired
        assert await everything(site) == before


class Busy(MemoryJournal):
    """A journal in a room of which somebody reacts whenever items are looked at, for a while."""

    happen = staticmethod(lambda: None)
    times = 0

    async def items_by_key(self, room: str, keys: list[tuple[str, str]]) -> list[ItemRecord]:  # type: ignore[override]
        if self.times:
            self.times -= 1
            await self.happen()  # type: ignore[misc]
        return await super().items_by_key(room, keys)


@pytest.mark.parametrize("times", [1, 3])
async def test_items_that_change_while_they_are_looked_at_are_no_difference(autojump_clock: object, times: int) -> None:
    """What is planted is found all the same."""
    async with a_site("memory", Path(), big=False) as site:
        assert isinstance(site.journal, MemoryJournal)
        (posted,) = await do(site.world, TEA, say("looked at", actor=GUEST))
        message = posted.message_id or ""
        key = reaction_key(message, "👍", "u_ghost")
        await plant(site, TEA, PutItem(ItemRecord(TEA, ItemKind.REACTION, key, b"{}", seq=posted.seq)))
        busy = Busy(site.journal._store)

        async def happen() -> None:
            await do(site.world, TEA, React(OWNER, message, "👍"), Unreact(OWNER, message, "👍"), say(f"{busy.times}"))

        busy.happen, busy.times = happen, times  # type: ignore[assignment]
        found = Found()
        await check_site(replace(site, journal=busy), report=found, room=TEA)
        assert found.lines == [f"{TEA}: reaction {ascii(key)[1:-1]}: superfluous"]
        assert busy.times == 0

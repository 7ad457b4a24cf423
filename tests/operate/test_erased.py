"""What somebody had erased is gone for the check and for a copy: neither finds fault with it nor brings it back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from justchat.operate.check_site import check_site
from justchat.operate.site import Site
from justchat.rooms.erased import without_text
from justchat.rooms.system_commands import EraseMessages, EraseReaction
from justchat.wire.events import SYSTEM, decode_message
from storage.facts import COPYING
from storage.records import DropMessage, PutMessage
from tests.operate.drafted import do
from tests.operate.mortal import CutOff, Mortal
from tests.operate.sites import GONE, GUEST, TEA, TRIMMED, Talked, a_site, everything, plant
from tests.operate.test_check import Found
from tests.operate.test_copy import copy

pytestmark = pytest.mark.real_clock

ROOMS = (TEA, GONE, TRIMMED)


@pytest.fixture(params=["memory", "sqlite"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Talked]:
    """Open a small site."""
    async with a_site(request.param, tmp_path, big=False) as opened:
        yield opened


async def bury(site: Talked, user: str) -> None:
    """Have the server delete all that somebody wrote, and take back their reactions."""
    for room in ROOMS:
        messages = await site.journal.messages(room, after=0, limit=1000)
        own = [message.id for message in messages if message.author == user]
        await do(site.world, room, EraseMessages(SYSTEM, user, tuple(own)))
        for message in messages:
            emoji = [reaction.emoji for reaction in decode_message(message.doc).reactions]
            await do(site.world, room, *(EraseReaction(SYSTEM, user, message.id, each) for each in emoji))


async def empty(site: Site, user: str) -> int:
    """Take the text out of all that somebody wrote; return of how many entries."""
    count = 0
    for room in ROOMS:
        entries = await site.journal.read(room, after=0, limit=1000)
        bare = [new for entry in entries if entry.actor == user and (new := without_text(entry)) is not None]
        await site.journal.rewrite(bare)
        count += len(bare)
    return count


async def test_a_site_in_which_somebody_was_erased_is_sound(site: Talked) -> None:
    """In rooms of all sorts, also in one that is deleted and in one whose history was trimmed; half way, too."""
    await bury(site, GUEST)
    before = await everything(site)
    found = Found()
    await check_site(site, report=found)
    assert found.lines == []
    assert await empty(site, GUEST) > 5
    await check_site(site, report=found)
    assert found.lines == []
    after = await everything(site)
    assert replace(after, entries=[]) == replace(before, entries=[])
    assert [(entry.room, entry.seq, entry.type) for entry in after.entries] == [
        (entry.room, entry.seq, entry.type) for entry in before.entries
    ]


async def test_a_repair_brings_no_word_back(site: Talked) -> None:
    """Rows that are missing or older than they should be are made again from the journal, as tombstones."""
    messages = await site.journal.messages(TEA, after=0, limit=1000)
    own = [message for message in messages if message.author == GUEST and not message.deleted]
    await bury(site, GUEST)
    await empty(site, GUEST)
    sound = await everything(site)
    await plant(site, TEA, DropMessage(TEA, own[0].id), PutMessage(own[1]))
    found = Found()
    await check_site(site, repair=True, report=found)
    assert len(found.lines) == 2
    assert await everything(site) == sound


async def cut_off(source: Talked, writes: int) -> Mortal | None:
    """Begin a copy that ends behind so many writes; None if it is finished by then."""
    mortal = Mortal()
    try:
        await copy(source, mortal.site(writes, behind=True))
    except CutOff:
        return mortal
    return None


@pytest.mark.parametrize("whole", [False, True], ids=["its last step", "all of it"])
async def test_a_copy_follows_an_erasure_that_came_after_it_was_begun(whole: bool) -> None:
    """What the first attempt had brought goes from the target, however much that was."""
    writes, was_there = 0, 0
    while True:
        async with a_site("memory", Path(), big=False) as source:
            if not whole:
                await bury(source, GUEST)
            target = await cut_off(source, writes)
            if target is None or await target.site().directory.fact(COPYING) is None:
                break
            await bury(source, GUEST)
            erased = await empty(source, GUEST)
            had = (await everything(target.site())).entries
            was_there += any(entry.actor == GUEST and without_text(entry) is not None for entry in had)
            await copy(source, target.site())
            assert erased
            assert await everything(target.site()) == await everything(source)
        writes += 1
    assert was_there >= 2

"""Sites to check and to copy: rooms that were really talked in, over any journal, and everything that a store holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from _pytest.mark.structures import ParameterSet
from msgspec import Struct
from msgspec.structs import replace

from justchat.operate.site import Site
from justchat.rooms.commands import CreateRoom, DeleteMessage, LeaveRoom, PostMessage, React
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.posts import Content, post
from storage.account_ports import Relations, Sessions
from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.ports import Directory, Journal
from storage.records import (
    Append,
    Change,
    Entry,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    ReadMark,
    RoomRecord,
    UserRecord,
)
from tests.operate.drafted import START_MS, World, do, do_at_once, tell
from tests.storage.contract.backends import open_stores
from tests.storage.samples import a_credential, a_session, a_user, an_avatar

KINDS = ("memory", "sqlite", "postgres", "postgres+mongo")
"""The kinds of store that a site is checked in and copied to; each is one that `open_stores` knows."""
QUICK_KINDS = tuple(kind for kind in KINDS if "mongo" not in kind)
"""Those that are quick in the tests: their MongoDB looks through all entries for everything that it is asked."""

BIG, TEA, TRIMMED, GONE, PAIR = "r_big", "r_tea", "r_old", "r_gone", "r_pair"
OWNER, GUEST, FRIEND, LATE = (f"u_{number:04d}" for number in range(1, 5))
ODD_TEXT = "Ünïcode ☕ \U0001f9cb e\u0301 \u202eabc\u202c 'quoted' \"twice\" \\ \t\n𝔱𝔢𝔞"
BIG_POSTS = 620  # more than a page of entries
OF_ACCOUNTS = 7  # how many writes a copy takes for what belongs to accounts


def each(kinds: tuple[str, ...]) -> list[ParameterSet]:
    """Make these kinds the values of a parameter; the slow ones are left to the long tests."""
    return [pytest.param(kind, marks=() if kind in QUICK_KINDS else pytest.mark.soak) for kind in kinds]


class Belongings(Struct, frozen=True):
    """All that a store holds of what belongs to accounts."""

    sessions: list[SessionRecord]
    credentials: list[CredentialRecord]
    contacts: list[ContactRecord]
    blocks: list[BlockRecord]
    pictures: list[AvatarRecord]
    read_markers: list[ReadMark]


class Everything(Struct, frozen=True):
    """All that a store holds."""

    users: list[UserRecord]
    belongings: Belongings
    entries: list[Entry]
    rows: list[RoomRecord | None]
    members: list[MemberRecord]
    messages: list[MessageRecord]
    items: list[ItemRecord]


async def everything(site: Site) -> Everything:
    """Read all that a small store holds, through its ports."""
    belongings = Belongings(
        await site.sessions.all_sessions(limit=10_000),
        await site.sessions.all_credentials(limit=10_000),
        await site.relations.all_contacts(limit=10_000),
        await site.relations.all_blocks(limit=10_000),
        await site.relations.all_avatars(limit=10_000),
        await site.relations.all_read_marks(limit=10_000),
    )
    found = Everything(await site.directory.all_users(limit=10_000), belongings, [], [], [], [], [])
    for room in await site.journal.rooms(limit=10_000):
        snapshot = await site.journal.load_room(room)
        assert snapshot is not None
        found.entries.extend(await site.journal.read(room, after=0, limit=100_000))
        found.rows.append(snapshot.room)
        found.members.extend(sorted(snapshot.members, key=lambda member: member.user))
        found.messages.extend(await site.journal.messages(room, after=-1, limit=100_000))
        items = await items_of(site, room)
        assert snapshot.items == tuple(item for item in items if item.held)
        found.items.extend(items)
    return found


async def items_of(site: Site, room: str, *kinds: ItemKind) -> list[ItemRecord]:
    """Read the items of a room, of some kinds or of all, by kind and key."""
    items = await site.directory.all_items(room, limit=100_000)
    return [item for item in items if not kinds or item.kind in kinds]


def say(
    body: str,
    *,
    actor: str = OWNER,
    reply_to: str | None = None,
    thread: str | None = None,
    expires_in: int | None = None,
) -> PostMessage:
    """Make the command of a post, whose client_msg_id is made of its body."""
    content = Content(reply_to=reply_to, thread_root=thread, expires_in=expires_in)
    command = post(actor, client_msg_id=f"id-{body}", body=body, content=content, max_characters=4000)
    assert isinstance(command, PostMessage), command
    return command


async def talk(world: World, room: str, count: int, *, actor: str = OWNER) -> list[str]:
    """Post that many messages, many at a time; return their ids in the room's order."""
    found: list[str] = []
    for start in range(0, count, 200):
        numbers = range(start, min(start + 200, count))
        posts = [say(f"{room} {number} {ODD_TEXT}", actor=actor) for number in numbers]
        found += [answer.message_id or "" for answer in await do_at_once(world, room, *posts)]
    return found


def people(count: int = 12) -> list[UserRecord]:
    """Make accounts of all kinds."""
    users = [a_user(number) for number in range(1, count + 1)]
    users[1] = replace(users[1], display_name=ODD_TEXT, email="guest@example.org")
    users[2] = replace(users[2], disabled=True, role="admin")
    users[3] = replace(users[3], username="Ünïcode", name_key="ünïcode", display_name="", last_seen_at=START_MS)
    users[4] = replace(users[4], rev=7, bio=ODD_TEXT, avatar="a_1", email="e@example.org", email_verified=True)
    users[5] = replace(users[5], state="gone", disabled=True)
    return users


async def furnish(site: Site) -> None:
    """Give accounts what they may have, in OF_ACCOUNTS writes."""
    rotated = replace(a_session(1), user_agent=ODD_TEXT, previous=b"\x00", nonce=bytes(range(256)), rotated_at=START_MS)
    await site.sessions.put_sessions([rotated, *(a_session(n, user=f"u_{n:04d}") for n in range(2, 6))])
    invitation = replace(a_credential(2, kind="invitation", uses_left=0, expires_at=9), user="", used_at=5, scopes=())
    await site.sessions.put_credentials([a_credential(1), invitation, replace(a_credential(3), name=ODD_TEXT)])
    await site.relations.put_contacts([ContactRecord(OWNER, GUEST, None, 5), ContactRecord(GUEST, LATE, GUEST, 6)])
    await site.relations.put_blocks([BlockRecord(OWNER, LATE, 5), BlockRecord(LATE, OWNER, 6)])
    for number in (5, 7):
        await site.relations.put_avatar(an_avatar(number))
    await site.relations.put_read_marks([ReadMark(OWNER, BIG, 500, 499), ReadMark(GUEST, TEA, 3, 1)])


def create(actor: str, name: str, *members: str, visibility: Visibility = Visibility.PUBLIC) -> CreateRoom:
    """Make the command that creates a group."""
    return CreateRoom(actor, Kind.GROUP, visibility, name, ODD_TEXT, f"e_{name}", members)


class Talked(Struct, frozen=True):
    """A site, and the rooms that it was made by, which are still awake: only they know what ids are taken."""

    journal: Journal
    directory: Directory
    sessions: Sessions
    relations: Relations
    world: World


def site_file(folder: Path) -> str:
    """Make a site in a file and return its URL; for tests that are not async, of commands that run Trio themselves."""

    async def make() -> None:
        async with a_site("sqlite", folder):
            pass

    trio.run(make)
    return f"sqlite:///{folder}/chat.db"


async def make_many_rooms(site: Site, *, rooms: int, posts: int, users: int) -> None:
    """Make a site of many small rooms and a long one."""
    for user in people(users):
        await site.directory.create_user(user)
    world = World(site)
    await do(world, BIG, create(OWNER, "Big", GUEST))
    await talk(world, BIG, 3 * BIG_POSTS)
    await make_small_rooms(world, rooms=rooms, posts=posts)


async def make_small_rooms(world: World, *, rooms: int, posts: int) -> None:
    """Add many small rooms."""
    for number in range(rooms):
        room = f"r_{number:04d}"
        await do(world, room, create(OWNER, f"Room {number}", GUEST, FRIEND))
        posted = await talk(world, room, posts)
        await do(world, room, DeleteMessage(OWNER, posted[0]), React(GUEST, posted[1], "👍"), LeaveRoom(GUEST))


async def plant(site: Site, room: str, *changes: Change) -> None:
    """Write rows that the journal knows nothing of."""
    snapshot = await site.journal.load_room(room)
    assert snapshot is not None
    head = await site.journal.read_back(room, limit=1)
    await site.journal.project(Append(room, tuple(head), changes), repair=True)


@asynccontextmanager
async def a_site(kind: str, folder: Path, *, big: bool = True) -> AsyncIterator[Talked]:
    """Open a store of this kind with accounts and rooms in it, with a big one among them or without."""
    async with open_stores(kind, folder) as site:
        yield await tell_a_site(site, big=big)


async def tell_a_site(site: Site, *, big: bool) -> Talked:
    """Fill an empty store with accounts and rooms."""
    # Late: the rooms are made with the commands of this module.
    from tests.operate.rooms import the_story

    story = await the_story(big=big)
    for user in people():
        await site.directory.create_user(user)
    await furnish(site)
    await tell(site, story.steps)
    return Talked(site.journal, site.directory, site.sessions, site.relations, World(site, story))

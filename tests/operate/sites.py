"""Sites to check and to copy: rooms that were really talked in, over any journal, and everything that a store holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from msgspec import Struct
from msgspec.structs import replace

from justchat.operate.site import Site
from justchat.rooms.commands import (
    Accepted,
    AddMember,
    Command,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    SetRole,
    UpdateRoom,
)
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.posts import post
from storage.ports import Directory, Journal
from storage.records import (
    Append,
    Change,
    Entry,
    MemberRecord,
    MessageRecord,
    RoomRecord,
    UserRecord,
)
from tests.rooms.world import World, open_world
from tests.storage.contract.backends import open_stores
from tests.storage.samples import a_user

KINDS = ("memory", "sqlite", "postgres")
"""The kinds of store that a site is checked in and copied to; each is one that `open_stores` knows."""
QUICK_KINDS = tuple(kind for kind in KINDS if "mongo" not in kind)
"""Those that are quick in the tests: their MongoDB looks through all entries for everything that it is asked."""

TEA, BIG, GONE, PAIR = "r_tea", "r_big", "r_gone", "r_pair"
OWNER, GUEST, FRIEND, LATE = (f"u_{number:04d}" for number in range(1, 5))
ODD_TEXT = "Ünïcode ☕ \U0001f9cb e\u0301 \u202eabc\u202c 'quoted' \"twice\" \\ \t\n𝔱𝔢𝔞"
BIG_POSTS = 620  # more than a page of entries


class Everything(Struct, frozen=True):
    """All that a store holds."""

    users: list[UserRecord]
    entries: list[Entry]
    rows: list[RoomRecord | None]
    members: list[MemberRecord]
    messages: list[MessageRecord]


async def everything(site: Site) -> Everything:
    """Read all that a small store holds, through its ports."""
    found = Everything(await site.directory.all_users(limit=10_000), [], [], [], [])
    for room in await site.journal.rooms(limit=10_000):
        snapshot = await site.journal.load_room(room)
        assert snapshot is not None
        found.entries.extend(await site.journal.read(room, after=0, limit=100_000))
        found.rows.append(snapshot.room)
        found.members.extend(sorted(snapshot.members, key=lambda member: member.user))
        found.messages.extend(await site.journal.messages(room, after=-1, limit=100_000))
    return found


async def do(world: World, room: str, *commands: Command) -> list[Accepted]:
    """Have commands carried out, one after the other."""
    done: list[Accepted] = []
    for command in commands:
        answer = await world.room(room).post(command)
        assert isinstance(answer, Accepted), (command, answer)
        done.append(answer)
    return done


def say(body: str, *, actor: str = OWNER, reply_to: str | None = None) -> PostMessage:
    """Make the command of a post, whose client_msg_id is made of its body."""
    command = post(actor, client_msg_id=f"id-{body}", body=body, reply_to=reply_to, max_characters=4000)
    assert isinstance(command, PostMessage), command
    return command


async def talk(world: World, room: str, count: int, *, actor: str = OWNER) -> list[str]:
    """Post that many messages, many at a time; return their ids in the room's order."""
    found: list[tuple[int, str]] = []

    async def post_one(number: int) -> None:
        (answer,) = await do(world, room, say(f"{room} {number} {ODD_TEXT}", actor=actor))
        found.append((answer.seq, answer.message_id or ""))

    for start in range(0, count, 200):
        async with trio.open_nursery() as nursery:
            for number in range(start, min(start + 200, count)):
                nursery.start_soon(post_one, number)
    return [name for _, name in sorted(found)]


def people(count: int = 12) -> list[UserRecord]:
    """Make accounts of all kinds."""
    users = [a_user(number) for number in range(1, count + 1)]
    users[1] = replace(users[1], display_name=ODD_TEXT, email="guest@example.org")
    users[2] = replace(users[2], disabled=True, role="admin")
    users[3] = replace(users[3], username="Ünïcode", name_key="ünïcode", display_name="")
    return users


def create(actor: str, name: str, *members: str, visibility: Visibility = Visibility.PUBLIC) -> CreateRoom:
    """Make the command that creates a group."""
    return CreateRoom(actor, Kind.GROUP, visibility, name, ODD_TEXT, f"e_{name}", members)


async def make_tea_room(world: World) -> None:
    """A room in which everything that can happen has happened."""
    first = await do(world, TEA, create(OWNER, ODD_TEXT, GUEST, FRIEND), say("first"), say(ODD_TEXT))
    reply = say("reply", actor=GUEST, reply_to=first[1].message_id)
    named = await do(world, TEA, reply, JoinRoom(LATE), say("late", actor=LATE), say("gone", actor=GUEST))
    await do(
        world,
        TEA,
        DeleteMessage(OWNER, named[-1].message_id or ""),
        SetRole(OWNER, GUEST, Role.ADMIN),
        LeaveRoom(FRIEND),
        RemoveMember(GUEST, LATE),
        UpdateRoom(OWNER, name="Tea ☕", topic=""),
        UpdateRoom(GUEST, visibility=Visibility.PRIVATE),
        AddMember(OWNER, LATE, Role.MODERATOR),
        DeleteMessage(OWNER, first[1].message_id or ""),
        say("last", actor=LATE),
    )


async def make_other_rooms(world: World) -> None:
    """A long room with deletions far from what they delete, one that is deleted, and one of two people."""
    await do(world, BIG, create(OWNER, "Big", GUEST))
    posted = await talk(world, BIG, BIG_POSTS)
    await do(world, BIG, *(DeleteMessage(OWNER, name) for name in (*posted[:3], posted[300], posted[-1])))
    await do(world, GONE, create(FRIEND, "Gone", GUEST), say("soon gone", actor=GUEST), DeleteRoom(FRIEND))
    pair = CreateRoom(GUEST, Kind.DIRECT, Visibility.PRIVATE, "", "", "e_pair", (LATE,))
    await do(world, PAIR, pair, say("psst", actor=LATE))


class Talked(Struct, frozen=True):
    """A site, and the rooms that it was made by, which are still awake: only they know what ids are taken."""

    journal: Journal
    directory: Directory
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
    async with open_world(journal=site.journal) as world:
        await do(world, BIG, create(OWNER, "Big", GUEST))
        await talk(world, BIG, 3 * BIG_POSTS)
        for number in range(rooms):
            room = f"r_{number:04d}"
            await do(world, room, create(OWNER, f"Room {number}", GUEST, FRIEND))
            posted = await talk(world, room, posts)
            await do(world, room, DeleteMessage(OWNER, posted[0]), LeaveRoom(GUEST))


async def plant(site: Site, room: str, *changes: Change) -> None:
    """Write rows that the journal knows nothing of."""
    snapshot = await site.journal.load_room(room)
    assert snapshot is not None
    head = await site.journal.read_back(room, limit=1)
    await site.journal.project(Append(room, tuple(head), changes), repair=True)


@asynccontextmanager
async def a_site(kind: str, folder: Path) -> AsyncIterator[Talked]:
    """Open a store of this kind with accounts and rooms in it."""
    async with open_stores(kind, folder) as site, open_world(journal=site.journal) as world:
        for user in people():
            await site.directory.create_user(user)
        await make_tea_room(world)
        await make_other_rooms(world)
        yield Talked(site.journal, site.directory, world)

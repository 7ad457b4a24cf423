"""The rooms of a site for tests: together they hold every kind of event and every kind of item."""

from __future__ import annotations

from functools import cache

from justchat.rooms.commands import (
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    CreateInvite,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    MuteMember,
    PinMessage,
    React,
    RemoveMember,
    RevokeInvite,
    SetPermissions,
    SetRole,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.items import Report, Scheduled, departure_item, report_item, scheduled_item
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.wire.events import SYSTEM, SettingsChanges, decode_message
from storage.memory import MemoryStore
from storage.records import DropItem, PutItem
from tests.operate.drafted import Story, World, do, do_at_once
from tests.operate.sites import (
    BIG,
    BIG_POSTS,
    FRIEND,
    GONE,
    GUEST,
    LATE,
    ODD_TEXT,
    OWNER,
    PAIR,
    TEA,
    TRIMMED,
    create,
    say,
    talk,
)
from tests.storage.contract.backends import memory_stores

DAY_MS = 86_400_000
EMOJI = ("👍", "☕", "🫖")


@cache
def _told() -> dict[bool, Story]:
    """Keep the stories: they are the same in every test."""
    return {}


async def the_story(*, big: bool) -> Story:
    """Make the rooms, in RAM, and tell how; the big one only if it is wanted."""
    if big not in _told():
        world = World(memory_stores(MemoryStore()))
        await make_tea_room(world)
        await moderate_tea_room(world)
        if big:
            await make_big_room(world)
        await make_trimmed_room(world)
        await make_other_rooms(world)
        _told()[big] = world.story()
    return _told()[big]


async def make_tea_room(world: World) -> None:
    """A room in which everything has happened that can happen to members and messages."""
    first = await do(world, TEA, create(OWNER, ODD_TEXT, GUEST, FRIEND), say("first"), say(ODD_TEXT))
    reply = say("reply", actor=GUEST, reply_to=first[1].message_id)
    named = await do(world, TEA, reply, JoinRoom(LATE), say("late", actor=LATE), say("gone", actor=GUEST))
    kept, edited, late, gone = (answer.message_id or "" for answer in (first[1], first[2], named[2], named[3]))
    await do(
        world,
        TEA,
        DeleteMessage(OWNER, gone),
        SetRole(OWNER, GUEST, Role.ADMIN),
        LeaveRoom(FRIEND),
        UpdateRoom(OWNER, name="Tea ☕", topic=""),
        EditMessage(OWNER, edited, "second"),
        EditMessage(OWNER, edited, f"third {ODD_TEXT}", rev=2),
        *(React(user, edited, emoji) for emoji in EMOJI for user in (OWNER, GUEST)),
        React(LATE, late, EMOJI[0]),
        Unreact(GUEST, edited, EMOJI[1]),
        PinMessage(OWNER, kept),
        PinMessage(GUEST, late),
        UnpinMessage(OWNER, late),
        say("in a thread", actor=LATE, thread=kept),
        say("for an hour", actor=GUEST, expires_in=3600),
        RemoveMember(GUEST, LATE),
    )
    (brief,) = await do(world, TEA, say("brief, in a thread", thread=kept, expires_in=5))
    await do(world, TEA, *(say(f"passing the time {number}") for number in range(5)))
    await do(world, TEA, ExpireMessage(SYSTEM, brief.message_id or ""))
    await do(world, TEA, DeleteMessage(OWNER, kept), say("last", actor=GUEST))


async def moderate_tea_room(world: World) -> None:
    """Everything that moderators do, and what they and others keep for themselves."""
    bad = await do(world, TEA, *(say(f"bad {number}", actor=GUEST) for number in range(3)))
    hour = world.now + 3_600_000
    await do(
        world,
        TEA,
        BulkDelete(OWNER, tuple(answer.message_id or "" for answer in bad)),
        UpdateRoom(GUEST, visibility=Visibility.PRIVATE),
        AddMember(OWNER, LATE, Role.MODERATOR),
        AddMember(OWNER, FRIEND),
        SetPermissions(OWNER, {Role.MEMBER: {"messages.pin": True}, Role.GUEST: {"messages.send": True}}),
        MuteMember(LATE, FRIEND, world.now + 12_000, "too loud"),
        MuteMember(OWNER, LATE, hour),
        CreateInvite(OWNER, "i_open", max_uses=3),
        CreateInvite(OWNER, "i_timed", Role.ADMIN, hour, 5),
        CreateInvite(OWNER, "i_closed"),
        RevokeInvite(OWNER, "i_closed"),
        JoinRoom("u_0007", "i_open"),
        JoinRoom("u_0008", "i_open"),
        BanMember(OWNER, "u_0008", ODD_TEXT),
        BanMember(OWNER, "u_0009"),
        UnbanMember(OWNER, "u_0009"),
        UnmuteMember(SYSTEM, FRIEND),
        UpdateRoom(OWNER, settings=SettingsChanges(slow_mode_seconds=30, retention_days=7)),
        say("slow", actor=FRIEND),
        say("quick", actor="u_0007"),
        ArchiveRoom(OWNER, True),
        ArchiveRoom(OWNER, False),
    )
    (message,) = await world.site.journal.messages(TEA, limit=1)
    report = Report(message.id, OWNER, ODD_TEXT, world.now)
    late = Scheduled("s_1", LATE, ODD_TEXT, hour, world.now)
    failed = Scheduled("s_2", LATE, "too late", hour, world.now, failed="muted")
    await world.keep(
        PutItem(report_item(decode_message(message.doc), report)),
        PutItem(scheduled_item(TEA, late)),
        PutItem(scheduled_item(TEA, failed)),
        PutItem(departure_item(TEA, "u_0009")),
    )


async def make_big_room(world: World) -> None:
    """A long room, with changes far from what they change, and more than a page of some kinds of items."""
    await do(world, BIG, create(OWNER, "Big", GUEST))
    posted = await talk(world, BIG, BIG_POSTS)
    await do_at_once(world, BIG, *(React(GUEST, name, EMOJI[0]) for name in posted))
    await do_at_once(world, BIG, *(say(f"reply {number}", thread=posted[7]) for number in range(30)))
    await do(world, BIG, *(DeleteMessage(OWNER, name) for name in (*posted[:3], posted[300], posted[-1])))
    await do(world, BIG, EditMessage(OWNER, posted[10], "edited"), React(OWNER, posted[10], EMOJI[2]))


async def make_trimmed_room(world: World) -> None:
    """A room whose history was trimmed, twice, and with it much of what was done to it."""
    await do(world, TRIMMED, create(OWNER, "Old", GUEST, FRIEND))
    root, edited, pinned, reported = (
        answer.message_id or "" for answer in await do(world, TRIMMED, *(say(f"old {n}") for n in range(4)))
    )
    (message, *_) = await world.site.journal.messages_by_id([reported])
    kept = PutItem(report_item(decode_message(message.doc), Report(reported, GUEST, "old", world.now)))
    await world.keep(kept)
    done = await do(
        world,
        TRIMMED,
        say("old reply", thread=root),
        say("old timer", actor=GUEST, expires_in=3600),
        EditMessage(OWNER, edited, "edited"),
        React(GUEST, edited, EMOJI[0]),
        PinMessage(OWNER, pinned),
        say("reply that stays", thread=root),
        say("stays"),
        EditMessage(OWNER, pinned, "edited late"),
    )
    stays = done[-2].message_id or ""
    await do(
        world,
        TRIMMED,
        React(GUEST, stays, EMOJI[0]),
        PinMessage(OWNER, stays),
        EditMessage(OWNER, stays, "stays, edited"),
        DeleteMessage(OWNER, root),
        TrimHistory(SYSTEM, 3),
        React(FRIEND, pinned, EMOJI[1]),
        TrimHistory(SYSTEM, done[4].seq),
        say("reply to who is gone", thread=done[5].message_id),
        say("after", actor=GUEST, thread=stays),
        UpdateRoom(OWNER, settings=SettingsChanges(retention_days=30)),
    )


async def make_other_rooms(world: World) -> None:
    """One that is deleted, with what was in it, and one of two people."""
    await do(world, GONE, create(FRIEND, "Gone", GUEST), say("soon gone", actor=GUEST), CreateInvite(FRIEND, "i_gone"))
    scheduled = scheduled_item(GONE, Scheduled("s_3", FRIEND, "never", world.now + DAY_MS, world.now))
    dropped = scheduled_item(GONE, Scheduled("s_4", FRIEND, "taken back", world.now + DAY_MS, world.now))
    await world.keep(PutItem(scheduled), PutItem(dropped))
    await world.keep(DropItem(GONE, dropped.kind, dropped.key))
    await do(world, GONE, DeleteRoom(FRIEND))
    pair = CreateRoom(GUEST, Kind.DIRECT, Visibility.PRIVATE, "", "", "e_pair", (LATE,))
    await do(world, PAIR, pair, say("psst", actor=LATE))

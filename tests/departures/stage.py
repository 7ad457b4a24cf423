"""Accounts and rooms for departures to work on: over one memory store, which outlives the worlds opened over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from justchat.departures.departure import Surroundings
from justchat.departures.departures import Departures
from justchat.rooms.commands import (
    AddMember,
    BanMember,
    CreateInvite,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    MuteMember,
    PinMessage,
    React,
    RemoveMember,
    SetRole,
)
from justchat.rooms.direct import direct_room_id
from justchat.rooms.kept_commands import ReportMessage, ScheduleMessage
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.room_actor import RoomLimits
from storage.memory import MemoryDirectory
from storage.records import UserRecord
from tests.rooms.world import SwitchedJournal, World, message, open_world, virtual_ms

ANN, BEN, EVE, BOT, GUEST = "u_ann", "u_ben", "u_eve", "u_bot", "u_guest"
# Who goes, and what they say: in no text of the store after an erasure.
GOING = ANN
SECRET = "the combination is 1234"
MEMBER, OWNED, ALONE, LEFT, BANNED, REACTED, DELETED = (
    "r_member", "r_owned", "r_alone", "r_left", "r_banned", "r_reacted", "r_deleted",
)  # fmt: skip
DIRECT = direct_room_id(ANN, BEN)
ROOMS = (MEMBER, OWNED, ALONE, LEFT, BANNED, REACTED, DELETED, DIRECT)
DAY_MS = 86_400_000
POSTS = 130
"""How much is said in the room that they own: more than one event deletes."""


def account(user: str, *, role: str = "user") -> UserRecord:
    """Make an account."""
    name = user.removeprefix("u_")
    return UserRecord(user, name, name, name.title(), None, "", role, 1)


async def make_accounts(journal: SwitchedJournal) -> None:
    """Make all accounts."""
    directory = MemoryDirectory(journal._store)
    for user in (ANN, BEN, EVE):
        await directory.create_user(account(user))
    await directory.create_user(account(BOT, role="bot"))
    await directory.create_user(account(GUEST, role="guest"))


async def to_state(journal: SwitchedJournal, user: str, state: str) -> None:
    """Have an account begin to depart."""
    directory = MemoryDirectory(journal._store)
    found = await directory.user(user)
    assert found is not None
    disabled = state != "demoting"
    await directory.change_user(replace(found, state=state, disabled=disabled, rev=found.rev + 1))


async def state_of(journal: SwitchedJournal, user: str = GOING) -> str:
    """Give the state of an account."""
    found = await MemoryDirectory(journal._store).user(user)
    assert found is not None
    return found.state


async def new_room(world: World, room: str, owner: str, *members: str) -> None:
    """Make a group."""
    await world.do(CreateRoom(owner, Kind.GROUP, Visibility.PRIVATE, room, "", "e_1", members), room=room)


async def say(world: World, room: str, body: str, *, by: str = GOING) -> str:
    """Post, and give the id of the message. The client's own id for it says nothing."""
    number = len(await world.history(room))
    answer = await world.do(message(body, actor=by, client_msg_id=f"c-{number}"), room=room)
    return answer.message_id or ""


async def live(world: World) -> None:
    """Have somebody live in all kinds of rooms before they go."""
    await _be_a_member(world)
    await _own_rooms(world)
    await _be_in_rooms_no_more(world)
    await _only_react(world)
    await world.do(CreateRoom(ANN, Kind.DIRECT, Visibility.PRIVATE, "", "", "e_1", (BEN,)), room=DIRECT)
    await say(world, DIRECT, SECRET)
    await say(world, DIRECT, "oh", by=BEN)


async def _be_a_member(world: World) -> None:
    await new_room(world, MEMBER, BEN, ANN, EVE)
    await world.do(SetRole(BEN, ANN, Role.MODERATOR), room=MEMBER)
    said = await say(world, MEMBER, SECRET)
    await world.do(EditMessage(ANN, said, f"{SECRET}!"), room=MEMBER)
    await world.do(React(EVE, said, "👍"), room=MEMBER)
    await world.do(PinMessage(BEN, said), room=MEMBER)
    others = await say(world, MEMBER, "hm", by=EVE)
    await world.do(React(ANN, others, "🎉"), room=MEMBER)
    await world.do(React(BEN, others, "🎉"), room=MEMBER)
    await world.do(DeleteMessage(ANN, await say(world, MEMBER, f"{SECRET}, again")), room=MEMBER)
    await world.do(CreateInvite(ANN, "i_ann"), room=MEMBER)
    await world.do(CreateInvite(BEN, "i_ben"), room=MEMBER)
    await world.do(ReportMessage(ANN, others, SECRET), room=MEMBER)
    await world.do(ReportMessage(BEN, others, "rude"), room=MEMBER)
    await world.do(ScheduleMessage(ANN, "s_ann", virtual_ms() + DAY_MS, SECRET), room=MEMBER)
    await world.do(ScheduleMessage(BEN, "s_ben", virtual_ms() + DAY_MS, "later"), room=MEMBER)
    await world.do(MuteMember(BEN, ANN, reason="loud"), room=MEMBER)


async def _own_rooms(world: World) -> None:
    await new_room(world, OWNED, ANN, EVE, BEN)
    await world.do(SetRole(ANN, BEN, Role.ADMIN), room=OWNED)
    for number in range(POSTS):
        await say(world, OWNED, f"{SECRET} {number}")
    await new_room(world, ALONE, ANN)
    await say(world, ALONE, SECRET)


async def _be_in_rooms_no_more(world: World) -> None:
    await new_room(world, LEFT, BEN, ANN)
    await say(world, LEFT, SECRET)
    await world.do(RemoveMember(BEN, ANN), room=LEFT)
    await new_room(world, BANNED, BEN)
    await world.do(BanMember(BEN, ANN, "spam"), room=BANNED)
    await new_room(world, DELETED, BEN, ANN)
    await say(world, DELETED, SECRET)
    await world.do(DeleteRoom(BEN), room=DELETED)


async def _only_react(world: World) -> None:
    await new_room(world, REACTED, BEN)
    said = await say(world, REACTED, "tea?", by=BEN)
    await world.do(AddMember(BEN, ANN), room=REACTED)
    await world.do(React(ANN, said, "👍"), room=REACTED)


@asynccontextmanager
async def departing(
    journal: SwitchedJournal,
    *,
    fault: Callable[[str, str], None] | None = None,
    settled: list[str] | None = None,
    seconds: float = 60.0,
    linger_seconds: float = 0.0,
) -> AsyncIterator[tuple[World, Departures]]:
    """Open a world over a store in which accounts depart."""

    async def settle(user: str) -> None:
        if settled is not None:
            settled.append(user)

    async with open_world(journal=journal, limits=RoomLimits(idle_seconds=1)) as world:
        around = Surroundings(world.rooms, journal, world.directory, settle, fault)
        departures = Departures(around, seconds=seconds, linger_seconds=linger_seconds)
        departures.start(world.supervisor)
        yield world, departures


def everything(journal: SwitchedJournal) -> bytes:
    """Give all bytes of the store in which a text could stand."""
    store = journal._store
    parts = [entry.body + (entry.digest or b"") for entries in store.entries.values() for entry in entries]
    parts += [message.doc for message in store.messages.values()]
    parts += [item.doc for items in store.items.values() for item in items.values()]
    return b"\n".join(parts)


async def after_a_life() -> SwitchedJournal:
    """Give a store in which somebody has lived."""
    journal = SwitchedJournal()
    await make_accounts(journal)
    async with open_world(journal=journal) as world:
        await live(world)
    return journal


async def members(world: World, room: str) -> dict[str, str]:
    """Give the members of a room and their roles."""
    page = await world.directory.members(room, cursor=None, limit=100)
    return {member.user: str(member.role) for member in page.items}

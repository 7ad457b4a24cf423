"""A room in which everything happens: every type of event, made by the commands that really make it."""

from __future__ import annotations

from justchat.ids import new_id
from justchat.rooms.commands import (
    Accepted,
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    Command,
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
    PostMessage,
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
from justchat.rooms.invites import invite_id
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.wire.events import SYSTEM, SettingsChanges
from tests.http.office import Office

HOUR_MS = 3_600_000


class Room:
    """One room of an office, and what was accepted there."""

    def __init__(self, office: Office) -> None:
        self.id = new_id("r")
        self._handle = office.system.rooms.room(self.id)
        self._journal = office.system.storage.journal
        self.head = 0

    async def do(self, *commands: Command) -> str:
        """Have commands accepted, and give the id of the message that the last one was about."""
        message = ""
        for command in commands:
            answer = await self._handle.post(command)
            assert isinstance(answer, Accepted), (command, answer)
            # What is due by itself may have happened by itself.
            assert answer.changed or command.actor == SYSTEM, command
            self.head, message = answer.seq, answer.message_id or ""
        return message

    async def post(self, actor: str, name: str, **parts: object) -> str:
        """Post a message and give its id."""
        return await self.do(PostMessage(actor, name, f"**{name}**", name.encode(), **parts))  # type: ignore[arg-type]

    async def bodies(self) -> list[bytes]:
        """Read the journal."""
        entries = await self._journal.read(self.id, after=0, upto=self.head, limit=1000)
        return [entry.body for entry in entries]


async def every_event(office: Office) -> list[bytes]:
    """Make a room, have every type of event happen there, and give the bytes that were stored."""
    ann, bob, cat = (office.add_user(name) for name in ("ann", "bob", "cat"))
    room = Room(office)
    await _people(room, office, ann, bob, cat)
    await _messages(room, ann, bob)
    await room.do(ArchiveRoom(ann, archived=True), ArchiveRoom(ann, archived=False), LeaveRoom(bob))
    told = await room.bodies()
    before = room.head
    await room.do(TrimHistory(SYSTEM, 5), DeleteRoom(ann))
    return told + (await room.bodies())[before:]


async def _people(room: Room, office: Office, ann: str, bob: str, cat: str) -> None:
    invite = invite_id(f"{room.id}.secret")
    soon = office.system.wall_ms() + HOUR_MS
    settings = SettingsChanges(slow_mode_seconds=0, retention_days=30, read_only=False)
    await room.do(
        CreateRoom(ann, Kind.GROUP, Visibility.PUBLIC, "Harbour", "Tides", new_id("e")),
        UpdateRoom(ann, name="Port", topic="", visibility=Visibility.PRIVATE, settings=settings),
        UpdateRoom(ann, visibility=Visibility.PUBLIC, settings=SettingsChanges(retention_days=None)),
        JoinRoom(bob),
        AddMember(ann, cat, Role.GUEST),
        SetRole(ann, cat, Role.MODERATOR),
        MuteMember(ann, bob, soon, "too loud"),
        UnmuteMember(ann, bob),
        MuteMember(ann, bob),
        UnmuteMember(ann, bob),
        RemoveMember(ann, cat),
        BanMember(ann, cat, "again"),
        UnbanMember(ann, cat),
        CreateInvite(ann, invite, Role.GUEST, soon, 3),
        JoinRoom(cat, invite),
        RevokeInvite(ann, invite),
        SetPermissions(ann, {Role.GUEST: {"messages.send": False}, Role.MEMBER: {"messages.pin": True}}),
    )


async def _messages(room: Room, ann: str, bob: str) -> None:
    root = await room.post(ann, "root", mentions=(bob,), mentions_all=True)
    reply = await room.post(bob, "reply", reply_to=root, thread_root=root)
    fleeting = await room.post(bob, "fleeting", expires_in=-1)  # over already
    await room.do(
        EditMessage(ann, root, "better", mentions_all=True),
        React(bob, root, "\N{THUMBS UP SIGN}"),
        Unreact(bob, root, "\N{THUMBS UP SIGN}"),
        PinMessage(ann, root),
        UnpinMessage(ann, root),
        DeleteMessage(bob, reply),
        ExpireMessage(SYSTEM, fleeting),
    )
    several = (await room.post(ann, "one", thread_root=root), await room.post(ann, "two"))
    await room.do(BulkDelete(ann, several))

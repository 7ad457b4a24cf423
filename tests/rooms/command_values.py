"""Commands by chance. Users, names and ids are few, so that commands meet: repeats, lost rights, deleted rooms.

Each is made from a number, because what Hypothesis draws piece by piece is far from evenly mixed: it likes to repeat
itself. A digit in the place of a message stands for one of the newest messages that there are before a batch;
`referring` puts the message there, as clients can only know of those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from justchat.rooms.commands import (
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
    EndMembership,
    EraseMessages,
    EraseReaction,
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
    TakeOver,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.kept_commands import DismissReport, KeptCommand, ReportMessage, ScheduleMessage, Unschedule
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.wire.events import SYSTEM, RoomSettings, SettingsChanges
from tests.rooms.scenes import NOW

USERS = ("u_a", "u_b", "u_c", "u_d")
# The names that texts call, folded, and who is meant; `u_e` is never a member.
NAMED = {"anna": "u_a", "ben": "u_b", "eve": "u_e"}
DEVIABLE = ("messages.send", "messages.delete_any", "members.invite", "messages.pin", "mentions.all", "room.view")
SETTINGS = RoomSettings(slow_mode_seconds=5, retention_days=7)


class Chance:
    """One command, or one room, by chance."""

    def __init__(self, random: Random) -> None:
        self.random = random

    @property
    def user(self) -> str:
        """`u_a` creates the rooms, and can do most."""
        return self.random.choice((*[USERS[0]] * 4, *USERS))

    @property
    def other(self) -> str:
        return self.random.choice((*USERS[1:], *USERS))

    @property
    def system(self) -> str:
        return self.random.choice((SYSTEM, SYSTEM, USERS[0]))

    @property
    def role(self) -> Role:
        return self.random.choice((*Role, Role.MEMBER, Role.MODERATOR))

    @property
    def message(self) -> str:
        return self.random.choice("0011234567")

    @property
    def emoji(self) -> str:
        return self.random.choice("👍🎉")

    @property
    def invite(self) -> str:
        return self.random.choice(("i_1", "i_2"))

    @property
    def moment(self) -> int | None:
        """Within the seconds that pass between batches, or never."""
        seconds = self.random.choice((None, -1, 10, 30, 100, 300))
        return None if seconds is None else NOW + seconds * 1000

    def post(self) -> Command:
        body = self.random.choice(("tea", "tea", "tea", "cups"))
        reply_to = self.random.choice((*[None] * 5, self.message))
        root = self.random.choice((None, None, self.message))
        names = tuple(self.random.sample([*NAMED, "nobody"], self.random.choice((0, 0, 1, 2))))
        mentions = self.random.choice(((), (), ("u_b", "u_e")))
        expires_in = self.random.choice((None, None, 1, 20_000))
        digest = f"{body}{reply_to}{root}{names}{mentions}{expires_in}".encode()
        everybody = self.random.random() < 0.2
        key = str(self.random.randint(1, 40))
        return PostMessage(self.user, key, body, digest, reply_to, root, mentions, names, everybody, expires_in)

    def edit(self) -> Command:
        rev = self.random.choice((None, None, 1, 2))
        names = self.random.choice(((), ("anna", "nobody")))
        return EditMessage(self.user, self.message, self.random.choice(("cups", "milk")), rev, names, rev is None)

    def bulk_delete(self) -> Command:
        return BulkDelete(self.user, tuple(self.random.sample("01234", self.random.choice((0, 1, 2, 3)))))

    def update(self) -> Command:
        settings = SettingsChanges(
            slow_mode_seconds=self.random.choice((UNSET, UNSET, 0, 0, 5)),
            retention_days=self.random.choice((UNSET, UNSET, None, 7)),
            history_visibility=self.random.choice((UNSET, UNSET, "shared", "since_join")),
            read_only=self.random.choice((UNSET, UNSET, False, False, True)),
        )
        name, topic = self.random.choice((None, "tea", "cups")), self.random.choice((None, "tea", ""))
        visibility = self.random.choice((None, *Visibility))
        return UpdateRoom(self.user, name, topic, visibility, self.random.choice((None, settings)))

    def permissions(self) -> Command:
        changes: dict[Role, dict[str, bool | None]] = {
            role: {self.random.choice(DEVIABLE): self.random.choice((None, True, False))}
            for role in (self.role, self.role)
        }
        return SetPermissions(self.user, changes)

    def create(self) -> CreateRoom:
        """One of eight is a direct room."""
        if self.random.random() < 0.125:
            return CreateRoom(USERS[0], Kind.DIRECT, Visibility.PRIVATE, "", "", "e_1", ("u_b",))
        kind = self.random.choice((Kind.GROUP, Kind.GROUP, Kind.CHANNEL))
        members = self.random.choice((("u_b", "u_c"), ("u_b",), ()))
        settings = self.random.choice((RoomSettings(), RoomSettings(), SETTINGS))
        visibility = self.random.choice(tuple(Visibility))
        return CreateRoom(USERS[0], kind, visibility, "tea", "", "e_1", members, settings)

    def join(self) -> Command:
        return JoinRoom(self.other, self.random.choice((None, self.invite)))

    def delete_room(self) -> Command:
        return DeleteRoom(self.random.choice((USERS[0], *["u_nobody"] * 9)))

    def command(self) -> Command:
        """Make a command; a room that is used is mostly posted to."""
        (make,) = self.random.choices(list(WEIGHTS), WEIGHTS.values())
        return make(self)

    def schedule(self) -> KeptCommand:
        reply_to = self.random.choice((None, None, self.message))
        root = self.random.choice((None, None, self.message))
        mentions = self.random.choice(((), ("u_b", "u_e")))
        expires_in = self.random.choice((None, None, 20))
        due_at = NOW + self.random.choice((-1, 10, 30, 100, 300)) * 1000
        body = self.random.choice(("later", "later", "soon"))
        return ScheduleMessage(self.user, self.random.choice("xyz"), due_at, body, reply_to, root, mentions, expires_in)

    def kept(self) -> KeptCommand:
        """Make a command that leads to no entry."""
        (make,) = self.random.choices(list(KEPT), KEPT.values())
        return make(self)

    def anything(self) -> Command:
        """Make a command of people or, now and then, of the server."""
        if self.random.random() < 0.85:
            return self.command()
        (make,) = self.random.choices(list(BY_SERVER), BY_SERVER.values())
        return make(self)


WEIGHTS: dict[Callable[[Chance], Command], int] = {
    Chance.post: 16,
    Chance.edit: 6,
    lambda by: DeleteMessage(by.user, by.message): 3,
    Chance.bulk_delete: 2,
    lambda by: React(by.user, by.message, by.emoji): 5,
    lambda by: Unreact(by.user, by.message, by.emoji): 4,
    lambda by: PinMessage(by.user, by.message): 4,
    lambda by: UnpinMessage(by.user, by.message): 2,
    lambda by: ExpireMessage(by.system, by.message): 3,
    lambda by: TrimHistory(by.system, by.random.randint(1, 20)): 1,
    lambda by: AddMember(by.user, by.other, by.role): 4,
    lambda by: AddMember(by.user, by.other): 3,
    lambda by: SetRole(by.user, by.other, by.role): 4,
    lambda by: RemoveMember(by.user, by.other): 2,
    Chance.join: 4,
    lambda by: LeaveRoom(by.other): 1,
    lambda by: BanMember(by.user, by.other, "spam"): 2,
    lambda by: UnbanMember(by.user, by.other): 2,
    lambda by: MuteMember(by.user, by.other, by.moment): 3,
    lambda by: UnmuteMember(by.random.choice((SYSTEM, by.user)), by.other): 3,
    lambda by: CreateInvite(by.user, by.invite, by.role, by.moment, by.random.choice((None, 1, 2))): 3,
    lambda by: RevokeInvite(by.random.choice((SYSTEM, by.user)), by.invite): 2,
    Chance.update: 4,
    lambda by: ArchiveRoom(by.user, by.random.random() < 0.2): 3,
    Chance.permissions: 3,
    Chance.delete_room: 1,
    Chance.create: 1,
}
# What people ask of rooms that is for some eyes only.
KEPT: dict[Callable[[Chance], KeptCommand], int] = {
    Chance.schedule: 6,
    lambda by: Unschedule(by.user, by.random.choice("xyz")): 2,
    lambda by: ReportMessage(by.user, by.message, "rude"): 3,
    lambda by: DismissReport(by.user, by.message, by.random.choice(USERS[:2])): 2,
}
# What the server asks of rooms, besides what people do.
BY_SERVER: dict[Callable[[Chance], Command], int] = {
    lambda by: EndMembership(by.system, by.other, by.random.choice((None, (), USERS[1:])), by.random.random() < 0.5): 4,
    lambda by: TakeOver(by.system, by.other, USERS[3]): 3,
    lambda by: EraseMessages(by.system, by.user, tuple(by.random.sample("01234", 3))): 3,
    lambda by: EraseReaction(by.system, by.user, by.message, by.emoji): 3,
}
seeds = st.integers(0, 2**32 - 1)
created = seeds.map(lambda seed: Chance(Random(seed)).create())
# Any number of commands of one sequence.
sequences = st.builds(
    lambda seed, length: [chance.command() for chance in [Chance(Random(seed))] for _ in range(length)],
    seeds,
    st.integers(1, 30),
)


class Turn(NamedTuple):
    """So many milliseconds later, these commands come to this room together."""

    milliseconds: int
    room: str
    batch: list[Command]


def turns(seed: int, length: int, rooms: Sequence[str]) -> list[Turn]:
    """Make the beginning of some rooms, and so many turns; a shorter sequence of the same seed is a part of it."""
    random = Random(seed)
    chance = Chance(random)
    made = [Turn(0, room, batch) for room in rooms for batch in beginning(chance.create())]
    for _ in range(length):
        batch = [chance.anything() for _ in range(random.randint(1, 8))]
        made.append(Turn(random.choice((0, 1, 3_000, 30_000)), random.choice((rooms[0], *rooms)), batch))
    return made


def beginning(create: CreateRoom) -> list[list[Command]]:
    """Give the batches by which a room begins that is to be talked about: its creation, and a few messages."""
    first, second = create.actor, (*create.members, create.actor)[0]
    said = [PostMessage(user, f"begin {number}", "hello", b"h") for number, user in enumerate([first, second] * 2)]
    thread = replace(said[0], client_msg_id="in thread", thread_root="0")
    return [[create], list(said), [thread, React(second, "1", "🎉"), PinMessage(first, "2")]]


Asked = TypeVar("Asked", Command, Command | KeptCommand)


def referring(command: Asked, newest: Sequence[str]) -> Asked:
    """Put messages in the place of numbers; `newest` comes first."""

    def name(number: str) -> str:
        return newest[int(number) % len(newest)] if newest else "m_unknown"

    match command:
        case PostMessage(reply_to=reply_to, thread_root=root) | ScheduleMessage(reply_to=reply_to, thread_root=root):
            reply_to = None if reply_to is None else name(reply_to)
            return replace(command, reply_to=reply_to, thread_root=None if root is None else name(root))
        case BulkDelete(messages=numbers) | EraseMessages(messages=numbers):
            return replace(command, messages=tuple(map(name, numbers)))
        case _:
            number = getattr(command, "message", None)
            return command if number is None else replace(command, message=name(number))


def numbered(start: int = 0) -> Callable[[str], str]:
    """Give ids m_1, m_2 and so on, one per command."""
    given = count(start + 1)
    return lambda prefix: f"{prefix}_{next(given)}"

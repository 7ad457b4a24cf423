"""Every frame x everybody: what each caller is answered over the socket, from one table; no frame is without a row."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from justchat.accounts.identity import Identity, Scope, ServerRole
from justchat.rooms.commands import BanMember, LeaveRoom, MuteMember, PinMessage, React, SetRole
from justchat.rooms.permissions import Role, Visibility
from justchat.wire.frames import ClientFrame, CommandFrame
from tests.connections.house import House, open_house, settle
from tests.rooms.world import OWNER, ROOM, message
from tests.support.signing_in import somebody

THUMB = "👍"
# The answers in a private room, and in the last three columns those to the outsiders of a public one. The word after a
# frame says whose message it is about; one's own, for whoever has said something.
TABLE = """
                    owner   admin   moder.  member  guest   muted   banned  gone    strange ban/pub gone/p  str/p
hello       -       bad     bad     bad     bad     bad     bad     bad     bad     bad     bad     bad     bad
subscribe   -       sub     sub     sub     sub     sub     sub     outside outside outside outside sub     sub
unsubscribe -       unsub   unsub   unsub   unsub   unsub   unsub   unsub   unsub   unsub   unsub   unsub   unsub
fetch       -       page    page    page    page    page    page    outside outside outside outside page    page
read        -       ack     ack     ack     ack     ack     ack     outside outside outside outside outside outside
refresh     -       old     old     old     old     old     old     old     old     old     old     old     old
ping        -       pong    pong    pong    pong    pong    pong    pong    pong    pong    pong    pong    pong
send        -       ack     ack     ack     ack     no      muted   outside outside outside banned  outside outside
edit        own     ack     ack     ack     ack     no      muted   outside outside outside banned  outside outside
edit        others  no      no      no      no      no      muted   outside outside outside banned  outside outside
delete      own     ack     ack     ack     ack     no      ack     outside outside outside banned  outside outside
delete      others  ack     ack     ack     no      no      no      outside outside outside banned  outside outside
react       others  ack     ack     ack     ack     no      muted   outside outside outside banned  outside outside
unreact     pinned  ack     ack     ack     ack     ack     ack     outside outside outside banned  ack     ack
pin         own     ack     ack     ack     no      no      muted   outside outside outside banned  outside outside
unpin       pinned  ack     ack     ack     no      no      muted   outside outside outside banned  outside outside
"""
# What the table says shortly.
WORDS = {
    "no": "forbidden",
    "outside": "not_a_member",
    "bad": "invalid_frame",
    "old": "unauthenticated",
    "sub": "subscribed",
    "unsub": "unsubscribed",
}
PEOPLE = ("owner", "admin", "moderator", "member", "guest", "muted", "banned", "gone", "stranger")
OUTSIDERS = ("banned", "gone", "stranger")
COLUMNS = (*PEOPLE, *(f"{name}/public" for name in OUTSIDERS))
IDS = {name: f"u_{name}" for name in PEOPLE}


def table() -> dict[tuple[str, str], dict[str, str]]:
    """Read the table as (frame, whose) -> caller -> answer."""
    rows = {}
    for line in TABLE.strip().splitlines()[1:]:
        frame, whose, *cells = line.split()
        rows[frame, whose] = {name: WORDS.get(cell, cell) for name, cell in zip(COLUMNS, cells, strict=True)}
    return rows


async def furnish(house: House, visibility: Visibility) -> dict[str, str]:
    """Make a room in which everybody but the stranger has spoken, and stands as they are named; give what they said."""
    inside = [IDS[name] for name in PEOPLE[1:-1]]
    await house.create(*inside, visibility=visibility)
    said: dict[str, str] = {}
    for name in PEOPLE[:-1]:
        said[name] = (await house.command(message(name, actor=IDS[name]))).message_id or ""
    for name in PEOPLE[:-1]:
        await house.command(React(IDS[name], said["member"], THUMB))
    await house.command(PinMessage(OWNER, said["member"]))
    for role in (Role.ADMIN, Role.MODERATOR, Role.GUEST):
        await house.command(SetRole(OWNER, IDS[role.value], role))
    await house.command(MuteMember(OWNER, IDS["muted"]))
    await house.command(BanMember(OWNER, IDS["banned"]))
    await house.command(LeaveRoom(IDS["gone"]))
    return said


def data_of(frame: str, target: str) -> dict[str, Any] | None:
    match frame:
        case "send":
            return {"client_msg_id": "new", "body": "hello"}
        case "edit":
            return {"message": target, "body": "other words"}
        case "react" | "unreact":
            return {"message": target, "emoji": THUMB if frame == "unreact" else "🎉"}
        case "read":
            return {"seq": 3}
        case "refresh":
            return {"token": "one that nobody made"}
        case "delete" | "pin" | "unpin":
            return {"message": target}
        case _:
            return None


async def answer(frame: str, whose: str, caller: str) -> str:
    """Send a frame as somebody, and say the answer: its type, or the code of the error."""
    name, _, public = caller.partition("/")
    async with open_house() as house:
        said = await furnish(house, Visibility.PUBLIC if public else Visibility.PRIVATE)
        other = said["member" if name != "member" else "admin"] if whose == "others" else said.get(name, said["owner"])
        _, socket = house.connect(IDS[name])
        data = data_of(frame, said["member"] if whose == "pinned" else other)
        frame_id = socket.say(frame, room=None if frame in {"hello", "refresh", "ping"} else ROOM, data=data)
        await settle()
        (found,) = socket.answers(frame_id)
        return str(found["data"]["code"]) if found["type"] == "error" else str(found["type"])


def test_every_frame_has_its_row() -> None:
    """A new frame must come with a word on who may send it."""
    assert {frame for frame, _ in table()} == {kind.__struct_config__.tag for kind in get_args(ClientFrame)}


async def answers_by(identity: Identity) -> dict[str, str]:
    """Send every frame by this right, in a public room of one's own; give the answers as in the table."""
    found = {}
    async with open_house() as house:
        await house.create(visibility=Visibility.PUBLIC)
        for kind in get_args(ClientFrame):
            frame = kind.__struct_config__.tag
            said = (await house.command(message(f"for {frame}"))).message_id or ""
            _, socket = house.connect(identity=identity)
            room = None if frame in {"hello", "refresh", "ping"} else ROOM
            frame_id = socket.say(frame, room=room, data=data_of(frame, said))
            await settle()
            (answer,) = socket.answers(frame_id)
            found[frame] = str(answer["data"]["code"] if answer["type"] == "error" else answer["type"])
            socket.leave()
    return found


# What needs the right to write: read markers are nobody's business but their owner's, and are kept all the same.
COMMANDS = {"read", *(kind.__struct_config__.tag for kind in get_args(CommandFrame))}
# These are about the connection itself, whoever it is.
OWN = {"hello": "invalid_frame", "refresh": "unauthenticated", "ping": "pong"}
LOOKS = {"subscribe": "subscribed", "unsubscribe": "unsubscribed", "fetch": "page"}


async def test_a_guest_of_the_server_changes_nothing_by_any_frame(autojump_clock: object) -> None:
    """Not even where they are the room's owner; looking is all there is."""
    answers = await answers_by(somebody(OWNER, role=ServerRole.GUEST))
    assert answers == {**OWN, **LOOKS, **dict.fromkeys(COMMANDS, "forbidden")}


@pytest.mark.parametrize("scope", Scope)
async def test_a_program_sends_what_its_scope_names_and_nothing_else(autojump_clock: object, scope: Scope) -> None:
    """Every frame that is about a room needs one scope or the other."""
    identity = Identity(somebody(OWNER).user, credential="k_1", scopes=frozenset({scope.value}))
    reads, writes = scope is Scope.MESSAGES_READ, scope is Scope.MESSAGES_WRITE
    assert await answers_by(identity) == {
        **OWN,
        **{frame: answer if reads else "forbidden" for frame, answer in LOOKS.items()},
        **dict.fromkeys(COMMANDS, "ack" if writes else "forbidden"),
    }


@pytest.mark.parametrize("row", table(), ids="-".join)
async def test_everybody_is_answered_as_the_table_says(row: tuple[str, str], autojump_clock: object) -> None:
    """A stranger to a private room hears the same of it as of one that is not there."""
    answers = {caller: await answer(*row, caller) for caller in COLUMNS}
    assert answers == table()[row]

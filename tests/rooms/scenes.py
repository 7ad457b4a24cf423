"""A room to decide things in: one user per role, one actor whose role is up to the test, and a few messages at hand.

The state is put together by hand, not by the rules under test.
"""

from __future__ import annotations

from immutables import Map

from justchat.rooms.commands import Command, PostMessage
from justchat.rooms.decide import Context, Decision, decide
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.state import RoomState, Stamp, evolve, remember
from justchat.wire.errors import Refusal
from justchat.wire.events import Event, Message, MessageCreated, RoomSettings
from storage.records import MemberRecord, Sent

ROOM = "r_1"
NOW = 1_769_851_800_123
ACTOR = "u_actor"
NOBODY = "u_nobody"
# role -> the user who has it, besides the actor.
USERS = {role: f"u_{role.value}" for role in Role}
# What the actor posted before, as (client_msg_id, digest).
POSTED = ("posted", b"digest")
CONTEXT = Context(ROOM, NOW, "m_new")


def message(name: str, author: str, *, deleted: bool = False) -> Message:
    """Make a message that was posted earlier."""
    body = "" if deleted else "words"
    return Message(name, ROOM, 2, 1, 1 + deleted, author, body, "2026-01-31T09:30:00.123Z", "c", deleted=deleted)


def room(
    role: Role | None = None,
    *,
    kind: Kind = Kind.GROUP,
    visibility: Visibility = Visibility.PRIVATE,
    others: bool = True,
    deleted_at: int | None = None,
) -> RoomState:
    """Make a room at seq 10, in which the actor has this role (None: is no member)."""
    roles = {user: role for role, user in USERS.items()} if others else {}
    if role is not None:
        roles[ACTOR] = role
    messages = [
        message("m_own", ACTOR),
        message("m_other", USERS[Role.MEMBER]),
        message("m_own_gone", ACTOR, deleted=True),
        message("m_other_gone", USERS[Role.MEMBER], deleted=True),
    ]
    return RoomState(
        id=ROOM,
        kind=kind,
        visibility=visibility,
        name="Tea",
        topic="Cups",
        created_by=USERS[Role.OWNER],
        created_at=1_000,
        epoch="e_1",
        settings=RoomSettings(),
        head_seq=10,
        last_msg_no=5,
        members=Map({user: MemberRecord(ROOM, user, had.value, 1, 1_000) for user, had in roles.items()}),
        deleted_at=deleted_at,
        sent=Map({(ACTOR, POSTED[0]): Sent(ACTOR, POSTED[0], 2, 1, "m_own", POSTED[1])}),
        loaded=Map({each.id: each for each in messages}),
    )


def after(state: RoomState, command: Command, event: Event) -> RoomState:
    """Give the room after an event that the actor's command led to, with a post remembered as a batch does."""
    state = evolve(state, event, Stamp(ROOM, state.head_seq + 1, NOW, command.actor))
    if isinstance(event, MessageCreated) and isinstance(command, PostMessage):
        new = event.message
        state = remember(
            state, [Sent(command.actor, command.client_msg_id, new.seq, new.msg_no, new.id, command.digest)]
        )
    return state


def outcome(state: RoomState | None, command: Command) -> str:
    """Decide, and say the outcome in one word: `yes`, `unchanged`, `repeat`, or the code of the refusal."""
    return word(decide(state, command, CONTEXT))


def word(decision: Decision) -> str:
    """Say a decision in one word."""
    if isinstance(decision, Refusal):
        return decision.code.value
    return "yes" if isinstance(decision, Event) else type(decision).__name__.lower()

"""A room to decide things in: one user per role, one actor whose role is up to the test, and a few messages at hand.

The state is put together by hand, not by the rules under test.
"""

from __future__ import annotations

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command, PostMessage
from justchat.rooms.decide import Context, Decision, decide
from justchat.rooms.evolve import evolve
from justchat.rooms.items import Ban, Invite, Mute, Pin, reaction_key
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.state import Held, RoomState, Stamp, remember
from justchat.wire.errors import Refusal
from justchat.wire.events import Event, Message, MessageCreated, Overrides, ReactionCount, RoomSettings
from storage.records import MemberRecord, Sent

ROOM = "r_1"
NOW = 1_769_851_800_123
AT = "2026-01-31T09:30:00.123Z"
ACTOR = "u_actor"
NOBODY = "u_nobody"
BANNED = "u_banned"
MUTED = "u_muted"
THUMB = "👍"
# role -> the user who has it, besides the actor.
USERS = {role: f"u_{role.value}" for role in Role}
# What the actor posted before, as (client_msg_id, digest).
POSTED = ("posted", b"digest")
# The names that texts may call, folded, and who is meant.
NAMED = {"member": USERS[Role.MEMBER], "guest": USERS[Role.GUEST], "nobody": NOBODY}
CONTEXT = Context(ROOM, NOW, "m_new", NAMED)
# message -> its seq; its number is one less.
SEQS = {"m_own": 2, "m_other": 3, "m_own_gone": 4, "m_other_gone": 5, "m_reply": 6, "m_pinned": 7}


def message(name: str, author: str = ACTOR, *, deleted: bool = False) -> Message:
    """Make a message that was posted earlier."""
    body, seq = "" if deleted else "words", SEQS.get(name, 2)
    return Message(name, ROOM, seq, seq - 1, 1 + deleted, author, body, AT, "c", deleted=deleted)


def messages() -> list[Message]:
    """Make all messages of the scene: to `m_other` there is one reply, and the actor has reacted to it."""
    other = USERS[Role.MEMBER]
    plain = message("m_other", other)
    reply = message("m_reply", other)
    return [
        message("m_own"),
        replace(plain, reply_count=1, reactions=(ReactionCount(THUMB, 1),)),
        message("m_own_gone", deleted=True),
        message("m_other_gone", other, deleted=True),
        replace(reply, thread_root="m_other"),
        message("m_pinned", other),
    ]


def room(
    role: Role | None = None,
    *,
    kind: Kind = Kind.GROUP,
    visibility: Visibility = Visibility.PRIVATE,
    others: bool = True,
    deleted_at: int | None = None,
    settings: RoomSettings | None = None,
    overrides: Overrides | None = None,
    muted: bool = False,
    banned: bool = False,
) -> RoomState:
    """Make a room at seq 10, in which the actor has this role (None: is no member)."""
    roles = {user: role for role, user in USERS.items()} | {MUTED: Role.MEMBER} if others else {}
    if role is not None:
        roles[ACTOR] = role
    return RoomState(
        id=ROOM,
        kind=kind,
        visibility=visibility,
        name="Tea",
        topic="Cups",
        created_by=USERS[Role.OWNER],
        created_at=1_000,
        epoch="e_1",
        settings=settings or RoomSettings(),
        head_seq=10,
        last_msg_no=6,
        members=Map({user: MemberRecord(ROOM, user, had.value, 1, 1_000) for user, had in roles.items()}),
        deleted_at=deleted_at,
        overrides=overrides or {},
        held=held(kind, muted=[ACTOR] if muted else [], banned=[ACTOR] if banned else []),
        sent=Map({(ACTOR, POSTED[0]): Sent(ACTOR, POSTED[0], 2, 1, "m_own", POSTED[1])}),
        loaded=Map({each.id: each for each in messages()}),
        reacted=Map({reaction_key("m_other", THUMB, ACTOR): True}),
    )


def held(kind: Kind, *, muted: list[str], banned: list[str]) -> Held:
    """Make what a room keeps: somebody is banned, somebody muted, one invite is open, one message pinned."""
    pins = Map({"m_pinned": Pin("m_pinned", SEQS["m_pinned"], USERS[Role.ADMIN], 1_000)})
    if kind is Kind.DIRECT:
        return Held(pins=pins)
    admin = USERS[Role.ADMIN]
    return Held(
        bans=Map({user: Ban(user, admin, 1_000) for user in [BANNED, *banned]}),
        mutes=Map({user: Mute(user, admin, 1_000) for user in [MUTED, *muted]}),
        invites=Map({"i_open": Invite("i_open", admin, 1_000, "member")}),
        pins=pins,
    )


def after(state: RoomState | None, command: Command, event: Decision) -> RoomState:
    """Give the room after an event that the actor's command led to, with a post remembered as a batch does."""
    assert isinstance(event, Event), event
    seq = 1 if state is None else state.head_seq + 1
    state = evolve(state, event, Stamp(ROOM, seq, NOW, command.actor))
    if isinstance(event, MessageCreated) and isinstance(command, PostMessage):
        new = event.message
        state = remember(
            state, [Sent(command.actor, command.client_msg_id, new.seq, new.msg_no, new.id, command.digest)]
        )
    return state


def outcome(state: RoomState | None, command: Command, context: Context = CONTEXT) -> str:
    """Decide, and say the outcome in one word: `yes`, `unchanged`, `repeat`, or the code of the refusal."""
    return word(decide(state, command, context))


def word(decision: Decision) -> str:
    """Say a decision in one word."""
    if isinstance(decision, Refusal):
        return decision.code.value
    return "yes" if isinstance(decision, Event) else type(decision).__name__.lower()

"""The life of a message: posting, editing, deleting, reactions and pins."""

from __future__ import annotations

from typing import Final

from justchat.rooms.commands import (
    NO_SUCH_MESSAGE,
    BulkDelete,
    DeleteMessage,
    EditMessage,
    ExpireMessage,
    PinMessage,
    PostMessage,
    React,
    TrimHistory,
    UnpinMessage,
    Unreact,
    users_called,
)
from justchat.rooms.items import reaction_key
from justchat.rooms.permissions import Permission
from justchat.rooms.rules.decision import ARCHIVED, Context, Decision, Repeat, Unchanged, may, seen
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import (
    SYSTEM,
    HistoryTrimmed,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionRemoved,
)
from justchat.wire.times import epoch_ms, rfc3339
from storage.records import Sent

EMOJI_MAX: Final = 20
PINS_MAX: Final = 100

_MISMATCH = Refusal(
    ErrorCode.IDEMPOTENCY_MISMATCH, "this client_msg_id was used for another message; use a new one for a new message"
)
_DELETED = Refusal(ErrorCode.CONFLICT, "the message is deleted")
_EDITED = Refusal(ErrorCode.PRECONDITION_FAILED, "the message was edited meanwhile; read it again first")
_NOT_YOURS = Refusal(ErrorCode.FORBIDDEN, "only its author edits a message")
_TOO_MANY_EMOJI = Refusal(ErrorCode.CONFLICT, f"a message has at most {EMOJI_MAX} different emoji")
_TOO_MANY_PINS = Refusal(ErrorCode.CONFLICT, f"a room has at most {PINS_MAX} pinned messages; unpin some first")


def repeat(sent: Sent, command: PostMessage) -> Decision:
    """Report what happened when this was sent first. It does nothing new, so no right is asked for."""
    return Repeat(sent) if sent.digest == command.digest else _MISMATCH


def post(state: RoomState, command: PostMessage, context: Context) -> Decision:
    """Post, in a thread or not."""
    refusal = may(state, command.actor, Permission.MESSAGES_SEND) or _slow_mode(state, command.actor, context)
    if refusal:
        return refusal
    if command.reply_to is not None and isinstance(found := seen(state, command.reply_to, command.actor), Refusal):
        return found
    root = command.thread_root
    if root is not None:
        found = seen(state, root, command.actor)
        if isinstance(found, Refusal):
            return found
        # A reply to a reply stays in the thread: threads do not nest.
        root = found.thread_root or root
    expires_at = None if command.expires_in is None else rfc3339(context.now + command.expires_in)
    return MessageCreated(
        Message(
            id=context.message_id,
            room=context.room,
            seq=state.head_seq + 1,
            msg_no=state.last_msg_no + 1,
            rev=1,
            author=command.actor,
            body=command.body,
            created_at=rfc3339(context.now),
            client_msg_id=command.client_msg_id,
            reply_to=command.reply_to,
            thread_root=root,
            mentions=_mentioned(state, command, context),
            mentions_all=_may_mention_all(state, command),
            expires_at=expires_at,
        )
    )


def _slow_mode(state: RoomState, actor: str, context: Context) -> Refusal | None:
    seconds = state.settings.slow_mode_seconds
    last = state.held.spoke.get(actor) if seconds else None
    if last is None or Permission.SLOW_MODE_BYPASS in state.allowed(actor):
        return None
    wait_ms = last.at + seconds * 1000 - context.now
    if wait_ms <= 0:
        return None
    return Refusal(ErrorCode.SLOW_MODE, f"one message every {seconds} s", (), wait_ms / 1000)


def _mentioned(state: RoomState, command: PostMessage | EditMessage, context: Context) -> tuple[str, ...]:
    """Nobody is called who cannot come, or does not want to hear of the author."""
    deaf = context.deaf.get(command.actor, ())
    called = users_called(command, context.named)
    return tuple(user for user in called if user in state.members and user not in deaf)


def _may_mention_all(state: RoomState, command: PostMessage | EditMessage) -> bool:
    return command.mentions_all and Permission.MENTIONS_ALL in state.allowed(command.actor)


def edit(state: RoomState, command: EditMessage, context: Context) -> Decision:
    """Change one's own text."""
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    if message.author != command.actor:
        return may(state, command.actor, Permission.MESSAGES_SEND) or _NOT_YOURS
    refusal = may(state, command.actor, Permission.MESSAGES_EDIT_OWN)
    if refusal:
        return refusal
    if message.deleted:
        return _DELETED
    if message.body == command.body:
        return Unchanged()
    if command.rev is not None and command.rev != message.rev:
        return _EDITED
    return MessageUpdated(
        id=message.id,
        message_seq=message.seq,
        msg_no=message.msg_no,
        rev=message.rev + 1,
        body=command.body,
        edited_at=rfc3339(context.now),
        mentions=_mentioned(state, command, context),
        mentions_all=_may_mention_all(state, command),
    )


def _may_delete(state: RoomState, message: Message, actor: str) -> Refusal | None:
    own = message.author == actor
    return may(state, actor, Permission.MESSAGES_DELETE_OWN if own else Permission.MESSAGES_DELETE_ANY)


def delete(state: RoomState, command: DeleteMessage) -> Decision:
    """Turn one message into a tombstone."""
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    refusal = _may_delete(state, message, command.actor)
    if refusal:
        return refusal
    if message.deleted:
        return Unchanged()
    author = None if message.author == command.actor else message.author
    return MessageDeleted(message.id, message.seq, message.msg_no, message.thread_root, author)


def bulk_delete(state: RoomState, command: BulkDelete) -> Decision:
    """Turn several messages into tombstones: all of them, or none."""
    gone: list[MessageGone] = []
    for message_id in dict.fromkeys(command.messages):
        message = seen(state, message_id, command.actor)
        if isinstance(message, Refusal):
            return message
        refusal = _may_delete(state, message, command.actor)
        if refusal:
            return refusal
        if not message.deleted:
            gone.append(MessageGone(message.id, message.seq, message.msg_no, message.thread_root))
    return MessagesBulkDeleted(tuple(gone)) if gone else Unchanged()


def expire(state: RoomState, command: ExpireMessage, context: Context) -> Decision:
    """Turn a message into a tombstone once its time is over."""
    message = state.loaded.get(command.message)
    if command.actor != SYSTEM or message is None:
        return NO_SUCH_MESSAGE
    if message.deleted or message.expires_at is None or epoch_ms(message.expires_at) > context.now:
        return Unchanged()
    return MessageExpired(message.id, message.seq, message.msg_no, message.thread_root)


def react(state: RoomState, command: React) -> Decision:
    """React once with each emoji."""
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    refusal = may(state, command.actor, Permission.REACTIONS_ADD)
    if refusal:
        return refusal
    if message.deleted:
        return _DELETED
    if state.reacted.get(reaction_key(message.id, command.emoji, command.actor), False):
        return Unchanged()
    present = {reaction.emoji for reaction in message.reactions}
    if command.emoji not in present and len(present) >= EMOJI_MAX:
        return _TOO_MANY_EMOJI
    return ReactionAdded(message.id, message.seq, command.actor, command.emoji)


def unreact(state: RoomState, command: Unreact) -> Decision:
    """Take back what one said: no right is needed for that, but a room that is laid up stays as it is."""
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    if message.deleted or not state.reacted.get(reaction_key(message.id, command.emoji, command.actor), False):
        return Unchanged()
    if state.settings.archived:
        return ARCHIVED
    return ReactionRemoved(message.id, message.seq, command.actor, command.emoji)


def pin(state: RoomState, command: PinMessage) -> Decision:
    """Pin a message."""
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    refusal = may(state, command.actor, Permission.MESSAGES_PIN)
    if refusal:
        return refusal
    if message.deleted:
        return _DELETED
    if message.id in state.held.pins:
        return Unchanged()
    return _TOO_MANY_PINS if len(state.held.pins) >= PINS_MAX else PinAdded(message.id, message.seq)


def unpin(state: RoomState, command: UnpinMessage) -> Decision:
    """Pin a message no longer."""
    refusal = may(state, command.actor, Permission.MESSAGES_PIN)
    if refusal:
        return refusal
    found = state.held.pins.get(command.message)
    return Unchanged() if found is None else PinRemoved(found.message, found.message_seq)


def trim(state: RoomState, command: TrimHistory) -> Decision:
    """Forget old history."""
    if command.actor != SYSTEM:
        return Refusal(ErrorCode.FORBIDDEN, "history is trimmed by the room's retention_days alone")
    upto = min(command.upto, state.head_seq)
    return HistoryTrimmed(upto) if upto > state.held.floor_seq else Unchanged()

"""What an event does to messages that were posted before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from justchat.wire.events import (
    Event,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    ReactionAdded,
    ReactionCount,
    ReactionRemoved,
)


def messages_touched(event: Event) -> dict[str, int]:
    """Name the messages, posted earlier, that an event is about, with the seqs at which they were posted."""
    match event:
        case (
            MessageUpdated(id=message, message_seq=seq)
            | ReactionAdded(message=message, message_seq=seq)
            | ReactionRemoved(message=message, message_seq=seq)
        ):
            return {message: seq}
        case _:
            return {gone.id: gone.message_seq for gone in messages_gone(event)}


def threads_touched(event: Event) -> tuple[str, ...]:
    """Name the messages whose threads grow or shrink with an event; they may be trimmed by then."""
    match event:
        case MessageCreated(message=Message(thread_root=str(root))):
            return (root,)
        case _:
            return tuple(gone.thread_root for gone in messages_gone(event) if gone.thread_root is not None)


def messages_gone(event: Event) -> tuple[MessageGone, ...]:
    """Name the messages that an event turns into tombstones."""
    match event:
        case MessageDeleted() | MessageExpired():
            return (event,)
        case MessagesBulkDeleted(messages=messages):
            return messages
        case _:
            return ()


def changed_messages(known: Mapping[str, Message], event: Event) -> dict[str, Message]:
    """Give the messages that an event changes as they read after it, as far as they are known."""
    changed: dict[str, Message] = {}

    def of(message: str | None) -> Message | None:
        return None if message is None else changed.get(message) or known.get(message)

    match event:
        case MessageCreated(message=reply) if (root := of(reply.thread_root)) is not None:
            changed[root.id] = replace(root, reply_count=root.reply_count + 1)
        case MessageUpdated() if (message := of(event.id)) is not None:
            changed[message.id] = _edited(message, event)
        case ReactionAdded() if (message := of(event.message)) is not None:
            changed[message.id] = _counted(message, event.emoji, 1)
        case ReactionRemoved() if (message := of(event.message)) is not None:
            changed[message.id] = _counted(message, event.emoji, -1)
        case _:
            for gone in messages_gone(event):
                if (message := of(gone.id)) is not None:
                    changed[message.id] = tombstone(message)
                if (root := of(gone.thread_root)) is not None:
                    changed[root.id] = replace(root, reply_count=max(root.reply_count - 1, 0))
    return changed


def tombstone(message: Message) -> Message:
    """Give the message as it reads once deleted: its place and its thread stay, its content goes."""
    if message.deleted:
        return message
    return replace(
        message,
        body="",
        deleted=True,
        rev=message.rev + 1,
        mentions=(),
        mentions_all=False,
        reactions=(),
        expires_at=None,
    )


def _edited(message: Message, event: MessageUpdated) -> Message:
    return replace(
        message,
        body=event.body,
        rev=event.rev,
        edited_at=event.edited_at,
        mentions=event.mentions,
        mentions_all=event.mentions_all,
    )


def _counted(message: Message, emoji: str, by: int) -> Message:
    """Emoji stand in the order in which they came to be there."""
    counts = {reaction.emoji: reaction.count for reaction in message.reactions}
    counts[emoji] = counts.get(emoji, 0) + by
    return replace(message, reactions=tuple(ReactionCount(name, count) for name, count in counts.items() if count > 0))

"""What a client's frame asks of a room, and what the room's answer reads like as a frame. Pure.

Every rule that needs no room is applied here, with pointers into the frame; the room decides the rest.
"""

from __future__ import annotations

from justchat.rooms.commands import (
    NO_SUCH_ROOM,
    NOT_A_MEMBER,
    Accepted,
    Answer,
    DeleteMessage,
    EditMessage,
    MessageCommand,
    PinMessage,
    PostMessage,
    UnpinMessage,
)
from justchat.rooms.commands import React as AddReaction
from justchat.rooms.commands import Unreact as RemoveReaction
from justchat.rooms.posts import Content, edit, post
from justchat.wire import server_frames
from justchat.wire.emoji import emoji_problem
from justchat.wire.errors import Refusal
from justchat.wire.frames import CommandFrame, Delete, Edit, Pin, React, Send, Unpin, Unreact

_EMOJI = "/data/emoji"


def command_of(frame: CommandFrame, user: str, *, max_characters: int) -> MessageCommand | Refusal:
    """Read a frame of `user`'s as a command. `max_characters` bounds the text of a message."""
    match frame:
        case Send():
            return _post(frame, user, max_characters)
        case Edit():
            return _edit(frame, user, max_characters)
        case Delete(data=data):
            return DeleteMessage(user, data.message)
        case React(data=data):
            return emoji_problem(data.emoji, pointer=_EMOJI) or AddReaction(user, data.message, data.emoji)
        case Unreact(data=data):
            return emoji_problem(data.emoji, pointer=_EMOJI) or RemoveReaction(user, data.message, data.emoji)
        case Pin(data=data):
            return PinMessage(user, data.message)
        case Unpin(data=data):
            return UnpinMessage(user, data.message)


def _post(frame: Send, user: str, max_characters: int) -> PostMessage | Refusal:
    data = frame.data
    return post(
        user,
        client_msg_id=data.client_msg_id,
        body=data.body,
        content=Content(data.reply_to, data.thread_root, data.mentions, data.expires_in),
        max_characters=max_characters,
        pointer="/data",
    )


def _edit(frame: Edit, user: str, max_characters: int) -> EditMessage | Refusal:
    data = frame.data
    return edit(user, data.message, body=data.body, rev=data.rev, max_characters=max_characters, pointer="/data")


def answer_to(frame: CommandFrame, answer: Answer) -> bytes:
    """Make the frame that tells a client what became of its command."""
    if isinstance(answer, Refusal):
        # A stranger hears the same of a room that exists and of one that does not.
        shown = NOT_A_MEMBER if answer is NO_SUCH_ROOM else answer
        return server_frames.error(shown, frame_id=frame.id, room=frame.room)
    return server_frames.ack(frame.room, frame_id=frame.id, seq=answer.seq, data=_ack_data(frame, answer))


def _ack_data(frame: CommandFrame, answer: Accepted) -> server_frames.AckData:
    return server_frames.AckData(
        queued_ms=round(answer.queued_seconds * 1000, 3),
        commit_ms=round(answer.commit_seconds * 1000, 3),
        duplicate=answer.duplicate,
        changed=answer.changed,
        msg_no=answer.msg_no,
        message_id=answer.message_id,
        client_msg_id=frame.data.client_msg_id if isinstance(frame, Send) else None,
    )

"""What a message may be, checked once at the edge for REST and WebSocket alike, and the fingerprint of its content."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from justchat.rooms.commands import EditMessage, PostMessage
from justchat.rooms.mentions import MENTIONS_MAX, mentions_in
from justchat.rooms.project import SCHEDULED_PREFIX
from justchat.wire.errors import Refusal, invalid

EXPIRES_IN_MAX_SECONDS: Final = 365 * 86_400

# Enough to tell any two posts of one sender apart; an attacker could only fool their own retries.
_DIGEST_BYTES = 16


class Content(Struct, frozen=True, omit_defaults=True):
    """What a sender says besides the text. `expires_in` is seconds."""

    reply_to: str | None = None
    thread_root: str | None = None
    mentions: tuple[str, ...] = ()
    expires_in: int | None = None


def post(
    actor: str, *, client_msg_id: str, body: str, content: Content, max_characters: int, pointer: str = ""
) -> PostMessage | Refusal:
    """Make the command of a post, or refuse its body. `pointer` says where the body's object lies in the request."""
    if client_msg_id.startswith(SCHEDULED_PREFIX):
        return invalid(f"{pointer}/client_msg_id", f"{SCHEDULED_PREFIX!r} is the server's own", code="reserved")
    if len(content.mentions) > MENTIONS_MAX:
        return invalid(f"{pointer}/mentions", f"a message mentions at most {MENTIONS_MAX} users", code="too_long")
    if content.expires_in is not None and not 1 <= content.expires_in <= EXPIRES_IN_MAX_SECONDS:
        detail = f"a message expires in 1 to {EXPIRES_IN_MAX_SECONDS} seconds"
        return invalid(f"{pointer}/expires_in", detail, code="out_of_range")
    problem = body_problem(body, max_characters=max_characters, pointer=pointer)
    return problem or post_command(actor, client_msg_id=client_msg_id, body=body, content=content)


def post_command(actor: str, *, client_msg_id: str, body: str, content: Content) -> PostMessage:
    """Make the command of a post whose parts are valid."""
    mentions = mentions_in(body)
    return PostMessage(
        actor,
        client_msg_id,
        body,
        _digest(body, content),
        reply_to=content.reply_to,
        thread_root=content.thread_root,
        mentions=content.mentions,
        names=mentions.name_keys[: MENTIONS_MAX - len(content.mentions)],
        mentions_all=mentions.everybody,
        expires_in=None if content.expires_in is None else content.expires_in * 1000,
    )


def edit(
    actor: str, message: str, *, body: str, rev: int | None, max_characters: int, pointer: str = ""
) -> EditMessage | Refusal:
    """Make the command of an edit, or refuse its body."""
    problem = body_problem(body, max_characters=max_characters, pointer=pointer)
    if problem is not None:
        return problem
    mentions = mentions_in(body)
    return EditMessage(actor, message, body, rev, names=mentions.name_keys, mentions_all=mentions.everybody)


def body_problem(body: str, *, max_characters: int, pointer: str = "") -> Refusal | None:
    """Refuse a text that no message may have. `pointer` says where the body's object lies in the request."""
    if len(body) > max_characters:
        return invalid(f"{pointer}/body", f"a message has at most {max_characters} characters", code="too_long")
    if not body.strip():
        return invalid(f"{pointer}/body", "a message needs some text", code="blank")
    return None


def _digest(body: str, content: Content) -> bytes:
    text = f"{content.reply_to or ''}\0{body}".encode()
    plain = content.thread_root is None and not content.mentions and content.expires_in is None
    return blake2b(text if plain else text + b"\0" + msgspec.json.encode(content), digest_size=_DIGEST_BYTES).digest()

"""What a message may be, checked once at the edge for REST and WebSocket alike, and the fingerprint of its content."""

from __future__ import annotations

from hashlib import blake2b

from justchat.rooms.commands import PostMessage
from justchat.wire.errors import Refusal, invalid

# Enough to tell any two posts of one sender apart; an attacker could only fool their own retries.
_DIGEST_BYTES = 16


def post(
    actor: str, *, client_msg_id: str, body: str, reply_to: str | None, max_characters: int, pointer: str = ""
) -> PostMessage | Refusal:
    """Make the command of a post, or refuse its body. `pointer` says where the body's object lies in the request."""
    if len(body) > max_characters:
        return invalid(f"{pointer}/body", f"a message has at most {max_characters} characters", code="too_long")
    if not body.strip():
        return invalid(f"{pointer}/body", "a message needs some text", code="blank")
    return PostMessage(actor, client_msg_id, body, _digest(body, reply_to), reply_to)


def _digest(body: str, reply_to: str | None) -> bytes:
    content = f"{reply_to or ''}\0{body}".encode()
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()

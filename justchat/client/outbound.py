"""Commands as text, checked before they leave: a client never sends a frame that the server would call malformed.

Three malformed frames close a connection and an oversized one does so at once, so a mistake in one call would otherwise
hurt all others.
"""

from __future__ import annotations

import msgspec

from justchat.client.errors import Refused
from justchat.wire.errors import ErrorCode, Refusal, problem
from justchat.wire.frames import CommandFrame, Fetch, Subscribe, Unsubscribe, decode_frame

Request = CommandFrame | Fetch | Subscribe | Unsubscribe
"""The frames that wait for an answer of their own."""

_encode = msgspec.json.Encoder().encode


def encode_command(frame: Request, *, max_bytes: int) -> str:
    """Encode a frame. Raises Refused with the code that the server would have given."""
    try:
        raw = _encode(frame)
    except UnicodeEncodeError:
        raise Refused(problem(Refusal(ErrorCode.VALIDATION_FAILED, "text may not contain lone surrogates"))) from None
    if len(raw) > max_bytes:
        detail = f"the frame has {len(raw)} bytes, the server takes {max_bytes}"
        raise Refused(problem(Refusal(ErrorCode.PAYLOAD_TOO_LARGE, detail)))
    text = raw.decode()
    checked = decode_frame(text)
    if isinstance(checked, Refusal):
        raise Refused(problem(checked))
    return text

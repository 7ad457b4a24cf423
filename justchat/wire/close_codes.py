"""WebSocket close codes: RFC 6455's where they fit, our own where they do not.

4000-4499 invite the client to reconnect, 4500-4999 tell it not to (the split is Centrifugo's idea).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class CloseCode(IntEnum):
    """Every code this server closes with."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    BINARY_REFUSED = 1003
    NOT_UTF8 = 1007
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTARTING = 1012
    OVERLOADED = 1013
    CONNECTION_CRASHED = 4000
    NO_PONG = 4002
    STALLED_READER = 4003
    RATE_LIMITED = 4004
    TOKEN_EXPIRED = 4005
    BAD_FRAME = 4500
    UNAUTHENTICATED = 4501
    SESSION_REVOKED = 4502
    PROTOCOL_VERSION = 4503
    TOO_MANY_CONNECTIONS = 4504


CLOSE_MEANINGS: Final[Mapping[CloseCode, str]] = {
    CloseCode.NORMAL: "the client said goodbye",
    CloseCode.GOING_AWAY: "the server or the client goes away",
    CloseCode.PROTOCOL_ERROR: "not the WebSocket protocol",
    CloseCode.BINARY_REFUSED: "a binary message; send text",
    CloseCode.NOT_UTF8: "text that is not UTF-8",
    CloseCode.POLICY: "refused by a policy of the server",
    CloseCode.TOO_BIG: "a message larger than `limits.frame_max_bytes`",
    CloseCode.INTERNAL: "a failure of the server",
    CloseCode.RESTARTING: "the server restarts; `goodbye` says when to come back",
    CloseCode.OVERLOADED: "the server or its storage cannot serve now",
    CloseCode.CONNECTION_CRASHED: "a bug in the server, which ended this connection alone",
    CloseCode.NO_PONG: "no sign of life for too long",
    CloseCode.STALLED_READER: "the client read nothing for too long",
    CloseCode.RATE_LIMITED: "too many commands, and the warnings in `error` were not heeded",
    CloseCode.TOKEN_EXPIRED: "the access token has expired",
    CloseCode.BAD_FRAME: "the third message that was no frame of this protocol",
    CloseCode.UNAUTHENTICATED: "no valid token, or no `hello` in time",
    CloseCode.SESSION_REVOKED: "the session was ended or the account disabled",
    CloseCode.PROTOCOL_VERSION: "a version of the protocol that is not served",
    CloseCode.TOO_MANY_CONNECTIONS: "too many connections of this user",
}


def may_reconnect(code: int) -> bool:
    """Tell whether a client that was closed with this code should come back by itself."""
    return code in {1000, 1001, 1006, 1011, 1012, 1013} or 4000 <= code < 4500

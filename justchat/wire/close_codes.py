"""WebSocket close codes: RFC 6455's where they fit, our own where they do not.

4000-4499 invite the client to reconnect, 4500-4999 tell it not to (the split is Centrifugo's idea).
"""

from __future__ import annotations

from enum import IntEnum


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


def may_reconnect(code: int) -> bool:
    """Tell whether a client that was closed with this code should come back by itself."""
    return code in {1000, 1001, 1006, 1011, 1012, 1013} or 4000 <= code < 4500

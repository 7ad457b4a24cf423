"""Which refusals an operation may be answered with: its own, and those that come from what it is.

What every route has in common is said once, here: who may call, whether there is a body, parameters or a room.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from justchat.http.operation import Caller, Operation
from justchat.http.room_access import MIN_SEQ
from justchat.wire.errors import ErrorCode, Refusal

# The front door answers these by itself, before a request is read whole, and so without a request id.
AT_THE_DOOR: Final = {
    400: (ErrorCode.VALIDATION_FAILED, "This is not HTTP as it is spoken here."),
    408: (ErrorCode.VALIDATION_FAILED, "The request did not arrive in time."),
    431: (ErrorCode.PAYLOAD_TOO_LARGE, "The request's head is too large."),
}
_ALWAYS: Final = (ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.INTERNAL)
# 403: a guest who would change something, a personal token without the scope.
_IDENTIFIED: Final = (ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN)
_OF_CALLERS: Final = {
    Caller.ANYBODY: (),
    Caller.USER: _IDENTIFIED,
    Caller.SESSION: _IDENTIFIED,
    Caller.ADMIN: _IDENTIFIED,
    Caller.OPERATOR: (ErrorCode.FORBIDDEN,),
}
_OF_BODIES: Final = (ErrorCode.UNSUPPORTED_MEDIA, ErrorCode.PAYLOAD_TOO_LARGE, ErrorCode.VALIDATION_FAILED)
_OF_ROOMS: Final = (ErrorCode.ROOM_OVERLOADED, ErrorCode.ROOM_UNAVAILABLE)


def refusals_of(operation: Operation, path: str) -> dict[int, list[ErrorCode]]:
    """Give the codes that an operation may be refused with, by HTTP status."""
    codes = [*operation.refusals, *_OF_CALLERS[operation.caller]]
    if operation.body is not None or operation.takes:
        codes.extend(_OF_BODIES)
    if operation.query:
        codes.append(ErrorCode.VALIDATION_FAILED)
    if MIN_SEQ in operation.query:
        codes.append(ErrorCode.SEQ_UNAVAILABLE)
    if "<" in path:
        # Also what is no text at all, before a handler sees it.
        codes.append(ErrorCode.NOT_FOUND)
    if operation.caller in (Caller.USER, Caller.ADMIN):
        codes.extend(_OF_ROOMS)
    if path.startswith("/api/"):
        # Everything there is counted, and what changes something is not taken from just any page.
        codes.extend((ErrorCode.RATE_LIMITED, *((ErrorCode.FORBIDDEN,) if operation.changes else ())))
    by_status: dict[int, list[ErrorCode]] = defaultdict(list)
    # Whom the door turns away is told so with this status.
    by_status[503] = [ErrorCode.DRAINING, ErrorCode.RATE_LIMITED]
    for code in dict.fromkeys([*codes, *_ALWAYS]):
        found = by_status[Refusal(code, "").status]
        found.extend([] if code in found else [code])
    for status, (code, _) in AT_THE_DOOR.items():
        by_status[status].append(code)
    return by_status

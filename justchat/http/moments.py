"""Moments that callers name: RFC 3339 with an offset in bodies, milliseconds since the epoch inside.

A moment has to be one that the server can keep and write again, so how far ahead it may lie has a bound. Whether it may
lie in the past is for the room to say, by its own clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta

from justchat.http.answers import Refused
from justchat.wire.errors import invalid

Moment = Annotated[datetime, Meta(tz=True)]

MOST_AHEAD: Final = timedelta(days=3660)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def read_moment(moment: datetime, pointer: str, *, now: int) -> int:
    """Give a moment as milliseconds since the epoch; `now` is in them, too. Raises Refused beyond ten years."""
    # Whole timedeltas: neither a float that rounds nor an offset that leads past the last year.
    at = (moment - _EPOCH) // _MILLISECOND
    if at > now + MOST_AHEAD // _MILLISECOND:
        raise Refused(invalid(pointer, "give a time within the next ten years", code="out_of_range"))
    return at

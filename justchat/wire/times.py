"""Times on the wire: RFC 3339, UTC, milliseconds. Inside, a time is an integer of milliseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# All that happens in one turn of a room happens at one moment, which is written several times.
@lru_cache(maxsize=64)
def rfc3339(milliseconds: int) -> str:
    """Render milliseconds since the Unix epoch, as in `2026-01-31T09:30:00.123Z`."""
    whole, fraction = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(whole, UTC).isoformat()[:19]}.{fraction:03d}Z"


def epoch_ms(text: str) -> int:
    """Read what `rfc3339` rendered, or any RFC 3339 time with an offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z")
    return round((moment - _EPOCH).total_seconds() * 1000)

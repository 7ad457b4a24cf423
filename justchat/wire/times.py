"""Times on the wire: RFC 3339, UTC, milliseconds. Inside, a time is an integer of milliseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(milliseconds: int) -> str:
    """Render milliseconds since the Unix epoch, as in `2026-01-31T09:30:00.123Z`."""
    whole, fraction = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:03d}Z"

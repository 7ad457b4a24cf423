"""The bounds of the split journal, what it reports, and where tests may stop it."""

from __future__ import annotations

from msgspec import Struct

FAULT_POINTS = (
    "before_entries",
    "after_entries",
    "after_texts",
    "after_trim",
    "after_messages",
    "before_members",
    "before_rooms",
    "before_mark",
    "before_projection_commit",
    "after_projection",
)
"""Where a test may have the process end in the middle of an append, in the order in which it passes them."""


class SplitLimits(Struct, frozen=True):
    """How patient the split journal is and how much may be behind."""

    project_seconds: float = 2.0
    """How long an append waits for its projections before they count as behind, and it as done."""
    flush_seconds: float = 15.0
    """How long one attempt at what is behind may take."""
    retry_seconds: float = 0.5
    rows_behind: int = 20_000
    """How many rows may wait for a database before new appends are refused."""
    rows_at_once: int = 1000
    close_seconds: float = 5.0


class SplitStatistics(Struct, frozen=True):
    """How the projections are doing."""

    rooms_behind: int
    rows_behind: int
    behind_seconds: float
    """For how long the first of them has been behind."""
    rooms_held: int
    """Rooms that have to be loaded before it is known that they are projected."""
    under_way: int
    failed: int
    """Attempts at projecting that failed."""
    mark: int
    """The commit up to which everything is projected."""
    last_error: str | None

"""The journal in two databases: entries and messages in MongoDB, rooms and memberships in PostgreSQL.

No transaction spans the two, so inserting the entries is the commit, and everything else is what they amount to: it is
written right after, in an order that can be resumed at any point, and what could not be written is known to be behind.
"""

from __future__ import annotations

from storage.split.journal import SplitJournal
from storage.split.limits import FAULT_POINTS, SplitLimits, SplitStatistics
from storage.split.open import SplitStore, open_split, open_split_store

__all__ = [
    "FAULT_POINTS",
    "SplitJournal",
    "SplitLimits",
    "SplitStatistics",
    "SplitStore",
    "open_split",
    "open_split_store",
]

"""Clears away sessions that are over and credentials that have expired: nobody can use them, and they add up."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from storage.account_ports import Sessions
from storage.errors import StorageError

logger = logging.getLogger(__name__)

TIDY_SECONDS = 600.0


async def keep_tidy(sessions: Sessions, *, now_ms: Callable[[], int]) -> None:
    """Clear away, over and over; what a store that does not answer keeps is cleared away the next time."""
    while True:
        try:
            dropped = await sessions.drop_expired(now=now_ms())
        except StorageError as error:
            logger.warning("event=tidying_failed cause=%s", type(error).__name__)
        else:
            if dropped:
                logger.info("event=tidied dropped=%d", dropped)
        await trio.sleep(TIDY_SECONDS)

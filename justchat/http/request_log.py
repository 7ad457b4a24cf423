"""One line for each request, at the level `debug`: who asked what of which room, and how it was answered.

Not the address as it was written: that may hold an invite's code, or whatever else somebody put there.
"""

from __future__ import annotations

import logging

from quart import Response, g, request

from justchat.ids import is_id

logger = logging.getLogger(__name__)


def remember_caller(user: str) -> None:
    """Note who makes this request, once that is known."""
    g.caller_id = user


def log_request(response: Response) -> None:
    """Log the request that was answered so."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    room = (request.view_args or {}).get("room", "")
    logger.debug(
        "event=request request_id=%s user=%s room=%s method=%s route=%s status=%d",
        g.get("request_id"),
        g.get("caller_id"),
        room if is_id("r", room) else None,
        request.method if request.url_rule is not None else None,
        None if request.url_rule is None else request.url_rule.rule,
        response.status_code,
    )

"""How large a request's body may be: one limit for all routes, and larger ones for the few that take files.

A body is counted while it comes in, before anybody has read it, so its limit has to be known before the route is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from quart_trio.wrappers import TrioRequest

Larger: TypeAlias = Mapping[tuple[str, str], int]
"""Bytes by method and path."""


def request_class(larger: Larger) -> type[TrioRequest]:
    """Make the class of requests for an app whose `MAX_CONTENT_LENGTH` holds but where `larger` says otherwise."""

    class LimitedRequest(TrioRequest):
        def __init__(
            self, method: str, scheme: str, path: str, *rest: object, max_content_length: int, **named: object
        ) -> None:
            most = larger.get((method, path), max_content_length)
            # The rest is passed on as it came; its types are the library's own affair.
            super().__init__(method, scheme, path, *rest, max_content_length=most, **named)  # type: ignore[arg-type]

    return LimitedRequest

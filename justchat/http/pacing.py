"""What a request counts as, against whose quota, and the headers that tell the caller how it stands.

A request is counted once: as its user's when it is known who calls, else as its address's. What makes an identity or
proves it by what can be guessed counts for the address in any case, before a handler runs. What has not been counted by
the end, because nobody got as far as asking who it is, costs nothing. (`RateLimit` and `RateLimit-Policy` are those of
the IETF's draft draft-ietf-httpapi-ratelimit-headers, version 10: `r` units are left, and further ones come back after
`t` seconds.)
"""

from __future__ import annotations

import math
from typing import cast

import trio
from quart import Response, g

from justchat.http.answers import Refused
from justchat.limiting.addresses import address_group
from justchat.limiting.policy import RateClass, RequestQuotas
from justchat.limiting.quota import Quotas, Standing
from justchat.wire.errors import ErrorCode, Refusal


class Toll:
    """What one request is counted as."""

    __slots__ = ("_address", "_kind", "_quotas", "standing")

    def __init__(self, quotas: RequestQuotas, kind: RateClass, *, address: str) -> None:
        self._quotas = quotas
        self._kind = kind
        self._address = address_group(address)
        self.standing: Standing | None = None

    def take_first(self, *, anybody: bool) -> None:
        """Count what needs no user before it is looked at any further; `anybody` may call. Raises Refused."""
        if self._kind is RateClass.AUTH:
            self._take(self._quotas.by_class[RateClass.AUTH], self._address)
        elif anybody and self._kind is not RateClass.SESSION:
            # Whose session it is, a refresh token says when it is looked up.
            self.take_as_stranger()

    def take_as_user(self, user: str) -> None:
        """Count a request of somebody who is known. Raises Refused."""
        if self.standing is None:
            self._take(self._quotas.by_class[self._kind], user)

    def take_as_stranger(self) -> None:
        """Count a request of whoever does not say, or cannot show, who calls. Raises Refused."""
        if self.standing is None:
            self._take(self._quotas.address, self._address)

    def tell(self, response: Response) -> None:
        """Tell the caller how it stands."""
        standing = self.standing or self._quotas.address.look(self._address, now=trio.current_time())
        quota = standing.quota
        response.headers["RateLimit-Policy"] = f'"{quota.name}";q={quota.units};w={quota.window_seconds}'
        seconds = math.ceil(standing.returns_seconds)
        response.headers["RateLimit"] = f'"{quota.name}";r={standing.remaining};t={seconds}'

    def _take(self, quotas: Quotas, key: str) -> None:
        self.standing = quotas.take(key, now=trio.current_time())
        if self.standing.wait_seconds:
            wait = math.ceil(self.standing.wait_seconds * 1000) / 1000
            detail = f"the quota {quotas.quota.name} is used up; slow down"
            raise Refused(Refusal(ErrorCode.RATE_LIMITED, detail, (), wait))


def toll() -> Toll | None:
    """Give what this request is counted as; None for what is not counted."""
    return cast("Toll | None", g.get("toll"))


def count_user(user: str) -> None:
    """Count this request as a user's. Raises Refused."""
    if (paid := toll()) is not None:
        paid.take_as_user(user)


def count_stranger() -> None:
    """Count this request as a stranger's. Raises Refused."""
    if (paid := toll()) is not None:
        paid.take_as_stranger()

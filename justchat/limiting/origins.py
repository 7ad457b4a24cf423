"""Which pages in browsers may call: those served from here, and those of origins that are listed, exactly.

A browser names the page's origin and sends along what it keeps for us; native clients name none. An origin is a scheme,
a host and a port, and all three count. `*` lets every page call, but only with a token of its own: a cookie is never
taken from a page that is not named.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

_PORTS = {"http": ":80", "https": ":443"}


class Standpoint(StrEnum):
    """Where a request comes from, as far as its Origin tells."""

    NATIVE = "native"
    """No browser, or a page of ours that only reads."""
    OWN = "own"
    """A page served from here."""
    LISTED = "listed"
    """A page of an origin on the allow-list."""
    ANY = "any"
    """Some page, and `*` is on the allow-list."""
    FOREIGN = "foreign"
    """A page that has no business here."""

    @property
    def trusted(self) -> bool:
        """Tell whether cookies may be taken from there."""
        return self in _TRUSTED

    @property
    def refused(self) -> bool:
        """Tell whether nothing is taken from there but what a bearer token vouches for."""
        return self is Standpoint.FOREIGN


_TRUSTED = frozenset({Standpoint.NATIVE, Standpoint.OWN, Standpoint.LISTED})


class Origins:
    """The allow-list."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Allow these origins, written as browsers write them; `*` stands for any."""
        self._allowed = frozenset(allowed)

    def judge(self, origin: str | None, *, host: str, scheme: str | None) -> Standpoint:
        """Tell where a request stands, of its `Origin` (None without one) and `Host`.

        `scheme` is what the caller speaks, if a trusted proxy tells; then a page of the same host over the other scheme
        is foreign. Untold it may be either: a page over TLS can only have come here through a proxy that ends it.
        """
        if origin is None:
            return Standpoint.NATIVE
        if origin in self._allowed and origin != "*":
            return Standpoint.LISTED
        if _is_own(origin, host=host, scheme=scheme):
            return Standpoint.OWN
        if "*" in self._allowed and "://" in origin:
            return Standpoint.ANY
        return Standpoint.FOREIGN


def _is_own(origin: str, *, host: str, scheme: str | None) -> bool:
    spoken, separator, place = origin.lower().partition("://")
    if not separator or not place or spoken not in _PORTS or scheme not in {None, spoken}:
        return False
    return place == host.lower().removesuffix(_PORTS[spoken])

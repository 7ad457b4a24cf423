"""Where a caller is: the address that a connection came from, or the one that a trusted proxy names.

`X-Forwarded-For` is a claim of whoever wrote it. It is believed only where the connection comes from a proxy of ours,
and read from the right, past further proxies of ours, to the first address that one of them saw with its own eyes.
What stands to the left of that was written by a stranger and is never looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

logger = logging.getLogger(__name__)

# `[` IPv6 `]:` port, at its longest; what is longer is no address.
_LONGEST = 53


def address_group(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has to choose from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), 64), strict=False).network_address)


def is_loopback(address: str) -> bool:
    """Tell whether an address is this very machine's."""
    parsed = _parse(address)
    return parsed is not None and parsed.is_loopback


class Proxies:
    """The proxies whose word is taken for where a caller is and whether the caller speaks TLS."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Trust these networks; none means that every connection is taken for its caller."""
        self._networks = tuple(ip_network(network) for network in networks)
        self._ignored = False

    def trusts(self, peer: str) -> bool:
        """Tell whether a connection from this address is a proxy's."""
        parsed = _parse(peer) if self._networks else None
        return parsed is not None and self._holds(parsed)

    def caller(self, peer: str, forwarded_for: str | None) -> str:
        """Give the caller's address, without a port: `peer`, or what a chain of trusted proxies forwarded.

        A header that has no address where one is needed is no evidence: the caller is then `peer`.
        """
        parsed = _parse(peer)
        if parsed is None:
            return peer
        if forwarded_for is None:
            return str(parsed)
        if not self._holds(parsed):
            self._note_ignored(parsed)
            return str(parsed)
        seen = parsed
        for entry in reversed(forwarded_for.split(",")):
            named = _parse_entry(entry.strip())
            if named is None:
                return str(parsed)
            seen = named
            if not self._holds(named):
                break
        return str(seen)

    def scheme(self, peer: str, forwarded_proto: str | None) -> str | None:
        """Give the scheme that the caller speaks, if a trusted proxy tells it: `http` or `https`."""
        if forwarded_proto is None or not self.trusts(peer):
            return None
        # The first proxy met the caller; those behind it may add what they speak among themselves.
        scheme = forwarded_proto.partition(",")[0].strip().lower()
        return scheme if scheme in {"http", "https"} else None

    def _holds(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)

    def _note_ignored(self, peer: IPv4Address | IPv6Address) -> None:
        """Say once what an operator who forgot the setting has to know: everybody is one address then."""
        if not self._ignored:
            self._ignored = True
            logger.warning("event=forwarded_for_ignored peer=%s setting=trusted_proxies", peer)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; an IPv4 caller of a dual-stack listener is taken by the IPv4 address."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _parse_entry(entry: str) -> IPv4Address | IPv6Address | None:
    """Read one entry of the header; some proxies write a port behind the address."""
    # A zone is free text, and would go into logs.
    if len(entry) > _LONGEST or "%" in entry:
        return None
    if entry.startswith("["):
        address, bracket, port = entry[1:].partition("]")
        return _parse(address) if bracket and (not port or _is_port(port)) and ":" in address else None
    if entry.count(":") == 1:
        address, _, port = entry.partition(":")
        return _parse(address) if _is_port(f":{port}") else None
    return _parse(entry)


def _is_port(text: str) -> bool:
    return text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6

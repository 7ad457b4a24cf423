"""Where a server is: one URL from the user, and what follows from it for the WebSocket and for REST. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class Address(Struct, frozen=True):
    """A server. `prefix` is the path that it is mounted below, without a trailing slash; usually empty."""

    host: str
    port: int
    secure: bool
    prefix: str = ""

    @property
    def host_header(self) -> str:
        """Give the value of the HTTP `Host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"

    @property
    def resource(self) -> str:
        """Give the path of the WebSocket."""
        return f"{self.prefix}/ws"

    @property
    def site(self) -> str:
        """Give the root of the HTTP side, without a trailing slash."""
        return f"{'https' if self.secure else 'http'}://{self.host_header}{self.prefix}"


def parse_address(url: str) -> Address:
    """Read `http(s)://host[:port]` or `ws(s)://host[:port]/ws`. Raises ValueError, with what to write instead."""
    parts = urlsplit(url)
    secure = _SECURE.get(parts.scheme)
    if secure is None or not parts.hostname:
        raise ValueError("not a server's address: write http://host:port or wss://host/ws")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("an address has no user, query or fragment: hand in token= or credentials= instead")
    return Address(
        host=parts.hostname,
        port=parts.port or (443 if secure else 80),
        secure=secure,
        prefix=parts.path.rstrip("/").removesuffix("/ws"),
    )

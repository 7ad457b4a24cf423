"""The gate before the greeter: which handshakes may go on, by the page they come from and by their address."""

from __future__ import annotations

from justchat.config import Config
from justchat.door.socket import Handshake
from justchat.limiting.addresses import Proxies, address_group
from justchat.limiting.origins import Origins
from justchat.limiting.sockets import SocketCounts, SocketPlace
from justchat.wire.errors import ErrorCode, Refusal

_FOREIGN_ORIGIN = Refusal(ErrorCode.FORBIDDEN, "this origin is not on the allow-list")
_FULL = Refusal(ErrorCode.RATE_LIMITED, "this address has its share of WebSockets", (), 5.0)


class Gate:
    """Lets native clients, our own page and listed origins in, as far as their address has places left."""

    def __init__(self, *, origins: Origins, proxies: Proxies, sockets: SocketCounts) -> None:
        self.sockets = sockets
        self._origins = origins
        self._proxies = proxies

    def knock(self, handshake: Handshake) -> SocketPlace | Refusal:
        """Give a place, which has to be left in the end, or refuse."""
        headers, peer = handshake.headers, handshake.peer
        scheme = self._proxies.scheme(peer, headers.get("x-forwarded-proto"))
        if self._origins.judge(handshake.origin, host=headers.get("host", ""), scheme=scheme).refused:
            return _FOREIGN_ORIGIN
        address = self._proxies.caller(peer, headers.get("x-forwarded-for"))
        return self.sockets.enter(address_group(address)) or _FULL


def make_gate(config: Config) -> Gate:
    """Make the gate that is configured."""
    return Gate(
        origins=Origins(config.allowed_origins),
        proxies=Proxies(config.trusted_proxies),
        sockets=SocketCounts(open_max=config.sockets_per_address, arriving_max=config.arriving_per_address),
    )

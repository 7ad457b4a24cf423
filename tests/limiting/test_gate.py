"""The gate of the WebSocket: the same judgement of origins and addresses as REST's, and places by address."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec import Struct

from justchat.config import Config
from justchat.connections.gate import Gate, make_gate
from justchat.limiting.sockets import SocketPlace
from justchat.wire.errors import Refusal

PROXY, CALLER = "10.0.0.1", "203.0.113.9"


class Knock(Struct):
    """The surface of the front door's `Handshake` that the gate uses."""

    headers: Mapping[str, str]
    peer: str = PROXY

    @property
    def origin(self) -> str | None:
        return self.headers.get("origin")


def gate(**settings: object) -> Gate:
    return make_gate(Config(trusted_proxies=("10.0.0.0/8",), **settings))  # type: ignore[arg-type]


def knock(at: Gate, *, peer: str = PROXY, **headers: str | None) -> SocketPlace | Refusal:
    named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    return at.knock(Knock({"host": "chat.example.org", **named}, peer))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "proto", "let_in"),
    [
        (None, "https", True),
        ("https://ok.example", "https", True),
        ("https://chat.example.org", "https", True),
        ("http://chat.example.org", "https", False),
        ("https://chat.example.org", "http", False),
        ("https://chat.example.org", None, True),
        ("http://chat.example.org", None, True),
        ("http://chat.example.org:8000", None, False),
        ("http://ok.example", "https", False),
        ("https://evil.example", "https", False),
        ("null", "https", False),
        ("", "https", False),
    ],
)
def test_an_origin_is_judged_with_the_scheme_that_the_proxy_tells(
    origin: str | None, proto: str | None, let_in: bool
) -> None:
    """Where no proxy of ours tells it, either scheme may have brought our own page here."""
    found = knock(gate(allowed_origins=("https://ok.example",)), origin=origin, x_forwarded_proto=proto)
    assert isinstance(found, SocketPlace) is let_in
    if isinstance(found, Refusal):
        assert (found.status, found.retry_after_seconds) == (403, None)


def test_a_strangers_word_for_the_scheme_changes_nothing() -> None:
    """Only a trusted proxy can make our own page a foreign one, or the other way round."""
    for proto in ("http", "https"):
        for origin in ("http://chat.example.org", "https://chat.example.org"):
            found = knock(gate(), peer=CALLER, origin=origin, x_forwarded_proto=proto)
            assert isinstance(found, SocketPlace)


def test_places_belong_to_the_address_behind_the_proxy() -> None:
    """A /64 is one address, its next one is not, and what a stranger claims is not believed."""
    at = gate(sockets_per_address=2)
    places = [knock(at, x_forwarded_for=f"2001:db8:1:2::{number}") for number in range(2)]
    refused = knock(at, x_forwarded_for="2001:db8:1:2::99")
    assert isinstance(refused, Refusal)
    assert refused.status == 429
    assert refused.retry_after_seconds
    assert isinstance(knock(at, x_forwarded_for="2001:db8:1:3::"), SocketPlace)
    for number in range(2):
        assert isinstance(knock(at, peer=CALLER, x_forwarded_for=f"192.0.2.{number}"), SocketPlace)
    assert isinstance(knock(at, peer=CALLER, x_forwarded_for="192.0.2.9"), Refusal)
    assert isinstance(places[0], SocketPlace)
    places[0].left()
    assert isinstance(knock(at, x_forwarded_for="2001:db8:1:2::99"), SocketPlace)


def test_a_refused_origin_takes_no_place() -> None:
    """Pages elsewhere cannot use up what the people behind an address have."""
    at = gate(sockets_per_address=1)
    for _ in range(3):
        assert isinstance(knock(at, origin="https://evil.example", x_forwarded_for=CALLER), Refusal)
    assert len(at.sockets) == 0

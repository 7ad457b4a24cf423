"""One URL gives the addresses of the WebSocket and of REST."""

from __future__ import annotations

import pytest

from justchat.client.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "expected", "site", "resource", "host_header"),
    [
        (
            "http://127.0.0.1:8000",
            Address("127.0.0.1", 8000, False),
            "http://127.0.0.1:8000",
            "/ws",
            "127.0.0.1:8000",
        ),
        ("ws://chat.example/ws", Address("chat.example", 80, False), "http://chat.example", "/ws", "chat.example"),
        ("wss://chat.example/ws/", Address("chat.example", 443, True), "https://chat.example", "/ws", "chat.example"),
        (
            "https://example.org:8443/chat/",
            Address("example.org", 8443, True, "/chat"),
            "https://example.org:8443/chat",
            "/chat/ws",
            "example.org:8443",
        ),
        ("http://[::1]:8000", Address("::1", 8000, False), "http://[::1]:8000", "/ws", "[::1]:8000"),
    ],
)
def test_a_url_names_a_server(url: str, expected: Address, site: str, resource: str, host_header: str) -> None:
    """HTTP and WebSocket URLs, ports, prefixes and IPv6 all lead to both sides of the server."""
    address = parse_address(url)
    assert address == expected
    assert (address.site, address.resource, address.host_header) == (site, resource, host_header)


@pytest.mark.parametrize(
    "url", ["", "chat.example", "ftp://chat.example", "http://", "ws://h/ws?token=t", "http://me@h", "http://h:99999"]
)
def test_what_names_no_server_is_refused(url: str) -> None:
    """A token in the query is refused like any query: it would end up in logs."""
    with pytest.raises(ValueError):
        parse_address(url)


def test_the_refusal_does_not_repeat_the_url() -> None:
    """What was meant to be secret does not get into a traceback's last line."""
    with pytest.raises(ValueError) as caught:
        parse_address("ws://h/ws?token=hush")
    assert "hush" not in str(caught.value)

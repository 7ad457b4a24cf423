"""Which pages may call: a table of origins, hosts and schemes."""

from __future__ import annotations

import pytest

from justchat.limiting.origins import Origins, Standpoint

HOST = "chat.example.org"
FRIEND = "https://friend.example"
LISTED = Origins((FRIEND,))


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "standpoint"),
    [
        (None, HOST, None, Standpoint.NATIVE),
        (FRIEND, HOST, None, Standpoint.LISTED),
        # Own pages: the same host and port, over the scheme that is spoken, where that is known.
        ("http://chat.example.org", HOST, None, Standpoint.OWN),
        ("https://chat.example.org", HOST, None, Standpoint.OWN),
        ("https://chat.example.org", HOST, "https", Standpoint.OWN),
        ("http://chat.example.org", HOST, "https", Standpoint.FOREIGN),
        ("https://chat.example.org", HOST, "http", Standpoint.FOREIGN),
        ("https://chat.example.org", "Chat.Example.ORG:443", "https", Standpoint.OWN),
        ("http://chat.example.org", "chat.example.org:80", None, Standpoint.OWN),
        ("http://localhost:8000", "localhost:8000", None, Standpoint.OWN),
        ("http://[::1]:8000", "[::1]:8000", None, Standpoint.OWN),
        ("http://localhost:8000", "localhost:8001", None, Standpoint.FOREIGN),
        ("http://localhost", "localhost:8000", None, Standpoint.FOREIGN),
        ("https://chat.example.org", "chat.example.org:80", None, Standpoint.FOREIGN),
        # Not even nearly.
        ("null", HOST, None, Standpoint.FOREIGN),
        ("null", "null", None, Standpoint.FOREIGN),
        ("", HOST, None, Standpoint.FOREIGN),
        ("", "", None, Standpoint.FOREIGN),
        ("http://", "", None, Standpoint.FOREIGN),
        ("https://evil.example", HOST, None, Standpoint.FOREIGN),
        ("https://chat.example.org.evil.example", HOST, None, Standpoint.FOREIGN),
        ("https://evil-chat.example.org", HOST, None, Standpoint.FOREIGN),
        ("https://chat.example.org@evil.example", HOST, None, Standpoint.FOREIGN),
        ("https://chat.example.org/", HOST, None, Standpoint.FOREIGN),
        ("file://chat.example.org", HOST, None, Standpoint.FOREIGN),
        ("http://friend.example", HOST, None, Standpoint.FOREIGN),
        ("https://friend.example:8443", HOST, None, Standpoint.FOREIGN),
        ("https://friend.example.evil.example", HOST, None, Standpoint.FOREIGN),
        ("*", HOST, None, Standpoint.FOREIGN),
    ],
)
def test_scheme_host_and_port_all_count(
    origin: str | None, host: str, scheme: str | None, standpoint: Standpoint
) -> None:
    """Nothing is compared in part."""
    assert LISTED.judge(origin, host=host, scheme=scheme) is standpoint


@pytest.mark.parametrize(
    ("origin", "standpoint"),
    [
        (FRIEND, Standpoint.LISTED),
        ("https://anybody.example", Standpoint.ANY),
        ("http://chat.example.org", Standpoint.OWN),
        ("null", Standpoint.FOREIGN),
        ("*", Standpoint.FOREIGN),
        ("", Standpoint.FOREIGN),
    ],
)
def test_an_asterisk_lets_every_page_call_and_trusts_none_that_is_not_named(
    origin: str, standpoint: Standpoint
) -> None:
    """What is listed besides keeps its rights; a page without an origin stays out."""
    assert Origins(("*", FRIEND)).judge(origin, host=HOST, scheme=None) is standpoint


def test_cookies_are_taken_from_named_places_only() -> None:
    """Native clients, our own page and listed ones."""
    assert [standpoint for standpoint in Standpoint if standpoint.trusted] == [
        Standpoint.NATIVE,
        Standpoint.OWN,
        Standpoint.LISTED,
    ]
    assert [standpoint for standpoint in Standpoint if standpoint.refused] == [Standpoint.FOREIGN]

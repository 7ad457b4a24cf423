"""Close codes: the published numbers, and what each says about coming back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.wire.close_codes import CloseCode, may_reconnect

# The published table: name -> (number, whether the client should come back by itself).
CONTRACT = {
    "NORMAL": (1000, True),
    "GOING_AWAY": (1001, True),
    "PROTOCOL_ERROR": (1002, False),
    "BINARY_REFUSED": (1003, False),
    "NOT_UTF8": (1007, False),
    "POLICY": (1008, False),
    "TOO_BIG": (1009, False),
    "INTERNAL": (1011, True),
    "RESTARTING": (1012, True),
    "OVERLOADED": (1013, True),
    "CONNECTION_CRASHED": (4000, True),
    "NO_PONG": (4002, True),
    "STALLED_READER": (4003, True),
    "RATE_LIMITED": (4004, True),
    "TOKEN_EXPIRED": (4005, True),
    "BAD_FRAME": (4500, False),
    "UNAUTHENTICATED": (4501, False),
    "SESSION_REVOKED": (4502, False),
    "PROTOCOL_VERSION": (4503, False),
    "TOO_MANY_CONNECTIONS": (4504, False),
}


def test_the_numbers_are_the_published_ones() -> None:
    """No code has moved, none is missing, and two names never share a number."""
    assert {code.name: code.value for code in CloseCode} == {name: number for name, (number, _) in CONTRACT.items()}
    assert len({code.value for code in CloseCode}) == len(CloseCode.__members__)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_client_knows_whether_to_come_back(name: str) -> None:
    """Where the client is at fault it stays away; where the server or the network is, it returns."""
    number, back = CONTRACT[name]
    assert may_reconnect(number) is back


def test_a_connection_that_broke_without_a_word_may_come_back() -> None:
    """1006 is never sent; it is what a client sees when the network fails."""
    assert may_reconnect(1006)


@given(st.integers(4000, 4999))
def test_our_own_codes_say_it_by_their_range(code: int) -> None:
    """4000-4499 come back, 4500-4999 do not, also for codes of a later version."""
    assert may_reconnect(code) == (code < 4500)


@given(st.integers(0, 65_535).filter(lambda code: not 4000 <= code < 4500))
def test_an_unknown_code_does_not_invite_back(code: int) -> None:
    """Only the listed standard codes do."""
    assert may_reconnect(code) == (code in {1000, 1001, 1006, 1011, 1012, 1013})


def test_every_code_may_be_sent() -> None:
    """RFC 6455 reserves 1004, 1005, 1006 and 1015; private use begins at 4000."""
    assert all(code >= 4000 or (1000 <= code < 1015 and code not in {1004, 1005, 1006}) for code in CloseCode)

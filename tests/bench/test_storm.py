"""A client that came back is gapless only if it got exactly what it missed."""

from __future__ import annotations

from contextlib import closing

import pytest

from bench.connection import Greeting, ServerRefused
from bench.frames import PING, server_frame
from bench.storm import Storm
from bench.streams import Reader, Reference, Tally
from tests.bench.scripted_server import scripted_server
from tests.bench.test_streams import BASE, stream

pytestmark = pytest.mark.real_clock

WELCOME = server_frame(b'{"type":"welcome","data":{}}')
SUBSCRIBED = server_frame(b'{"type":"subscribed","room":"r_1","data":{"epoch":"e","head_seq":15}}')
CAUGHT_UP = server_frame(b'{"type":"caught_up","room":"r_1","data":{"seq":15}}')
EVENTS = stream(5)


def reference() -> Reference:
    """What a listener that stayed saw."""
    found = Reference(BASE)
    Reader(Tally(BASE), found.append).feed(b"".join(EVENTS))
    return found


@pytest.mark.parametrize(
    ("events", "gapless"),
    [
        (EVENTS, 1),
        ([*EVENTS[:2], server_frame(b"", PING), *EVENTS[2:]], 1),
        ([*EVENTS[:2], *EVENTS[3:]], 0),
        (EVENTS[:4], 0),
        ([*EVENTS[:3], EVENTS[2], *EVENTS[3:]], 0),
        ([], 0),
    ],
    ids=["all", "all and a ping", "one left out", "last left out", "one twice", "none"],
)
def test_only_exactly_what_was_missed_is_gapless(events: list[bytes], gapless: int) -> None:
    """Being told that one has caught up is not enough."""
    script = WELCOME + SUBSCRIBED + b"".join(events) + CAUGHT_UP
    with scripted_server([script]) as port, closing(Storm(port, reference())) as storm:
        returned = storm.break_out([Greeting("token", "r_1", "e", BASE)], seconds=30)
    assert (returned.clients, returned.caught_up, returned.gapless) == (1, 1, gapless)


def test_a_client_that_never_catches_up_is_given_up_in_time() -> None:
    """It counts as neither."""
    with scripted_server([WELCOME + SUBSCRIBED]) as port, closing(Storm(port, reference())) as storm:
        returned = storm.break_out([Greeting("token", "r_1", "e", BASE)], seconds=0.2)
    assert (returned.clients, returned.caught_up, returned.gapless) == (1, 0, 0)


def test_a_reset_is_not_taken_for_a_resume() -> None:
    """The server could not replay: the run breaks off."""
    script = WELCOME + server_frame(b'{"type":"reset","room":"r_1","data":{"reason":"epoch"}}')
    with (
        scripted_server([script]) as port,
        closing(Storm(port, reference())) as storm,
        pytest.raises(ServerRefused, match="did not resume"),
    ):
        storm.break_out([Greeting("token", "r_1", "e", BASE)], seconds=30)

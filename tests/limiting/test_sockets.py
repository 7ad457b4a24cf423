"""Places for sockets are given by address, run out at the next one, and come back."""

from __future__ import annotations

from justchat.limiting.sockets import SocketCounts, SocketPlace

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def enter(counts: SocketCounts, address: str = HERE) -> SocketPlace:
    place = counts.enter(address)
    assert place is not None
    return place


def test_the_socket_after_the_last_is_refused_and_another_address_is_not() -> None:
    """Open sockets count until they are gone, arrived or not."""
    counts = SocketCounts(open_max=3, arriving_max=2)
    places = [enter(counts) for _ in range(2)]
    assert counts.enter(HERE) is None
    places[0].arrived()
    places.append(enter(counts))
    for place in places:
        place.arrived()
    assert counts.enter(HERE) is None
    assert counts.of(HERE) == (3, 0)
    enter(counts, ELSEWHERE)
    places[1].left()
    enter(counts)


def test_an_address_without_sockets_is_not_remembered() -> None:
    """Whoever is turned away, or is gone, leaves nothing behind."""
    counts = SocketCounts(open_max=1, arriving_max=1)
    place = enter(counts)
    assert counts.enter(HERE) is None
    place.left()
    assert (len(counts), counts.of(HERE)) == (0, (0, 0))
    refusing = SocketCounts(open_max=0, arriving_max=0)
    assert refusing.enter(HERE) is None
    assert len(refusing) == 0


def test_arriving_twice_counts_once() -> None:
    """A place that has arrived before it is left takes nothing from others that are arriving."""
    counts = SocketCounts(open_max=9, arriving_max=9)
    first = enter(counts)
    enter(counts)
    first.arrived()
    first.arrived()
    assert counts.of(HERE) == (2, 1)
    first.left()
    assert counts.of(HERE) == (1, 1)

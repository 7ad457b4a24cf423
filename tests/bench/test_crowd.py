"""A measurement that measured the client, or the neighbours, says so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.crowd import Load, Round, doubts_about_round, story_of
from bench.orders import Collected, Generated
from bench.usage import Cpu

GOOD = {"receivers_cpu_share": 0.3, "generator_cpu_share": 0.1, "late_p99_ms": 3.0, "others_cores": 0.05}


def test_a_quiet_round_raises_no_doubt() -> None:
    """Otherwise every row would be invalid."""
    assert doubts_about_round(GOOD) == ()


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("receivers_cpu_share", 0.9, "receivers"),
        ("generator_cpu_share", 0.95, "generator"),
        ("late_p99_ms", 80.0, "late"),
        ("others_cores", 0.8, "others"),
    ],
)
def test_a_saturated_client_a_late_load_and_busy_neighbours_raise_doubts(name: str, value: float, word: str) -> None:
    """One doubt each, which names its cause."""
    (doubt,) = doubts_about_round(GOOD | {name: value})
    assert word in doubt


def test_a_load_sends_at_least_one_message() -> None:
    """Tiny runs still measure something."""
    assert Load(rate=1.0, seconds=0.1, body_bytes=20).messages == 1
    assert Load(rate=100.0, seconds=4.0, body_bytes=20).messages == 400


NOTHING = Cpu(0.0, 0.0)
COLLECTED = Collected(
    receivers=8,
    least=40,
    most=40,
    events=320,
    gaps=0,
    repeats=0,
    lagging=0,
    others=0,
    closed=0,
    received_bytes=320 * 500,
    finished_at=12.0,
    cpu_seconds=0.1,
    wall_seconds=2.0,
)
GENERATED = Generated(
    sent=40,
    acked=40,
    refused=0,
    refusal="",
    receivers=2,
    least=40,
    most=40,
    gaps=0,
    repeats=0,
    lagging=0,
    closed=0,
    delivery_p50_ms=1.0,
    delivery_p99_ms=2.0,
    ack_p50_ms=1.0,
    ack_p99_ms=2.0,
    late_p99_ms=0.5,
    started_at=10.0,
    cpu_seconds=0.1,
    wall_seconds=2.0,
)


def test_the_figures_of_a_round_are_per_delivery_and_per_second_of_delivering() -> None:
    """Ten receivers, forty messages, two seconds, 4 ms of the server's CPU."""
    figures = Round(COLLECTED, GENERATED, server=Cpu(0.001, 0.003), others_cores=0.0).figures()
    assert figures["deliveries"] == 400
    assert figures["cpu_us_per_delivery"] == pytest.approx(10.0)
    assert figures["of_which_kernel_us"] == pytest.approx(7.5)
    assert figures["deliveries_per_second"] == pytest.approx(200.0)
    assert figures["bytes_per_delivery"] == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("collected", "generated"),
    [
        ({"least": 39}, {}),
        ({"most": 41}, {}),
        ({"gaps": 1}, {}),
        ({"repeats": 1}, {}),
        ({}, {"least": 39}),
        ({}, {"gaps": 1}),
        ({}, {"acked": 39}),
    ],
    ids=["late", "too many", "hole", "repeat", "sampled late", "sampled hole", "seen but never acknowledged"],
)
def test_a_round_with_any_fault_is_not_gapless(collected: dict[str, int], generated: dict[str, int]) -> None:
    """One receiver is enough, of either process."""
    assert Round(COLLECTED, GENERATED, NOTHING, 0.0).gapless
    faulty = Round(replace(COLLECTED, **collected), replace(GENERATED, **generated), NOTHING, 0.0)
    assert not faulty.gapless
    assert story_of([Round(COLLECTED, GENERATED, NOTHING, 0.0), faulty]) == faulty.story


def test_a_refused_post_is_a_load_not_carried_and_no_hole() -> None:
    """The server may say no; it may not forget."""
    refused = replace(GENERATED, acked=39, refused=1, refusal="room_overloaded", least=39, most=39)
    found = Round(replace(COLLECTED, least=39, most=39), refused, NOTHING, 0.0)
    assert found.gapless
    assert not found.carried
    assert "room_overloaded" in found.story


def test_lagging_frames_of_both_processes_are_counted() -> None:
    """A single one is too many for the sustained step."""
    assert Round(replace(COLLECTED, lagging=2), replace(GENERATED, lagging=1), NOTHING, 0.0).lagging == 3

"""A measurement that measured the client, or the neighbours, says so."""

from __future__ import annotations

import pytest

from bench.crowd import Load, doubts_about

GOOD = {"receivers_cpu_share": 0.3, "generator_cpu_share": 0.1, "late_p99_ms": 3.0, "others_cores": 0.05}


def test_a_quiet_round_raises_no_doubt() -> None:
    """Otherwise every row would be invalid."""
    assert doubts_about(GOOD) == ()


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
    (doubt,) = doubts_about(GOOD | {name: value})
    assert word in doubt


def test_a_load_sends_at_least_one_message() -> None:
    """Tiny runs still measure something."""
    assert Load(rate=1.0, seconds=0.1, body_bytes=20).messages == 1
    assert Load(rate=100.0, seconds=4.0, body_bytes=20).messages == 400

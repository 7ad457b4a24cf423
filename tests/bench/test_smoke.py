"""Every scenario runs from end to end with tiny numbers against the real server, and its checks hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import OK, main

pytestmark = pytest.mark.real_clock

TINY = {
    "fanout": "--receivers 8 --sampled 2 --senders 2 --rate 50 --seconds 0.2 --rounds 1 --sustained-rate 200 "
    "--sustained-seconds 0.2",
    "idle": "--connections 10 --own-rooms 3 --settle-seconds 0.05",
    "send": "--rooms 1,2 --windows 2 --seconds 0.2 --bare-commits 5",
    "actors": "--count 200 --batch 8 --rounds 2",
    "resume": "--clients 10 --few 5 --many 300",
    "journal": "--modes sqlite --rooms 1,2 --senders 2 --seconds 0.05 --rounds 2",
    "logins": "--logins-per-second 5 --bcrypt-cost 4 --seconds 0.3",
    "growth": "--modes sqlite --entries 300 --few-entries 60 --pages 3 --users 50 --searches 8",
}
FIGURES = {
    "fanout": {"cpu_us_per_delivery", "delivery_p50_ms", "delivery_p99_ms", "deliveries_per_second"},
    "idle": {"kb_per_connection", "before_mb", "after_mb"},
    "send": {"messages_per_second", "ack_p50_ms", "ack_p99_ms", "commit_p50_ms", "queued_p50_ms", "cpu_us_per_message"},
    "actors": {"us", "plain_us"},
    "resume": {"caught_up_p50_ms", "caught_up_p99_ms", "gapless"},
    "journal": {"entries_per_second", "p50_ms", "p99_ms", "entries_per_commit", "own_cpu_us_per_entry"},
    "logins": {"pong_p50_ms", "pong_p99_ms", "server_cores"},
    "growth": {"read_p50_ms", "read_back_p50_ms", "messages_before_p50_ms", "messages_after_p99_ms"},
}


@pytest.mark.parametrize(
    "scenario", ["actors", *(pytest.param(name, marks=pytest.mark.thorough) for name in TINY if name != "actors")]
)
def test_a_scenario_measures_and_its_checks_hold(scenario: str, tmp_path: Path) -> None:
    """The figures are there, every check has passed, and the databases are gone."""
    file = tmp_path / "figures.json"
    data = tmp_path / "data"
    data.mkdir()
    assert main([scenario, "--json", str(file), "--data", str(data), *TINY[scenario].split()]) == OK
    (outcome,) = json.loads(file.read_bytes())["outcomes"]
    assert outcome["scenario"] == scenario
    assert set(outcome["rows"][0]["figures"]) >= FIGURES[scenario]
    assert outcome["findings"]
    assert all(check["passed"] for check in outcome["checks"])
    assert list(data.iterdir()) == []

"""The JSON has a stable shape, and what cannot be trusted is not called met."""

from __future__ import annotations

import io
import json
import platform
from pathlib import Path

import pytest
from rich.console import Console

from bench.facts import gather_facts
from bench.report import Check, Finding, Outcome, Report, Row, encode_report, print_outcome, readable

OUTCOME = Outcome(
    scenario="fanout",
    options={"receivers": 500},
    rows=(
        Row(
            "justchat", {"cpu_us_per_delivery": 3.2, "deliveries": 200_000}, rounds={"cpu_us_per_delivery": [3.1, 3.2]}
        ),
        Row("websockets", {"cpu_us_per_delivery": 6.4}, doubts=("the client was busy",)),
    ),
    findings=(Finding("CPU", 0.5, goal=0.9, valid=False),),
    checks=(Check("gapless", passed=True, found="500 of 500"),),
)


def test_the_json_of_a_run_has_facts_outcomes_and_a_schema_number(tmp_path: Path) -> None:
    """Names that a program reads stay what they are."""
    report = json.loads(encode_report(Report(gather_facts(tmp_path), (OUTCOME,))))
    assert report["schema"] == 1
    facts = {"started_at", "commit", "python", "kernel", "machine", "cpu", "cores", "load_average", "filesystem"}
    assert set(report["facts"]) == facts | {"libraries"}
    (outcome,) = report["outcomes"]
    assert set(outcome) == {"scenario", "options", "rows", "findings", "checks"}
    assert set(outcome["rows"][0]) == {"label", "figures", "doubts", "rounds"}
    assert outcome["findings"] == [{"name": "CPU", "value": 0.5, "goal": 0.9, "valid": False}]
    assert outcome["checks"] == [{"name": "gapless", "passed": True, "found": "500 of 500"}]


def test_the_facts_name_no_host_and_no_path(tmp_path: Path) -> None:
    """A report can be published as it is."""
    text = encode_report(Report(gather_facts(tmp_path), ())).decode()
    assert str(tmp_path) not in text
    assert str(Path.cwd()) not in text
    assert f'"{platform.node()}"' not in text


def test_the_facts_know_the_versions_that_are_measured(tmp_path: Path) -> None:
    """A figure without versions cannot be compared with anything."""
    libraries = gather_facts(tmp_path).libraries
    assert set(libraries) >= {"trio", "websockets", "sqlite"}
    assert "absent" not in libraries.values()


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (Finding("a", 0.8, goal=0.9), "met"),
        (Finding("a", 0.9, goal=0.9), "met"),
        (Finding("a", 1.0, goal=0.9), "missed"),
        (Finding("a", 0.8, goal=0.9, valid=False), "invalid"),
        (Finding("a", 0.8), ""),
    ],
)
def test_a_goal_is_met_only_by_figures_that_can_be_trusted(finding: Finding, verdict: str) -> None:
    """An invalid figure is neither met nor missed."""
    assert finding.verdict == verdict


def test_the_table_shows_figures_goals_checks_and_doubts() -> None:
    """What a person must see is there."""
    console = Console(file=io.StringIO(), width=120)
    print_outcome(OUTCOME, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for expected in (
        "cpu us per delivery",
        "3.20",
        "6.40",
        "200,000",
        "invalid",
        "the client was busy",
        "holds",
        "0.900",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12.0, "12"),
        (1234.5, "1,234"),
        (123.45, "123.5"),
        (3.14159, "3.14"),
        (0.5, "0.500"),
        (0.00123, "0.00123"),
    ],
)
def test_figures_are_written_with_the_digits_that_count(value: float, text: str) -> None:
    """Neither noise nor a bare zero."""
    assert readable(value) == text

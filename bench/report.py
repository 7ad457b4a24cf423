"""What a run found: rows of figures, findings to hold against a goal, checks; as a table and as JSON.

A row that cannot be trusted says why and is marked; its findings are shown and not counted as met. A failed check is a
defect of the server, a missed goal is not: only the first ends the run with an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench.facts import Facts

SCHEMA = 1
MOST_COLUMNS = 4


class Row(Struct, frozen=True):
    """One measured thing. Units are in the figures' names; `rounds` holds each round's value of what was repeated."""

    label: str
    figures: dict[str, float]
    doubts: tuple[str, ...] = ()
    rounds: dict[str, list[float]] = {}

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against the figures."""
        return not self.doubts


class Finding(Struct, frozen=True):
    """Two figures of one run. A goal is the highest value wanted."""

    name: str
    value: float
    goal: float | None = None
    valid: bool = True

    @property
    def verdict(self) -> str:
        """What to say about it."""
        if not self.valid:
            return "invalid"
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "missed"


class Check(Struct, frozen=True):
    """Something that must hold whatever the speed."""

    name: str
    passed: bool
    found: str = ""


class Outcome(Struct, frozen=True):
    """What one scenario found."""

    scenario: str
    options: dict[str, float | str]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check held."""
        return all(check.passed for check in self.checks)


class Report(Struct, frozen=True):
    """A whole run."""

    facts: Facts
    outcomes: tuple[Outcome, ...]
    schema: int = SCHEMA


def encode_report(report: Report) -> bytes:
    """Make the JSON of a run, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def readable(value: float) -> str:
    """Write a figure with about three digits that count."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    digits = 1 if size >= 100 else 2 if size >= 1 else 3 if size >= 0.01 else 5
    return f"{value:.{digits}f}"


def _figures(rows: Sequence[Row]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    table = Table(show_edge=False)
    table.add_column("figure", no_wrap=True)
    for row in rows:
        table.add_column(row.label if row.valid else f"{row.label} [red](invalid)[/red]", justify="right")
    for name in names:
        cells = [readable(row.figures[name]) if name in row.figures else "" for row in rows]
        table.add_row(name.replace("_", " "), *cells)
    return table


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Show what one scenario found."""
    console.rule(f"[bold]{outcome.scenario}")
    for start in range(0, len(outcome.rows), MOST_COLUMNS):
        console.print(_figures(outcome.rows[start : start + MOST_COLUMNS]))
    for finding in outcome.findings:
        goal = "" if finding.goal is None else f"  (goal at most {readable(finding.goal)}: {finding.verdict})"
        console.print(f"[bold]{readable(finding.value)}[/bold]  {finding.name}{goal}", highlight=False)
    for check in outcome.checks:
        mark = "[green]holds[/green]" if check.passed else "[red]FAILS[/red]"
        console.print(f"{mark}  {check.name}{f': {check.found}' if check.found else ''}", highlight=False)
    for row in outcome.rows:
        for doubt in row.doubts:
            console.print(f"[yellow]invalid[/yellow]  {row.label}: {doubt}", highlight=False)

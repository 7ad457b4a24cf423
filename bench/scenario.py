"""What a scenario is: a name, options with two sets of values, and a run that gives an outcome.

Options are a frozen struct, so that flags, defaults and what the report says about them have one source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from bench.report import Outcome

O = TypeVar("O", bound=Struct)  # noqa: E741 - options
Value = int | float | str


class Steps(Protocol):
    """Where a scenario says how far it is."""

    def expect(self, count: int) -> None:
        """Say how many steps there will be."""

    def step(self, doing: str) -> None:
        """Say what begins now."""


class Site(Struct, frozen=True):
    """Where a scenario runs: a directory of its own, removed afterwards, and its way to report progress."""

    directory: Path
    steps: Steps


def by_name(options: Struct) -> dict[str, Value]:
    """Give options as the report and the command line name them."""
    values: dict[str, Value] = msgspec.structs.asdict(options)
    return values


class Scenario(Generic[O]):
    """One thing that can be measured. `full` are the options by default, `short` those of `--short`."""

    def __init__(self, name: str, summary: str, *, full: O, short: O, run: Callable[[O, Site], Outcome]) -> None:
        self.name = name
        self.summary = summary
        self.full = full
        self.short = short
        self._run = run

    def defaults(self, *, short: bool) -> dict[str, Value]:
        """Give the options by name."""
        return by_name(self.short if short else self.full)

    def run(self, overrides: Mapping[str, Value], site: Site, *, short: bool = False) -> Outcome:
        """Measure. `overrides` replaces options by name."""
        options = msgspec.structs.replace(self.short if short else self.full, **overrides)
        return self._run(options, site)


class AnyScenario(Protocol):
    """A scenario whose options' type does not matter."""

    name: str
    summary: str

    def defaults(self, *, short: bool) -> dict[str, Value]:
        """Give the options by name."""

    def run(self, overrides: Mapping[str, Value], site: Site, *, short: bool = False) -> Outcome:
        """Measure."""

"""The progress bar of a run, on standard error, redrawn only when a step begins.

A bar that redraws itself from a thread would take CPU from the scenarios that measure in this process.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class ScenarioBar:
    """One scenario's line."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None, doing="")
        self._begun = False

    def expect(self, count: int) -> None:
        """Say how many steps there will be."""
        self._progress.update(self._task, total=count)

    def step(self, doing: str) -> None:
        """Say what begins now."""
        self._progress.update(self._task, advance=1 if self._begun else 0, doing=doing)
        self._progress.refresh()
        self._begun = True

    def done(self) -> None:
        """Fill the bar."""
        self._progress.update(self._task, advance=1, doing="done")
        self._progress.refresh()


def progress_bars(console: Console) -> Progress:
    """Make the display that the bars are lines of."""
    columns = (
        TextColumn("[bold]{task.description:8}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
    )
    return Progress(*columns, console=console, auto_refresh=False)

"""`python -m bench <scenario>`: measure, show a table, write JSON.

Exit codes: 0 measured, 1 a check failed or the run broke off, 2 usage. A missed goal is reported and is no error.
"""

from __future__ import annotations

import resource
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import FrameType

from rich.console import Console

from bench.client_process import ClientFailed
from bench.connection import ServerRefused
from bench.facts import gather_facts
from bench.frames import FrameBroken
from bench.modes import StoreFailed
from bench.progress import ScenarioBar, progress_bars
from bench.report import Outcome, Report, encode_report, print_outcome
from bench.scenario import Site
from bench.scenarios import SCENARIOS
from bench.server_process import ServerFailed
from bench.store_servers import Missing
from bench.target import RestFailed

OK = 0
FAILED = 1
ALL = "all"
BROKEN_OFF = (ClientFailed, ServerFailed, ServerRefused, RestFailed, FrameBroken, StoreFailed, Missing, OSError)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m bench", description="Measure JustChat beside something else.")
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")
    commands = parser.add_subparsers(dest="scenario", metavar="SCENARIO")
    every = commands.add_parser(ALL, help="every scenario, one after another")
    _add_common(every)
    for scenario in SCENARIOS.values():
        command = commands.add_parser(scenario.name, help=scenario.summary, description=scenario.summary)
        _add_common(command)
        options = command.add_argument_group("options, with their values in the full and in the short form")
        for name, value in scenario.defaults(short=False).items():
            flag = f"--{name.replace('_', '-')}"
            shown = f"{value}, short {scenario.defaults(short=True)[name]}"
            options.add_argument(flag, type=type(value), default=None, dest=name, help=f"[{shown}]")
    return parser


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--short", action="store_true", help="measure less, in less time")
    parser.add_argument("--json", type=Path, metavar="FILE", default=None, help="also write the figures to FILE")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(gettempdir()),
        help="make the databases under DIR (a real disk)",
    )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Leave through every `finally` when told to end, so that no process and no directory stays behind."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measure(name: str, namespace: Namespace, bar: ScenarioBar) -> Outcome:
    scenario = SCENARIOS[name]
    given = vars(namespace)
    names = scenario.defaults(short=False)
    overrides = {name: given[name] for name in names if given.get(name) is not None}
    with TemporaryDirectory(prefix="justchat-bench-", dir=namespace.data) as directory:
        outcome = scenario.run(overrides, Site(Path(directory), bar), short=namespace.short)
    bar.done()
    return outcome


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios asked for and return the exit code."""
    parser = _parser()
    namespace = parser.parse_args(argv)
    if namespace.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name:8} {scenario.summary}")
        return OK
    if namespace.scenario is None:
        parser.error("name a scenario, or use --list")
    with _ended_by_sigterm():
        return run_scenarios(list(SCENARIOS) if namespace.scenario == ALL else [namespace.scenario], namespace)


def run_scenarios(names: Sequence[str], namespace: Namespace) -> int:
    """Measure, report, and return the exit code."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    facts = gather_facts(namespace.data)
    console, errors = Console(), Console(stderr=True)
    outcomes: list[Outcome] = []
    failure = ""
    with progress_bars(errors) as progress:
        for name in names:
            try:
                outcomes.append(_measure(name, namespace, ScenarioBar(progress, name)))
            except BROKEN_OFF as error:
                failure = f"{name} broke off: {error}"
                break
    for outcome in outcomes:
        print_outcome(outcome, console)
    if namespace.json is not None:
        namespace.json.parent.mkdir(parents=True, exist_ok=True)
        namespace.json.write_bytes(encode_report(Report(facts, tuple(outcomes))))
    if failure:
        errors.print(failure, markup=False)
    return OK if not failure and all(outcome.passed for outcome in outcomes) else FAILED


if __name__ == "__main__":
    sys.exit(main())

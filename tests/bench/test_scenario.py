"""Options come from one place, and the command line knows every scenario."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from bench.__main__ import OK, main
from bench.report import Outcome
from bench.scenario import Scenario, Site, by_name
from bench.scenarios import SCENARIOS


class Options(Struct, frozen=True):
    """Of a scenario that measures nothing."""

    count: int = 5
    rate: float = 1.0


class Silence:
    """Steps that nobody watches."""

    def expect(self, count: int) -> None:
        """Hear nothing."""

    def step(self, doing: str) -> None:
        """Hear nothing."""


NOTHING = Scenario(
    "nothing",
    "measures nothing",
    full=Options(),
    short=Options(count=1),
    run=lambda options, _: Outcome("nothing", by_name(options), ()),
)


def test_an_override_replaces_one_option_of_the_chosen_form(tmp_path: Path) -> None:
    """The others keep the form's own values."""
    site = Site(tmp_path, Silence())
    assert NOTHING.run({}, site).options == {"count": 5, "rate": 1.0}
    assert NOTHING.run({"rate": 2.0}, site, short=True).options == {"count": 1, "rate": 2.0}


def test_the_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with what it measures."""
    assert main(["--list"]) == OK
    lines = capsys.readouterr().out.splitlines()
    names = ["fanout", "idle", "send", "actors", "resume", "journal", "growth", "logins"]
    assert [line.split()[0] for line in lines] == list(SCENARIOS) == names


@pytest.mark.parametrize(
    "arguments", [[], ["unknown"], ["fanout", "--no-such-option", "1"], ["fanout", "--rounds", "x"]]
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err

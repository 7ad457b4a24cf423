"""The command: exit codes, what goes to which stream, and that the committed reference is up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from justchat import __version__
from justchat.cli import main
from justchat.config import Config
from justchat.config.catalogue import SETTINGS
from justchat.config.reference import reference

REFERENCE_PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
KEY = "0123456789abcdef" * 4


def test_the_committed_reference_is_up_to_date() -> None:
    """`justchat config --reference > docs/configuration.md` was run after the last change of a setting."""
    assert REFERENCE_PAGE.read_text() == reference()


def test_the_reference_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Every setting has its row, and no cell breaks the table."""
    assert main(["config", "--reference"], {}) == 0
    printed = capsys.readouterr().out
    assert printed == reference()
    rows = {line.split("`")[1]: line for line in printed.splitlines() if line.startswith("| `") and line.count("|") > 3}
    assert list(rows) == [setting.name for setting in SETTINGS]
    assert all(line.count("|") == 5 for line in rows.values())


def test_check_prints_each_setting_with_its_source_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """What would be used, and why; whether a secret is set, and not what it is."""
    assert main(["config", "--check", "--port", "0"], {"JUSTCHAT_SIGNING_KEY": KEY}) == 0
    out, err = capsys.readouterr()
    assert "port = 0  [flag --port]" in out.splitlines()
    assert "bcrypt_cost = 12  [default]" in out.splitlines()
    assert "signing_key = (set, not shown)  [environment JUSTCHAT_SIGNING_KEY]" in out.splitlines()
    assert "operator_token = (unset)  [default]" in out.splitlines()
    assert KEY not in out + err


def test_check_of_a_bad_configuration_fails_with_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, one line per problem on the error stream, nothing on the other."""
    assert main(["config", "--check", "--port", "x", "--prt=1"], {"JUSTCHAT_SIGNING_KEY": "short-secret"}) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3
    assert all(line.startswith("justchat: ") for line in err.splitlines())
    assert "short-secret" not in err


def test_serve_does_not_start_on_a_bad_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and the server is not even imported."""
    before = "justchat.app" in sys.modules
    assert main(["serve", "--port", "x"], {}) == 2
    assert ("justchat.app" in sys.modules) == before
    assert "port (flag --port)" in capsys.readouterr().err


def test_serve_hands_the_configuration_over_and_returns_the_servers_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code of the run is the command's, with a server that only says how it was called."""
    seen: list[Config] = []

    def run(config: Config) -> int:
        seen.append(config)
        return 1

    app = ModuleType("justchat.app")
    app.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "justchat.app", app)
    assert main(["serve", "--port", "0"], {"JUSTCHAT_HOST": "::1"}) == 1
    assert seen == [Config(port=0, host="::1")]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["serve", "--help"], 0),
        ([], 2),
        (["fly"], 2),
        (["config"], 2),
        (["config", "--check", "--reference"], 2),
    ],
)
def test_usage_ends_with_the_usual_codes(argv: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for what was asked for, 2 for what makes no command."""
    with pytest.raises(SystemExit) as ended:
        main(argv, {})
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert bool(out) == (code == 0)
    assert bool(err) == (code == 2)


def test_help_lists_every_flag_and_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """The flags are made from the settings, and secrets are not among them."""
    with pytest.raises(SystemExit):
        main(["serve", "--help"], {})
    shown = capsys.readouterr().out
    assert {setting.flag for setting in SETTINGS if f"{setting.flag} " in shown} == {
        setting.flag for setting in SETTINGS if not setting.secret
    }
    with pytest.raises(SystemExit):
        main(["--version"], {})
    assert capsys.readouterr().out == f"justchat {__version__}\n"

"""Where settings come from: command line, environment, TOML file. Each source gives raw values and reports strangers.

A key that no setting has is a problem that names the nearest known key: a typo must not silently mean the default.
"""

from __future__ import annotations

import tomllib
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping, Sequence

from msgspec import Struct

from justchat.config.catalogue import BY_NAME, ENVIRONMENT_PREFIX, OTHER_VARIABLES, SETTINGS, nearest, plain
from justchat.config.values import accepted

CONFIG_VARIABLE = "JUSTCHAT_CONFIG"
PLATFORM_PORT = "PORT"

_MISSING = ""
_SHOWN = 64
_PATH_SHOWN = 256


class Given(Struct, frozen=True):
    """A raw value and where it was found; `typed` when it came with a type of its own."""

    value: object
    source: str
    typed: bool = False


class Problem(Struct, frozen=True):
    """One thing that is wrong with the configuration, for people."""

    key: str
    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.key} ({self.source}): {self.detail}"


class Layer(Struct, frozen=True):
    """What one source gave: raw values by setting name, and what it should not have contained."""

    given: dict[str, Given]
    problems: tuple[Problem, ...] = ()
    config_file: str | None = None


def add_flags(parser: ArgumentParser) -> None:
    """Give a parser `--config` and one flag per setting, except for secrets."""
    parser.add_argument("--config", metavar="FILE", nargs="?", const=_MISSING, default=SUPPRESS, help="TOML file")
    for setting in SETTINGS:
        if setting.secret:
            continue
        default = plain(setting.default) or "unset"
        text = f"{setting.help} Accepts {accepted(setting)}; default {default}."
        # `nargs="?"` so that a flag without a value is reported along with everything else.
        parser.add_argument(
            setting.flag,
            dest=setting.name,
            metavar="VALUE",
            nargs="?",
            const=_MISSING,
            default=SUPPRESS,
            help=text.replace("%", "%%"),
        )


def from_flags(argv: Sequence[str]) -> Layer:
    """Read the command line."""
    parser = ArgumentParser(prog="justchat", add_help=False, allow_abbrev=False)
    add_flags(parser)
    namespace, extra = parser.parse_known_args(list(argv))
    return from_parsed_flags(vars(namespace), extra)


def from_parsed_flags(parsed: Mapping[str, object], extra: Sequence[str]) -> Layer:
    """Take what a parser with our flags found, and what it did not know."""
    given: dict[str, Given] = {}
    problems = _unknown_flags(extra)
    for name, setting in BY_NAME.items():
        value = parsed.get(name)
        if value == _MISSING and setting.kind != "list":
            problems.append(Problem(name, f"flag {setting.flag}", "needs a value"))
        elif value is not None:
            given[name] = Given(value, f"flag {setting.flag}")
    config_file = parsed.get("config")
    if config_file == _MISSING:
        problems.append(Problem("config", "flag --config", "needs a file name"))
    return Layer(given, tuple(problems), config_file if isinstance(config_file, str) and config_file else None)


def _unknown_flags(extra: Sequence[str]) -> list[Problem]:
    flags = {setting.flag: setting for setting in SETTINGS}
    problems: list[Problem] = []
    value_may_follow = False
    for argument in extra:
        name = argument.split("=", 1)[0]
        if not argument.startswith("-"):
            # The word after an unknown flag is that flag's value: one mistake, one line.
            if not value_may_follow:
                problems.append(Problem(_short(argument), "command line", "is not expected here"))
            value_may_follow = False
            continue
        value_may_follow = "=" not in argument
        if name in flags:
            detail = f"a secret is not taken from the command line; use {flags[name].variable}"
        else:
            known = [flag for flag, setting in flags.items() if not setting.secret]
            detail = f"is not a known flag; the nearest is {nearest(name, [*known, '--config'])}"
        problems.append(Problem(_short(name), "command line", detail))
    return problems


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Read the environment. An empty variable counts as unset."""
    variables = {setting.variable: name for name, setting in BY_NAME.items()}
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in variables:
            known = nearest(variable, [*variables, CONFIG_VARIABLE])
            detail = f"is not a known variable; the nearest is {known}"
            problems.append(Problem(_short(variable), "environment", detail))
        elif value:
            given[variables[variable]] = Given(value, f"environment {variable}")
    if "port" not in given and environ.get(PLATFORM_PORT):
        given["port"] = Given(environ[PLATFORM_PORT], f"environment {PLATFORM_PORT}")
    return Layer(given, tuple(problems), environ.get(CONFIG_VARIABLE) or None)


def from_file(path: str, raw: bytes) -> Layer:
    """Read the contents of a TOML file whose keys are the settings' names."""
    source = file_source(path)
    try:
        table = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        return Layer({}, (Problem("config", source, f"is not valid TOML: {error}"),))
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for key, value in table.items():
        if key in BY_NAME:
            given[key] = Given(value, source, typed=True)
        else:
            detail = f"is not a known setting; the nearest is {nearest(key, list(BY_NAME))}"
            problems.append(Problem(_short(key), source, detail))
    return Layer(given, tuple(problems))


def file_source(path: str) -> str:
    """How a problem names a file as its source."""
    return f"file {_short(path, limit=_PATH_SHOWN)}"


def _short(text: str, *, limit: int = _SHOWN) -> str:
    """A stranger's text, safe to print on one line."""
    shown = text if text and text.isprintable() else ascii(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"

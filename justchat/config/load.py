"""Put the sources together: flag over environment over file over profile over default, then check everything.

Pure apart from the `Files` it is handed. Everything that is wrong is reported at once, never one problem per start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from justchat.config.catalogue import BY_NAME, Value
from justchat.config.files import DiskFiles, Files
from justchat.config.rules import ALWAYS, IN_PRODUCTION, PROFILE_OVERRIDES, Facts, signing_key_path
from justchat.config.settings import Config
from justchat.config.sources import Given, Layer, Problem, file_source, from_environment, from_file, from_flags
from justchat.config.values import Rejected, parse_text, parse_typed


class Effective(Struct, frozen=True):
    """A checked configuration and, for each setting, where its value came from."""

    config: Config
    sources: dict[str, str]


class _Chosen(Struct, frozen=True):
    values: dict[str, Value]
    sources: dict[str, str]
    problems: list[Problem]


def load_config(
    argv: Sequence[str], environ: Mapping[str, str], *, files: Files | None = None
) -> Config | list[Problem]:
    """Make the configuration from flags, environment and file, or say everything that is wrong with it."""
    loaded = load_effective(from_flags(argv), environ, files=files or DiskFiles())
    return loaded.config if isinstance(loaded, Effective) else loaded


def load_effective(flags: Layer, environ: Mapping[str, str], *, files: Files) -> Effective | list[Problem]:
    """Do the same from flags already parsed, and keep where each value came from."""
    environment = from_environment(environ)
    layers = (flags, environment, _file_layer(flags.config_file or environment.config_file, files))
    chosen = _choose(layers)
    problems = [problem for layer in layers for problem in layer.problems] + chosen.problems
    rejected = {problem.key for problem in chosen.problems}
    values, sources = _with_profile(chosen)
    config = replace(Config(), **values)
    problems += _broken_rules(config, sources, frozenset(chosen.sources), rejected, files)
    return problems or Effective(config, sources)


def _file_layer(path: str | None, files: Files) -> Layer:
    if path is None:
        return Layer({})
    try:
        raw = files.read(path)
    except (OSError, ValueError) as error:
        return Layer({}, (Problem("config", file_source(path), f"cannot be read: {error}"),))
    return from_file(path, raw)


def _choose(layers: Sequence[Layer]) -> _Chosen:
    """Take each setting from the first layer that gives it. A rejected value does not fall through to a weaker one."""
    chosen = _Chosen({}, {}, [])
    for name, setting in BY_NAME.items():
        given = _first(layers, name)
        if given is None:
            continue
        chosen.sources[name] = given.source
        value = parse_typed(setting, given.value) if given.typed else parse_text(setting, str(given.value))
        if isinstance(value, Rejected):
            chosen.problems.append(Problem(name, given.source, value.detail))
        else:
            chosen.values[name] = value
    return chosen


def _first(layers: Sequence[Layer], name: str) -> Given | None:
    return next((layer.given[name] for layer in layers if name in layer.given), None)


def _with_profile(chosen: _Chosen) -> tuple[dict[str, Value], dict[str, str]]:
    """Lay the chosen values over the profile's overrides, and the sources over `default`."""
    profile = str(chosen.values.get("profile", "development"))
    overrides = PROFILE_OVERRIDES.get(profile, {})
    sources = dict.fromkeys(BY_NAME, "default") | dict.fromkeys(overrides, f"profile {profile}") | chosen.sources
    return {**overrides, **chosen.values}, sources


def _broken_rules(
    config: Config, sources: Mapping[str, str], explicit: frozenset[str], rejected: set[str], files: Files
) -> list[Problem]:
    """Check the rules whose settings all have a value; a rejected one has been reported already."""
    path = signing_key_path(config)
    facts = Facts(config, explicit, files.mode(path) if path is not None else None)
    found = []
    for rule in ALWAYS + (IN_PRODUCTION if config.profile == "production" else ()):
        detail = None if rejected.intersection(rule.keys) else rule.broken(facts)
        if detail is not None:
            found.append(Problem(rule.keys[0], sources[rule.keys[0]], detail))
    return found

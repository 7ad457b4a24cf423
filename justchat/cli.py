"""The `justchat` command: `serve`, `config`, `--version`.

Exit codes: 0 done, 1 a failure at run (and `config --check` on a bad configuration), 2 usage, which includes a
configuration that `serve` cannot start with. The server itself is imported only when it is started.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

from justchat import __version__
from justchat.config.files import DiskFiles
from justchat.config.load import Effective, load_effective
from justchat.config.reference import listing, reference
from justchat.config.sources import Problem, add_flags, from_parsed_flags

OK = 0
FAILED = 1
USAGE = 2


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit where argparse prints usage, help or the version."""
    parser = _parser()
    namespace, extra = parser.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    environ = os.environ if environ is None else environ
    if namespace.command == "config":
        return _config(namespace, extra, environ)
    return _serve(namespace, extra, environ)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="justchat", description="A realtime chat server.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"justchat {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server", allow_abbrev=False)
    add_flags(serve)
    config = commands.add_parser("config", help="check or document the settings", allow_abbrev=False)
    action = config.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="print the effective settings, or all that is wrong")
    action.add_argument("--reference", action="store_true", help="print the reference of all settings in Markdown")
    add_flags(config)
    return parser


def _load(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> Effective | list[Problem]:
    return load_effective(from_parsed_flags(vars(namespace), extra), environ, files=DiskFiles())


def _report(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"justchat: {problem}", file=sys.stderr)


def _config(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> int:
    if namespace.reference:
        print(reference(), end="")
        return OK
    loaded = _load(namespace, extra, environ)
    if isinstance(loaded, Effective):
        print(listing(loaded))
        return OK
    _report(loaded)
    return FAILED


def _serve(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> int:
    loaded = _load(namespace, extra, environ)
    if not isinstance(loaded, Effective):
        _report(loaded)
        return USAGE
    from justchat.app import run  # the server and its libraries are not needed to check a configuration

    return run(loaded.config)

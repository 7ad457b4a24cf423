"""What is on the command line, and who does it.

What a command needs is imported only when it is run: a configuration is checked without the server and its libraries.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

from justchat import __version__
from justchat.cli.codes import FAILED, OK, USAGE
from justchat.cli.configuration import load, report
from justchat.cli.flags import add_admin, add_copy, add_keys, add_migrate, add_storage
from justchat.config.load import Effective
from justchat.config.reference import listing, reference
from justchat.config.sources import add_flags


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit where argparse prints usage, help or the version."""
    parser = _parser()
    namespace, extra = parser.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    environ = os.environ if environ is None else environ
    match namespace.command:
        case "config":
            return _config(namespace, extra, environ)
        case "serve":
            return _serve(namespace, extra, environ)
        case "keys":
            return _keys(namespace, extra, environ)
    if extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    return _operate(namespace, environ)


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
    add_keys(commands.add_parser("keys", help="list or rotate the signing keys", allow_abbrev=False))
    add_admin(commands.add_parser("admin", help="make administrators, disable accounts", allow_abbrev=False))
    add_migrate(commands.add_parser("migrate", help="look at or change the schema of the store", allow_abbrev=False))
    add_storage(commands.add_parser("storage", help="check what is stored", allow_abbrev=False))
    add_copy(commands.add_parser("copy", help="copy a whole site into another store", allow_abbrev=False))
    return parser


def _config(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> int:
    if namespace.reference:
        sys.stdout.write(reference())
        return OK
    loaded = load(namespace, extra, environ)
    if isinstance(loaded, Effective):
        sys.stdout.write(f"{listing(loaded)}\n")
        return OK
    report(loaded)
    return FAILED


def _serve(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> int:
    loaded = load(namespace, extra, environ)
    if not isinstance(loaded, Effective):
        report(loaded)
        return USAGE
    from justchat.app import run

    return run(loaded.config)


def _keys(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> int:
    loaded = load(namespace, extra, environ)
    if not isinstance(loaded, Effective):
        report(loaded)
        return USAGE
    from justchat.cli.keys import run_keys

    return run_keys(namespace, loaded.config)


def _operate(namespace: Namespace, environ: Mapping[str, str]) -> int:
    if namespace.command == "copy":
        from justchat.cli.copying import run_copy

        return run_copy(namespace)
    loaded = load(namespace, (), environ)
    if not isinstance(loaded, Effective):
        report(loaded)
        return USAGE
    if namespace.command == "admin":
        from justchat.cli.admin import run_admin

        return run_admin(namespace, loaded.config)
    if namespace.command == "migrate":
        from justchat.cli.migrating import run_migrate

        return run_migrate(namespace, loaded.config)
    from justchat.cli.checking import run_check

    return run_check(namespace, loaded.config)

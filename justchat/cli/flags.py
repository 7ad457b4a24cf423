"""The flags of the operators' commands."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser


def add_migrate(parser: ArgumentParser) -> None:
    """Give a parser `status`, `up` and `down`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    status = actions.add_parser("status", help="list the migrations and when each was applied", allow_abbrev=False)
    up = actions.add_parser("up", help="apply every migration that is pending", allow_abbrev=False)
    down = actions.add_parser("down", help="undo migrations; what they hold is lost", allow_abbrev=False)
    down.add_argument("--to", type=int, required=True, metavar="N", help="the last migration to keep; 0 keeps none")
    down.add_argument("--yes", action="store_true", help="confirm that what the migrations hold may be lost")
    for action in (status, up, down):
        _add_store(action)


def add_storage(parser: ArgumentParser) -> None:
    """Give a parser `check`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="compare everything with the journal", allow_abbrev=False)
    check.add_argument("--repair", action="store_true", help="write what differs anew; needs the site for itself")
    check.add_argument("--room", metavar="ID", help="check this room only")
    _add_store(check)


def add_copy(parser: ArgumentParser) -> None:
    """Give a parser the flags of `copy`, which takes no settings."""
    parser.add_argument("--from", dest="source", required=True, metavar="URL", help="the store to copy")
    parser.add_argument(
        "--from-journal", dest="source_journal", metavar="URL", help="its journal, if that is elsewhere"
    )
    parser.add_argument("--to", dest="target", required=True, metavar="URL", help="an empty store")
    parser.add_argument("--journal", dest="target_journal", metavar="URL", help="its journal, if elsewhere")


def _add_store(parser: ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", default=SUPPRESS, help="TOML file with the settings")
    parser.add_argument("--database", metavar="URL", default=SUPPRESS, help="the setting `database`")
    parser.add_argument("--journal", metavar="URL", default=SUPPRESS, help="the setting `journal`")

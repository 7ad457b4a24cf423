"""The flags of the operators' commands."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser

from justchat.config.sources import add_flags

# Not taken from where they are decided: a command line is read without the server and its libraries.
ROLES = ("admin", "user", "guest", "bot")


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


def add_keys(parser: ArgumentParser) -> None:
    """Give a parser `list` and `rotate`, which take the settings that the server is started with."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_flags(actions.add_parser("list", help="list the keys and what each is for", allow_abbrev=False))
    rotate = actions.add_parser("rotate", help="sign with the next key from now on", allow_abbrev=False)
    add_flags(rotate)
    rotate.add_argument(
        "--algorithm",
        dest="signing_algorithm",
        metavar="VALUE",
        nargs="?",
        const="",
        default=SUPPRESS,
        help="the same as --signing-algorithm: what the key is for that signs after the next rotation",
    )


def add_admin(parser: ArgumentParser) -> None:
    """Give a parser `create`, `disable`, `enable` and `role`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser(
        "create", help="make an administrator; the password is asked for, or read from stdin", allow_abbrev=False
    )
    create.add_argument("--username", required=True, metavar="NAME", help="its username")
    create.add_argument("--email", metavar="ADDRESS", help="its e-mail address")
    create.add_argument("--promote", action="store_true", help="make an account that is there an administrator")
    disable = actions.add_parser("disable", help="let an account in no more, and end its sessions", allow_abbrev=False)
    enable = actions.add_parser("enable", help="let an account in again", allow_abbrev=False)
    role = actions.add_parser("role", help="give an account a role", allow_abbrev=False)
    for action in (disable, enable, role):
        action.add_argument("user", metavar="USER", help="a username or an id")
    role.add_argument("role", choices=ROLES, help="the role")
    for action in (create, disable, enable, role):
        _add_store(action)


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

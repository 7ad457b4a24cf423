"""`python -m tests.features.buggy_server serve …`: the product's own server with bugs, to see what it logs of them.

Whatever is handed a text with `BUG` in it crashes: passwords, tokens of all kinds, and messages in their room.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from justchat.accounts.accounts import Accounts
from justchat.accounts.invitations import Invitations
from justchat.accounts.passwords import Passwords
from justchat.accounts.sessions import Sessions
from justchat.app import Hooks, run
from justchat.config.load import load_config
from justchat.rooms.commands import Command, PostMessage
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor

BUG = "BUG!"
"""With a character that no random token has in it."""


class Planted(Exception):
    """A bug that the test asked for. Its message says nothing, as that of most bugs."""


def plant(owner: type, name: str) -> None:
    """Have a method crash when one of the texts it is given has a bug in it."""
    method: Callable[..., Awaitable[object]] = getattr(owner, name)

    async def buggy(self: object, *args: object, **options: object) -> object:
        if any(isinstance(each, str) and BUG in each for each in (*args, *options.values())):
            raise Planted(name)
        return await method(self, *args, **options)

    setattr(owner, name, buggy)


class BuggyRoom(RoomActor):
    """A room that crashes on messages with a bug in them."""

    async def _draft(self, commands: Sequence[Command]) -> Draft:
        if any(isinstance(command, PostMessage) and BUG in command.body for command in commands):
            raise Planted("post")
        return await super()._draft(commands)


def main(argv: Sequence[str]) -> int:
    """Run the server with bugs."""
    config = load_config(list(argv), os.environ)
    assert not isinstance(config, list), config
    for owner, name in (
        (Passwords, "check"),
        (Passwords, "hash"),
        (Accounts, "authenticate"),
        (Accounts, "redeem"),
        (Sessions, "of_refresh_token"),
        (Invitations, "is_good"),
    ):
        plant(owner, name)
    return run(config, hooks=Hooks(room_actor=BuggyRoom))


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))

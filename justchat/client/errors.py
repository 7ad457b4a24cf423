"""What can go wrong with a client, each error named after its cause.

A client hides what passes by itself: lost connections, restarts, busy rooms. An error from here is therefore final for
the call that raised it; `ClosedByServer` and `UpgradeRefused` are final for the whole client.
"""

from __future__ import annotations

from typing import Self

from justchat.client.items import Reset
from justchat.wire.errors import Problem


class ClientError(Exception):
    """Root of everything that this package raises on purpose."""

    def again(self) -> Self:
        """Make a fresh copy for one more raiser, so that tracebacks do not pile up on a shared one."""
        return type(self)(*self.args)


class Refused(ClientError):
    """The server said no. `problem.code` is the stable reason, `problem.detail` is for people."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    @property
    def code(self) -> str:
        """Give the stable machine key, such as `not_a_member`."""
        return self.problem.code

    def __str__(self) -> str:
        return f"{self.problem.code}: {self.problem.detail}"


class NoAnswer(ClientError):
    """The deadline passed first. The outcome is unknown; for a post, the same `client_msg_id` may be sent again."""

    def __init__(self, command: str, seconds: float, client_msg_id: str | None = None) -> None:
        super().__init__(command, seconds, client_msg_id)
        self.client_msg_id = client_msg_id

    def __str__(self) -> str:
        return f"no answer to {self.args[0]} within {self.args[1]} s; the outcome is unknown, repeating it is safe"


class PositionLost(ClientError):
    """The events after the asked position are not there any more; `reset` says why and where the room stands."""

    def __init__(self, reset: Reset) -> None:
        super().__init__(reset)
        self.reset = reset

    def __str__(self) -> str:
        return f"cannot resume {self.reset.room} ({self.reset.reason}): fetch again and subscribe without `after`"


class ClosedByServer(ClientError):
    """The server closed the connection with a code that says: do not come back by yourself."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the server closed the connection for good: {self.code} {self.reason}".rstrip()


class UpgradeRefused(ClientError):
    """The server answered the connection attempt with an HTTP status that trying again would not change."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status

    def __str__(self) -> str:
        return f"the server refused the connection with HTTP {self.args[0]}: {self.args[1]}"


class Unreachable(ClientError):
    """No connection came about in the time given for the first one."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(seconds, reason)

    def __str__(self) -> str:
        return f"no connection within {self.args[0]} s; the last attempt ended with: {self.args[1]}"


class ClientClosed(ClientError):
    """The `async with open_client(...)` block has ended, so nothing more can be asked or received."""

    def __str__(self) -> str:
        return "this client is closed: use it inside its `async with` block"

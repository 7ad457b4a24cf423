"""Who is calling, by which right, and what that right covers. Pure.

An identity is what a token or a ticket turned out to stand for. Everything is allowed by a session; a personal token
allows what its scopes say. What a user may do in a room is for the room to say, not for this.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from justchat.wire.errors import ErrorCode, Refusal
from storage.records import UserRecord


class ServerRole(StrEnum):
    """What an account is on this server. Nobody can ask for a role; administrators give them."""

    ADMIN = "admin"
    USER = "user"
    GUEST = "guest"
    BOT = "bot"


class Scope(StrEnum):
    """What a personal token may be good for."""

    ROOMS_READ = "rooms:read"
    ROOMS_WRITE = "rooms:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    ACCOUNT = "account"

    @property
    def changes(self) -> bool:
        """Tell whether it is about more than looking."""
        return self in _CHANGING


_CHANGING = frozenset({Scope.ROOMS_WRITE, Scope.MESSAGES_WRITE})
_GUEST = Refusal(ErrorCode.FORBIDDEN, "guests may read public rooms, and nothing else")


class Identity(Struct, frozen=True):
    """A user and how they came in: by a session, or by a credential (a personal token) with its scopes.

    `scopes` None is everything. `expires_at` is when the right runs out, in milliseconds since the epoch.
    """

    user: UserRecord
    session: str | None = None
    credential: str | None = None
    scopes: frozenset[str] | None = None
    expires_at: int | None = None

    @property
    def origin(self) -> str:
        """The id of the session or the credential."""
        return self.session or self.credential or ""

    def without_secrets(self) -> Identity:
        """Give what may be kept for as long as a connection is open: no hash of a password, and little else."""
        return replace(self, user=replace(self.user, password_hash="", email=None, bio=""))

    def refusal(self, scope: Scope, *, changes: bool) -> Refusal | None:
        """Refuse what needs another scope, and any change by a guest."""
        if self.scopes is not None and scope not in self.scopes:
            return Refusal(ErrorCode.FORBIDDEN, f"this token lacks the scope {scope}")
        return _GUEST if changes and self.user.role == ServerRole.GUEST else None

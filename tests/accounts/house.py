"""Accounts over a store in RAM, with a clock that stands still, and every part of them within reach of a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from justchat.accounts.accounts import RegistrationPolicy
from justchat.accounts.factory import make_accounts
from justchat.accounts.identity import Identity, ServerRole
from justchat.accounts.passwords import Passwords
from justchat.accounts.sessions import Device, SessionLimits, SignedIn
from justchat.config import Config
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.memory import MemoryRelations, MemorySessions, MemoryStore
from storage.records import UserRecord
from tests.accounts.directories import FailingDirectory

NOW = 1_700_000_000.0
ACCESS_SECONDS = 600
LIMITS = SessionLimits(idle_seconds=14 * 86_400, max_seconds=60 * 86_400, per_user=5)
PASSWORD = "correct horse"
DEVICE = Device("Browser/1.0", "192.0.2.1")
ELSEWHERE = Device("Browser/2.0", "192.0.2.2")


class FailingSessions:
    """Sessions in RAM that fail as told: all calls while `down`; the one named `cut_off` without a known outcome.

    `before` is called with the name of a call before it is made, and what is in `meanwhile` for it is awaited, once.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._sessions = MemorySessions(store)
        self.down = False
        self.cut_off: tuple[str, str] | None = None  # (call, "before" or "after" it was made)
        self.before: Callable[[str], None] | None = None
        self.meanwhile: dict[str, Callable[[], Awaitable[None]]] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._sessions, name)

        async def answer(*args: object, **options: object) -> object:
            self.calls.append(name)
            if self.before is not None:
                self.before(name)
            if name in self.meanwhile:
                await self.meanwhile.pop(name)()
            if self.down:
                raise StorageUnavailable("down")
            if self.cut_off == (name, "before"):
                raise OutcomeUnknown("cut off")
            found: object = await call(*args, **options)
            if self.cut_off == (name, "after"):
                raise OutcomeUnknown("cut off")
            return found

        return answer


class House:
    """Accounts and everything under them. What it told others is in `ended`, `departed`, `changed` and `seen`."""

    def __init__(
        self,
        *,
        failures: int = 10,
        waiting_max: int = 20,
        policy: RegistrationPolicy | None = None,
        limits: SessionLimits = LIMITS,
    ) -> None:
        self.now = NOW
        self.ended: list[str] = []
        self.departed: list[str] = []
        self.changed: list[str] = []
        self.seen: list[str] = []
        self.store = MemoryStore()
        self.directory = FailingDirectory(self.store)
        self.stored: Any = FailingSessions(self.store)
        policy = policy or RegistrationPolicy()
        config = Config(
            database="memory://",
            bcrypt_cost=4,
            access_token_seconds=ACCESS_SECONDS,
            session_idle_seconds=limits.idle_seconds,
            session_max_seconds=limits.max_seconds,
            sessions_per_user=limits.per_user,
            login_failures=failures,
            registration=policy.mode,
            registration_role="guest" if policy.role is ServerRole.GUEST else "user",
        )
        self.accounts = make_accounts(
            config,
            self.directory,
            self.stored,
            MemoryRelations(self.store),
            ended=self.ended.extend,
            changed=self._note_change,
            departed=self.departed.append,
            seen=self.seen.append,
            clock=self.clock,
        )
        self.accounts.passwords = self.passwords = Passwords(cost=4, threads=2, waiting_max=waiting_max)
        self.throttle = self.accounts._throttle
        self.sessions, self.personal = self.accounts.sessions, self.accounts.personal
        self.tickets, self.invitations = self.accounts.tickets, self.accounts.invitations

    async def _note_change(self, user: str) -> None:
        self.changed.append(user)

    def clock(self) -> float:
        return self.now

    @property
    def now_ms(self) -> int:
        return int(self.now * 1000)

    async def register(self, username: str = "Ann", *, email: str | None = None, device: Device = DEVICE) -> SignedIn:
        """Register somebody, which must work."""
        done = await self.accounts.register(username=username, password=PASSWORD, email=email, device=device)
        assert isinstance(done, SignedIn), done
        return done

    async def login(
        self, password: str = PASSWORD, *, username: str = "ann", device: Device = DEVICE
    ) -> SignedIn | Refusal:
        """Try to log in."""
        return await self.accounts.login(username=username, password=password, device=device)

    def add_user(self, name: str = "ann", *, role: str = "user") -> UserRecord:
        """Put a user without a password into the store."""
        user = UserRecord(new_id("u"), name, name, name.title(), None, "", role, self.now_ms)
        self.store.put_user(user)
        return user

    async def start(self, user: UserRecord, device: Device = DEVICE) -> SignedIn:
        """Sign a user in without a password."""
        return await self.sessions.start(user, device)

    async def renew(self, token: str, device: Device = DEVICE) -> SignedIn:
        """Renew, which must work."""
        renewed = await self.sessions.renew(token, device)
        assert isinstance(renewed, SignedIn), renewed
        return renewed

    def change(self, user: str, **fields: object) -> UserRecord:
        """Change an account behind the server's back."""
        changed = replace(self.store.users[user], **fields)
        self.store.put_user(changed)
        return changed


def refused(answer: object, code: ErrorCode) -> Refusal:
    """The refusal, where one of this code is expected."""
    assert isinstance(answer, Refusal), answer
    assert answer.code is code
    return answer


def identity_of(answer: object) -> Identity:
    """The identity, where one is expected."""
    assert isinstance(answer, Identity), answer
    return answer

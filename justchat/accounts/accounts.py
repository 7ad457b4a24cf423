"""Who may come in: registration, login, passwords, and the user behind a token or a ticket.

Expected refusals are values; failures of the store are raised, as `storage.errors` has them. Wrong password and unknown
user get the identical answer after the same work. What somebody may do is read anew for every request: an account that
is disabled is out at its next one. A cache would have to be told of every change; it waits until there is somebody to
tell it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import trio
from msgspec import Struct
from msgspec.structs import replace

from justchat.accounts import personal_tokens
from justchat.accounts.identity import Identity, ServerRole
from justchat.accounts.invitations import NO_INVITATION, Invitations
from justchat.accounts.leaving import Leaving
from justchat.accounts.names import fold_email, fold_name
from justchat.accounts.password_rules import password_problems
from justchat.accounts.passwords import Passwords
from justchat.accounts.personal_tokens import PersonalTokens
from justchat.accounts.registration import Registration, check_registration
from justchat.accounts.sessions import BAD_TOKEN, Device, Sessions, SignedIn
from justchat.accounts.throttle import Throttle
from justchat.accounts.tickets import Tickets
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.ports import Directory
from storage.records import UserRecord

logger = logging.getLogger(__name__)

_UNAUTHENTICATED = Refusal(ErrorCode.UNAUTHENTICATED, "no such combination of user and password")
_DISABLED = Refusal(ErrorCode.FORBIDDEN, "this account is disabled")
_CLOSED = Refusal(ErrorCode.FORBIDDEN, "accounts are made by administrators here")
_NEEDS_INVITATION = Refusal(ErrorCode.FORBIDDEN, "registration needs an invitation")
_WRONG_PASSWORD = Refusal(
    ErrorCode.FORBIDDEN, "this is not the password", (FieldProblem("/password", "wrong", "not the password"),)
)
_CHANGED = Refusal(ErrorCode.CONFLICT, "the account was changed at the same moment; try again")
_BAD_TICKET = Refusal(ErrorCode.UNAUTHENTICATED, "the ticket was used, is too old, or never was one")


class RegistrationPolicy(Struct, frozen=True):
    """Who may make an account, and what it is then."""

    mode: Literal["open", "invite", "closed"] = "open"
    role: ServerRole = ServerRole.USER


class _Login(Struct, frozen=True):
    """Who somebody says they are, folded, and where from."""

    name_key: str | None
    email: str | None
    address: str

    @property
    def account(self) -> str:
        """What failures are counted under. A name and an address cannot be mistaken for each other: only one has @."""
        return self.name_key if self.name_key is not None else self.email or ""


class Accounts:
    """Registers, logs in and recognises users; its parts do what concerns them alone."""

    def __init__(
        self,
        directory: Directory,
        *,
        sessions: Sessions,
        personal: PersonalTokens,
        tickets: Tickets,
        invitations: Invitations,
        leaving: Leaving,
        changed: Callable[[str], Awaitable[None]],
        departed: Callable[[str], None],
        passwords: Passwords,
        throttle: Throttle,
        policy: RegistrationPolicy,
        clock: Callable[[], float],
    ) -> None:
        self.sessions = sessions
        self.personal = personal
        self.tickets = tickets
        self.invitations = invitations
        self.passwords = passwords
        self._leaving = leaving
        self._changed = changed
        self._departed = departed
        self._directory = directory
        self._throttle = throttle
        self._policy = policy
        self._clock = clock

    async def register(
        self,
        *,
        username: str,
        password: str,
        device: Device,
        email: str | None = None,
        display_name: str | None = None,
        invitation: str | None = None,
    ) -> SignedIn | Refusal:
        """Make an account, as the policy has it, and sign in. Every problem of the fields is named at once."""
        if self._policy.mode == "closed":
            return _CLOSED
        if self._policy.mode == "invite" and invitation is None:
            return _NEEDS_INVITATION
        if invitation is not None and not await self.invitations.is_good(invitation):
            # First: whoever has none learns no names or addresses, and costs no hash.
            return NO_INVITATION
        user = await self.prepare(username=username, password=password, email=email, display_name=display_name)
        if isinstance(user, Refusal):
            return user
        entered = await self.enter(user, invitation=invitation)
        return entered if isinstance(entered, Refusal) else await self.sessions.start(entered, device)

    async def prepare(
        self, *, username: str, password: str, email: str | None, display_name: str | None
    ) -> UserRecord | Refusal:
        """Check everything about a new account and hash its password, without making it."""
        checked = check_registration(username=username, password=password, email=email, display_name=display_name)
        if not isinstance(checked, Registration):
            return Refusal(ErrorCode.VALIDATION_FAILED, "some fields are not valid", checked)
        # Asked before the costly hash; the directory decides again when the account is made.
        if await self._directory.user_by_login(name_key=checked.name_key) is not None:
            return taken("username")
        if checked.email is not None and await self._directory.user_by_login(email=checked.email) is not None:
            return taken("email")
        password_hash = await self.passwords.hash(password)
        if isinstance(password_hash, Refusal):
            return password_hash
        return UserRecord(
            id=new_id("u"),
            username=checked.username,
            name_key=checked.name_key,
            display_name=checked.display_name,
            email=checked.email,
            password_hash=password_hash,
            role=self._policy.role.value,
            created_at=int(self._clock() * 1000),
        )

    async def enter(self, user: UserRecord, *, invitation: str | None = None) -> UserRecord | Refusal:
        """Make an account that was prepared, and give it as it is: an invitation says what role, and a use is taken."""
        entered: UserRecord | Refusal = user
        try:
            if invitation is None:
                await self._directory.create_user(user)
            else:
                entered = await self.invitations.redeem(invitation, user)
        except Conflict as conflict:
            return taken(conflict.kind)
        except OutcomeUnknown:
            # Only reading back can tell. The id is ours alone, so what is there under it is this account.
            found = await self._directory.user(user.id)
            if found is None:
                raise
            entered = found
        if not isinstance(entered, Refusal):
            logger.info("event=registered user=%s role=%s", entered.id, entered.role)
        return entered

    async def login(
        self, *, password: str, device: Device, username: str | None = None, email: str | None = None
    ) -> SignedIn | Refusal:
        """Exchange a password for tokens; exactly one of `username` and `email` says whose.

        Failures are counted against the account and the device's address together.
        """
        if (username is None) == (email is None):
            problem = FieldProblem("/username", "required", "give either username or email")
            return Refusal(ErrorCode.VALIDATION_FAILED, problem.detail, (problem,))
        who = _Login(
            name_key=fold_name(username) if username is not None else None,
            email=fold_email(email) if email is not None else None,
            address=device.address,
        )
        user = await self._proven(who, password)
        if isinstance(user, Refusal):
            return user
        if user.disabled:
            logger.info("event=login_refused user=%s address=%s reason=disabled", user.id, device.address)
            return _DISABLED
        session = await self.sessions.start(user, device)
        now = await self._directory.user(user.id)
        if now is None or now.disabled or not await self._is_still(password, now, before=user):
            # The password was changed while it was checked: whoever ended all sessions then could not see this one.
            await self.sessions.end(user.id, only=[session.session])
            logger.info("event=login_refused user=%s address=%s reason=changed", user.id, device.address)
            return _UNAUTHENTICATED
        if self.passwords.is_weaker(now.password_hash):
            await self._strengthen(now, password)
        return session

    async def check_password(self, user: UserRecord, password: str, *, address: str) -> Refusal | None:
        """Refuse somebody who is signed in and does not know the password; guesses are slowed down like logins."""
        found = await self._proven(_Login(name_key=user.name_key, email=None, address=address), password)
        if not isinstance(found, Refusal):
            return None
        return _WRONG_PASSWORD if found is _UNAUTHENTICATED else found

    async def change_password(
        self, user: UserRecord, *, password: str, new_password: str, address: str, keep: str | None
    ) -> Refusal | None:
        """Set another password; all sessions end but the one to `keep`. Personal tokens stay."""
        problems = password_problems(new_password, name_key=user.name_key)
        if problems:
            named = tuple(replace(problem, pointer="/new_password") for problem in problems)
            return Refusal(ErrorCode.VALIDATION_FAILED, "some fields are not valid", named)
        refusal = await self.check_password(user, password, address=address)
        if refusal:
            return refusal
        return await self._set_password(user, new_password, keep=keep)

    async def authenticate(self, token: str) -> Identity | Refusal:
        """Give who is behind an access token or a personal token, as they are now."""
        if token.startswith(personal_tokens.PREFIX):
            return await self.personal.recognise(token)
        return await self.sessions.recognise(token)

    async def redeem(self, ticket: str) -> Identity | Refusal:
        """Give who is behind a ticket, as they are now; it is good once."""
        identity = self.tickets.redeem(ticket)
        if identity is None:
            return _BAD_TICKET
        if identity.session is not None:
            return await self.sessions.identity(identity.session, expires_at=identity.expires_at, user=identity.user.id)
        tokens = await self.personal.of_user(identity.user.id)
        user = await self._directory.user(identity.user.id)
        if user is None or user.disabled or all(token.id != identity.credential for token in tokens):
            return BAD_TOKEN
        return replace(identity, user=user)

    async def sign_out_everywhere(self, user: str) -> None:
        """End all sessions and personal tokens of a user, whose sockets close."""
        # The sessions go after the tokens: should the store fail in between, the one that asks can ask again. But as
        # long as they are there they can make tokens, too.
        await self.personal.revoke(user)
        await self.sessions.end(user)
        await self.personal.revoke(user)

    async def leave(self, user: str, *, erase: bool) -> Refusal | None:
        """End an account, at once for whoever it is; its rooms are left soon after."""
        return await self._leaving.leave(user, erase=erase)

    async def settle(self, user: str) -> None:
        """Take away, once more, what belongs to an account that never comes back."""
        await self._leaving.settle(user)

    async def account_changed(self, user: str) -> None:
        """Have what is open by this account be what it has become: to be called after a change of role or state."""
        await self._changed(user)
        self._departed(user)

    async def _set_password(self, user: UserRecord, password: str, *, keep: str | None) -> Refusal | None:
        password_hash = await self.passwords.hash(password)
        if isinstance(password_hash, Refusal):
            return password_hash
        # First, too: should the store fail after the change, whoever knew the former password is out all the same.
        await self.sessions.end(user.id, keep=keep)
        changed = replace(user, password_hash=password_hash, rev=user.rev + 1)
        try:
            await self._directory.change_user(changed)
        except Conflict:
            return _CHANGED
        except OutcomeUnknown:
            now = await self._directory.user(user.id)
            if now is None or now.password_hash != password_hash:
                raise
        await self.sessions.end(user.id, keep=keep)
        logger.info("event=password_changed user=%s", user.id)
        return None

    async def _is_still(self, password: str, now: UserRecord, *, before: UserRecord) -> bool:
        """Tell whether it is still the password, which may have another hash by now."""
        return (
            now.password_hash == before.password_hash or await self.passwords.check(password, now.password_hash) is True
        )

    async def _strengthen(self, user: UserRecord, password: str) -> None:
        """Hash a password anew, at the present cost. What keeps this from being done is no matter: they come again."""
        password_hash = await self.passwords.hash(password)
        if isinstance(password_hash, Refusal):
            return
        with suppress(Conflict, StorageUnavailable):
            await self._directory.change_user(replace(user, password_hash=password_hash, rev=user.rev + 1))

    async def _proven(self, who: _Login, password: str) -> UserRecord | Refusal:
        """Give the user whose password it is; the throttle is asked first and told the outcome."""
        wait_seconds = self._throttle.begin(who.account, who.address, now=trio.current_time())
        if wait_seconds is not None:
            logger.info("event=login_refused address=%s reason=throttled", who.address)
            detail = "too many failed logins; try again later"
            return Refusal(ErrorCode.RATE_LIMITED, detail, retry_after_seconds=wait_seconds)
        user: UserRecord | None = None
        right: bool | Refusal | None = None
        try:
            user = await self._directory.user_by_login(name_key=who.name_key, email=who.email)
            right = await self.passwords.check(password, user.password_hash if user is not None else None)
        except StorageUnavailable as error:
            logger.warning("event=login_failed cause=%s", type(error).__name__)
            raise
        finally:
            # Also when cancelled: an attempt that was begun is ended.
            self._end_attempt(who, right)
        if isinstance(right, Refusal):
            return right
        if user is not None and right:
            return user
        known = user.id if user is not None else None
        logger.info("event=login_refused user=%s address=%s reason=wrong", known, who.address)
        return _UNAUTHENTICATED

    def _end_attempt(self, who: _Login, right: bool | Refusal | None) -> None:
        if right is None or isinstance(right, Refusal):
            self._throttle.withdrew(who.account, who.address)
        elif right:
            self._throttle.succeeded(who.account, who.address)
        else:
            self._throttle.failed(who.account, who.address, now=trio.current_time())


def taken(kind: str) -> Refusal:
    """Refuse a name or an address that another account has."""
    if kind == "email":
        detail = "this e-mail address belongs to an account already"
        return Refusal(ErrorCode.EMAIL_TAKEN, detail, (FieldProblem("/email", "taken", detail),))
    detail = "this username is taken; choose another"
    return Refusal(ErrorCode.USERNAME_TAKEN, detail, (FieldProblem("/username", "taken", detail),))

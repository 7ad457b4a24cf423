"""Who may come in: registration, login and the user behind a token, over the directory.

Expected refusals are values. Wrong password and unknown user get the identical answer after the same work. A user
record is read anew for every token: a disabled account is out at its next request, and a read by key costs less than
the request it serves. A cache would have to be told of every change; it waits until there is somebody to tell it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio
from msgspec import Struct

from justchat.accounts.names import fold_email, fold_name
from justchat.accounts.passwords import Passwords
from justchat.accounts.registration import Registration, check_registration
from justchat.accounts.throttle import Throttle
from justchat.accounts.tokens import TokenProblem, Tokens
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.ports import Directory
from storage.records import UserRecord

_log = logging.getLogger(__name__)

NEW_USER_ROLE = "user"

_STORAGE_RETRY_SECONDS = 1.0

_UNAUTHENTICATED = Refusal(ErrorCode.UNAUTHENTICATED, "no such combination of user and password")
_BAD_TOKEN = Refusal(ErrorCode.UNAUTHENTICATED, "the access token is not valid")
_OLD_TOKEN = Refusal(ErrorCode.TOKEN_EXPIRED, "the access token has expired; log in again")
_DISABLED = Refusal(ErrorCode.FORBIDDEN, "this account is disabled")
_STORAGE = Refusal(
    ErrorCode.STORAGE_UNAVAILABLE, "accounts cannot be reached now", retry_after_seconds=_STORAGE_RETRY_SECONDS
)


class SignedIn(Struct, frozen=True):
    """A user who has just proven who they are, and the token to go on with."""

    user: UserRecord
    access_token: str
    expires_in_seconds: int

    def __repr__(self) -> str:
        return f"SignedIn(user={self.user.id!r})"


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
    """Registers, logs in and recognises users."""

    def __init__(
        self,
        directory: Directory,
        *,
        passwords: Passwords,
        tokens: Tokens,
        throttle: Throttle,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._tokens = tokens
        self._throttle = throttle
        self._clock = clock

    async def register(
        self, *, username: str, password: str, email: str | None = None, display_name: str | None = None
    ) -> SignedIn | Refusal:
        """Make an ordinary account. Every problem of the fields is named at once."""
        checked = check_registration(username=username, password=password, email=email, display_name=display_name)
        if not isinstance(checked, Registration):
            return Refusal(ErrorCode.VALIDATION_FAILED, "some fields are not valid", checked)
        try:
            # Asked before the costly hash; the directory decides again when the account is made.
            if await self._directory.user_by_login(name_key=checked.name_key) is not None:
                return _taken("username")
            password_hash = await self._passwords.hash(password)
            if isinstance(password_hash, Refusal):
                return password_hash
            return await self._create(checked, password_hash)
        except StorageUnavailable as error:
            _log.warning("registration failed cause=%s", type(error).__name__)
            return _STORAGE

    async def login(
        self, *, password: str, address: str, username: str | None = None, email: str | None = None
    ) -> SignedIn | Refusal:
        """Exchange a password for a token; exactly one of `username` and `email` says whose.

        `address` is the caller's IP address without a port; failures are counted against it and the account.
        """
        if (username is None) == (email is None):
            problem = FieldProblem("/username", "required", "give either username or email")
            return Refusal(ErrorCode.VALIDATION_FAILED, problem.detail, (problem,))
        who = _Login(
            name_key=fold_name(username) if username is not None else None,
            email=fold_email(email) if email is not None else None,
            address=address,
        )
        wait_seconds = self._throttle.begin(who.account, address, now=trio.current_time())
        if wait_seconds is not None:
            _log.info("login refused address=%s reason=throttled", address)
            detail = "too many failed logins; try again later"
            return Refusal(ErrorCode.RATE_LIMITED, detail, retry_after_seconds=wait_seconds)
        user = await self._whose_password(who, password)
        if isinstance(user, Refusal):
            return user
        if user.disabled:
            _log.info("login refused user=%s address=%s reason=disabled", user.id, address)
            return _DISABLED
        return self._sign_in(user)

    async def authenticate(self, token: str) -> UserRecord | Refusal:
        """Give the user behind an access token, as they are now."""
        claims = self._tokens.verify(token)
        if isinstance(claims, TokenProblem):
            return _OLD_TOKEN if claims is TokenProblem.TOKEN_EXPIRED else _BAD_TOKEN
        try:
            user = await self._directory.user(claims.sub)
        except StorageUnavailable as error:
            _log.warning("authentication failed cause=%s", type(error).__name__)
            return _STORAGE
        return _BAD_TOKEN if user is None or user.disabled else user

    async def _create(self, checked: Registration, password_hash: str) -> SignedIn | Refusal:
        user = UserRecord(
            id=new_id("u"),
            username=checked.username,
            name_key=checked.name_key,
            display_name=checked.display_name,
            email=checked.email,
            password_hash=password_hash,
            role=NEW_USER_ROLE,
            created_at=int(self._clock() * 1000),
        )
        try:
            await self._directory.create_user(user)
        except Conflict as conflict:
            return _taken(conflict.kind)
        except OutcomeUnknown:
            # Only reading back can tell. The id is ours alone, so what is there under it is this account.
            if await self._directory.user(user.id) is None:
                return _STORAGE
        _log.info("registered user=%s", user.id)
        return self._sign_in(user)

    def _sign_in(self, user: UserRecord) -> SignedIn:
        token, expires_in_seconds = self._tokens.issue(user.id)
        return SignedIn(user, token, expires_in_seconds)

    async def _whose_password(self, who: _Login, password: str) -> UserRecord | Refusal:
        """Give the user if the password is theirs, and end the attempt that the throttle has permitted."""
        user: UserRecord | None = None
        right: bool | Refusal = _STORAGE
        try:
            user = await self._directory.user_by_login(name_key=who.name_key, email=who.email)
            right = await self._passwords.check(password, user.password_hash if user is not None else None)
        except StorageUnavailable as error:
            _log.warning("login failed cause=%s", type(error).__name__)
        finally:
            # Also when cancelled: an attempt that was begun is ended.
            self._end_attempt(who, right)
        if isinstance(right, Refusal):
            return right
        if user is not None and right:
            return user
        known = user.id if user is not None else None
        _log.info("login refused user=%s address=%s reason=wrong", known, who.address)
        return _UNAUTHENTICATED

    def _end_attempt(self, who: _Login, right: bool | Refusal) -> None:
        if isinstance(right, Refusal):
            self._throttle.withdrew(who.account, who.address)
        elif right:
            self._throttle.succeeded(who.account, who.address)
        else:
            self._throttle.failed(who.account, who.address, now=trio.current_time())


def _taken(kind: str) -> Refusal:
    if kind == "email":
        detail = "this e-mail address belongs to an account already"
        return Refusal(ErrorCode.EMAIL_TAKEN, detail, (FieldProblem("/email", "taken", detail),))
    detail = "this username is taken; choose another"
    return Refusal(ErrorCode.USERNAME_TAKEN, detail, (FieldProblem("/username", "taken", detail),))

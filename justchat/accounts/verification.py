"""Proof that an e-mail address is its owner's: six digits, mailed there, and told to us again.

A code is good for fifteen minutes and five tries. What is stored is a digest of account, address and code, so that the
code of one address proves nothing about another. How often somebody can make us send mail is bounded.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import trio
from msgspec.structs import replace

from justchat.accounts.changing import change_account
from justchat.accounts.mail import Mailer, MailUnsent
from justchat.accounts.throttle import Throttle
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal, invalid
from storage.account_ports import Sessions
from storage.account_records import CredentialRecord
from storage.ports import Directory
from storage.records import UserRecord

logger = logging.getLogger(__name__)

KIND: Final = "email"
CODE_DIGITS: Final = 6
GOOD_SECONDS: Final = 900
TRIES: Final = 5
MAILS_PER_HOUR: Final = 5

_NO_MAIL = Refusal(ErrorCode.NOT_FOUND, "this server does not verify e-mail addresses")
_NO_ADDRESS = Refusal(ErrorCode.CONFLICT, "the account has no e-mail address")
_VERIFIED = Refusal(ErrorCode.CONFLICT, "the e-mail address is verified already")
_UNSENT = Refusal(ErrorCode.MAIL_UNAVAILABLE, "the mail could not be sent; try again later", (), 60.0)
_NO_CODE = Refusal(
    ErrorCode.CONFLICT, "no code is waiting for its answer, or it was tried too often; ask for a new one"
)
_OTHER_ADDRESS = Refusal(ErrorCode.CONFLICT, "the account has another e-mail address by now")

_TEXT = """\
Your code for {site} is {code}. It is good for {minutes} minutes.

If you did not ask for it, somebody has given your address for their account. Without the code they cannot show that it
is theirs, and you need not do anything.
"""


class Verification:
    """Mails codes and takes them back; without a mailer it refuses."""

    def __init__(
        self,
        directory: Directory,
        stored: Sessions,
        *,
        mailer: Mailer | None,
        site: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._stored = stored
        self._mailer = mailer
        self._site = site
        self._now_ms = now_ms
        # Counts mails instead of failures: each one is an attempt that "failed".
        self._mails = Throttle(failures=MAILS_PER_HOUR, window_seconds=3600.0)

    async def ask(self, user: UserRecord) -> Refusal | None:
        """Mail a new code to the user's address; the one before is good no more."""
        if self._mailer is None:
            return _NO_MAIL
        if user.email is None:
            return _NO_ADDRESS
        if user.email_verified:
            return _VERIFIED
        # Neither does one account write to everybody, nor do many write to one address.
        counted: list[str] = []
        for counts in (user.id, user.email):
            wait_seconds = self._mails.begin(counts, "", now=trio.current_time())
            if wait_seconds is not None:
                for other in counted:
                    self._mails.withdrew(other, "")
                return Refusal(ErrorCode.RATE_LIMITED, "too many mails; wait for one of them", (), wait_seconds)
            counted.append(counts)
        try:
            return await self._send(self._mailer, user, user.email)
        finally:
            for counts in counted:
                self._mails.failed(counts, "", now=trio.current_time())

    async def confirm(self, user: UserRecord, code: str) -> UserRecord | Refusal:
        """Take a code back, and give the account with its address verified."""
        if self._mailer is None:
            return _NO_MAIL
        if user.email is None:
            return _NO_ADDRESS
        if user.email_verified:
            return user
        waiting = await self._stored.credentials_of(KIND, user=user.id)
        # The try is taken before the code is looked at, so that many at once are no more than five.
        if not waiting or not await self._stored.use_credential(KIND, waiting[0].digest, now=self._now_ms()):
            return _NO_CODE
        if not hmac.compare_digest(waiting[0].digest, _digest(user.id, user.email, code)):
            return invalid("/code", "this is not the code that was mailed", code="wrong")
        address = user.email
        verified = await change_account(self._directory, user, lambda now: _verified(now, address))
        if not isinstance(verified, Refusal):
            await self._stored.drop_credentials(KIND, user.id)
            logger.info("event=email_verified user=%s", user.id)
        return verified

    async def _send(self, mailer: Mailer, user: UserRecord, address: str) -> Refusal | None:
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        now = self._now_ms()
        await self._stored.drop_credentials(KIND, user.id)
        await self._stored.create_credential(
            CredentialRecord(
                id=new_id("v"),
                kind=KIND,
                user=user.id,
                digest=_digest(user.id, address, code),
                name="",
                scopes=(),
                created_at=now,
                expires_at=now + GOOD_SECONDS * 1000,
                uses_left=TRIES,
            )
        )
        text = _TEXT.format(site=self._site, code=code, minutes=GOOD_SECONDS // 60)
        try:
            await mailer.send(address, subject=f"{code} is your code for {self._site}", text=text)
        except MailUnsent:
            return _UNSENT
        return None


def _verified(user: UserRecord, address: str) -> UserRecord | Refusal:
    return replace(user, email_verified=True) if user.email == address else _OTHER_ADDRESS


def _digest(user: str, address: str, code: str) -> bytes:
    return sha256("\0".join((user, address, code)).encode("utf-8", "surrogatepass")).digest()

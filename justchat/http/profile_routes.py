"""One's own account: what it says about oneself, whose e-mail address it has, and its end."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from quart import Response

from justchat.accounts.administration import OWN_ACCOUNT
from justchat.accounts.identity import Identity, ServerRole
from justchat.accounts.mail import Mailer
from justchat.accounts.profile_rules import BIO_MAX_CHARACTERS, ProfileChange
from justchat.accounts.profiles import Profiles
from justchat.accounts.verification import CODE_DIGITS, GOOD_SECONDS, TRIES, Verification
from justchat.config.mail_url import parse_mail_url
from justchat.http.answers import Refused, granted, json_answer, no_content, read_body
from justchat.http.caller import device
from justchat.http.operation import Caller, Operation, OperationBlueprint, blueprint_of
from justchat.http.user_views import OwnView, own_view
from justchat.system import System
from justchat.wire.errors import ErrorCode
from storage.records import UserRecord

_BIO = f"At most {BIO_MAX_CHARACTERS} characters"
_CODE = f"The {CODE_DIGITS} digits that were mailed"


class ProfileBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396) of one's account: absent fields stay, null takes away. `password` is for `email`."""

    username: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    display_name: Annotated[str, Meta(max_length=200)] | UnsetType | None = UNSET
    bio: Annotated[str, Meta(max_length=4000, description=_BIO)] | UnsetType | None = UNSET
    email: Annotated[str, Meta(max_length=320)] | UnsetType | None = UNSET
    password: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET


class CodeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A code that came by mail."""

    code: Annotated[str, Meta(min_length=1, max_length=20, description=_CODE)]


class LeaveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of an account: `erase` takes away what was said as well."""

    password: Annotated[str, Meta(max_length=1000)]
    erase: bool = False


_profile_body = msgspec.json.Decoder(ProfileBody)
_code_body = msgspec.json.Decoder(CodeBody)
_leave_body = msgspec.json.Decoder(LeaveBody)


class ProfileRoutes:
    """`PATCH` and `DELETE` of `/users/me`, and `/users/me/email`."""

    def __init__(self, system: System) -> None:
        self._system = system
        directory, config = system.storage.directory, system.config
        self._profiles = Profiles(directory, system.accounts)
        mailer = None
        if config.smtp_url is not None:
            mailer = Mailer(parse_mail_url(config.smtp_url), sender=config.mail_from)
        self._verification = Verification(
            directory, system.storage.sessions, mailer=mailer, site=config.token_issuer, now_ms=system.wall_ms
        )

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        operations = (
            Operation(
                "PATCH",
                "/users/me",
                self.change,
                "Change one's names, words about oneself or e-mail address",
                body=ProfileBody,
                answer=OwnView,
                refusals=(
                    ErrorCode.USERNAME_TAKEN,
                    ErrorCode.EMAIL_TAKEN,
                    ErrorCode.CONFLICT,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.RATE_LIMITED,
                ),
            ),
            Operation(
                "DELETE",
                "/users/me",
                self.leave,
                "Delete one's account; what was said stays, without a name, or goes too",
                Caller.SESSION,
                body=LeaveBody,
                statuses=(204,),
                refusals=(ErrorCode.FORBIDDEN, ErrorCode.CONFLICT, ErrorCode.RATE_LIMITED),
            ),
            *self._of_email(),
        )
        return blueprint_of("profile", operations, accounts=self._system.accounts)

    def _of_email(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST",
                "/users/me/email/verification",
                self.ask,
                f"Have a code mailed that is good for {GOOD_SECONDS // 60} minutes and {TRIES} tries",
                statuses=(204,),
                refusals=(
                    ErrorCode.NOT_FOUND,
                    ErrorCode.CONFLICT,
                    ErrorCode.RATE_LIMITED,
                    ErrorCode.MAIL_UNAVAILABLE,
                ),
            ),
            Operation(
                "POST",
                "/users/me/email/verification/confirm",
                self.confirm,
                "Show that the e-mail address is one's own",
                body=CodeBody,
                answer=OwnView,
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
            ),
        )

    async def change(self, caller: UserRecord) -> Response:
        body = await read_body(_profile_body)
        changed = await self._profiles.change(
            caller,
            ProfileChange(body.username, body.display_name, body.bio, body.email),
            password=None if isinstance(body.password, UnsetType) else body.password,
            address=device().address,
        )
        return json_answer(own_view(granted(changed)))

    async def ask(self, caller: UserRecord) -> Response:
        refusal = await self._verification.ask(caller)
        if refusal:
            raise Refused(refusal)
        return no_content()

    async def confirm(self, caller: UserRecord) -> Response:
        body = await read_body(_code_body)
        return json_answer(own_view(granted(await self._verification.confirm(caller, body.code.strip()))))

    async def leave(self, caller: Identity) -> Response:
        body = await read_body(_leave_body)
        user = caller.user
        refusal = await self._system.accounts.check_password(user, body.password, address=device().address)
        if refusal is None and user.role == ServerRole.ADMIN:
            refusal = OWN_ACCOUNT
        refusal = refusal or await self._system.accounts.leave(user.id, erase=body.erase)
        if refusal:
            raise Refused(refusal)
        return no_content()

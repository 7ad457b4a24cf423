"""One's own account over REST: what it shows of its owner, where it is used, and its end. Reached as `rest.account`."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, UnsetType

from justchat.client.rest_answers import OpenSession, OwnProfile, PageOf
from justchat.client.rest_requests import Requests, quoted

_AVATAR: Final = "/users/me/avatar"


class Account:
    """The caller's account. What ends sessions closes their connections, this program's too."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def profile(self) -> OwnProfile:
        """Look at one's own account."""
        return await self._requests.call("GET", "/users/me", OwnProfile)

    async def change_profile(
        self,
        *,
        username: str | UnsetType = UNSET,
        display_name: str | UnsetType | None = UNSET,
        bio: str | UnsetType | None = UNSET,
        email: str | UnsetType | None = UNSET,
        password: str | UnsetType = UNSET,
    ) -> OwnProfile:
        """Change what is given and leave the rest; None takes away. Another `email` needs the password."""
        fields = {"username": username, "display_name": display_name, "bio": bio, "email": email, "password": password}
        body: dict[str, object] = {name: value for name, value in fields.items() if value is not UNSET}
        return await self._requests.call("PATCH", "/users/me", OwnProfile, body=body)

    async def set_avatar(self, picture: bytes, media_type: str) -> OwnProfile:
        """Give oneself a picture: PNG, JPEG, WebP or GIF. A small square of its middle is kept, and nothing else."""
        return await self._requests.upload("PUT", _AVATAR, OwnProfile, content=picture, media_type=media_type)

    async def remove_avatar(self) -> None:
        """Take one's picture away; harmless if there is none."""
        await self._requests.do("DELETE", _AVATAR)

    async def ask_for_email_code(self) -> None:
        """Have a code mailed to one's address."""
        await self._requests.do("POST", "/users/me/email/verification")

    async def confirm_email(self, code: str) -> OwnProfile:
        """Show by the code that the address is one's own."""
        path = "/users/me/email/verification/confirm"
        return await self._requests.call("POST", path, OwnProfile, body={"code": code})

    async def change_password(self, password: str, new_password: str) -> None:
        """Change one's password. All other sessions end, this one stays."""
        body: dict[str, object] = {"password": password, "new_password": new_password}
        await self._requests.do("POST", "/auth/password", body=body)

    async def sessions(self) -> tuple[OpenSession, ...]:
        """List where the account is signed in, the one seen latest first."""
        return (await self._requests.call("GET", "/auth/sessions", PageOf[OpenSession])).items

    async def end_session(self, session: str) -> None:
        """Sign out somewhere."""
        await self._requests.do("DELETE", f"/auth/sessions/{quoted(session)}")

    async def logout(self) -> None:
        """End this session, and forget its token; a personal token is revoked."""
        await self._requests.do("POST", "/auth/logout")
        self._requests.token = None

    async def logout_all(self) -> None:
        """End all sessions of this account and revoke its personal tokens."""
        await self._requests.do("POST", "/auth/logout-all")
        self._requests.token = None

    async def leave(self, password: str, *, erase: bool = False) -> None:
        """Delete the account for good. What was said stays, without a name, unless it is to be erased too."""
        await self._requests.do("DELETE", "/users/me", body={"password": password, "erase": erase})
        self._requests.token = None

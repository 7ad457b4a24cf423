"""People with passwords, pictures and mail, over the REST app in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from quart import Response

from storage.records import UserRecord
from tests.http.community import Community
from tests.http.office import open_office

PASSWORD = "correct horse battery"


class Crowd(Community):
    """A community whose people may register, upload and be changed behind the server's back."""

    async def register(self, name: str, **more: object) -> str:
        """Make an account with PASSWORD and sign in; give its id."""
        body = {"username": name, "password": PASSWORD, **more}
        answer = await self.office.call("POST", "/api/v1/auth/register", body=body)
        assert answer.status_code == 201, await answer.get_data()
        made = await answer.get_json()
        self.office._tokens[name] = made["access_token"]
        self.ids[name] = made["user"]["id"]
        return self.ids[name]

    async def upload(self, caller: str, data: bytes, media_type: str = "image/png") -> Response:
        """Send a picture as one's own."""
        headers = {"Authorization": f"Bearer {self.office._tokens[caller]}", "Content-Type": media_type}
        answer = await self.office._client.put("/api/v1/users/me/avatar", headers=headers, data=data)
        assert isinstance(answer, Response)
        return answer

    def record(self, name: str) -> UserRecord:
        """Give an account as it is stored."""
        return self.office.store.users[self.ids[name]]

    def alter(self, name: str, **fields: Any) -> None:
        """Change an account as if another server had."""
        user = self.record(name)
        self.office.store.put_user(replace(user, rev=user.rev + 1, **fields))


@asynccontextmanager
async def open_crowd(**settings: Any) -> AsyncIterator[Crowd]:
    async with open_office(api_docs="no", **settings) as office:
        yield Crowd(office)

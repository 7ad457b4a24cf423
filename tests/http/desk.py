"""People at the front desk of an office: they register with a password, and keep their tokens and cookies by hand.

Every answer is held against what its operation declares, as in any talk.
"""

from __future__ import annotations

import json
from http.cookies import Morsel, SimpleCookie
from typing import Any

import msgspec
from msgspec import Struct
from quart import Response

from justchat.http.app import API_PREFIX
from justchat.http.cookies import CSRF_COOKIE, CSRF_HEADER, REFRESH_COOKIE
from tests.http.office import Office
from tests.http.talk import keeps_its_headers, operation_of

PASSWORD = "correct horse battery"
BROWSER = "Browser/1.0"
HERE = "192.0.2.1"


class Person(Struct, frozen=True):
    """Somebody who is signed in, and all they were given."""

    id: str
    session: str
    access: str
    refresh: str
    csrf: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        """The header of who shows a token."""
        return bearer(self.access)

    @property
    def cookies(self) -> dict[str, str]:
        """The header of who lets a browser do it, without a proof."""
        return {"Cookie": f"{REFRESH_COOKIE}={self.refresh}; {CSRF_COOKIE}={self.csrf}"}

    @property
    def proven(self) -> dict[str, str]:
        """The headers of a page of ours."""
        return {**self.cookies, CSRF_HEADER: self.csrf}


class Desk:
    """Calls below `/api/v1/auth`, with headers and nothing else to say who calls."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: dict[str, str] | None = None,
        address: str = HERE,
    ) -> Response:
        """Call, and check that the answer is one that is declared."""
        sent = {"User-Agent": BROWSER, **(headers or {})}
        answer = await self.office.call(method, f"{API_PREFIX}/auth{path}", body=body, headers=sent, address=address)
        assert answer.status_code < 500, (method, path, await answer.get_data())
        operation = operation_of(self.office, method, f"/auth{path}")
        keeps_its_headers(operation, answer)
        raw = await answer.get_data(as_text=False)
        if answer.status_code < 300:
            assert answer.status_code in operation.statuses
            if operation.answer is None:
                assert raw == b""
            else:
                typed: object = msgspec.json.decode(raw, type=operation.answer)
                assert json.loads(msgspec.json.encode(typed)) == json.loads(raw), (method, path)
                assert answer.headers["Cache-Control"] == "no-store"
        return answer

    async def get(self, method: str, path: str, *, status: int = 200, **parts: Any) -> Any:
        """Call, expect a status, and give what was answered."""
        answer = await self.ask(method, path, **parts)
        assert answer.status_code == status, await answer.get_data()
        return None if status == 204 else await answer.get_json(force=True)

    async def refused(self, method: str, path: str, **parts: Any) -> tuple[int, str, list[str]]:
        """Call, expect problem details, and give status, code and pointers."""
        answer = await self.ask(method, path, **parts)
        assert answer.content_type == "application/problem+json", await answer.get_data()
        problem = await answer.get_json(force=True)
        return answer.status_code, problem["code"], [error["pointer"] for error in problem.get("errors", ())]

    async def register(self, name: str = "ann", **fields: object) -> Person:
        """Register somebody, who keeps the refresh token themselves."""
        body = {"username": name, "password": PASSWORD, "cookie": False, **fields}
        return person_of(await self.get("POST", "/register", body=body, status=201))

    async def login(self, name: str = "ann", *, address: str = HERE, headers: dict[str, str] | None = None) -> Person:
        """Log somebody in, who keeps the refresh token themselves."""
        body = {"username": name, "password": PASSWORD, "cookie": False}
        return person_of(await self.get("POST", "/login", body=body, address=address, headers=headers))

    async def browse(self, name: str = "ann") -> Person:
        """Log somebody in as a browser does, which keeps cookies."""
        answer = await self.ask("POST", "/login", body={"username": name, "password": PASSWORD})
        return person_of(await answer.get_json(), cookies_of(answer))

    async def is_in(self, person: Person) -> bool:
        """Whether somebody's access token is good for anything."""
        answer = await self.office.call("GET", f"{API_PREFIX}/users/me", headers=person.bearer)
        return answer.status_code == 200


def bearer(token: str) -> dict[str, str]:
    """Give the header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def person_of(view: dict[str, Any], cookies: dict[str, Morsel[str]] | None = None) -> Person:
    """Read what a sign-in was answered with."""
    if cookies is None:
        refresh, csrf = view["refresh_token"], ""
    else:
        refresh, csrf = cookies[REFRESH_COOKIE].value, cookies[CSRF_COOKIE].value
    return Person(view["user"]["id"], view["session_id"], view["access_token"], refresh, csrf)


def cookies_of(answer: Response) -> dict[str, Morsel[str]]:
    """Read the cookies that an answer leaves, each of which it may leave once."""
    found: dict[str, Morsel[str]] = {}
    for header in answer.headers.getlist("Set-Cookie"):
        ((name, morsel),) = SimpleCookie(header).items()
        assert name not in found
        found[name] = morsel
    return found

"""E-mail addresses: shown to be one's own by a code that was mailed there, through a real mail server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from justchat.app import wall_ms
from tests.http.people import PASSWORD, Crowd, open_crowd
from tests.support.mail_server import MailServer, running_mail_server

pytestmark = pytest.mark.real_clock

ASK = "/users/me/email/verification"
CONFIRM = f"{ASK}/confirm"


@pytest.fixture
def server() -> Iterator[MailServer]:
    """Run a mail server."""
    with running_mail_server() as running:
        yield running


@asynccontextmanager
async def with_carol(server: MailServer) -> AsyncIterator[Crowd]:
    async with open_crowd(smtp_url=f"smtp://127.0.0.1:{server.port}", mail_from="chat@example.org") as crowd:
        await crowd.register("carol", email="carol@example.org")
        yield crowd


async def mailed(server: MailServer) -> str:
    """Wait for the next mail, and give the code in it."""
    mail = await server.mail()
    assert mail["To"] == "carol@example.org"
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    codes = re.findall(r"\b\d{6}\b", payload.decode())
    assert len(codes) == 1
    return str(codes[0])


def other(code: str, number: int = 1) -> str:
    """Give a code that is not this one."""
    return f"{(int(code) + number) % 10**6:06d}"


async def test_the_mailed_code_shows_that_the_address_is_ones_own(server: MailServer) -> None:
    """S3-01: asked for, mailed, told again, verified; the code itself is nowhere in the store."""
    async with with_carol(server) as crowd:
        assert (await crowd.call("carol", "GET", "/users/me"))["email_verified"] is False
        await crowd.call("carol", "POST", ASK, status=204)
        code = await mailed(server)
        assert code not in repr(crowd.office.store.credentials)
        me = await crowd.call("carol", "POST", CONFIRM, {"code": f" {code} "})
        assert me["email_verified"] is True
        assert (await crowd.call("carol", "GET", "/users/me"))["email_verified"] is True
        assert crowd.office.store.credentials == {}
        assert await crowd.refused("carol", "POST", ASK, status=409) == "conflict"
        assert (await crowd.call("carol", "POST", CONFIRM, {"code": code}))["email_verified"] is True


async def test_a_wrong_code_may_be_told_four_times(server: MailServer) -> None:
    """The fifth try can still be right; after five nothing is, also not all at once."""
    async with with_carol(server) as crowd:
        await crowd.call("carol", "POST", ASK, status=204)
        code = await mailed(server)
        for number in range(1, 5):
            assert await crowd.pointers("carol", "POST", CONFIRM, {"code": other(code, number)}) == ["/code"]
        assert (await crowd.call("carol", "POST", CONFIRM, {"code": code}))["email_verified"] is True


async def test_of_many_guesses_at_once_five_are_looked_at(server: MailServer) -> None:
    """Fifty at the same moment: five tries, and then the right one is refused, too, until a new one is asked for."""
    async with with_carol(server) as crowd:
        await crowd.call("carol", "POST", ASK, status=204)
        code, statuses = await mailed(server), []

        async def guess(number: int) -> None:
            body = {"code": other(code, number)}
            answer = await crowd.office.call("POST", f"/api/v1{CONFIRM}", caller="carol", body=body)
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(1, 51):
                nursery.start_soon(guess, number)
        assert sorted(statuses) == [409] * 45 + [422] * 5
        assert await crowd.refused("carol", "POST", CONFIRM, {"code": code}, status=409) == "conflict"
        await crowd.call("carol", "POST", ASK, status=204)
        assert (await crowd.call("carol", "POST", CONFIRM, {"code": await mailed(server)}))["email_verified"] is True


async def test_a_code_is_good_for_fifteen_minutes(server: MailServer) -> None:
    """Then it is as if there were none."""
    async with with_carol(server) as crowd:
        await crowd.call("carol", "POST", ASK, status=204)
        code = await mailed(server)
        (credential,) = crowd.office.store.credentials.values()
        assert abs((credential.expires_at or 0) - wall_ms() - 900_000) < 60_000
        with pytest.MonkeyPatch.context() as patch:
            later = wall_ms() + 900_001
            verification = crowd.office.app.blueprints["profile"]
            routes = verification.operations["post /users/me/email/verification"].handler.__self__  # type: ignore[attr-defined]
            patch.setattr(routes._verification, "_now_ms", lambda: later)
            assert await crowd.refused("carol", "POST", CONFIRM, {"code": code}, status=409) == "conflict"
        assert (await crowd.call("carol", "POST", CONFIRM, {"code": code}))["email_verified"] is True


async def test_the_code_of_one_address_proves_nothing_about_another(server: MailServer) -> None:
    """Changed after the mail: the code is wrong, and the new address stays unverified."""
    async with with_carol(server) as crowd:
        await crowd.call("carol", "POST", ASK, status=204)
        code = await mailed(server)
        change = {"email": "other@example.org", "password": PASSWORD}
        await crowd.call("carol", "PATCH", "/users/me", change)
        assert await crowd.pointers("carol", "POST", CONFIRM, {"code": code}) == ["/code"]
        await crowd.register("dave", email="carol@example.org")
        assert await crowd.refused("dave", "POST", CONFIRM, {"code": code}, status=409) == "conflict"


async def test_a_new_code_replaces_the_old_one(server: MailServer) -> None:
    """Only what was mailed last is good."""
    async with with_carol(server) as crowd:
        await crowd.call("carol", "POST", ASK, status=204)
        old = await mailed(server)
        await crowd.call("carol", "POST", ASK, status=204)
        new = await mailed(server)
        if old != new:
            assert await crowd.pointers("carol", "POST", CONFIRM, {"code": old}) == ["/code"]
        assert (await crowd.call("carol", "POST", CONFIRM, {"code": new}))["email_verified"] is True


async def test_nobody_can_have_somebody_flooded_with_mail(server: MailServer) -> None:
    """Five an hour, also all at once; the sixth is told when to come again."""
    async with with_carol(server) as crowd:
        statuses = []

        async def ask() -> None:
            answer = await crowd.office.call("POST", f"/api/v1{ASK}", caller="carol")
            statuses.append((answer.status_code, answer.headers.get("Retry-After") is not None))

        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(ask)
        assert sorted(statuses) == [(204, False)] * 5 + [(429, True)] * 7
        for _ in range(5):
            await mailed(server)
        assert server.empty
        assert await crowd.refused("carol", "POST", ASK, status=429) == "rate_limited"


async def test_an_address_is_not_flooded_by_one_account_after_another(server: MailServer) -> None:
    """Whoever hands their address on to their next account has had the mails of the hour; others have theirs."""
    async with with_carol(server) as crowd:
        await crowd.register("dave", email="dave@example.org")
        for _ in range(5):
            await crowd.call("carol", "POST", ASK, status=204)
            await mailed(server)
        await crowd.call("carol", "PATCH", "/users/me", {"email": None, "password": PASSWORD})
        await crowd.call("dave", "PATCH", "/users/me", {"email": "carol@example.org", "password": PASSWORD})
        for _ in range(6):
            assert await crowd.refused("dave", "POST", ASK, status=429) == "rate_limited"
        assert server.empty
        await crowd.call("dave", "PATCH", "/users/me", {"email": "dave@example.org", "password": PASSWORD})
        await crowd.call("dave", "POST", ASK, status=204)
        assert (await server.mail())["To"] == "dave@example.org"


async def test_mail_that_cannot_be_sent_is_told_so(server: MailServer) -> None:
    """503 with a word on when to try again; later it works."""
    async with with_carol(server) as crowd:
        server.refuse = "451 not now"
        answer = await crowd.office.call("POST", f"/api/v1{ASK}", caller="carol")
        assert (answer.status_code, (await answer.get_json())["code"]) == (503, "mail_unavailable")
        assert "Retry-After" in answer.headers
        server.refuse = None
        await crowd.call("carol", "POST", ASK, status=204)
        assert await mailed(server)


async def test_without_an_address_there_is_nothing_to_verify(server: MailServer) -> None:
    """409 for an account without one."""
    async with with_carol(server) as crowd:
        assert await crowd.refused("member", "POST", ASK, status=409) == "conflict"
        assert await crowd.refused("member", "POST", CONFIRM, {"code": "1"}, status=409) == "conflict"
        assert await crowd.pointers("carol", "POST", CONFIRM, {"code": ""}) == ["/code"]

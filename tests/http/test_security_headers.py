"""Headers that keep browsers from doing more with an answer than it is for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.http.office import open_office
from tests.http.raw import ask
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def directives(policy: str) -> dict[str, list[str]]:
    """Take a Content-Security-Policy apart."""
    parts = [part.split() for part in policy.split(";") if part.strip()]
    assert len({name for name, *_ in parts}) == len(parts)
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/users/me", 200),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/users/me", 405),
        ("DELETE", "/api/v1/rooms/r_none/members/me", 204),
        ("GET", "/health", 200),
        ("GET", "/nothing", 404),
        ("GET", "/assets/nothing.js", 404),
    ],
)
async def test_data_is_nothing_but_data(method: str, path: str, status: int) -> None:
    """No sniffing, no framing, no caching, nothing to load, and no address told to others; whatever the answer."""
    async with open_office() as office:
        office.add_user("ann")
        answer = await office.call(method, path, caller="ann")
        assert answer.status_code == status
        assert answer.headers["Content-Security-Policy"] == DATA_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Strict-Transport-Security" not in answer.headers
        assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_run_their_own_files_and_nothing_else(path: str) -> None:
    """Nothing inline, nothing evaluated, nothing from elsewhere, in no frame; and no powers that no page here needs."""
    async with open_office() as office:
        answer: Any = await office.call("GET", path)
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        policy = directives(answer.headers["Content-Security-Policy"])
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert not re.search(r"unsafe|\*|http:|https:", answer.headers["Content-Security-Policy"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        powers = dict(part.split("=") for part in answer.headers["Permissions-Policy"].split(", "))
        assert set(powers.values()) == {"()"}
        assert {"camera", "microphone", "geolocation", "payment", "usb"} <= powers.keys()
        page = (await answer.get_data()).decode()
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:|https?://(?!www\.w3\.org)", page
        )


async def test_what_a_route_says_about_caching_stands() -> None:
    """Pages may be kept and asked for again; only what says nothing is not to be stored."""
    async with open_office() as office:
        for path in ("/", "/assets/app.js", "/docs", "/openapi.json"):
            answer = await office.call("GET", path)
            assert answer.headers["Cache-Control"] == "no-cache"
            tag = answer.headers["ETag"]
            # A proxy that compresses makes the tag a weak one.
            for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                again = await office.call("GET", path, headers={"If-None-Match": known})
                assert (again.status_code, again.headers["ETag"]) == (304, tag)
                assert again.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("address", "proto", "told"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "https, http", True),
        ("10.0.0.1", "http", False),
        ("10.0.0.1", None, False),
        ("192.0.2.1", "https", False),
    ],
)
async def test_browsers_are_bound_to_tls_only_where_a_trusted_proxy_ends_it(
    address: str, proto: str | None, told: bool
) -> None:
    """For a year, and on every kind of answer; nobody else can bring a site to say so."""
    async with open_office(trusted_proxies=("10.0.0.0/8",)) as office:
        headers = {} if proto is None else {"X-Forwarded-Proto": proto}
        for path in ("/", "/api/v1/users/me", "/nothing"):
            answer = await office.call("GET", path, address=address, headers=headers)
            found = answer.headers.get("Strict-Transport-Security")
            assert found == ("max-age=31536000" if told else None)


@pytest.mark.parametrize("line", ["NONSENSE", "GET /ws/elsewhere", "GET /"])
def test_the_front_doors_own_answers_are_data_too(server: ServerProcess, line: str) -> None:
    """What never reaches the app has the same protection."""
    answer = ask(server, line, headers="Upgrade: websocket\r\nConnection: Upgrade\r\n")
    assert answer.status in {400, 404}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == DATA_POLICY

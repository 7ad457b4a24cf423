"""Pictures over HTTP: who may send which, and how what is made of them is served."""

from __future__ import annotations

import json
import zlib

import pytest
import trio
from quart import Response

from tests.accounts.pictures import FORMS, colour_at, opened, picture, png
from tests.http.people import Crowd, open_crowd

pytestmark = pytest.mark.real_clock

ME = "/users/me/avatar"


async def code_of(answer: Response) -> tuple[int, str]:
    """Expect problem details; give status and code."""
    assert answer.content_type == "application/problem+json"
    return answer.status_code, json.loads(await answer.get_data(as_text=False))["code"]


async def look(crowd: Crowd, caller: str, address: str, **headers: str) -> Response:
    """Get an address that an answer gave."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await crowd.office.call("GET", address, caller=caller, headers=sent)


@pytest.mark.parametrize("media_type", FORMS)
async def test_a_picture_is_sent_and_seen_by_others(media_type: str) -> None:
    """S3-35: its address stands with the user wherever they are shown, and gives a small WebP."""
    async with open_crowd() as crowd:
        answer = await crowd.upload("member", picture(FORMS[media_type], (400, 300)), media_type)
        assert answer.status_code == 200
        address = (await answer.get_json())["avatar_url"]
        user = crowd.ids["member"]
        assert address == f"/api/v1/users/{user}/avatar?v={crowd.record('member').avatar}"
        assert (await crowd.call("stranger", "GET", f"/users/{user}"))["avatar_url"] == address
        assert (await crowd.call("stranger", "GET", f"/users?ids={user}"))["items"][0]["avatar_url"] == address
        seen = await look(crowd, "stranger", address)
        assert (seen.status_code, seen.content_type) == (200, "image/webp")
        image = opened(await seen.get_data(as_text=False))
        assert (image.format, image.size, colour_at(image, 0.2, 0.5)) == ("WEBP", (256, 256), "red")


async def test_what_is_served_can_be_nothing_but_a_picture() -> None:
    """No sniffing, no script, no embedding by other sites; kept by whoever asked for exactly this one."""
    async with open_crowd() as crowd:
        await crowd.upload("member", picture())
        user = crowd.record("member")
        path = f"/api/v1/users/{user.id}/avatar"
        for query, caching in (
            (f"?v={user.avatar}", "private, max-age=604800, immutable"),
            ("?v=a_other", "private, no-cache"),
            ("", "private, no-cache"),
        ):
            headers = (await look(crowd, "stranger", f"{path}{query}")).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
            assert headers["Cross-Origin-Resource-Policy"] == "same-site"
            assert headers["Cache-Control"] == caching
            assert headers["ETag"] == f'"{user.avatar}"'


async def test_a_picture_that_one_has_is_not_sent_again() -> None:
    """`If-None-Match` with its tag, strong or weak or among others; after a change it is sent."""
    async with open_crowd() as crowd:
        await crowd.upload("member", picture())
        path, tag = f"/api/v1/users/{crowd.ids['member']}/avatar", f'"{crowd.record("member").avatar}"'
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = await look(crowd, "stranger", path, If_None_Match=known)
            assert (again.status_code, again.headers["ETag"]) == (304, tag)
            assert await again.get_data(as_text=False) == b""
        for unknown in ('"x"', "rubbish", tag.strip('"')):
            assert (await look(crowd, "stranger", path, If_None_Match=unknown)).status_code == 200
        await crowd.upload("member", picture("JPEG"), "image/jpeg")
        changed = await look(crowd, "stranger", path, If_None_Match=tag)
        assert changed.status_code == 200
        assert changed.headers["ETag"] != tag


async def test_a_picture_is_taken_away_and_that_may_be_asked_twice() -> None:
    """404 for everybody from then on, and no trace of it in the store."""
    async with open_crowd() as crowd:
        await crowd.upload("member", picture())
        for _ in range(2):
            await crowd.call("member", "DELETE", ME, status=204)
            assert (
                await crowd.refused("owner", "GET", f"/users/{crowd.ids['member']}/avatar", status=404) == "not_found"
            )
            assert (await crowd.call("member", "GET", "/users/me"))["avatar_url"] is None
            assert crowd.office.store.avatars == {}


async def test_nobody_has_a_picture_who_is_not_there() -> None:
    """404: without one, unknown, no id at all, disabled, deleted; and 401 for who does not say who they are."""
    async with open_crowd() as crowd:
        await crowd.upload("member", picture())
        member = crowd.ids["member"]
        assert (await look(crowd, "member", "/api/v1/users/me/avatar")).status_code == 200
        for user in (crowd.ids["guest"], "me", "u_none", "x"):
            assert await crowd.refused("owner", "GET", f"/users/{user}/avatar", status=404) == "not_found"
        for fields in ({"disabled": True}, {"disabled": True, "state": "gone"}):
            crowd.alter("member", **fields)
            assert await crowd.refused("owner", "GET", f"/users/{member}/avatar", status=404) == "not_found"
        answer = await crowd.office.call("GET", f"/api/v1/users/{member}/avatar")
        assert answer.status_code == 401


async def test_a_picture_may_be_as_large_as_the_limit_says_and_no_larger() -> None:
    """To the byte, whether the length is announced or not; other routes keep their smaller limit."""
    async with open_crowd(avatar_max_bytes=100_000, request_max_bytes=4096) as crowd:
        whole = picture()
        full = whole + b"\0" * (100_000 - len(whole))
        assert (await crowd.upload("member", full)).status_code == 200
        assert await code_of(await crowd.upload("member", full + b"\0")) == (413, "payload_too_large")
        code = await crowd.refused("member", "PATCH", "/users/me", {"bio": "x" * 5000}, status=413)
        assert code == "payload_too_large"


async def test_a_body_without_a_length_is_stopped_at_the_limit() -> None:
    """Chunk by chunk, counted while it comes: memory holds no more than the limit and one chunk."""
    async with open_crowd(avatar_max_bytes=100_000) as crowd:
        headers = {"Authorization": f"Bearer {crowd.office._tokens['member']}", "Content-Type": "image/png"}
        for size, status in ((100_000, 200), (100_001, 413)):
            whole = picture()
            body = whole + b"\0" * (size - len(whole))
            async with crowd.office._client.request("/api/v1/users/me/avatar", method="PUT", headers=headers) as sent:
                for start in range(0, len(body), 30_000):
                    await sent.send(body[start : start + 30_000])
                await sent.send_complete()
            answer = await sent.as_response()
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("data", "media_type", "expected"),
    [
        (b"", "image/png", (422, "validation_failed")),
        (picture()[:-30], "image/png", (422, "validation_failed")),
        (picture("JPEG"), "image/png", (422, "validation_failed")),
        (png((50_000, 50_000), zlib.compress(bytes(6251) * 100)), "image/png", (422, "validation_failed")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", (415, "unsupported_media")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", (422, "validation_failed")),
        (picture(), "application/json", (415, "unsupported_media")),
        (picture(), "image/tiff", (415, "unsupported_media")),
        (picture(), "", (415, "unsupported_media")),
    ],
)
async def test_what_is_no_picture_is_refused_and_the_former_one_stays(
    data: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    """No 5xx for anything that can be sent, and nothing is lost by it."""
    async with open_crowd() as crowd:
        await crowd.upload("member", picture())
        before = crowd.record("member")
        assert await code_of(await crowd.upload("member", data, media_type)) == expected
        assert crowd.record("member") == before
        assert before.avatar is not None


async def test_pictures_at_once_leave_one_that_is_named() -> None:
    """Whatever the order, the account names a picture that is there, and no change of the profile is lost."""
    async with open_crowd() as crowd:

        async def send(data: bytes) -> None:
            assert (await crowd.upload("member", data)).status_code == 200

        async def say() -> None:
            await crowd.call("member", "PATCH", "/users/me", {"bio": "words"})

        async with trio.open_nursery() as nursery:
            for width in (10, 20, 30):
                nursery.start_soon(send, picture("PNG", (width, width)))
            nursery.start_soon(say)
        user = crowd.record("member")
        assert user.bio == "words"
        assert user.avatar is not None
        assert (await look(crowd, "owner", f"/api/v1/users/{user.id}/avatar")).status_code == 200


async def test_without_storage_a_picture_is_503_and_nothing_has_changed() -> None:
    """The store is down at the last step: the account does not name what was not stored."""
    async with open_crowd() as crowd:
        crowd.office.switch.spared = frozenset({"session"})
        crowd.office.switch.down = True
        assert await code_of(await crowd.upload("member", picture())) == (503, "storage_unavailable")
        assert crowd.record("member").avatar is None
        crowd.office.switch.down = False
        assert (await crowd.upload("member", picture())).status_code == 200


async def test_an_ended_account_leaves_no_picture() -> None:
    """Who goes takes their picture along."""
    async with open_crowd() as crowd:
        await crowd.register("carol")
        await crowd.upload("carol", picture())
        body = {"password": "correct horse battery"}
        await crowd.call("carol", "DELETE", "/users/me", body, status=204)
        assert crowd.office.store.avatars == {}

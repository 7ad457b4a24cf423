"""People over REST: one's own account, finding others, what one says of oneself, and who is whose contact."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import pytest
import trio
from msgspec.structs import replace
from PIL import Image

from bench.filler import fill_users
from bench.people import people, prefixes
from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_ring import KeyRing
from justchat.accounts.names import fold_name
from justchat.accounts.tokens import Tokens
from storage.open import open_storage
from tests.accounts.pictures import opened, picture
from tests.support.rest import PASSWORD, Caller, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

USERS = 100_000
GOAL_MS = 50.0
TRIES = 20
SECRET_PLACE = "somewhere at home"


def expired(server: ServerProcess, caller: Caller) -> str:
    """Make an access token of somebody's that has run out, with the server's own key."""
    ring = KeyRing.following(KeyFile(server._folder / "signing.key"), retired_seconds=0)
    tokens = Tokens(ring, issuer="justchat", access_seconds=600, clock=lambda: time.time() - 700)
    return tokens.issue(caller.id, caller.session)[0]


def test_ones_own_account_is_shown_without_a_secret_and_to_nobody_else(server: ServerProcess) -> None:
    """200 for whoever has a token, with nothing that could be used to sign in; 401 without one, or with a bad one."""
    ann = register(server)
    response = ann.http.get("/users/me")
    me = response.json()
    assert (response.status_code, me["id"], me["username"]) == (200, ann.id, ann.username)
    words = ("password", "hash", "secret", "token", "salt", "digest")
    assert [name for name in me if any(word in name for word in words)] == []
    assert not any(secret in response.text for secret in (PASSWORD, ann.token, "$2a$", "$2b$"))
    for headers in (
        {},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Bearer none"},
        {"Authorization": ann.token},
        {"Authorization": f"Bearer {ann.token[:-4]}AAAA"},
    ):
        refused = httpx.get(f"{server.url}/api/v1/users/me", headers=headers, trust_env=False)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    late = ann.http.get("/users/me", headers={"Authorization": f"Bearer {expired(server, ann)}"})
    assert (late.status_code, late.json()["code"]) == (401, "token_expired")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, list[str]]]:
    """A server with a hundred thousand accounts, and their folded names in order."""
    folder = tmp_path_factory.mktemp("crowded")
    url = f"sqlite:///{folder}/chat.db"

    async def make_tables() -> None:
        async with open_storage(url):
            pass

    trio.run(make_tables)
    users = [replace(user, email=f"{user.id}@example.org") for user in people(USERS, seed=8)]
    fill_users(url, users)
    with running_server(folder, profile="loadtest") as server:
        yield server, sorted(user.name_key for user in users)


def test_people_are_found_at_once_among_a_hundred_thousand(crowded: tuple[ServerProcess, list[str]]) -> None:
    """By the beginning of the name in any case, twenty at most, without addresses; 95 of 100 answers within 50 ms.

    One good stretch is enough: what else runs on this machine holds up some, a search through all of them would be
    late each time.
    """
    server, names = crowded
    ann = register(server)
    looked_for = [*prefixes(names, 120, seed=8), "al", "AL"]

    def p95_ms() -> float:
        ms = []
        for prefix in looked_for:
            began = time.perf_counter()
            answer = ann.http.get("/users", params={"q": prefix})
            ms.append((time.perf_counter() - began) * 1e3)
            found = [fold_name(user["username"]) for user in answer.json()["items"]]
            assert 0 < len(found) <= 20
            assert all(name.startswith(fold_name(prefix)) for name in found)
            assert "example.org" not in answer.text
        return quantiles(ms, n=20)[18]

    p95s = [p95_ms()]
    while min(p95s) >= GOAL_MS and len(p95s) < TRIES:
        p95s.append(p95_ms())
    assert min(p95s) < GOAL_MS, p95s
    upper, lower = (ann.call("GET", f"/users?q={prefix}")["items"] for prefix in ("AL", "al"))
    assert upper == lower
    assert len(upper) == 20


def test_what_people_and_rooms_are_is_for_the_server_to_say_and_two_share_one_room(server: ServerProcess) -> None:
    """Role and kind are not for the body of a request to choose or change; fifty who open it at once get one room."""
    ann, bob = register(server), register(server)
    for role in ("admin", "bot", "user"):
        assert ann.refused("PATCH", "/users/me", {"role": role}, status=422) == "validation_failed"
        body = {"username": "eve", "password": PASSWORD, "role": role}
        assert ann.refused("POST", "/auth/register", body, status=422) == "validation_failed"
    assert ann.call("GET", "/users/me")["role"] == "user"
    assert ann.refused("POST", "/rooms", {"kind": "bot", "name": "x"}, status=422) == "validation_failed"
    group = ann.room()
    assert ann.refused("PATCH", f"/rooms/{group}", {"kind": "channel"}, status=422) == "validation_failed"
    assert ann.call("GET", f"/rooms/{group}")["kind"] == "group"

    def open_one(number: int) -> tuple[int, str, str]:
        caller, other = (ann, bob) if number % 2 else (bob, ann)
        if number % 3:
            answer = caller.http.put(f"/users/me/direct/{other.id}")
        else:
            answer = caller.http.post("/rooms", json={"kind": "direct", "members": [other.username]})
        return answer.status_code, answer.json()["id"], answer.json()["kind"]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(open_one, range(50)))
    assert sorted(status for status, _, _ in answers) == [200] * 49 + [201]
    assert len({room for _, room, _ in answers}) == 1
    assert {kind for _, _, kind in answers} == {"direct"}
    direct = [room for room in bob.call("GET", "/users/me/rooms?limit=100")["items"] if room["kind"] == "direct"]
    assert len(direct) == 1


def test_who_is_there_and_who_was_is_known_again_after_a_restart(tmp_path: Path) -> None:
    """Online while a socket is open, and when it is back; that they were there is kept, over a kill as well."""
    with running_server(tmp_path, profile="loadtest") as server:
        ann, bob = register(server), register(server)

        def shown() -> tuple[bool, Any]:
            user = bob.call("GET", f"/users/{ann.id}")
            return user["online"], user["last_seen_at"]

        Talker.greeted(server.ws_url, ann.token)
        online, before = shown()
        assert online is True
        server.stop()
        server.start()
        online, seen = shown()
        assert online is False
        assert seen > (before or "")
        server.kill()
        server.start()
        assert shown() == (False, seen)
        again = Talker.greeted(server.ws_url, ann.token)
        assert shown()[0] is True
        again.close()


def contacts(caller: Caller) -> dict[str, str]:
    """Give what others are to somebody."""
    return {one["user"]["id"]: one["state"] for one in caller.call("GET", "/users/me/contacts")["items"]}


def test_contacts_are_asked_accepted_rejected_and_ended_and_crossing_requests_meet(server: ServerProcess) -> None:
    """One asks, the other accepts by asking, either takes it away; who ask each other at once are in contact, once."""
    ann, bob = register(server), register(server)
    of_ann, of_bob = f"/users/me/contacts/{ann.id}", f"/users/me/contacts/{bob.id}"

    def states() -> tuple[str | None, str | None]:
        return contacts(ann).get(bob.id), contacts(bob).get(ann.id)

    for caller, path in ((ann, of_bob), (bob, of_ann)):  # taken back, and rejected
        assert ann.call("PUT", of_bob)["state"] == "asked"
        assert ann.call("PUT", of_bob)["state"] == "asked"
        assert states() == ("asked", "asks_you")
        caller.call("DELETE", path, status=204)
        assert states() == (None, None)
    for caller, path in ((ann, of_bob), (bob, of_ann)):  # accepted, and ended by either
        ann.call("PUT", of_bob)
        assert bob.call("PUT", of_ann)["state"] == "accepted"
        assert states() == ("accepted", "accepted")
        caller.call("DELETE", path, status=204)
        assert states() == (None, None)
    with ThreadPoolExecutor(20) as pool:
        asked = list(
            pool.map(lambda number: (ann, bob)[number % 2].call("PUT", (of_bob, of_ann)[number % 2]), range(40))
        )
    assert {contact["state"] for contact in asked} <= {"asked", "accepted"}
    assert states() == ("accepted", "accepted")
    assert [len(contacts(caller)) for caller in (ann, bob)] == [1, 1]


def test_people_show_a_picture_words_and_a_name_and_nothing_else(server: ServerProcess) -> None:
    """The picture is made anew, without what the camera wrote into it; words and name are seen by everybody."""
    ann, bob = register(server), register(server)
    ann.call("PATCH", "/users/me", {"display_name": "Ann of the Hill", "bio": "I read."}, status=200)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = SECRET_PLACE, 1
    original = picture("JPEG", (640, 480), exif=exif, comment=SECRET_PLACE.encode())
    assert SECRET_PLACE.encode() in original
    sent = ann.http.put("/users/me/avatar", content=original, headers={"Content-Type": "image/jpeg"})
    assert sent.status_code == 200, sent.text
    shown = bob.call("GET", f"/users/{ann.id}")
    assert (shown["display_name"], shown["bio"]) == ("Ann of the Hill", "I read.")
    assert shown["avatar_url"] == sent.json()["avatar_url"]
    answer = bob.http.get(f"{server.url}{shown['avatar_url']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    image = opened(answer.content)
    assert (image.format, image.size, dict(image.getexif())) == ("WEBP", (256, 256), {})
    assert SECRET_PLACE.encode() not in answer.content
    assert not {"exif", "comment", "icc_profile", "xmp"} & Image.open(io.BytesIO(answer.content)).info.keys()
    no_picture = ann.http.put("/users/me/avatar", content=b"GIF89a", headers={"Content-Type": "image/gif"})
    assert no_picture.status_code == 422
    ann.call("DELETE", "/users/me/avatar", status=204)
    assert bob.call("GET", f"/users/{ann.id}")["avatar_url"] is None

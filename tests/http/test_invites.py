"""Invites over REST: the code is told once, lets in whom it should for as long as it should, and tells nothing."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from justchat.app import wall_ms
from justchat.rooms.invites import invite_id, is_invite_id, new_code, room_of
from tests.http.community import Community, open_community

pytestmark = pytest.mark.real_clock

WRONG_INVITES: list[tuple[dict[str, object], str]] = [
    ({"role": "king"}, "/role"),
    ({"expires_in": 0}, "/expires_in"),
    ({"expires_in": 10**10}, "/expires_in"),
    ({"expires_in": 60, "expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "1969-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
    ({"expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
    ({"expires_at": "tomorrow"}, "/expires_at"),
    ({"expires_at": 5}, "/expires_at"),
    ({"max_uses": 0}, "/max_uses"),
    ({"max_uses": 1_000_001}, "/max_uses"),
    ({"uses": 3}, ""),
]


class ShiftedClock:
    """The wall clock, put forward by hand."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return wall_ms() + self.ahead_ms


async def _invite(town: Community, room: str, *, by: str = "owner", **body: object) -> Any:
    return await town.call(by, "POST", f"/rooms/{room}/invites", body or None, status=201)


async def _accept(town: Community, caller: str, code: str, *, status: int = 200) -> Any:
    return await town.call(caller, "POST", f"/invites/{code}/accept", status=status)


def test_codes_are_secret_name_their_room_and_their_id_lets_nobody_in() -> None:
    """No two are alike, and what is no code is for no room."""
    room = "r_" + "0a" * 16
    codes = [new_code(room) for _ in range(100)]
    assert len({code.partition(".")[2] for code in codes}) == len({invite_id(code) for code in codes}) == 100
    assert all(len(code.partition(".")[2]) == 22 for code in codes)
    assert {room_of(code) for code in codes} == {room}
    assert all(is_invite_id(invite_id(code)) and room_of(invite_id(code)) is None for code in codes)
    assert invite_id(codes[0]) == invite_id(codes[0])
    secret = codes[0].partition(".")[2]
    for text in ("", ".", room, secret, f"{room}.", f"{room}.{secret}x", f"{room}.{secret[1:]}", f"{room}/{secret}",
                 f"{room}.{secret}\n", f"r_1.{secret}", codes[0].upper(), f" {codes[0]}"):  # fmt: skip
        assert room_of(text) is None, text


async def test_the_code_is_told_once_and_kept_nowhere() -> None:
    """Lists, events, the audit log and the store have the id; the address in Location leads to the invite."""
    async with open_community() as town:
        room = await town.furnished()
        answer = await town.office.call("POST", f"/api/v1/rooms/{room}/invites", caller="moderator")
        made = await answer.get_json()
        assert answer.status_code == 201
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Location"] == f"/api/v1/rooms/{room}/invites/{made['id']}"
        assert made == {
            "id": invite_id(made["code"]),
            "code": made["code"],
            "url": f"/api/v1/invites/{made['code']}/accept",
            "role": "member",
            "expires_at": None,
            "max_uses": None,
            "uses": 0,
        }
        (listed,) = (await town.call("owner", "GET", f"/rooms/{room}/invites"))["items"]
        assert {listed["id"], listed["created_by"]} == {made["id"], town.ids["moderator"]}
        for name in (made["id"], made["code"]):
            assert await town.call("moderator", "GET", f"/rooms/{room}/invites/{name}") == listed
        told = json.dumps(
            [listed, await town.events(room), await town.call("owner", "GET", f"/rooms/{room}/audit-log")]
        )
        store = town.office.store
        kept = repr([store.entries, store.items, store.rooms])
        assert made["id"] in told
        assert made["id"] in kept
        secret = made["code"].partition(".")[2]
        assert secret not in told + kept


async def test_an_invite_lets_somebody_in_and_a_member_twice() -> None:
    """As what the invite says; accepting again changes nothing and uses nothing up."""
    async with open_community() as town:
        room = await town.furnished()
        made = await _invite(town, room, role="guest", max_uses=5)
        for _ in range(2):
            entered = await _accept(town, "stranger", made["code"])
            assert (entered["id"], entered["me"]["role"]) == (room, "guest")
        await _accept(town, "admin", made["code"])
        assert (await town.events(room))[-1]["data"] == {
            "user": town.ids["stranger"],
            "role": "guest",
            "invite": made["id"],
        }
        (listed,) = (await town.call("owner", "GET", f"/rooms/{room}/invites"))["items"]
        assert (listed["uses"], listed["max_uses"]) == (1, 5)
        detail = await town.call("admin", "GET", f"/rooms/{room}/members/me")
        assert detail["role"] == "admin"


async def test_an_invite_ends_when_it_is_used_up() -> None:
    """One use, one member; leaving gives nobody's use back."""
    async with open_community() as town:
        room = await town.room()
        code = (await _invite(town, room, max_uses=1))["code"]
        await _accept(town, "member", code)
        await _accept(town, "stranger", code, status=404)
        await town.call("member", "DELETE", f"/rooms/{room}/members/me", status=204)
        await _accept(town, "member", code, status=404)


@pytest.mark.parametrize("by", ["expires_in", "expires_at"])
async def test_an_invite_ends_when_its_time_is_over(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before, not after; said in seconds or as a moment with an offset."""
    clock = ShiftedClock()
    monkeypatch.setattr("tests.http.office.wall_ms", clock)
    async with open_community() as town:
        room = await town.room()
        body = {"expires_in": 3600} if by == "expires_in" else {"expires_at": _offset_time(clock() + 3_600_000)}
        made = await _invite(town, room, **body)
        assert made["expires_at"].endswith("Z")
        clock.ahead_ms = 3_500_000
        await _accept(town, "member", made["code"])
        clock.ahead_ms = 3_700_000
        await _accept(town, "stranger", made["code"], status=404)
        await _accept(town, "member", made["code"])


def _offset_time(milliseconds: int) -> str:
    zone = timezone(timedelta(hours=5, minutes=30))
    return datetime.fromtimestamp(milliseconds / 1000, zone).isoformat()


async def test_an_invite_that_makes_no_sense_is_pointed_at() -> None:
    """And is not made."""
    async with open_community() as town:
        room = await town.room()
        for body, pointer in WRONG_INVITES:
            assert await town.pointers("owner", "POST", f"/rooms/{room}/invites", body) == [pointer]
        assert await town.kinds(room) == ["room.created"]


async def test_whatever_is_wrong_with_a_code_the_answer_is_the_same() -> None:
    """No code, another secret, a room that is not there, revoked, of a deleted room: all tell the same nothing."""
    async with open_community() as town:
        room, other = await town.room(), await town.room()
        revoked = (await _invite(town, room))["code"]
        await town.call("owner", "DELETE", f"/rooms/{room}/invites/{revoked}", status=204)
        deleted = (await _invite(town, other))["code"]
        await town.call("owner", "DELETE", f"/rooms/{other}", status=204)
        open_id = (await _invite(town, room))["id"]
        wrong = [
            new_code(room),
            new_code("r_" + "0" * 32),
            revoked,
            deleted,
            open_id,
            "x",
            f"{room}.",
            "%E2%98%83",
            ".",
        ]
        problems = [await _accept(town, "stranger", code, status=404) for code in wrong]
        assert len({(problem["code"], problem["detail"], problem["title"]) for problem in problems}) == 1


async def test_an_invite_is_revoked_by_its_id_or_its_code_and_only_in_its_own_room() -> None:
    """A repeat is done already; one event each."""
    async with open_community() as town:
        room, other = await town.furnished(), await town.room()
        first, second = await _invite(town, room), await _invite(town, room, by="moderator")
        await town.call("owner", "DELETE", f"/rooms/{other}/invites/{first['code']}", status=204)
        await town.call("owner", "DELETE", f"/rooms/{other}/invites/{first['id']}", status=204)
        assert len((await town.call("owner", "GET", f"/rooms/{room}/invites"))["items"]) == 2
        for name in (first["code"], first["code"], second["id"], second["id"], "nothing"):
            await town.call("admin", "DELETE", f"/rooms/{room}/invites/{name}", status=204)
        assert (await town.call("owner", "GET", f"/rooms/{room}/invites"))["items"] == []
        assert (await town.kinds(room)).count("invite.revoked") == 2
        assert await town.refused("owner", "GET", f"/rooms/{room}/invites/{first['id']}", status=404) == "not_found"
        for made in (first, second):
            await _accept(town, "stranger", made["code"], status=404)


async def test_who_is_banned_is_let_in_by_no_invite() -> None:
    """Until the ban is lifted; an archived room lets nobody in."""
    async with open_community() as town:
        room = await town.furnished()
        code = (await _invite(town, room))["code"]
        assert (await _accept(town, "banned", code, status=403))["code"] == "banned"
        await town.call("owner", "DELETE", f"/rooms/{room}/bans/{town.ids['banned']}", status=204)
        await town.call("owner", "PATCH", f"/rooms/{room}", {"settings": {"archived": True}})
        assert (await _accept(town, "banned", code, status=409))["code"] == "conflict"
        await town.call("owner", "PATCH", f"/rooms/{room}", {"settings": {"archived": False}})
        assert (await _accept(town, "banned", code))["me"]["role"] == "member"


async def test_invites_are_for_those_who_may_invite() -> None:
    """To make, list, look at and revoke them; and nobody invites to a role that they could not give."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        path = f"/rooms/{room}/invites"
        made = await _invite(town, room, by="admin", role="admin")
        refused = {"member": "forbidden", "guest": "forbidden", "stranger": "not_a_member", "gone": "not_a_member"}
        for name, code in refused.items():
            for method, rest in (("POST", ""), ("GET", ""), ("GET", f"/{made['id']}"), ("DELETE", f"/{made['id']}")):
                assert await town.refused(name, method, path + rest, status=403) == code, (name, method)
        assert await town.refused("banned", "POST", path, status=403) == "banned"
        assert await town.refused("banned", "GET", path, status=404) == "not_found"
        for caller, role in (
            ("admin", "owner"),
            ("moderator", "owner"),
            ("moderator", "admin"),
            ("moderator", "guest"),
        ):
            assert await town.refused(caller, "POST", path, {"role": role}, status=403) == "forbidden", (caller, role)
        assert (await _accept(town, "stranger", made["code"]))["me"]["role"] == "admin"


async def test_an_invite_made_before_its_maker_fell_is_no_way_back_up() -> None:
    """An admin's invite for admins gives members while they are a moderator, and lets nobody in when they are out."""
    async with open_community() as town:
        room = await town.furnished()
        admin, path = town.ids["admin"], f"/rooms/{room}/members"
        made = await _invite(town, room, by="admin", role="admin")
        await town.call("owner", "PATCH", f"{path}/{admin}", {"role": "moderator"}, status=204)
        assert (await _accept(town, "stranger", made["code"]))["me"]["role"] == "member"
        await town.call("owner", "DELETE", f"{path}/{admin}", status=204)
        for name in ("admin", "gone"):
            assert (await _accept(town, name, made["code"], status=404))["code"] == "not_found"
        await town.call("owner", "PUT", f"{path}/{admin}", {"role": "admin"}, status=204)
        assert (await _accept(town, "gone", made["code"]))["me"]["role"] == "admin"


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_invites_are_listed_once_each_over_all_pages(limit: int) -> None:
    """In some order, full pages but the last; a room has at most a hundred."""
    async with open_community() as town:
        room = await town.room()
        made = {(await _invite(town, room))["id"] for _ in range(5)}
        pages = await town.pages("owner", f"/rooms/{room}/invites", limit=limit)
        ids = [invite["id"] for invite in itertools.chain(*pages)]
        assert set(ids) == made
        assert len(ids) == 5
        assert all(len(page) == limit for page in pages[:-1])
        for _ in range(95 if limit == 6 else 0):
            await _invite(town, room)
        if limit == 6:
            assert await town.refused("owner", "POST", f"/rooms/{room}/invites", status=409) == "conflict"

"""Administration of a server: its accounts, rooms and invitations, and the record of what was done to them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import trio

from justchat.app import wall_ms
from tests.accounts.pictures import picture
from tests.http.people import PASSWORD, Crowd, open_crowd

pytestmark = pytest.mark.real_clock

USERS, ROOMS, INVITATIONS = "/admin/users", "/admin/rooms", "/admin/invitations"


async def deeds(crowd: Crowd) -> list[tuple[str, str, dict[str, Any]]]:
    """Give what the log of the site says, the latest first: what was done, by whom, and to what."""
    names = {user: name for name, user in crowd.ids.items()}
    log = (await crowd.call("stranger", "GET", "/admin/audit-log"))["items"]
    return [(item["type"], names[item["actor"]], item["data"]) for item in log if item["room"] == ""]


async def next_millisecond() -> None:
    """Wait until the clock that the log goes by has moved on."""
    now = wall_ms()
    while wall_ms() == now:
        await trio.lowlevel.checkpoint()


async def test_all_accounts_are_listed_with_what_administrators_need() -> None:
    """S2-15, S4-07: also disabled and deleted ones, with address, role, state and when they were there."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        crowd.disable("muted")
        crowd.alter("gone", disabled=True, state="leaving")
        crowd.alter("member", email="m@example.org", email_verified=True, last_seen_at=7)
        await crowd.upload("member", picture())
        for limit in (1, 4, 100):
            pages = await crowd.pages("stranger", USERS, limit=limit)
            found = {user["id"]: user for user in itertools.chain(*pages)}
            assert found.keys() == set(crowd.ids.values())
            assert sum(map(len, pages)) == len(found)
        member = found[crowd.ids["member"]]
        assert (member["email"], member["email_verified"]) == ("m@example.org", True)
        assert (member["last_seen_at"], member["online"]) == ("1970-01-01T00:00:00.007Z", False)
        assert member["avatar_url"]
        assert found[crowd.ids["muted"]]["disabled"] is True
        assert found[crowd.ids["gone"]]["state"] == "leaving"
        assert found[crowd.ids["stranger"]]["role"] == "admin"
        assert member == await crowd.call("stranger", "GET", f"{USERS}/{crowd.ids['member']}")
        assert not {"password_hash", "name_key"} & member.keys()


async def test_accounts_are_found_by_id_address_and_name() -> None:
    """Also those that cannot be searched for by everybody; deleted ones by their ids alone."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        crowd.alter("member", email="m@example.org")
        crowd.disable("muted")

        async def find(text: str) -> list[str]:
            return [user["username"] for user in (await crowd.call("stranger", "GET", f"{USERS}?q={text}"))["items"]]

        assert await find(crowd.ids["muted"]) == ["muted"]
        assert await find("M@Example.org") == ["member"]
        assert await find("MUTED") == await find("mut") == ["muted"]
        assert await find("m&limit=9") == ["member", "moderator", "muted"]
        assert len(await find(crowd.ids["gone"])) == 1
        assert await find("u_") == []
        assert await find("nobody") == []
        assert await find("m&limit=1") == ["member"]


async def test_a_disabled_account_is_out_at_once_and_comes_back_by_logging_in() -> None:
    """S2-15: sessions end, login is refused, and enabling brings nothing back but the right to log in."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        user = await crowd.register("carol")
        shown = await crowd.call("stranger", "PATCH", f"{USERS}/{user}", {"disabled": True})
        assert shown["disabled"] is True
        assert await crowd.refused("carol", "GET", "/users/me", status=401) == "unauthenticated"
        login = {"username": "carol", "password": PASSWORD}
        assert (await crowd.office.call("POST", "/api/v1/auth/login", body=login)).status_code == 403
        shown = await crowd.call("stranger", "PATCH", f"{USERS}/{user}", {"disabled": False})
        assert shown["disabled"] is False
        assert await crowd.refused("carol", "GET", "/users/me", status=401) == "unauthenticated"
        assert (await crowd.office.call("POST", "/api/v1/auth/login", body=login)).status_code == 200
        assert [deed[0] for deed in await deeds(crowd)] == ["user.enabled", "user.disabled"]


async def test_a_role_counts_from_the_next_request_on() -> None:
    """S3-03: a guest cannot change anything any more, an administrator may, with the token they have."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        path = f"{USERS}/{crowd.ids['member']}"
        await crowd.call("stranger", "PATCH", path, {"role": "guest"})
        assert await crowd.refused("member", "PATCH", "/users/me", {"bio": "x"}, status=403) == "forbidden"
        await crowd.call("stranger", "PATCH", path, {"role": "admin"})
        assert (await crowd.call("member", "GET", path))["role"] == "admin"
        await crowd.call("stranger", "PATCH", path, {"role": "user"})
        assert await crowd.refused("member", "GET", path, status=403) == "forbidden"
        user = {"user": crowd.ids["member"]}
        assert await deeds(crowd) == [
            ("user.role_changed", "stranger", user | {"before": "admin", "after": "user"}),
            ("user.role_changed", "stranger", user | {"before": "guest", "after": "admin"}),
            ("user.role_changed", "stranger", user | {"before": "user", "after": "guest"}),
        ]


async def test_what_changes_nothing_is_no_deed() -> None:
    """An empty patch and one that says what is so: 200, and no word in the log."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        path = f"{USERS}/{crowd.ids['member']}"
        for patch in ({}, {"disabled": False}, {"role": "user", "disabled": False}):
            await crowd.call("stranger", "PATCH", path, patch)
        assert await deeds(crowd) == []
        assert crowd.record("member").rev == 1


@pytest.mark.parametrize("patch", [{"role": "owner"}, {"role": None}, {"disabled": "yes"}, {"email": "a@b.org"}, []])
async def test_what_is_no_change_of_an_account_is_refused(patch: Any) -> None:
    """Roles are those there are; nothing else of an account is an administrator's to change."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        path = f"{USERS}/{crowd.ids['member']}"
        assert await crowd.refused("stranger", "PATCH", path, patch, status=422) == "validation_failed"


async def test_nobody_takes_their_own_access_away() -> None:
    """So there is always an administrator left; deleting oneself from here counts as well."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        path = f"{USERS}/{crowd.ids['stranger']}"
        for patch in ({"disabled": True}, {"role": "user"}):
            assert await crowd.refused("stranger", "PATCH", path, patch, status=409) == "conflict"
        assert await crowd.refused("stranger", "DELETE", path, status=409) == "conflict"
        assert (crowd.record("stranger").role, crowd.record("stranger").disabled) == ("admin", False)


@pytest.mark.parametrize("patch", [{"disabled": True}, {"role": "user"}, None])
async def test_of_administrators_who_turn_on_each_other_one_is_left(patch: dict[str, Any] | None) -> None:
    """All against all at the same moment, over and over: never nobody."""
    async with open_crowd() as crowd:
        names = ("owner", "admin", "stranger")
        for name in names:
            crowd.make_admin(name)

        async def turn(one: str, other: str) -> None:
            path = f"/api/v1{USERS}/{crowd.ids[other]}"
            method = "DELETE" if patch is None else "PATCH"
            answer = await crowd.office.call(method, path, caller=one, body=patch)
            # Or deleted by another already.
            assert answer.status_code in {200, 204, 401, 403, 409}

        async with trio.open_nursery() as nursery:
            for one, other in itertools.permutations(names, 2):
                nursery.start_soon(turn, one, other)
        left = [name for name in names if crowd.record(name).role == "admin" and not crowd.record(name).disabled]
        assert len(left) == 1


async def test_an_account_is_deleted_for_its_owner() -> None:
    """S3-04: like deleting it oneself, without the password, and with a word in the log."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        for name, query, state in (("member", "", "leaving"), ("guest", "?erase=true", "erasing")):
            path = f"{USERS}/{crowd.ids[name]}"
            assert await crowd.pointers("stranger", "DELETE", f"{path}?erase=maybe", None) == ["/erase"]
            await crowd.call("stranger", "DELETE", f"{path}{query}", status=204)
            assert crowd.record(name).state in {state, "gone"}
            assert await crowd.refused(name, "GET", "/users/me", status=401) == "unauthenticated"
            assert await crowd.refused("stranger", "DELETE", path, status=409) == "conflict"
            assert await crowd.refused("stranger", "PATCH", path, {"disabled": False}, status=409) == "conflict"
        assert await deeds(crowd) == [
            ("user.deleted", "stranger", {"user": crowd.ids["guest"], "erase": True}),
            ("user.deleted", "stranger", {"user": crowd.ids["member"], "erase": False}),
        ]


async def test_nobody_and_nothing_is_404() -> None:
    """Accounts and rooms that are not there, whatever is asked of them, and no word of it in the log."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        for user in ("u_none", "x", "u_" + "0" * 32):
            path = f"{USERS}/{user}"
            assert await crowd.refused("stranger", "GET", path, status=404) == "not_found"
            assert await crowd.refused("stranger", "DELETE", path, status=404) == "not_found"
            assert await crowd.refused("stranger", "PATCH", path, {"disabled": True}, status=404) == "not_found"
        for room in ("r_none", "x", "r_%07"):
            assert await crowd.refused("stranger", "DELETE", f"{ROOMS}/{room}", status=404) == "not_found"
            assert await crowd.refused("stranger", "POST", f"{ROOMS}/{room}/takeover", status=404) == "not_found"
        assert await crowd.refused("stranger", "DELETE", f"{INVITATIONS}/v_1", status=404) == "not_found"
        assert await deeds(crowd) == []


async def test_all_rooms_are_listed_from_outside() -> None:
    """Private and deleted ones, too; what was said in them is not shown."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        rooms = [await crowd.room(), await crowd.room(visibility="public"), await crowd.room()]
        await crowd.post("owner", rooms[0], "a secret")
        await crowd.call("owner", "DELETE", f"/rooms/{rooms[2]}", status=204)
        for limit in (1, 100):
            pages = await crowd.pages("stranger", ROOMS, limit=limit)
            found = {room["id"]: room for room in itertools.chain(*pages)}
            assert set(rooms) <= found.keys()
            assert sum(map(len, pages)) == len(found)
        assert "secret" not in str(found)
        assert (found[rooms[0]]["messages"], found[rooms[0]]["head_seq"]) == (1, 2)
        assert found[rooms[0]]["created_by"] == crowd.ids["owner"]
        assert found[rooms[0]]["deleted_at"] is None
        assert found[rooms[2]]["deleted_at"].endswith("Z")


@pytest.mark.parametrize("name", ["stranger", "member", "banned"])
async def test_a_room_is_taken_over_whoever_one_is_in_it(name: str) -> None:
    """From outside, from below, and from behind a ban; the room sees who it was, and asking again is fine."""
    async with open_crowd() as crowd:
        room = await crowd.furnished()
        crowd.make_admin(name)
        assert await crowd.refused("guest", "POST", f"{ROOMS}/{room}/takeover", status=403) == "forbidden"
        for _ in range(2):
            await crowd.call(name, "POST", f"{ROOMS}/{room}/takeover", status=204)
            me = (await crowd.call(name, "GET", f"/rooms/{room}"))["me"]
            assert me["role"] == "owner"
        events = await crowd.events(room)
        assert events[-1]["data"]["by"] == crowd.ids[name]


async def test_a_room_is_given_to_somebody_else() -> None:
    """To whom is said in the body; they have to be there, and a direct room is nobody's to take."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        room = await crowd.room()
        path = f"{ROOMS}/{room}/takeover"
        await crowd.call("stranger", "POST", path, {"user": crowd.ids["member"]}, status=204)
        assert (await crowd.call("member", "GET", f"/rooms/{room}"))["me"]["role"] == "owner"
        assert await crowd.refused("stranger", "GET", f"/rooms/{room}", status=404) == "not_found"
        for user in ("u_none", "x"):
            assert await crowd.refused("stranger", "POST", path, {"user": user}, status=404) == "not_found"
        direct = (await crowd.call("owner", "PUT", f"/users/me/direct/{crowd.ids['guest']}", status=201))["id"]
        assert await crowd.refused("stranger", "POST", f"{ROOMS}/{direct}/takeover", status=409) == "conflict"
        assert (await deeds(crowd))[-1] == (
            "room.taken_over",
            "stranger",
            {"room": room, "user": crowd.ids["member"]},
        )


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"role": "guest"}, 409, "conflict"),
        ({"state": "demoting", "role": "guest"}, 409, "conflict"),
        ({"disabled": True}, 404, "not_found"),
        ({"disabled": True, "state": "gone"}, 404, "not_found"),
    ],
)
async def test_nobody_is_made_an_owner_who_can_be_no_member(fields: dict[str, Any], status: int, code: str) -> None:
    """Guests are in no rooms, whoever wants it; nothing is written to the log."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        room = await crowd.room()
        crowd.alter("gone", **fields)
        path = f"{ROOMS}/{room}/takeover"
        assert await crowd.refused("stranger", "POST", path, {"user": crowd.ids["gone"]}, status=status) == code
        assert await crowd.refused("owner", "GET", f"/rooms/{room}/members/{crowd.ids['gone']}", status=404)
        assert await deeds(crowd) == []


async def test_a_room_is_deleted_whosever_it_is() -> None:
    """Its people find it gone; the log says who did it."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        room = await crowd.furnished()
        for _ in range(2):
            await crowd.call("stranger", "DELETE", f"{ROOMS}/{room}", status=204)
            assert await crowd.refused("owner", "GET", f"/rooms/{room}", status=404) == "not_found"
        assert ("room.deleted_by_admin", "stranger", {"room": room}) in await deeds(crowd)


async def test_an_invitation_lets_as_many_in_as_it_says() -> None:
    """Its code is told once; it gives the role it says, and is spent."""
    async with open_crowd(registration="invite") as crowd:
        crowd.make_admin("stranger")
        body = {"name": "for the choir", "role": "guest", "uses": 2}
        made = await crowd.call("stranger", "POST", INVITATIONS, body, status=201)
        listed = (await crowd.call("stranger", "GET", INVITATIONS))["items"]
        assert listed == [{name: value for name, value in made.items() if name != "code"}]
        assert (made["role"], made["uses_left"], made["created_by"]) == ("guest", 2, crowd.ids["stranger"])
        who = {"username": "carol", "password": PASSWORD}
        assert (await crowd.office.call("POST", "/api/v1/auth/register", body=who)).status_code == 403
        for name in ("carol", "dave"):
            await crowd.register(name, invitation=made["code"])
            assert crowd.record(name).role == "guest"
        late = {"username": "eve", "password": PASSWORD, "invitation": made["code"]}
        assert (await crowd.office.call("POST", "/api/v1/auth/register", body=late)).status_code == 403
        assert (await crowd.call("stranger", "GET", INVITATIONS))["items"] == []


async def test_an_invitation_that_was_revoked_lets_nobody_in() -> None:
    """By any administrator, not only who made it."""
    async with open_crowd(registration="invite") as crowd:
        crowd.make_admin("stranger")
        crowd.make_admin("owner")
        made = await crowd.call("stranger", "POST", INVITATIONS, {"uses": None, "expires_in": None}, status=201)
        assert (made["uses_left"], made["expires_at"], made["role"]) == (None, None, "user")
        await crowd.call("owner", "DELETE", f"{INVITATIONS}/{made['id']}", status=204)
        assert await crowd.refused("owner", "DELETE", f"{INVITATIONS}/{made['id']}", status=404) == "not_found"
        late = {"username": "eve", "password": PASSWORD, "invitation": made["code"]}
        assert (await crowd.office.call("POST", "/api/v1/auth/register", body=late)).status_code == 403
        assert [deed[0] for deed in await deeds(crowd)] == ["invitation.revoked", "invitation.created"]
        assert made["code"] not in str(await deeds(crowd))


@pytest.mark.parametrize(
    "body", [{"role": "admin"}, {"role": "bot"}, {"uses": 0}, {"expires_in": 0}, {"name": "x" * 101}, {"code": "x"}]
)
async def test_an_invitation_cannot_give_power_or_be_nothing(body: dict[str, Any]) -> None:
    """Nobody becomes an administrator by a code."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        assert await crowd.refused("stranger", "POST", INVITATIONS, body, status=422) == "validation_failed"


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_invitations_are_listed_page_by_page(limit: int) -> None:
    """The newest first, each once."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        made = [(await crowd.call("stranger", "POST", INVITATIONS, {}, status=201))["id"] for _ in range(7)]
        pages = await crowd.pages("stranger", INVITATIONS, limit=limit)
        assert [invitation["id"] for invitation in itertools.chain(*pages)] == made[::-1]
        assert all(len(page) == limit for page in pages[:-1])


async def test_a_deed_that_cannot_be_recorded_is_not_done() -> None:
    """The log is written first: without it nobody is disabled, no room goes."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        room = await crowd.room()
        office = crowd.office
        office.switch.spared = frozenset({"session", "user", "room", "probe", "change_user", "append", "load_room"})
        office.switch.down = True
        path = f"{USERS}/{crowd.ids['member']}"
        assert await crowd.refused("stranger", "PATCH", path, {"disabled": True}, status=503) == "storage_unavailable"
        assert await crowd.refused("stranger", "DELETE", path, status=503) == "storage_unavailable"
        assert await crowd.refused("stranger", "DELETE", f"{ROOMS}/{room}", status=503) == "storage_unavailable"
        office.switch.down = False
        assert (crowd.record("member").disabled, crowd.record("member").state) == (False, "active")
        await crowd.call("owner", "GET", f"/rooms/{room}")


async def test_deeds_stand_between_the_events_of_rooms_in_the_order_of_time() -> None:
    """One log for administrators, page by page; a room's own log does not show them."""
    async with open_crowd() as crowd:
        crowd.make_admin("stranger")
        room = await crowd.room()
        await crowd.call("stranger", "PATCH", f"{USERS}/{crowd.ids['member']}", {"role": "bot"})
        await next_millisecond()
        await crowd.call("owner", "PATCH", f"/rooms/{room}", {"topic": "new"})
        await next_millisecond()
        await crowd.call("stranger", "PATCH", f"{USERS}/{crowd.ids['member']}", {"disabled": True})
        pages = await crowd.pages("stranger", "/admin/audit-log", limit=1)
        found = [item["type"] for item in itertools.chain(*pages)]
        assert found == ["user.disabled", "room.updated", "user.role_changed"]
        of_room = (await crowd.call("owner", "GET", f"/rooms/{room}/audit-log"))["items"]
        assert [item["type"] for item in of_room] == ["room.updated"]

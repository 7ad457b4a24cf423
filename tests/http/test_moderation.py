"""Bans, mutes and powers over REST: they hold from their seq on, for whom they are meant, and nobody skips them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.http.community import Community, open_community
from tests.support.rest import register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

HELLO = {"client_msg_id": "hello", "body": "hello"}


async def _mute_seen_by(town: Community, caller: str, room: str, user: str) -> Any:
    detail = await town.call(caller, "GET", f"/rooms/{room}/members/{town.ids[user]}")
    return detail.get("muted", "untold"), detail.get("muted_until", "untold")


async def test_somebody_banned_is_out_and_stays_out_until_the_ban_is_lifted() -> None:
    """Said twice it is done once; the list names who, by whom, when and why."""
    async with open_community() as town:
        room = await town.room("member", visibility="public")
        member, path = town.ids["member"], f"/rooms/{room}"
        for reason in ("spam", "more spam"):
            await town.call("owner", "PUT", f"{path}/bans/{member}", {"reason": reason}, status=204)
        (event,) = [event for event in await town.events(room) if event["type"] == "member.banned"]
        assert event["data"] == {"user": member, "reason": "spam"}
        (ban,) = (await town.call("owner", "GET", f"{path}/bans"))["items"]
        assert ban == {
            "user": {"id": member, "username": "member", "display_name": "Member"},
            "by": town.ids["owner"],
            "at": event["ts"],
            "reason": "spam",
        }
        assert await town.call("owner", "GET", f"{path}/bans/{member}") == ban
        assert await town.refused("member", "PUT", f"{path}/members/me", status=403) == "banned"
        assert await town.refused("member", "POST", f"{path}/messages", HELLO, status=403) == "banned"
        assert await town.refused("member", "GET", path, status=404) == "not_found"
        assert await town.refused("owner", "PUT", f"{path}/members/{member}", status=409) == "conflict"
        for _ in range(2):
            await town.call("owner", "DELETE", f"{path}/bans/{member}", status=204)
        assert (await town.call("owner", "GET", f"{path}/bans"))["items"] == []
        assert await town.refused("owner", "GET", f"{path}/bans/{member}", status=404) == "not_found"
        await town.call("member", "PUT", f"{path}/members/me", status=204)
        assert (await town.kinds(room)).count("member.unbanned") == 1


async def test_somebody_who_is_no_member_can_be_banned_and_nobody_who_is_nobody() -> None:
    """Not oneself, not a made-up user, and the reason has a bound; the caller has to know of the room."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        path = f"/rooms/{room}/bans"
        await town.call("moderator", "PUT", f"{path}/{town.ids['stranger']}", status=204)
        assert await town.refused("stranger", "PUT", f"/rooms/{room}/members/me", status=403) == "banned"
        assert await town.refused("moderator", "PUT", f"{path}/{town.ids['moderator']}", status=409) == "conflict"
        for user in ("u_none", "me", "member", "%00", "u_01a1fdb2f15672849aae512f789e0948", "x" * 500):
            await town.refused("moderator", "PUT", f"{path}/{user}", status=404)
            assert await town.refused("moderator", "GET", f"{path}/{user}", status=404) == "not_found"
        for body, pointer in (({"reason": "x" * 501}, "/reason"), ({"reason": None}, "/reason"), ({"why": "x"}, "")):
            assert await town.pointers("owner", "PUT", f"{path}/{town.ids['member']}", body) == [pointer]


async def test_bans_and_mutes_need_their_permission_and_a_place_above() -> None:
    """By default moderators and above, over those who stand below them; visitors are told to join first."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        for what in ("bans", "mutes"):
            path = f"/rooms/{room}/{what}"
            refused = {"member": "forbidden", "guest": "forbidden", "muted": "forbidden", "stranger": "not_a_member"}
            for name, code in refused.items():
                target = f"{path}/{town.ids['muted' if name != 'muted' else 'member']}"
                for method, address in (("GET", path), ("PUT", target), ("DELETE", target)):
                    assert await town.refused(name, method, address, status=403) == code, (name, method, what)
            assert await town.refused("banned", "GET", path, status=404) == "not_found"
            for caller, target in (("moderator", "admin"), ("moderator", "owner"), ("admin", "owner")):
                address = f"{path}/{town.ids[target]}"
                assert await town.refused(caller, "PUT", address, status=403) == "forbidden"
            for caller, target in (("moderator", "guest"), ("owner", "moderator")):
                await town.call(caller, "PUT", f"{path}/{town.ids[target]}", status=204)
                await town.call("owner", "DELETE", f"{path}/{town.ids[target]}", status=204)
                await town.call(
                    "owner", "PUT", f"/rooms/{room}/members/{town.ids[target]}", {"role": target}, status=204
                )


async def test_the_last_owner_is_banned_by_nobody_and_one_of_two_by_the_other() -> None:
    """A room keeps an owner whatever happens."""
    async with open_community() as town:
        room = await town.furnished()
        bans, owner = f"/rooms/{room}/bans", town.ids["owner"]
        assert await town.refused("owner", "PUT", f"{bans}/{owner}", status=409) == "conflict"
        await town.call("owner", "PATCH", f"/rooms/{room}/members/{town.ids['admin']}", {"role": "owner"}, status=204)
        await town.call("admin", "PUT", f"{bans}/{owner}", status=204)
        assert await town.refused("admin", "DELETE", f"/rooms/{room}/members/me", status=409) == "last_owner"


async def test_a_muted_member_reads_and_does_not_speak_until_unmuted() -> None:
    """Also after leaving and coming back; who may mute and the muted themselves are told until when."""
    async with open_community() as town:
        room = await town.room("member", "guest", visibility="public")
        member, path = town.ids["member"], f"/rooms/{room}"
        body = {"until": "2031-01-02T05:04:05+02:00", "reason": "loud"}
        for _ in range(2):
            await town.call("owner", "PUT", f"{path}/mutes/{member}", body, status=204)
        assert (await town.kinds(room)).count("member.muted") == 1
        (mute,) = (await town.call("owner", "GET", f"{path}/mutes"))["items"]
        assert (mute["user"]["username"], mute["by"]) == ("member", town.ids["owner"])
        assert (mute["until"], mute["reason"]) == ("2031-01-02T03:04:05.000Z", "loud")
        assert await town.refused("member", "POST", f"{path}/messages", HELLO, status=403) == "muted"
        await town.call("member", "GET", f"{path}/messages")
        for caller in ("owner", "member"):
            assert await _mute_seen_by(town, caller, room, "member") == (True, "2031-01-02T03:04:05.000Z")
        assert await _mute_seen_by(town, "guest", room, "member") == ("untold", "untold")
        assert await _mute_seen_by(town, "owner", room, "guest") == (False, None)
        await town.call("member", "DELETE", f"{path}/members/me", status=204)
        await town.call("member", "PUT", f"{path}/members/me", status=204)
        assert await town.refused("member", "POST", f"{path}/messages", HELLO, status=403) == "muted"
        await town.call("owner", "PUT", f"{path}/mutes/{member}", {"until": None}, status=204)
        assert await _mute_seen_by(town, "owner", room, "member") == (True, None)
        for _ in range(2):
            await town.call("owner", "DELETE", f"{path}/mutes/{member}", status=204)
        await town.post("member", room, "at last")
        assert (await town.call("owner", "GET", f"{path}/mutes"))["items"] == []


async def test_a_mute_that_makes_no_sense_is_refused() -> None:
    """The end is a moment in the next years, with an offset; whom it is for has to be a member."""
    async with open_community() as town:
        room = await town.furnished()
        path = f"/rooms/{room}/mutes"
        for until in (
            "2020-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
            "2099-01-01T00:00:00Z", "2031-01-01T00:00:00", "2031-01-01", "20310101T000000Z", "soon", "", 1_900_000_000,
        ):  # fmt: skip
            body = {"until": until}
            assert await town.pointers("owner", "PUT", f"{path}/{town.ids['member']}", body) == ["/until"], until
        assert await town.pointers("owner", "PUT", f"{path}/{town.ids['member']}", {"reason": "x" * 501}) == ["/reason"]
        for user in (town.ids["stranger"], town.ids["gone"], "u_none", "me"):
            assert await town.refused("owner", "PUT", f"{path}/{user}", status=404) == "not_found"
        assert await town.refused("owner", "PUT", f"{path}/{town.ids['owner']}", status=409) == "conflict"
        (mute,) = (await town.call("owner", "GET", path))["items"]
        assert mute["user"]["id"] == town.ids["muted"]


@pytest.mark.parametrize("what", ["bans", "mutes"])
async def test_bans_and_mutes_are_listed_once_each_over_all_pages(what: str) -> None:
    """In the order of user ids, full pages but the last; an account that is gone is listed by its id."""
    async with open_community() as town:
        names = ["admin", "moderator", "member", "guest", "muted"]
        room = await town.room(*names)
        for name in names:
            await town.call("owner", "PUT", f"/rooms/{room}/{what}/{town.ids[name]}", status=204)
        for limit in (1, 2, 5, 6):
            pages = await town.pages("owner", f"/rooms/{room}/{what}", limit=limit)
            listed = [item["user"]["username"] for item in itertools.chain(*pages)]
            assert listed == names
            assert all(len(page) == limit for page in pages[:-1])
        del town.office.store.users[town.ids["member"]]
        listed = (await town.call("owner", "GET", f"/rooms/{room}/{what}"))["items"]
        assert listed[2]["user"] == {"id": town.ids["member"], "username": "", "display_name": ""}


async def test_adding_a_member_as_admin_does_not_skip_the_permission_check() -> None:
    """A role in the body is a grant: whoever may only invite gives `member` alone, and nobody more than theirs."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        stranger = f"/rooms/{room}/members/{town.ids['stranger']}"
        refused = {
            "stranger": ("not_a_member", ("member", "admin", "owner")),
            "gone": ("not_a_member", ("member", "admin", "owner")),
            "guest": ("forbidden", ("member", "admin", "owner")),
            "member": ("forbidden", ("member", "admin", "owner")),
            "muted": ("forbidden", ("member", "admin", "owner")),
            "moderator": ("forbidden", ("guest", "moderator", "admin", "owner")),
            "admin": ("forbidden", ("owner",)),
        }
        for name, (code, roles) in refused.items():
            for role in roles:
                assert await town.refused(name, "PUT", stranger, {"role": role}, status=403) == code, (name, role)
        assert await town.refused("banned", "PUT", stranger, {"role": "admin"}, status=403) == "banned"
        assert await town.refused("owner", "GET", stranger, status=404) == "not_found"
        await town.call("admin", "PUT", stranger, {"role": "admin"}, status=204)
        assert (await town.call("owner", "GET", stranger))["role"] == "admin"


async def test_the_role_route_checks_who_gives_the_role() -> None:
    """Nobody raises themselves, nor a friend above themselves, nor touches who stands above them."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        members = f"/rooms/{room}/members"
        for name in ("moderator", "member", "guest", "muted"):
            for target in (town.ids[name], "me", town.ids["guest"], town.ids["owner"]):
                body = {"role": "admin"}
                assert await town.refused(name, "PATCH", f"{members}/{target}", body, status=403) == "forbidden"
        for name in ("stranger", "gone"):
            address = f"{members}/{town.ids[name]}"
            assert await town.refused(name, "PATCH", address, {"role": "owner"}, status=403) == "not_a_member"
        for target, role in (("admin", "owner"), ("member", "owner"), ("owner", "guest")):
            address = f"{members}/{town.ids[target]}"
            assert await town.refused("admin", "PATCH", address, {"role": role}, status=403) == "forbidden"
        roles = {item["user"]["username"]: item["role"] for item in (await town.call("owner", "GET", members))["items"]}
        assert roles == {name: name for name in ("owner", "admin", "moderator", "member", "guest")} | {
            "muted": "member"
        }
        await town.call("moderator", "PATCH", f"{members}/me", {"role": "moderator"}, status=204)


@pytest.mark.parametrize("how", ["banned", "removed"])
def test_the_socket_of_a_member_who_is_put_out_gets_nothing_newer_than_that(server: ServerProcess, how: str) -> None:
    """The event that puts them out is the last; then `unsubscribed`, and nothing of what is said after."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(server.ws_url, bob.token, subscribe="all")
    talker.until("subscribed")
    ann.post(room, "before")
    if how == "banned":
        ann.call("PUT", f"/rooms/{room}/bans/{bob.id}", {"reason": "spam"}, status=204)
    else:
        ann.call("DELETE", f"/rooms/{room}/members/{bob.id}", status=204)
    after = [ann.post(room, f"after {number}")["seq"] for number in range(3)]
    ended = talker.until("unsubscribed")
    assert (ended["room"], ended["data"]["reason"], ended["data"]["seq"]) == (room, how, after[0] - 1)
    talker.until("pong", frame_id=talker.say("ping"))
    assert [event["type"] for event in talker.events(room)] == ["message.created", f"member.{how}"]
    assert talker.events(room)[-1]["seq"] == after[0] - 1
    assert talker.subscribe(room)["data"]["code"] == "not_a_member"
    talker.close()

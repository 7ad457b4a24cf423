"""A room's permissions over REST: what each role may do, and where the room deviates from the defaults."""

from __future__ import annotations

import pytest

from tests.http.community import ROLES, open_community

pytestmark = pytest.mark.real_clock


async def test_permissions_are_shown_by_role_as_they_are_by_default_and_as_they_are() -> None:
    """Everybody who may see the room sees them; what the room is bears on what they come to."""
    async with open_community() as town:
        room = await town.furnished(kind="channel", visibility="public")
        path = f"/rooms/{room}/permissions"
        shown = await town.call("stranger", "GET", path)
        assert list(shown["defaults"]) == list(shown["effective"]) == list(ROLES)
        assert shown["overrides"] == {}
        assert shown["effective"] == shown["defaults"]
        assert "messages.send" not in shown["defaults"]["member"]
        assert "messages.send" in shown["defaults"]["moderator"]
        assert shown["defaults"]["guest"] == ["room.view"]
        for role in ROLES:
            detail = await town.call(role, "GET", f"/rooms/{room}/members/me")
            assert detail["permissions"] == shown["effective"][role]
        await town.call("owner", "PATCH", f"/rooms/{room}", {"settings": {"archived": True}})
        archived = await town.call("guest", "GET", path)
        assert archived["defaults"] == shown["defaults"]
        assert "messages.send" not in archived["effective"]["owner"]


async def test_a_permission_binds_from_the_change_on_and_null_takes_the_change_back() -> None:
    """Granted, denied, and left to the default again; what agrees with the default is no deviation, and no event."""
    async with open_community() as town:
        room = await town.furnished()
        path, message = f"/rooms/{room}/permissions", f"/rooms/{room}/messages"
        assert await town.refused("guest", "POST", message, {"client_msg_id": "1", "body": "x"}, status=403)
        changed = await town.call(
            "admin", "PATCH", path, {"guest": {"messages.send": True}, "member": {"reactions.add": False}}
        )
        assert changed["overrides"] == {"guest": {"messages.send": True}, "member": {"reactions.add": False}}
        assert changed["effective"]["guest"] == ["messages.send", "room.view"]
        assert changed == await town.call("member", "GET", path)
        await town.post("guest", room, "heard")
        detail = await town.call("member", "GET", f"/rooms/{room}/members/me")
        assert "reactions.add" not in detail["permissions"]
        before = await town.kinds(room)
        assert await town.call("admin", "PATCH", path, {"guest": {"messages.send": True}}) == changed
        assert await town.call("admin", "PATCH", path, {}) == changed
        assert await town.kinds(room) == before
        back = await town.call("owner", "PATCH", path, {"guest": {"messages.send": None}})
        assert back["overrides"] == {"member": {"reactions.add": False}}
        event = (await town.events(room))[-1]
        assert event["type"] == "permissions.updated"
        assert event["data"] == {"old": changed["overrides"], "new": back["overrides"]}
        assert await town.refused("guest", "POST", message, {"client_msg_id": "2", "body": "x"}, status=403)


async def test_everything_that_names_no_role_or_permission_is_pointed_at() -> None:
    """All of it at once, with pointers that are escaped; nothing is changed by what is right besides."""
    async with open_community() as town:
        room = await town.furnished()
        path = f"/rooms/{room}/permissions"
        body = {
            "king": {"messages.send": True},
            "guest": {"messages.send": True, "a/b~c": True, "mentions.all": "yes", "messages.pin": 1},
            "member": True,
            "Member": {},
        }
        wrong = ["/king", "/guest/a~1b~0c", "/guest/mentions.all", "/guest/messages.pin", "/member", "/Member"]
        assert sorted(await town.pointers("owner", "PATCH", path, body)) == sorted(wrong)
        await town.refused("owner", "PATCH", path, status=415)
        assert await town.pointers("owner", "PATCH", path, ["guest"]) == [""]
        assert await town.pointers("owner", "PATCH", path, {"member": {"room.view": False}}) == ["/member/room.view"]
        assert (await town.call("owner", "GET", path))["overrides"] == {}


async def test_nobody_changes_the_permissions_of_their_own_role_or_of_one_above() -> None:
    """Nor does anybody give what they do not have; below `admin` nobody changes any."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        path = f"/rooms/{room}/permissions"
        for caller, role in (("owner", "owner"), ("admin", "owner"), ("admin", "admin")):
            for body in (
                {role: {"messages.send": False}},
                {"guest": {"messages.send": True}, role: {"room.edit": None}},
            ):
                assert await town.refused(caller, "PATCH", path, body, status=403) == "forbidden"
        body = {"guest": {"messages.send": True}}
        for name in ("moderator", "member", "guest", "muted"):
            assert await town.refused(name, "PATCH", path, body, status=403) == "forbidden"
        for name, code in {"stranger": "not_a_member", "gone": "not_a_member", "banned": "banned"}.items():
            assert await town.refused(name, "PATCH", path, body, status=403) == code
        assert await town.refused("admin", "PATCH", path, {"member": {"room.delete": True}}, status=403) == "forbidden"
        assert (await town.call("owner", "GET", path))["overrides"] == {}


async def test_a_moderator_who_may_manage_roles_gives_them_no_higher_than_their_own() -> None:
    """A right that is given to a role does not lift it above itself."""
    async with open_community() as town:
        room = await town.furnished()
        await town.call("owner", "PATCH", f"/rooms/{room}/permissions", {"moderator": {"roles.manage": True}})
        members = f"/rooms/{room}/members"
        for role in ("admin", "owner"):
            for name in ("moderator", "member", "guest"):
                path = f"{members}/{town.ids[name]}"
                assert await town.refused("moderator", "PATCH", path, {"role": role}, status=403) == "forbidden"
            path = f"{members}/{town.ids['stranger']}"
            assert await town.refused("moderator", "PUT", path, {"role": role}, status=403) == "forbidden"
            assert await town.refused("moderator", "POST", f"/rooms/{room}/invites", {"role": role}, status=403)
        body = {"moderator": {"room.delete": True}}
        assert await town.refused("moderator", "PATCH", f"/rooms/{room}/permissions", body, status=403) == "forbidden"
        await town.call("moderator", "PATCH", f"{members}/{town.ids['guest']}", {"role": "member"}, status=204)

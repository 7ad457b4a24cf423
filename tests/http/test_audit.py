"""The audit log over REST: what was done to a room and to people in it, newest first, for who may know."""

from __future__ import annotations

import itertools

import pytest

from tests.http.community import open_community

pytestmark = pytest.mark.real_clock

AUDITED = [
    "room.updated", "room.archived", "room.deleted", "member.added", "member.removed",
    "member.role_changed", "member.banned", "member.unbanned", "member.muted", "member.unmuted", "invite.created",
    "invite.revoked", "permissions.updated", "message.bulk_deleted", "history.trimmed",
]  # fmt: skip


async def test_the_log_has_what_moderators_did_newest_first_as_the_events_themselves() -> None:
    """Exactly the events of these types, and a deletion of what somebody else wrote; no chatter."""
    async with open_community() as town:
        room = await town.furnished()
        path, member = f"/rooms/{room}", town.ids["member"]
        mine, other = await town.post("member", room, "mine"), await town.post("member", room, "other")
        await town.call("member", "DELETE", f"/messages/{mine['id']}", status=204)
        await town.call("moderator", "DELETE", f"/messages/{other['id']}", status=204)
        await town.call("admin", "PATCH", path, {"name": "Tea"})
        await town.call("admin", "PATCH", f"{path}/permissions", {"guest": {"messages.send": True}})
        invite = await town.call("moderator", "POST", f"{path}/invites", status=201)
        await town.call("moderator", "DELETE", f"{path}/invites/{invite['id']}", status=204)
        await town.call("moderator", "DELETE", f"{path}/mutes/{town.ids['muted']}", status=204)
        await town.call("moderator", "DELETE", f"{path}/members/{member}", status=204)
        await town.call("owner", "PUT", f"{path}/members/{member}", status=204)
        await town.call("owner", "PATCH", path, {"settings": {"archived": True}})
        events = await town.events(room)
        expected = [
            event
            for event in reversed(events)
            if event["type"] in AUDITED
            or (event["type"] == "message.deleted" and event["actor"] == town.ids["moderator"])
        ]
        log = (await town.call("moderator", "GET", f"{path}/audit-log?limit=100"))["items"]
        assert log == expected
        assert {"message.deleted", "member.banned", "room.archived"} <= {event["type"] for event in log}
        assert not {"room.created", "message.created", "member.left"} & {event["type"] for event in log}


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
async def test_the_log_is_read_page_by_page_while_it_grows(limit: int) -> None:
    """Each event once, newest first; what comes while somebody reads is above them and moves nothing."""
    async with open_community() as town:
        room = await town.furnished()
        path = f"/rooms/{room}"
        pages = await town.pages("owner", f"{path}/audit-log", limit=limit)
        seqs = [event["seq"] for event in itertools.chain(*pages)]
        assert seqs == sorted(set(seqs), reverse=True)
        assert len(seqs) == 5
        assert all(len(page) == limit for page in pages[:-1])
        first = await town.call("owner", "GET", f"{path}/audit-log?limit=1")
        await town.call("owner", "PATCH", path, {"topic": "new"})
        second = await town.call("owner", "GET", f"{path}/audit-log?limit=1&cursor={first['next_cursor']}")
        assert [first["items"][0]["seq"], second["items"][0]["seq"]] == seqs[:2]
        for cursor in ("x", "999", "%F0%9F%98%80"):
            await town.call("owner", "GET", f"{path}/audit-log?cursor={cursor}")
        assert await town.pointers("owner", "GET", f"{path}/audit-log?cursor=%00", None) == ["/cursor"]
        assert await town.pointers("owner", "GET", f"{path}/audit-log?limit=0", None) == ["/limit"]


async def test_the_log_of_a_room_is_for_those_with_audit_view() -> None:
    """By default moderators and above, also when the room is archived; a server's admin reads it elsewhere."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        path = f"/rooms/{room}/audit-log"
        await town.call("owner", "PATCH", f"/rooms/{room}", {"settings": {"archived": True}})
        town.make_admin("stranger")
        for name in ("owner", "admin", "moderator"):
            await town.call(name, "GET", path)
        refused = {"member": "forbidden", "guest": "forbidden", "muted": "forbidden", "stranger": "not_a_member"}
        for name, code in refused.items():
            assert await town.refused(name, "GET", path, status=403) == code
        assert await town.refused("banned", "GET", path, status=404) == "not_found"


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_the_log_of_all_rooms_is_for_the_servers_admins(limit: int) -> None:
    """Private rooms and deleted ones included, by time over all of them; nobody else may read it."""
    async with open_community() as town:
        first, second = await town.furnished(), await town.room(owner="guest")
        await town.call("owner", "PATCH", f"/rooms/{first}", {"topic": "new"})
        await town.call("guest", "DELETE", f"/rooms/{second}", status=204)
        town.make_admin("stranger")
        pages = await town.pages("stranger", "/admin/audit-log", limit=limit)
        log = list(itertools.chain(*pages))
        assert len({(event["room"], event["seq"]) for event in log}) == len(log)
        assert [event["ts"] for event in log] == sorted((event["ts"] for event in log), reverse=True)
        of_first = (await town.call("owner", "GET", f"/rooms/{first}/audit-log?limit=100"))["items"]
        assert [event for event in log if event["room"] == first] == of_first
        assert {(event["room"], event["type"]) for event in log} >= {(second, "room.deleted"), (first, "room.updated")}
        for name in ("owner", "member", "banned"):
            assert await town.refused(name, "GET", "/admin/audit-log", status=403) == "forbidden"
        answer = await town.office.call("GET", "/api/v1/admin/audit-log")
        assert answer.status_code == 401

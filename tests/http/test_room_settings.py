"""Rooms and their settings over REST: made with them, patched, archived; and rooms in lists."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.http.community import open_community

pytestmark = pytest.mark.real_clock

SETTINGS = {
    "slow_mode_seconds": 0,
    "retention_days": None,
    "history_visibility": "shared",
    "read_only": False,
    "archived": False,
}
CHANGED = {"slow_mode_seconds": 30, "retention_days": 7, "history_visibility": "since_join", "read_only": True}
WRONG_SETTINGS: list[tuple[object, str]] = [
    ({"slow_mode_seconds": -1}, "/settings/slow_mode_seconds"),
    ({"slow_mode_seconds": 21_601}, "/settings/slow_mode_seconds"),
    ({"slow_mode_seconds": "5"}, "/settings/slow_mode_seconds"),
    ({"slow_mode_seconds": 1.5}, "/settings/slow_mode_seconds"),
    ({"slow_mode_seconds": None}, "/settings/slow_mode_seconds"),
    ({"retention_days": 0}, "/settings/retention_days"),
    ({"retention_days": 3651}, "/settings/retention_days"),
    ({"history_visibility": "joined"}, "/settings/history_visibility"),
    ({"history_visibility": None}, "/settings/history_visibility"),
    ({"read_only": 1}, "/settings/read_only"),
    ({"slow_mode": 5}, "/settings"),
    ("slow", "/settings"),
    (None, "/settings"),
]
WRONG_ROOMS: list[tuple[dict[str, object], list[str]]] = [
    ({"kind": "group"}, ["/name"]),
    ({"kind": "group", "name": "  "}, ["/name"]),
    ({"kind": "group", "name": "n" * 101, "topic": "t" * 1001}, ["/name", "/topic"]),
    ({"kind": "club", "name": "x"}, ["/kind"]),
    ({"name": "x"}, [""]),
    ({"kind": "group", "name": "x", "visibility": "secret"}, ["/visibility"]),
    ({"kind": "group", "name": "x", "members": ["nobody", "member", "u_none"]}, ["/members/0", "/members/2"]),
    ({"kind": "group", "name": "x", "members": ["member"] * 501}, ["/members"]),
    ({"kind": "group", "name": "x", "members": [1]}, ["/members/0"]),
]


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_a_room_is_made_with_its_settings(kind: str) -> None:
    """Those that are not given have their defaults; Location leads to what was answered."""
    async with open_community() as town:
        body = {"kind": kind, "name": " Tea ", "topic": "Cups", "settings": CHANGED}
        answer = await town.office.call("POST", "/api/v1/rooms", caller="owner", body=body)
        assert answer.status_code == 201
        made = await answer.get_json()
        assert made["settings"] == SETTINGS | CHANGED
        assert (made["kind"], made["name"], made["topic"]) == (kind, "Tea", "Cups")
        assert answer.headers["Location"] == f"/api/v1/rooms/{made['id']}"
        assert await town.call("owner", "GET", f"/rooms/{made['id']}") == made
        plain = await town.call("owner", "POST", "/rooms", {"kind": kind, "name": "Tea"}, status=201)
        assert plain["settings"] == SETTINGS
        assert plain["visibility"] == "private"


async def test_no_room_is_made_with_settings_that_are_wrong() -> None:
    """The field is pointed at; nobody gets a room that is archived from the start."""
    async with open_community() as town:
        for settings, pointer in [*WRONG_SETTINGS, ({"archived": False}, "/settings")]:
            body = {"kind": "group", "name": "Tea", "settings": settings}
            assert await town.pointers("owner", "POST", "/rooms", body) == [pointer]
        assert (await town.call("owner", "GET", "/users/me/rooms"))["items"] == []


async def test_settings_that_are_wrong_change_nothing() -> None:
    """As at a room's making."""
    async with open_community() as town:
        room = await town.room()
        for settings, pointer in [*WRONG_SETTINGS, ({"archived": 1}, "/settings/archived")]:
            assert await town.pointers("owner", "PATCH", f"/rooms/{room}", {"settings": settings}) == [pointer]
        assert await town.kinds(room) == ["room.created"]


async def test_every_field_of_a_new_room_that_is_wrong_is_pointed_at() -> None:
    """All of them at once where they can be told apart, and nothing is made."""
    async with open_community() as town:
        for body, pointers in WRONG_ROOMS:
            assert await town.pointers("owner", "POST", "/rooms", body) == pointers
        assert (await town.call("owner", "GET", "/users/me/rooms"))["items"] == []


async def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    """Null is a value of `retention_days` alone; what changes is one event with before and after, or none."""
    async with open_community() as town:
        room = await town.room(topic="Cups", settings={"retention_days": 7, "read_only": True})
        path = f"/rooms/{room}"
        patch = {"name": "Tea", "settings": {"retention_days": None, "slow_mode_seconds": 5}}
        patched = await town.call("owner", "PATCH", path, patch)
        assert (patched["name"], patched["topic"]) == ("Tea", "Cups")
        assert patched["settings"] == SETTINGS | {"read_only": True, "slow_mode_seconds": 5}
        changed = (await town.events(room))[-1]
        assert changed["type"] == "room.updated"
        assert changed["data"] == {
            "old": {"name": "Room", "settings": {"slow_mode_seconds": 0, "retention_days": 7}},
            "new": {"name": "Tea", "settings": {"slow_mode_seconds": 5, "retention_days": None}},
        }
        unchanged: list[object] = [{}, {"settings": {}}, patch]
        for nothing in unchanged:
            assert await town.call("owner", "PATCH", path, nothing) == patched
        assert len(await town.events(room)) == 2
        for wrong, pointers in {
            "name": (None, ["/name"]),
            "topic": ("t" * 1001, ["/topic"]),
            "visibility": ("open", ["/visibility"]),
            "kind": ("channel", [""]),
        }.items():
            assert await town.pointers("owner", "PATCH", path, {wrong: pointers[0]}) == pointers[1]
        assert await town.pointers("owner", "PATCH", path, {"name": "", "topic": "t" * 1001}) == ["/name", "/topic"]


async def test_archiving_stands_alone() -> None:
    """A patch is one event, so `archived` with anything else is refused; said twice it is done once."""
    async with open_community() as town:
        room = await town.furnished()
        path = f"/rooms/{room}"
        before = await town.kinds(room)
        for more in ({"name": "Tea"}, {"topic": ""}, {"visibility": "public"}):
            body = {**more, "settings": {"archived": True}}
            assert await town.pointers("owner", "PATCH", path, body) == ["/settings/archived"]
        body = {"settings": {"archived": True, "retention_days": None}}
        assert await town.pointers("owner", "PATCH", path, body) == ["/settings/archived"]
        assert await town.kinds(room) == before
        for _ in range(2):
            archived = await town.call("owner", "PATCH", path, {"settings": {"archived": True}})
            assert archived["settings"]["archived"] is True
            assert "messages.send" not in archived["me"]["permissions"]
        assert await town.refused("owner", "PATCH", path, {"name": "Tea"}, status=409) == "conflict"
        message = {"client_msg_id": "1", "body": "late"}
        assert await town.refused("owner", "POST", f"{path}/messages", message, status=403) == "forbidden"
        await town.call("owner", "PATCH", path, {"settings": {"archived": False}})
        await town.post("owner", room, "again")
        assert await town.kinds(room) == [*before, "room.archived", "room.archived", "message.created"]


async def test_rooms_are_changed_by_who_may_edit_and_deleted_by_owners() -> None:
    """Nobody else, whatever they want to change; a deleted room is gone for everybody."""
    async with open_community() as town:
        room = await town.furnished(visibility="public")
        path = f"/rooms/{room}"
        refusals = {"moderator": "forbidden", "member": "forbidden", "guest": "forbidden", "muted": "forbidden"}
        for name, code in (refusals | {"stranger": "not_a_member", "gone": "not_a_member", "banned": "banned"}).items():
            for body in ({"name": "Mine"}, {"settings": {"archived": True}}, {"settings": {"read_only": True}}, {}):
                assert await town.refused(name, "PATCH", path, body, status=403) == code
            assert await town.refused(name, "DELETE", path, status=403) == code
        await town.call("admin", "PATCH", path, {"name": "Ours"})
        assert await town.refused("admin", "DELETE", path, status=403) == "forbidden"
        await town.call("owner", "DELETE", path, status=204)
        await town.call("owner", "DELETE", path, status=204)
        for name in ("owner", "member", "stranger"):
            assert await town.refused(name, "GET", path, status=404) == "not_found"
        assert (await town.call("stranger", "GET", "/rooms?public=true"))["items"] == []
        assert (await town.call("owner", "GET", f"/rooms?ids={room}"))["items"] == []


async def test_rooms_by_ids_are_those_that_one_may_see() -> None:
    """Invisible, deleted and made-up ones are left out, in the order asked; more than a hundred are refused."""
    async with open_community() as town:
        public, private = await town.furnished(visibility="public"), await town.furnished()
        asked = f"/rooms?ids={private},r_1,{public},,%E2%98%83,{private},u_1"
        seen = {
            name: [room["id"] for room in (await town.call(name, "GET", asked))["items"]]
            for name in ("owner", "muted", "stranger", "gone", "banned")
        }
        both = [private, public]
        assert seen == {"owner": both, "muted": both, "stranger": [public], "gone": [public], "banned": []}
        listed = (await town.call("owner", "GET", asked))["items"][0]
        whole = await town.call("owner", "GET", f"/rooms/{private}")
        assert {**listed, "member_count": whole["member_count"]} == whole
        assert (await town.call("stranger", "GET", f"/rooms?ids={public}"))["items"][0]["me"] == {
            "role": None,
            "permissions": ["room.view"],
        }
        await town.call("owner", "GET", "/rooms?ids=" + ",".join(f"r_{number}" for number in range(100)))
        for query, pointer in {
            "ids=" + ",".join(f"r_{number}" for number in range(101)): "/ids",
            f"ids={public}&public=true": "/ids",
            "ids=%00": "/ids",
            "public=yes": "/public",
            "public=true&q=%00": "/q",
        }.items():
            assert await town.pointers("owner", "GET", f"/rooms?{query}", None) == [pointer], query


async def test_public_rooms_are_listed_for_visitors_and_private_ones_for_their_members() -> None:
    """Who is banned finds neither in their own list nor in the public one what they are banned from."""
    async with open_community() as town:
        public, private = await town.furnished(visibility="public"), await town.furnished()
        for name, found, own in (
            ("member", [public], {public, private}),
            ("stranger", [public], set()),
            ("gone", [public], set()),
            ("banned", [], set()),
        ):
            listed = (await town.call(name, "GET", "/rooms?public=true&q=roo"))["items"]
            assert [room["id"] for room in listed] == found, name
            for path in ("/users/me/rooms", "/rooms", "/rooms?public=false"):
                assert {room["id"] for room in (await town.call(name, "GET", path))["items"]} == own, (name, path)
        role = (await town.call("guest", "GET", "/rooms?public=true"))["items"][0]["me"]["role"]
        assert role == "guest"
        await town.call("owner", "PATCH", f"/rooms/{public}", {"visibility": "private"})
        assert (await town.call("stranger", "GET", "/rooms?public=true"))["items"] == []


@pytest.mark.parametrize(
    "rest", ["", "/members", "/members/me", "/permissions", "/bans", "/mutes", "/invites", "/audit-log"]
)
async def test_reads_wait_for_the_seq_that_was_written(rest: str, autojump_clock: MockClock) -> None:
    """`min_seq` at the head or below is answered; above it, nothing older is; what is no seq is pointed at."""
    async with open_community() as town:
        room = await town.room()
        head = (await town.post("owner", room, "written"))["seq"]
        path = f"/rooms/{room}{rest}"
        for seq in (0, head):
            await town.call("owner", "GET", f"{path}?min_seq={seq}")
        assert await town.refused("owner", "GET", f"{path}?min_seq={head + 1}", status=412) == "seq_unavailable"
        assert await town.refused("stranger", "GET", f"{path}?min_seq={head + 1}", status=404) == "not_found"
        for wrong in ("-1", "x", "9007199254740992", ""):
            assert await town.pointers("owner", "GET", f"{path}?min_seq={wrong}", None) == ["/min_seq"]

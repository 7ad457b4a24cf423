"""Who may see, join and post, in every kind of room: one table, tried in full over REST; and what strangers hear.

`see` is everything that is read of a room. `gone` is somebody who was a member and left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from justchat.http.operation import Operation, OperationBlueprint
from tests.http.community import PEOPLE, Community, open_community

pytestmark = pytest.mark.real_clock

WHO_MAY = """
                group/private  group/public   channel/private  channel/public
owner/see       yes            yes            yes              yes
owner/join      yes            yes            yes              yes
owner/post      yes            yes            yes              yes
admin/see       yes            yes            yes              yes
admin/join      yes            yes            yes              yes
admin/post      yes            yes            yes              yes
moderator/see   yes            yes            yes              yes
moderator/join  yes            yes            yes              yes
moderator/post  yes            yes            yes              yes
member/see      yes            yes            yes              yes
member/join     yes            yes            yes              yes
member/post     yes            yes            forbidden        forbidden
guest/see       yes            yes            yes              yes
guest/join      yes            yes            yes              yes
guest/post      forbidden      forbidden      forbidden        forbidden
muted/see       yes            yes            yes              yes
muted/join      yes            yes            yes              yes
muted/post      muted          muted          muted            muted
banned/see      not_found      not_found      not_found        not_found
banned/join     not_found      banned         not_found        banned
banned/post     not_found      banned         not_found        banned
gone/see        not_found      yes            not_found        yes
gone/post       not_found      not_a_member   not_found        not_a_member
gone/join       not_found      yes            not_found        yes
stranger/see    not_found      yes            not_found        yes
stranger/post   not_found      not_a_member   not_found        not_a_member
stranger/join   not_found      yes            not_found        yes
"""
# A direct room is private and has two members of the same rights; it has no other kinds of people.
WHO_MAY_IN_DIRECT = """
                direct/private
owner/see       yes
owner/join      yes
owner/post      yes
member/see      yes
member/join     yes
member/post     yes
stranger/see    not_found
stranger/post   not_found
stranger/join   not_found
"""
READS = ("", "/members", "/members/me", "/messages", "/events", "/permissions")
STATUSES = {"not_found": 404, "forbidden": 403, "banned": 403, "muted": 403, "not_a_member": 403}


def _table(text: str) -> dict[str, dict[str, str]]:
    """Read a table as column -> row -> cell; the rows stay in their order."""
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {column: {name: cells[place] for name, *cells in rows} for place, column in enumerate(header)}


TABLE = _table(WHO_MAY) | _table(WHO_MAY_IN_DIRECT)


def _calls(room: str, action: str, *, is_member: bool) -> Iterator[tuple[str, str, object, int]]:
    """Give what an action amounts to: method, path, body, and the status if it is allowed."""
    match action:
        case "see":
            for rest in READS:
                # Who is no member has no membership to look at.
                yield "GET", f"/rooms/{room}{rest}", None, 404 if rest == "/members/me" and not is_member else 200
        case "join":
            yield "PUT", f"/rooms/{room}/members/me", None, 204
        case "post":
            yield "POST", f"/rooms/{room}/messages", {"client_msg_id": "1", "body": "hello"}, 201


def _wanted(cell: str, status: int) -> tuple[int, str]:
    """Give the status and the code that a cell stands for."""
    if cell != "yes":
        return STATUSES[cell], cell
    return status, "yes" if status < 400 else "not_found"


def test_the_table_is_the_whole_product() -> None:
    """Every kind, visibility, relation and action is there, once."""
    places = {f"{kind}/{visibility}" for kind, visibility in product(("group", "channel"), ("private", "public"))}
    assert TABLE.keys() == places | {"direct/private"}
    rows = {f"{name}/{action}" for name, action in product(PEOPLE, ("see", "join", "post"))}
    assert all(TABLE[place].keys() == rows for place in places)


@pytest.mark.parametrize("place", TABLE)
async def test_everybody_may_do_what_the_table_says_and_nothing_else(place: str) -> None:
    """Over the real routes, each cell in the table's order."""
    async with open_community() as town:
        kind, visibility = place.split("/")
        if kind == "direct":
            made = await town.call("owner", "POST", "/rooms", {"kind": kind, "members": ["member"]}, status=201)
            room = made["id"]
        else:
            room = await town.furnished(kind=kind, visibility=visibility)
        wrong = []
        for row, expected in TABLE[place].items():
            name, action = row.split("/")
            is_member = name not in {"gone", "stranger", "banned"}
            for method, path, body, status in _calls(room, action, is_member=is_member):
                answer = await town.office.call(method, f"/api/v1{path}", caller=name, body=body)
                code = "yes" if answer.status_code < 400 else (await answer.get_json(force=True))["code"]
                wanted = _wanted(expected, status)
                if (answer.status_code, code) != wanted:
                    wrong.append(f"{row}: {method} {path}: {answer.status_code} {code}, not {wanted}")
        assert wrong == []


async def test_a_direct_room_is_never_public_and_has_none_but_its_two_members() -> None:
    """The cells that the table leaves out cannot come about: each way to them is refused."""
    async with open_community() as town:
        body = {"kind": "direct", "members": ["member"], "visibility": "public"}
        assert await town.pointers("owner", "POST", "/rooms", body) == ["/visibility"]
        made = await town.call("owner", "POST", "/rooms", {"kind": "direct", "members": ["member"]}, status=201)
        path = f"/rooms/{made['id']}"
        member, stranger = town.ids["member"], town.ids["stranger"]
        for method, rest, change in (
            ("PATCH", "", {"visibility": "public"}),
            *[("PATCH", f"/members/{member}", {"role": role}) for role in ("admin", "moderator", "guest")],
            ("PUT", f"/members/{stranger}", None),
            ("PUT", f"/bans/{member}", None),
            ("PUT", f"/mutes/{member}", None),
            ("DELETE", "/members/me", None),
        ):
            answer = await town.office.call(method, f"/api/v1{path}{rest}", caller="owner", body=change)
            assert answer.status_code in {403, 409}, (method, rest)
        assert [item["role"] for item in (await town.call("member", "GET", f"{path}/members"))["items"]] == [
            "owner",
            "member",
        ]


# What is sent to routes that will not do without a body.
BODIES: dict[tuple[str, str], object] = {
    ("PATCH", "/rooms/<room>"): {"name": "Mine"},
    ("PATCH", "/rooms/<room>/members/<user>"): {"role": "owner"},
    ("PATCH", "/rooms/<room>/permissions"): {"guest": {"messages.send": True}},
    ("POST", "/rooms/<room>/messages"): {"client_msg_id": "1", "body": "hello"},
    ("POST", "/rooms/<room>/messages/bulk-delete"): {"messages": ["m_1"]},
    ("PUT", "/rooms/<room>/read"): {"seq": 3},
    ("POST", "/rooms/<room>/scheduled"): {"body": "hello", "send_at": "2031-01-01T00:00:00Z"},
}
# That somebody who is not in has left tells nothing.
TELLS_NOTHING = {("DELETE", "/rooms/<room>/members/me")}


def _room_operations(town: Community) -> list[Operation]:
    return [
        operation
        for blueprint in town.office.app.blueprints.values()
        if isinstance(blueprint, OperationBlueprint)
        for operation in blueprint.operations.values()
        if operation.path.startswith("/rooms/<room>")
    ]


async def test_a_private_room_is_a_404_like_one_that_is_not_there_on_every_route() -> None:
    """For a stranger, for somebody banned and for somebody who left: every route that there is, read off the app."""
    async with open_community() as town:
        room, none = await town.furnished(), "r_01a1fdb2f15672849aae512f789e0948"
        posted = await town.post("owner", room, "inside")
        invite = await town.call("owner", "POST", f"/rooms/{room}/invites", status=201)
        operations = _room_operations(town)
        assert len(operations) >= 24
        before = await town.events(room)
        for operation, name in product(operations, ("stranger", "banned", "gone")):
            key = (operation.method, operation.path)
            assert operation.body is None or operation.body_is_optional or key in BODIES, f"{key} needs a body here"
            named = {"user": town.ids["member"], "message": posted["id"], "code": invite["id"]}
            answers = [await _told(town, name, operation, {"room": place, **named}) for place in (room, none)]
            assert len(set(answers)) == 1, (key, name, answers)
            assert answers[0][0] == (204 if key in TELLS_NOTHING else 404), (key, name, answers)
        assert await town.events(room) == before


async def _told(town: Community, name: str, operation: Operation, parts: dict[str, str]) -> tuple[Any, ...]:
    """Call, and give all that tells the caller anything."""
    path = re.sub(r"<(\w+)>", lambda part: parts.get(part[1], "x_1"), operation.path)
    body = BODIES.get((operation.method, operation.path))
    answer = await town.office.call(operation.method, f"/api/v1{path}", caller=name, body=body)
    if answer.status_code < 400:
        return (answer.status_code,)
    problem = await answer.get_json(force=True)
    return answer.status_code, problem["code"], problem["title"], problem["detail"]

"""Every route x everybody: what each caller is answered, from one table. A route without a row fails.

A row is a route, perhaps with a word on whose message it is tried on. The cells are statuses; a caller who may do
something does it to a room of their own, so that no cell bears on another.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quart import Response

from justchat.http.operation import Operation, OperationBlueprint
from tests.http.community import PEOPLE, Community, open_community
from tests.http.furnished import Copies, Furnished, furnish, tomorrow
from tests.http.route_table import OUTSIDERS, ROUTES, Row

pytestmark = pytest.mark.real_clock

THUMB = "%F0%9F%91%8D"
ENDS_SESSION = {"POST /auth/logout", "POST /auth/logout-all", "DELETE /auth/sessions/<session>"}


def body_of(row: Row) -> object:
    """Give what is sent to routes that will not do without a body."""
    return {
        "POST /auth/register": {"username": "somebody", "password": "long enough for it"},
        "POST /auth/login": {"username": "nobody", "password": "not the right one"},
        "POST /auth/password": {"password": "not the right one", "new_password": "long enough for it"},
        "POST /auth/introspect": {"token": "one that nobody made"},
        "POST /auth/tokens": {"name": "Robot", "scopes": ["rooms:read"]},
        "PATCH /users/me": {"bio": "hello"},
        "DELETE /users/me": {"password": "not the right one"},
        "POST /users/me/email/verification/confirm": {"code": "000000"},
        "PATCH /admin/users/<user>": {"disabled": True},
        "POST /admin/invitations": {},
        "POST /rooms": {"kind": "group", "name": "Another"},
        "PATCH /rooms/<room>": {"name": "Other"},
        "PATCH /rooms/<room>/members/<user>": {"role": "member"},
        "PATCH /rooms/<room>/permissions": {"guest": {"messages.send": True}},
        "POST /rooms/<room>/messages": {"client_msg_id": "1", "body": "hello"},
        "POST /rooms/<room>/messages/bulk-delete": {"messages": ["<message>"]},
        "PATCH /messages/<message>": {"body": "other words"},
        "PUT /rooms/<room>/read": {"seq": 3},
        "POST /messages/<message>/reports": {"reason": "rude"},
        "POST /rooms/<room>/scheduled": {"body": "later", "send_at": tomorrow()},
    }.get(row.route)


def parts_of(row: Row, caller: str, place: Furnished, town: Community) -> dict[str, str]:
    """Say what stands in the place of the parts of an address."""
    own = place.said.get(caller, place.said["owner"])
    other = place.said["guest" if caller != "guest" else "member"]
    messages = {"own": own, "others": other, "pinned": place.pinned, "reported": place.said["guest"]}
    user = {"banned": "banned", "muted": "muted", "reporter": "member"}.get(row.which, "guest")
    return {
        "<room>": place.room,
        "<user>": town.ids[user],
        "<message>": messages.get(row.which, own),
        "<emoji>": THUMB,
        "<code>": place.invite,
        "<scheduled>": place.scheduled.get(caller, place.scheduled["owner"]),
        "<session>": session_of(town, caller, row.which) if "<session>" in row.route else "",
        "<token>": "k_none",
    }


def session_of(town: Community, caller: str, which: str) -> str:
    """Give the caller's own session, or that of somebody who has just come."""
    own = which == "own" and caller in town.ids
    user = town.ids[caller] if own else town.office.add_user(f"newcomer{len(town.ids)}")
    return min(town.office.store.sessions_of[user])


def filled(value: object, parts: dict[str, str]) -> object:
    """Put the parts into an address or a body."""
    match value:
        case str():
            for name, part in parts.items():
                value = value.replace(name, part)
            return value
        case dict():
            return {key: filled(each, parts) for key, each in value.items()}
        case list():
            return [filled(each, parts) for each in value]
        case _:
            return value


def operations(town: Community) -> Iterator[Operation]:
    for blueprint in town.office.app.blueprints.values():
        if isinstance(blueprint, OperationBlueprint):
            yield from blueprint.operations.values()


async def test_every_route_has_its_row() -> None:
    """A new route must come with a word on who may call it; a row of a route that is gone is one too many."""
    async with open_community() as town:
        assert {row.route for row in ROUTES} == {f"{each.method} {each.path}" for each in operations(town)}
        assert len({(row.route, row.which) for row in ROUTES}) == len(ROUTES)
        needed = {f"{each.method} {each.path}" for each in operations(town) if each.body and not each.body_is_optional}
        assert needed <= {row.route for row in ROUTES if body_of(row) is not None}


async def answer(town: Community, row: Row, caller: str, place: Furnished, code: str) -> Response:
    """Call a route as somebody, or as nobody."""
    parts = parts_of(row, caller, place, town) | ({"<code>": code} if row.route.startswith("POST /invites") else {})
    method, _, path = row.route.partition(" ")
    prefix = "" if path.startswith(("/health", "/version", "/.well-known")) else "/api/v1"
    address = str(filled(path, parts)) + ("?q=own" if row.route == "GET /users" else "")
    who = None if caller == "nobody" else caller
    found = await town.office.call(method, f"{prefix}{address}", caller=who, body=filled(body_of(row), parts))
    if who is not None and row.route in ENDS_SESSION:
        town.office.sign_in_again(who)
    return found


@pytest.mark.parametrize("caller", [*PEOPLE, "nobody"])
async def test_in_a_private_room_everybody_is_answered_as_the_table_says(caller: str) -> None:
    """What may be done is done; what may not be is refused with the right status, and a stranger finds nothing."""
    async with open_community() as town:
        assert await wrong_answers(town, caller, visibility="private") == []


@pytest.mark.parametrize("caller", OUTSIDERS)
async def test_in_a_public_room_outsiders_are_answered_as_the_table_says(caller: str) -> None:
    """Whoever is not in may look; whoever is banned may not, and knows why they cannot do anything."""
    async with open_community() as town:
        assert await wrong_answers(town, caller, visibility="public") == []


async def wrong_answers(town: Community, caller: str, *, visibility: str) -> list[str]:
    original, code = await furnish(town, visibility=visibility)
    copies, wrong = Copies(town.office.store, original), []
    for row in sorted(ROUTES, key=lambda row: row.route.startswith("POST /invites")):
        column = caller if visibility == "private" or caller == "nobody" else f"{caller}/public"
        expected = row.cells[column]
        # What changes something is tried on a copy; the code of an invite lets into the one room that it is of.
        is_of_room = "<room>" in row.route or "<message>" in row.route
        changes = is_of_room and not row.route.startswith("GET") and 200 <= expected < 300
        place = copies.copy() if changes else original
        found = (await answer(town, row, caller, place, code)).status_code
        if found != expected:
            wrong.append(f"{row.route} {row.which}: {found}, not {expected}")
    return wrong

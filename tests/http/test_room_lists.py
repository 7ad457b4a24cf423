"""Lists of rooms: who sees which, and that a long one costs as many looks at the store as a short one."""

from __future__ import annotations

import pytest

from tests.http.people import Crowd, open_crowd


async def make(crowd: Crowd, name: str, visibility: str = "public") -> str:
    """Make a room of the owner's."""
    body = {"kind": "group", "name": name, "visibility": visibility}
    made = await crowd.call("owner", "POST", "/rooms", body, status=201)
    return str(made["id"])


async def ids_in(crowd: Crowd, caller: str, query: str) -> list[str]:
    """List rooms as somebody."""
    return [room["id"] for room in (await crowd.call(caller, "GET", f"/rooms?{query}"))["items"]]


async def test_a_list_holds_what_its_reader_may_see_and_nothing_else() -> None:
    """Public rooms and their own, in the order asked for: none private, none deleted, none that bans them."""
    async with open_crowd() as crowd:
        rooms = [await make(crowd, f"list {number}") for number in range(5)]
        private = await make(crowd, "list private", "private")
        await crowd.call("member", "PUT", f"/rooms/{rooms[1]}/members/me", status=204)
        await crowd.call("owner", "PUT", f"/rooms/{rooms[2]}/bans/{crowd.ids['member']}", {}, status=204)
        await crowd.call("owner", "DELETE", f"/rooms/{rooms[3]}", status=204)
        asked = [rooms[4], "r_none", private, rooms[3], rooms[2], rooms[1], "", rooms[4], rooms[0]]
        assert await ids_in(crowd, "member", f"ids={','.join(asked)}") == [rooms[4], rooms[1], rooms[0]]
        assert await ids_in(crowd, "owner", f"ids={','.join(asked)}") == [
            rooms[4],
            private,
            rooms[2],
            rooms[1],
            rooms[0],
        ]
        assert await ids_in(crowd, "member", "public=true&q=LIST") == [rooms[0], rooms[1], rooms[4]]
        found = (await crowd.call("member", "GET", "/rooms?public=true&q=list"))["items"]
        assert [room["me"]["role"] for room in found] == [None, "member", None]
        assert await ids_in(crowd, "stranger", f"ids={rooms[2]},{private}") == [rooms[2]]


@pytest.mark.parametrize("query", ["public=true&q=many", "ids={ids}", ""])
@pytest.mark.parametrize("caller", ["owner", "stranger"])
async def test_a_long_list_costs_no_more_looks_at_the_store_than_a_short_one(query: str, caller: str) -> None:
    """Whoever has a hundred rooms waits no hundred times for a database that is a millisecond away."""
    async with open_crowd() as crowd:
        rooms = [await make(crowd, "many 0"), await make(crowd, "many 1")]

        async def looks() -> tuple[int, int]:
            crowd.office.switch.calls.clear()
            found = await ids_in(crowd, caller, query.format(ids=",".join(rooms)))
            return len(found), len(crowd.office.switch.calls)

        few = await looks()
        rooms += [await make(crowd, f"many {number}") for number in range(2, 14)]
        many = await looks()
        assert many[1] == few[1]
        assert many[0] - few[0] == (0 if (query, caller) == ("", "stranger") else 12)

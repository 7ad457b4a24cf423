"""Blocks: made and lifted by whoever does not want to hear from somebody, and told to nobody else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.http.people import open_crowd

pytestmark = pytest.mark.real_clock

PATH = "/users/me/blocks"


async def test_a_block_is_made_listed_and_lifted_and_each_may_be_asked_twice() -> None:
    """It shows in the list of who made it, with the time, and nowhere for the other."""
    async with open_crowd() as crowd:
        path = f"{PATH}/{crowd.ids['member']}"
        for _ in range(2):
            await crowd.call("owner", "PUT", path, status=204)
            page: Any = await crowd.call("owner", "GET", PATH)
            assert [block["user"]["username"] for block in page["items"]] == ["member"]
            assert page["items"][0]["since"].endswith("Z")
        assert (await crowd.call("member", "GET", PATH))["items"] == []
        for _ in range(2):
            await crowd.call("owner", "DELETE", path, status=204)
            assert (await crowd.call("owner", "GET", PATH))["items"] == []


async def test_a_block_ends_the_contact_on_both_sides() -> None:
    """Also a request of either side; lifting it brings nothing back."""
    async with open_crowd() as crowd:
        owner, member = crowd.ids["owner"], crowd.ids["member"]
        await crowd.call("owner", "PUT", f"/users/me/contacts/{member}")
        await crowd.call("member", "PUT", f"/users/me/contacts/{owner}")
        await crowd.call("guest", "PUT", f"/users/me/contacts/{owner}")
        for user in (member, crowd.ids["guest"]):
            await crowd.call("owner", "PUT", f"{PATH}/{user}", status=204)
            await crowd.call("owner", "DELETE", f"{PATH}/{user}", status=204)
        for name in ("owner", "member", "guest"):
            assert (await crowd.call(name, "GET", "/users/me/contacts"))["items"] == []


async def test_only_other_people_who_are_there_are_blocked() -> None:
    """Not oneself, not nobody; lifting what is not there is fine."""
    async with open_crowd() as crowd:
        assert await crowd.pointers("owner", "PUT", f"{PATH}/{crowd.ids['owner']}", None) == ["/user"]
        crowd.disable("muted")
        for user in ("u_none", "me", crowd.ids["muted"]):
            assert await crowd.refused("owner", "PUT", f"{PATH}/{user}", status=404) == "not_found"
            await crowd.call("owner", "DELETE", f"{PATH}/{user}", status=204)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_blocks_are_listed_page_by_page(limit: int) -> None:
    """Each once, by a cursor; somebody who was deleted since stands there without a name."""
    async with open_crowd() as crowd:
        others = [name for name in crowd.ids if name != "owner"]
        for name in others:
            await crowd.call("owner", "PUT", f"{PATH}/{crowd.ids[name]}", status=204)
        crowd.alter("gone", disabled=True, state="gone")
        pages = await crowd.pages("owner", PATH, limit=limit)
        found = [block["user"]["id"] for block in itertools.chain(*pages)]
        assert sorted(found) == sorted(crowd.ids[name] for name in others)
        assert all(len(page) == limit for page in pages[:-1])


async def test_who_remembers_blocks_is_told_of_every_change() -> None:
    """What rooms know of blocks holds from the answer on; where the store failed, they look again."""
    async with open_crowd() as crowd:
        blocks = crowd.office.system.blocks
        owner, member = crowd.ids["owner"], crowd.ids["member"]
        assert await blocks.blockers(member, [owner]) == frozenset()
        await crowd.call("owner", "PUT", f"{PATH}/{member}", status=204)
        assert await blocks.blockers(member, [owner]) == {owner}
        await crowd.call("owner", "DELETE", f"{PATH}/{member}", status=204)
        assert await blocks.blockers(member, [owner]) == frozenset()
        assert blocks.pairs == 1
        crowd.office.switch.spared = frozenset({"session", "user"})
        crowd.office.switch.down = True
        await crowd.refused("owner", "PUT", f"{PATH}/{member}", status=503)
        assert blocks.pairs == 0


async def test_a_block_stands_between_two_people_in_their_direct_room() -> None:
    """Neither writes to the other while it is there, whichever of the two made it; in other rooms both speak."""
    async with open_crowd() as crowd:
        owner, member = crowd.ids["owner"], crowd.ids["member"]
        room = (await crowd.call("owner", "PUT", f"/users/me/direct/{member}", status=201))["id"]
        group = await crowd.room("member")
        await crowd.call("member", "PUT", f"{PATH}/{owner}", status=204)
        for name in ("owner", "member"):
            body = {"client_msg_id": f"{name} before", "body": "hello"}
            assert await crowd.refused(name, "POST", f"/rooms/{room}/messages", body, status=403) == "forbidden"
            await crowd.post(name, group, f"{name} in the group")
        await crowd.call("member", "DELETE", f"{PATH}/{owner}", status=204)
        for name in ("owner", "member"):
            await crowd.post(name, room, f"{name} after")

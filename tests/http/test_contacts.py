"""Contacts: who asked whom, and what both agreed on."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import trio

from justchat.accounts.contacts import BLOCKS_MAX, CONTACTS_MAX
from storage.account_records import BlockRecord, ContactRecord, pair_of
from tests.http.people import Crowd, open_crowd

pytestmark = pytest.mark.real_clock

PATH = "/users/me/contacts"


async def ask(crowd: Crowd, caller: str, other: str, *, status: int = 200) -> Any:
    return await crowd.call(caller, "PUT", f"{PATH}/{crowd.ids[other]}", status=status)


async def states(crowd: Crowd, caller: str) -> dict[str, str]:
    """Give what others are to somebody, by their names."""
    page = await crowd.call(caller, "GET", PATH)
    return {contact["user"]["username"]: contact["state"] for contact in page["items"]}


async def test_one_asks_and_the_other_accepts_by_asking_too() -> None:
    """S3-31: asked by one, which the other sees, until both have asked."""
    async with open_crowd() as crowd:
        asked = await ask(crowd, "owner", "member")
        assert (asked["state"], asked["user"]["id"]) == ("asked", crowd.ids["member"])
        assert await states(crowd, "member") == {"owner": "asks_you"}
        assert (await ask(crowd, "owner", "member")) == asked, "asking again changes nothing"
        assert (await ask(crowd, "member", "owner"))["state"] == "accepted"
        assert await states(crowd, "owner") == {"member": "accepted"}
        assert await states(crowd, "member") == {"owner": "accepted"}
        one = await crowd.call("owner", "GET", f"{PATH}/{crowd.ids['member']}")
        assert one["state"] == "accepted"
        assert (await ask(crowd, "owner", "member")) == one


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("by", ["owner", "member"])
async def test_either_side_ends_it_at_any_time(accepted: bool, by: str) -> None:
    """A request is taken back or rejected, a contact is ended, and ending nothing is fine; one may ask again."""
    async with open_crowd() as crowd:
        await ask(crowd, "owner", "member")
        if accepted:
            await ask(crowd, "member", "owner")
        other = crowd.ids["member" if by == "owner" else "owner"]
        for _ in range(2):
            await crowd.call(by, "DELETE", f"{PATH}/{other}", status=204)
            assert await states(crowd, "owner") == await states(crowd, "member") == {}
            assert await crowd.refused(by, "GET", f"{PATH}/{other}", status=404) == "not_found"
        assert (await ask(crowd, "member", "owner"))["state"] == "asked"


async def test_fifty_crossing_requests_make_one_contact() -> None:
    """Both ask each other over and over at the same moment: accepted, and told as one contact to each."""
    async with open_crowd() as crowd:
        answers: list[str] = []

        async def want(caller: str, other: str) -> None:
            answers.append((await ask(crowd, caller, other))["state"])

        async with trio.open_nursery() as nursery:
            for _ in range(25):
                nursery.start_soon(want, "owner", "member")
                nursery.start_soon(want, "member", "owner")
        assert set(answers) <= {"asked", "accepted"}
        assert len(answers) == 50
        assert "accepted" in answers
        assert await states(crowd, "owner") == {"member": "accepted"}
        assert await states(crowd, "member") == {"owner": "accepted"}


async def test_who_blocks_somebody_is_not_asked_by_them() -> None:
    """403 for who is blocked; who blocks has to lift that first; other people's requests are as before."""
    async with open_crowd() as crowd:
        block = f"/users/me/blocks/{crowd.ids['owner']}"
        await crowd.call("member", "PUT", block, status=204)
        assert await crowd.refused("owner", "PUT", f"{PATH}/{crowd.ids['member']}", status=403) == "forbidden"
        assert await crowd.refused("member", "PUT", f"{PATH}/{crowd.ids['owner']}", status=409) == "conflict"
        assert await states(crowd, "member") == {}
        await ask(crowd, "guest", "member")
        await crowd.call("member", "DELETE", block, status=204)
        assert (await ask(crowd, "owner", "member"))["state"] == "asked"


async def test_a_request_that_meets_a_block_leaves_nothing() -> None:
    """However the two interleave: whoever blocks is afterwards asked by nobody they block."""
    async with open_crowd() as crowd:
        for _ in range(30):
            async with trio.open_nursery() as nursery:
                path = f"/api/v1{PATH}/{crowd.ids['member']}"
                nursery.start_soon(lambda path: crowd.office.call("PUT", path, caller="owner"), path)
                block = f"/users/me/blocks/{crowd.ids['owner']}"
                nursery.start_soon(lambda block: crowd.call("member", "PUT", block, status=204), block)
            assert await states(crowd, "member") == {}
            await crowd.call("member", "DELETE", f"/users/me/blocks/{crowd.ids['owner']}", status=204)


async def test_contacts_are_other_people_who_are_there() -> None:
    """Not oneself, not nobody, not somebody disabled or deleted."""
    async with open_crowd() as crowd:
        assert await crowd.pointers("owner", "PUT", f"{PATH}/{crowd.ids['owner']}", None) == ["/user"]
        crowd.disable("muted")
        crowd.alter("gone", disabled=True, state="gone")
        for user in ("u_none", "x", crowd.ids["muted"], crowd.ids["gone"], "u_" + "0" * 32):
            assert await crowd.refused("owner", "PUT", f"{PATH}/{user}", status=404) == "not_found"
            await crowd.call("owner", "DELETE", f"{PATH}/{user}", status=204)
        assert await states(crowd, "owner") == {}


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_contacts_are_listed_page_by_page(limit: int) -> None:
    """Each once, by a cursor, with the people as everybody sees them."""
    async with open_crowd() as crowd:
        others = [name for name in crowd.ids if name != "owner"]
        for name in others:
            await ask(crowd, "owner", name)
        pages = await crowd.pages("owner", PATH, limit=limit)
        found = [contact["user"]["username"] for contact in itertools.chain(*pages)]
        assert sorted(found) == sorted(others)
        assert all(len(page) == limit for page in pages[:-1])


async def test_who_is_disabled_is_left_out_and_there_again_when_enabled() -> None:
    """As everywhere else, of contacts, of requests and of blocks; who was deleted stands there without a name."""
    async with open_crowd() as crowd:
        for name in ("muted", "gone", "member"):
            await ask(crowd, "owner", name)
        await crowd.call("stranger", "PUT", f"/users/me/blocks/{crowd.ids['muted']}", status=204)
        crowd.disable("muted")
        crowd.alter("gone", disabled=True, state="leaving")
        assert await states(crowd, "owner") == {"": "asked", "member": "asked"}
        assert (await crowd.call("stranger", "GET", "/users/me/blocks"))["items"] == []
        crowd.alter("muted", disabled=False)
        assert await states(crowd, "owner") == {"": "asked", "muted": "asked", "member": "asked"}
        assert len((await crowd.call("stranger", "GET", "/users/me/blocks"))["items"]) == 1


async def test_contacts_requests_and_blocks_have_their_limits() -> None:
    """409 and which it is: who has as many may still be asked, and who is asked by as many may still ask."""
    async with open_crowd() as crowd:
        relations, owner = crowd.office.system.storage.relations, crowd.ids["owner"]

        async def problem(caller: str, path: str) -> tuple[str, str]:
            answer = await crowd.call(caller, "PUT", path, status=409)
            return answer["code"], answer["errors"][0]["code"]

        def many(asked_by: str | None) -> list[ContactRecord]:
            others = [f"u_{number:04d}" for number in range(CONTACTS_MAX)]
            return [ContactRecord(*pair_of(owner, other), asked_by or other, 5) for other in others]

        await relations.put_contacts(many(owner))
        assert await problem("owner", f"{PATH}/{crowd.ids['member']}") == ("conflict", "too_many")
        assert (await ask(crowd, "member", "owner"))["state"] == "asked"
        assert await problem("owner", f"{PATH}/{crowd.ids['member']}") == ("conflict", "too_many")
        await crowd.call("owner", "DELETE", f"{PATH}/{crowd.ids['member']}", status=204)
        await relations.put_contacts(many(None))
        assert await problem("member", f"{PATH}/{owner}") == ("conflict", "awaited")
        assert (await ask(crowd, "owner", "member"))["state"] == "asked"
        await relations.put_blocks([BlockRecord(owner, f"u_{number:05d}", 5) for number in range(BLOCKS_MAX)])
        assert await problem("owner", f"/users/me/blocks/{crowd.ids['guest']}") == ("conflict", "too_many")


async def test_contacts_are_what_a_simple_model_says_after_any_history() -> None:
    """Hundreds of random requests, ends, blocks and lifts among four people, held against sets of pairs."""
    chance = random.Random(31)
    names = ("owner", "admin", "member", "guest")
    async with open_crowd() as crowd:
        asked: set[tuple[str, str]] = set()
        blocked: set[tuple[str, str]] = set()
        for _ in range(400):
            one, other = chance.sample(names, 2)
            match chance.choice(("ask", "ask", "ask", "end", "block", "lift")):
                case "ask":
                    status = 403 if (other, one) in blocked else 409 if (one, other) in blocked else 200
                    await ask(crowd, one, other, status=status)
                    if status == 200:
                        asked.add((one, other))
                case "end":
                    await crowd.call(one, "DELETE", f"{PATH}/{crowd.ids[other]}", status=204)
                    asked -= {(one, other), (other, one)}
                case "block":
                    await crowd.call(one, "PUT", f"/users/me/blocks/{crowd.ids[other]}", status=204)
                    blocked.add((one, other))
                    asked -= {(one, other), (other, one)}
                case "lift":
                    await crowd.call(one, "DELETE", f"/users/me/blocks/{crowd.ids[other]}", status=204)
                    blocked.discard((one, other))
        for one in names:
            expected = {}
            for other in names:
                mine, theirs = (one, other) in asked, (other, one) in asked
                if mine or theirs:
                    expected[other] = "accepted" if mine and theirs else "asked" if mine else "asks_you"
            assert await states(crowd, one) == expected
            blocks = (await crowd.call(one, "GET", "/users/me/blocks"))["items"]
            assert {block["user"]["username"] for block in blocks} == {b for a, b in blocked if a == one}

"""A room's version over REST: `ETag` wherever one room is answered, and changes on a condition."""

from __future__ import annotations

import pytest

from tests.http.talk import Talk, open_talk

pytestmark = pytest.mark.real_clock


async def tag_of(talk: Talk) -> str:
    """Read the room's version."""
    answer = await talk.ask("GET", talk.rooms)
    return answer.headers["ETag"]


async def test_wherever_one_room_is_answered_its_version_is_told() -> None:
    """Made, looked at, changed, come into by an invite or shared by two: strong, and another one after each event."""
    async with open_talk("ann", "bob", "cid") as talk:
        seen = [await tag_of(talk)]
        await talk.say("hello")
        seen.append(await tag_of(talk))
        changed = await talk.ask("PATCH", talk.rooms, body={"topic": "tea"})
        seen.append(changed.headers["ETag"])
        assert seen[-1] == await tag_of(talk)
        made = await talk.ask("POST", "/rooms", body={"kind": "group", "name": "Other"})
        invite = await talk.ask("POST", f"/rooms/{(await made.get_json())['id']}/invites", body={})
        code = (await invite.get_json())["code"]
        accepted = await talk.ask("POST", f"/invites/{code}/accept", caller="bob")
        direct = await talk.ask("PUT", f"/users/me/direct/{talk.office.ids['bob']}")
        seen += [made.headers["ETag"], accepted.headers["ETag"], direct.headers["ETag"]]
        assert all(tag.startswith('"e_') and tag.endswith('"') for tag in seen)
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "change", [{"name": "Other"}, {"settings": {"read_only": True}}, {"settings": {"archived": True}}]
)
async def test_a_room_is_changed_on_a_condition_only_as_it_was_seen(change: dict[str, object]) -> None:
    """What happened since, or another room's version, is 412 and changes nothing; the right one, `*` and none do."""
    async with open_talk("ann", "bob") as talk:
        old, other = await tag_of(talk), await tag_of(await talk.another())
        await talk.say("meanwhile")
        before = await talk.get(talk.rooms)
        for condition in (old, other, f"W/{await tag_of(talk)}", '"7"'):
            refused = await talk.refused("PATCH", talk.rooms, body=change, If_Match=condition)
            assert refused == (412, "precondition_failed", []), condition
        assert await talk.get(talk.rooms) == before
        condition = f"{old}, {await tag_of(talk)}"
        done = await talk.ask("PATCH", talk.rooms, body=change, If_Match=condition)
        assert done.status_code == 200
        assert (await done.get_json())["head_seq"] == before["head_seq"] + 1
        # The lost answer of a change is asked for again: it holds already, so there is nothing to refuse.
        again = await talk.ask("PATCH", talk.rooms, body=change, If_Match=condition)
        assert (again.status_code, again.headers["ETag"]) == (200, done.headers["ETag"])


async def test_whoever_may_not_change_a_room_hears_that_first() -> None:
    """A condition opens nothing, and one that cannot be read is refused by name."""
    async with open_talk("ann", "bob") as talk:
        talk.office.add_user("eve")
        body = {"name": "Mine"}
        tag = await tag_of(talk)
        assert (await talk.refused("PATCH", talk.rooms, caller="bob", body=body, If_Match=tag))[:2] == (
            403,
            "forbidden",
        )
        assert (await talk.refused("PATCH", talk.rooms, caller="eve", body=body, If_Match=tag))[:2] == (
            404,
            "not_found",
        )
        unreadable = await talk.refused("PATCH", talk.rooms, body=body, If_Match="head")
        assert unreadable == (422, "validation_failed", ["/If-Match"])
        for any_will_do in ("*", ""):
            assert (await talk.ask("PATCH", talk.rooms, body=body, If_Match=any_will_do)).status_code == 200

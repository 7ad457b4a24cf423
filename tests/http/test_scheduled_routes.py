"""Posts that wait for their time: kept for their author alone, posted once, and told about when they cannot be."""

from __future__ import annotations

from typing import Any

import trio

from justchat.app import wall_ms
from justchat.wire.times import rfc3339
from tests.http.talk import Talk, open_talk, quoted

DAY = 86_400_000
NO_POST = "s_01a1fdb2f15672849aae512f789e0948"


def ahead(milliseconds: int) -> str:
    return rfc3339(wall_ms() + milliseconds)


async def _schedule(talk: Talk, body: str, *, in_ms: int = DAY, caller: str | None = None, **fields: object) -> Any:
    sent = {"body": body, "send_at": ahead(in_ms), **fields}
    answer = await talk.ask("POST", f"{talk.rooms}/scheduled", caller=caller, body=sent)
    assert answer.status_code == 201, await answer.get_data()
    view = await answer.get_json()
    assert answer.headers["Location"] == f"/api/v1{talk.rooms}/scheduled/{view['id']}"
    return view


async def _schedule_soon(talk: Talk, body: str) -> Any:
    """Schedule a post for the next moment; for a later one, where that was over before the room heard of it."""
    for in_ms in (150, 3_000, 20_000):
        sent = {"body": body, "send_at": ahead(in_ms)}
        answer = await talk.ask("POST", f"{talk.rooms}/scheduled", body=sent)
        if answer.status_code == 201:
            return await answer.get_json()
        assert [error["pointer"] for error in (await answer.get_json(force=True))["errors"]] == ["/send_at"]
    raise AssertionError("no time is far enough ahead")


async def test_a_scheduled_post_is_its_authors_alone() -> None:
    """Listed, shown and taken back by them; it is in no event, and for others it is not there."""
    async with open_talk("ann", "bob") as talk:
        root = await talk.say("root")
        fields = {"reply_to": root["id"], "thread_root": root["id"], "mentions": [talk.office.ids["bob"]]}
        view = await _schedule(talk, "later", expires_in=60, **fields)
        assert {**view, **fields} == view
        assert (view["room"], view["body"], view["expires_in"]) == (talk.room, "later", 60)
        path = f"{talk.rooms}/scheduled"
        (listed,) = (await talk.get(path))["items"]
        assert listed == view
        assert await talk.get(f"{path}/{view['id']}") == listed
        assert (await talk.get(path, caller="bob"))["items"] == []
        assert await talk.refused("GET", f"{path}/{view['id']}", caller="bob") == (404, "not_found", [])
        await talk.do("DELETE", f"{path}/{view['id']}", caller="bob")
        assert len((await talk.get(path))["items"]) == 1
        await talk.do("DELETE", f"{path}/{view['id']}")
        await talk.do("DELETE", f"{path}/{view['id']}")
        assert await talk.get(path) == {"items": [], "next_cursor": None}
        assert len(await talk.events()) == 2


async def test_scheduled_posts_are_listed_once_each_over_all_pages() -> None:
    """In the order in which they were made."""
    async with open_talk("ann", "bob") as talk:
        expected = [(await _schedule(talk, f"m{number}", in_ms=DAY - number))["id"] for number in range(5)]
        await _schedule(talk, "bob's", caller="bob")
        for limit in (1, 2, 4, 5, 6):
            found, cursor = [], ""
            while True:
                page = await talk.get(f"{talk.rooms}/scheduled?limit={limit}{cursor}")
                found += [item["id"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={quoted(page['next_cursor'])}"
            assert found == expected, limit
        made_up = await talk.get(f"{talk.rooms}/scheduled?cursor=made-up")
        assert all(item["id"] in expected for item in made_up["items"])


async def test_a_scheduled_post_is_posted_when_its_time_has_come() -> None:
    """By the room itself, as its author's message, once; and it waits no longer."""
    async with open_talk("ann", "bob") as talk:
        view = await _schedule_soon(talk, "hi @bob")
        with trio.fail_after(60):
            while not (items := (await talk.get(f"{talk.rooms}/messages?min_seq=1"))["items"]):
                await talk.ask("GET", f"{talk.rooms}/messages?min_seq=2")
        (message,) = items
        assert (message["body"], message["author"]) == ("hi @bob", talk.office.ids["ann"])
        assert message["mentions"] == [talk.office.ids["bob"]]
        assert message["created_at"] >= view["send_at"]
        assert await talk.get(f"{talk.rooms}/scheduled") == {"items": [], "next_cursor": None}
        assert await talk.refused("GET", f"{talk.rooms}/scheduled/{view['id']}") == (404, "not_found", [])


async def test_a_wrong_schedule_is_refused_at_its_place() -> None:
    """Times as RFC 3339 has them, with an offset, ahead and within a year; all else as for a post."""
    async with open_talk("ann") as talk:
        good = {"body": "b", "send_at": ahead(DAY)}
        wrong: list[tuple[dict[str, object], str]] = [
            ({"send_at": ahead(-1000)}, "/send_at"),
            ({"send_at": ahead(367 * DAY)}, "/send_at"),
            ({"send_at": "2027-01-01"}, "/send_at"),
            ({"send_at": "2027-01-01T00:00:00"}, "/send_at"),
            ({"send_at": "1969-01-01T00:00:00Z"}, "/send_at"),
            ({"send_at": "0001-01-01T00:00:00+23:59"}, "/send_at"),
            ({"send_at": "9999-12-31T23:59:59-23:59"}, "/send_at"),
            ({"send_at": "tomorrow"}, "/send_at"),
            ({"send_at": 1_800_000_000}, "/send_at"),
            ({"send_at": None}, "/send_at"),
            ({"body": " "}, "/body"),
            ({"body": "x" * 4001}, "/body"),
            ({"body": None}, "/body"),
            ({"reply_to": ""}, "/reply_to"),
            ({"thread_root": 1}, "/thread_root"),
            ({"mentions": ["u_1"] * 51}, "/mentions"),
            ({"expires_in": 0}, "/expires_in"),
            ({"client_msg_id": "c"}, ""),
        ]
        for fields, pointer in wrong:
            refused = await talk.refused("POST", f"{talk.rooms}/scheduled", body={**good, **fields})
            assert refused == (422, "validation_failed", [pointer]), fields
        for name in good:
            body = {key: value for key, value in good.items() if key != name}
            refused = await talk.refused("POST", f"{talk.rooms}/scheduled", body=body)
            assert refused == (422, "validation_failed", [""])
        assert (await talk.get(f"{talk.rooms}/scheduled"))["items"] == []
        for odd in ("s_1", "%00", NO_POST):
            assert await talk.refused("GET", f"{talk.rooms}/scheduled/{odd}") == (404, "not_found", [])
        for odd in ("s_1", "%00"):
            assert await talk.refused("DELETE", f"{talk.rooms}/scheduled/{odd}") == (404, "not_found", [])


async def test_nobody_schedules_who_may_not_post() -> None:
    """Strangers, visitors, the muted; nor an answer to what is not there."""
    async with open_talk("ann", "bob", visibility="public") as talk:
        talk.office.add_user("zoe")
        body = {"body": "b", "send_at": ahead(DAY)}
        path = f"{talk.rooms}/scheduled"
        assert await talk.refused("POST", path, caller="zoe", body=body) == (403, "not_a_member", [])
        await talk.do("PUT", f"{talk.rooms}/mutes/{talk.office.ids['bob']}")
        assert await talk.refused("POST", path, caller="bob", body=body) == (403, "muted", [])
        none = "m_01a1fdb2f15672849aae512f789e0948"
        for field in ("reply_to", "thread_root"):
            assert await talk.refused("POST", path, body={**body, field: none}) == (404, "not_found", [])
        private = await talk.another()
        assert await talk.refused("POST", f"{private.rooms}/scheduled", caller="zoe", body=body) == (
            404,
            "not_found",
            [],
        )
        assert await talk.refused("GET", f"{private.rooms}/scheduled", caller="zoe") == (404, "not_found", [])

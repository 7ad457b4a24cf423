"""Pins over REST: the newest first, whole messages, and gone with them."""

from __future__ import annotations

import trio

from justchat.app import wall_ms
from justchat.rooms.commands import TrimHistory
from justchat.rooms.items import Pin, pin_item
from justchat.wire.events import SYSTEM
from storage.records import PutItem
from tests.http.talk import open_talk, quoted

NO_MESSAGE = "m_01a1fdb2f15672849aae512f789e0948"


async def _next_millisecond() -> None:
    now = wall_ms()
    while wall_ms() == now:
        await trio.lowlevel.checkpoint()


async def test_pins_are_listed_the_newest_first_with_who_and_when() -> None:
    """In the order of the pinning and not of the messages; messages as they read now."""
    async with open_talk("ann", "bob") as talk:
        await talk.do("PATCH", f"{talk.rooms}/members/{talk.office.ids['bob']}", body={"role": "moderator"})
        messages = [await talk.say(f"m{number}") for number in range(3)]
        for number in (1, 0, 2):
            await _next_millisecond()
            caller = "bob" if number == 0 else "ann"
            await talk.do("PUT", f"{talk.rooms}/pins/{messages[number]['id']}", caller=caller)
            await talk.do("PUT", f"{talk.rooms}/pins/{messages[number]['id']}", caller="ann")
        edited = await (await talk.ask("PATCH", f"/messages/{messages[0]['id']}", body={"body": "new"})).get_json()
        pins = (await talk.get(f"{talk.rooms}/pins", caller="bob"))["items"]
        assert [pin["message"] for pin in pins] == [messages[2], edited, messages[1]]
        assert [pin["by"] for pin in pins] == [talk.office.ids[name] for name in ("ann", "bob", "ann")]
        assert [pin["at"] for pin in pins] == sorted((pin["at"] for pin in pins), reverse=True)
        assert sum(event["type"] == "pin.added" for event in await talk.events()) == 3


async def test_pins_are_listed_once_each_over_all_pages() -> None:
    """Also those that were pinned in the same millisecond."""
    async with open_talk("ann") as talk:
        ids = [(await talk.say(f"m{number}"))["id"] for number in range(3)]
        pins = [Pin(one, 2 + number, talk.office.ids["ann"], 7) for number, one in enumerate(ids)]
        talk.office.store.project([PutItem(pin_item(talk.room, pin)) for pin in pins])
        for limit in (1, 2, 3, 4):
            found, cursor = [], ""
            while True:
                page = await talk.get(f"{talk.rooms}/pins?limit={limit}{cursor}")
                found += [pin["message"]["id"] for pin in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={quoted(page['next_cursor'])}"
            assert sorted(found) == sorted(ids), limit
        assert (await talk.get(f"{talk.rooms}/pins?cursor=made-up"))["next_cursor"] is None


async def test_a_pin_goes_with_its_message_and_with_history() -> None:
    """Deleted, or trimmed: what is not there cannot be pinned either."""
    async with open_talk("ann") as talk:
        ids = [(await talk.say(f"m{number}"))["id"] for number in range(4)]
        for one in ids:
            await talk.do("PUT", f"{talk.rooms}/pins/{one}")
        await talk.do("DELETE", f"/messages/{ids[3]}")
        await talk.do("DELETE", f"{talk.rooms}/pins/{ids[2]}")
        await talk.do("DELETE", f"{talk.rooms}/pins/{ids[2]}")
        await talk.command(TrimHistory(SYSTEM, 2))
        assert [pin["message"]["id"] for pin in (await talk.get(f"{talk.rooms}/pins"))["items"]] == [ids[1]]
        assert await talk.refused("PUT", f"{talk.rooms}/pins/{ids[3]}") == (409, "conflict", [])
        for gone in (ids[0], NO_MESSAGE, "m_1", "%00"):
            assert await talk.refused("PUT", f"{talk.rooms}/pins/{gone}") == (404, "not_found", [])
        other = await talk.another()
        assert await talk.refused("PUT", f"{talk.rooms}/pins/{(await other.say('m'))['id']}") == (404, "not_found", [])


async def test_nobody_pins_who_may_not_and_late_comers_see_no_earlier_pins() -> None:
    """Members read pins and do not make them; what was there before one came stays hidden though it is pinned."""
    async with open_talk("ann", settings={"history_visibility": "since_join"}) as talk:
        early = (await talk.say("early"))["id"]
        await talk.do("PUT", f"{talk.rooms}/members/{talk.office.add_user('bob')}")
        late = (await talk.say("late"))["id"]
        for one in (early, late):
            await talk.do("PUT", f"{talk.rooms}/pins/{one}")
        assert len((await talk.get(f"{talk.rooms}/pins"))["items"]) == 2
        assert [pin["message"]["id"] for pin in (await talk.get(f"{talk.rooms}/pins", caller="bob"))["items"]] == [late]
        for method in ("PUT", "DELETE"):
            assert await talk.refused(method, f"{talk.rooms}/pins/{late}", caller="bob") == (403, "forbidden", [])


async def test_strangers_hear_the_same_of_a_private_room_and_of_none() -> None:
    """Whatever they want with its pins."""
    async with open_talk("ann") as talk:
        message = (await talk.say("m"))["id"]
        talk.office.add_user("zoe")
        for method, path in (("GET", ""), ("PUT", f"/{message}"), ("DELETE", f"/{message}"), ("PUT", "/m_1")):
            problems = []
            for room in (talk.room, "r_01a1fdb2f15672849aae512f789e0948"):
                answer = await talk.ask(method, f"/rooms/{room}/pins{path}", caller="zoe")
                problem = await answer.get_json(force=True)
                problems.append([problem[key] for key in ("status", "code", "title", "detail")])
            assert problems[0] == problems[1]
            assert problems[0][:2] == [404, "not_found"]


async def test_the_hundred_and_first_pin_is_refused() -> None:
    """A room has at most a hundred, and all of them are on one page."""
    async with open_talk("ann") as talk:
        ids = [(await talk.say(f"m{number}"))["id"] for number in range(101)]
        for one in ids[:100]:
            await talk.do("PUT", f"{talk.rooms}/pins/{one}")
        assert await talk.refused("PUT", f"{talk.rooms}/pins/{ids[100]}") == (409, "conflict", [])
        assert len((await talk.get(f"{talk.rooms}/pins?limit=100"))["items"]) == 100

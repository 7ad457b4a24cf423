"""Reactions over REST: put once, taken back once, counted for everybody and marked as one's own."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.talk import open_talk, quoted
from tests.support.rest import Caller, register
from tests.support.server import ServerProcess

THUMB = "\U0001f44d"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


async def test_everybody_sees_how_many_and_whether_they_did() -> None:
    """In the order in which the emoji came; on every route that shows messages; events have no `me`."""
    async with open_talk("ann", "bob", "eve") as talk:
        message = await talk.say("m")
        path = f"/messages/{message['id']}"
        for caller, emoji in (("bob", THUMB), ("ann", "a"), ("ann", THUMB), ("ann", THUMB)):
            await talk.do("PUT", f"{path}/reactions/{quoted(emoji)}", caller=caller)
        await talk.do("PUT", f"{talk.rooms}/pins/{message['id']}")
        for caller, own in (("ann", [True, True]), ("bob", [True, False]), ("eve", [False, False])):
            expected = [
                {"emoji": THUMB, "count": 2, "me": own[0]},
                {"emoji": "a", "count": 1, "me": own[1]},
            ]
            assert (await talk.get(path, caller=caller))["reactions"] == expected
            assert (await talk.get(f"{talk.rooms}/messages", caller=caller))["items"][0]["reactions"] == expected
            assert (await talk.get(f"{talk.rooms}/pins", caller=caller))["items"][0]["message"]["reactions"] == expected
        events = [event for event in await talk.events() if event["type"] == "reaction.added"]
        assert [event["data"] for event in events] == [
            {"message": message["id"], "message_seq": 2, "user": talk.office.ids[name], "emoji": emoji}
            for name, emoji in (("bob", THUMB), ("ann", "a"), ("ann", THUMB))
        ]


async def test_a_reaction_is_taken_back_once() -> None:
    """What is not there is gone already; the last one takes the emoji with it."""
    async with open_talk("ann", "bob") as talk:
        message = await talk.say("m")
        path = f"/messages/{message['id']}/reactions/{quoted(THUMB)}"
        await talk.do("DELETE", path)
        await talk.do("PUT", path)
        await talk.do("DELETE", path, caller="bob")
        await talk.do("DELETE", path)
        await talk.do("DELETE", path)
        assert await talk.get(f"/messages/{message['id']}") == message
        assert [event["type"] for event in await talk.events()][2:] == ["reaction.added", "reaction.removed"]


async def test_whatever_is_an_emoji_arrives_through_an_address() -> None:
    """Percent-encoded, and read back to the letter."""
    emoji = (THUMB, FAMILY, "\u2764\ufe0f", ":name:", "a?b#c", "%2F", "+1", "\u0434\u0430", "x" * 32, "\U0001f600" * 32)
    async with open_talk("ann") as talk:
        path = f"/messages/{(await talk.say('m'))['id']}/reactions"
        for one in emoji:
            await talk.do("PUT", f"{path}/{quoted(one)}")
            assert [item["emoji"] for item in (await talk.get(path))["items"]] == [one]
            assert [item["emoji"] for item in (await talk.get(f"{path}?emoji={quoted(one)}"))["items"]] == [one]
            await talk.do("DELETE", f"{path}/{quoted(one)}")
            assert (await talk.get(path))["items"] == []


async def test_what_is_none_is_refused_by_name() -> None:
    """422 at /emoji, and nothing has happened."""
    async with open_talk("ann") as talk:
        path = f"/messages/{(await talk.say('m'))['id']}/reactions"
        for emoji in ("%20", "a%20b", "%0A", "%00", "x" * 33, "%FF", "%ED%A0%80", "%E2%80%8D", "%C2%A0"):
            for method in ("PUT", "DELETE"):
                refused = await talk.refused(method, f"{path}/{emoji}")
                assert refused == (422, "validation_failed", ["/emoji"]), (method, emoji)
        for emoji in ("", "%20", "a/b", "%0A", "%00", "x" * 33, "%E2%80%8D"):
            refused = await talk.refused("GET", f"{path}?emoji={emoji}")
            assert refused == (422, "validation_failed", ["/emoji"]), emoji
        assert len(await talk.events()) == 2


async def test_an_address_with_one_part_more_or_less_is_another() -> None:
    """A slash ends the emoji, however it is written."""
    async with open_talk("ann") as talk:
        path = f"/messages/{(await talk.say('m'))['id']}/reactions"
        for emoji in ("", "/a/b", "/a%2Fb", "/", "//"):
            assert (await talk.refused("PUT", f"{path}{emoji}"))[0] in {404, 405}, emoji


async def test_who_reacted_is_listed_emoji_by_emoji_over_all_pages() -> None:
    """Each reaction once; an emoji whose people do not fit goes on on the next page with its whole count."""
    names = ("ann", "bob", "eve", "joe")
    async with open_talk(*names) as talk:
        message = (await talk.say("m"))["id"]
        path = f"/messages/{message}/reactions"
        expected = {(name, emoji) for name in names for emoji in ("a", FAMILY, "x" * 32)} - {("joe", "a")}
        for name, emoji in sorted(expected):
            await talk.do("PUT", f"{path}/{quoted(emoji)}", caller=name)
        for limit in (1, 2, 3, 5, 11, 12):
            found: list[tuple[str, str]] = []
            cursor = ""
            while True:
                page = await talk.get(f"{path}?limit={limit}{cursor}", caller="bob")
                assert all(item["count"] == (3 if item["emoji"] == "a" else 4) for item in page["items"])
                found += [(user["username"], item["emoji"]) for item in page["items"] for user in item["users"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={quoted(page['next_cursor'])}"
            assert sorted(found) == sorted(expected), limit
        (only,) = (await talk.get(f"{path}?emoji={quoted(FAMILY)}"))["items"]
        assert {user["username"] for user in only["users"]} == set(names)
        assert (await talk.get(f"{path}?emoji=y"))["items"] == []


async def test_a_cursor_that_somebody_made_up_finds_a_page_or_none_or_is_refused() -> None:
    """Any text is a position, and only those of this message are on its page; what no store takes is no text."""
    async with open_talk("ann") as talk:
        ids = [(await talk.say("m"))["id"] for _ in range(2)]
        for one in ids:
            await talk.do("PUT", f"/messages/{one}/reactions/b")
        path = f"/messages/{ids[0]}/reactions"
        for cursor in ("zzz", "%25ff", "%25F0%259F", "////", "a%2Fu_1", "%25ED%25A0%2580", "%F0%9F%98%80"):
            page = await talk.get(f"{path}?cursor={cursor}")
            assert [item["count"] for item in page["items"]] in ([], [1]), cursor
        for cursor in ("%00", "%2500", "a" * 501):
            refused = await talk.refused("GET", f"{path}?cursor={cursor}")
            assert refused == (422, "validation_failed", ["/cursor"]), cursor


async def test_nobody_reacts_who_may_not() -> None:
    """Visitors, the muted, and anybody to what is deleted; the twenty-first emoji is one too many."""
    async with open_talk("ann", "bob", visibility="public") as talk:
        talk.office.add_user("zoe")
        message = (await talk.say("m"))["id"]
        path = f"/messages/{message}/reactions"
        assert await talk.refused("PUT", f"{path}/a", caller="zoe") == (403, "not_a_member", [])
        await talk.do("PUT", f"{path}/a", caller="bob")
        await talk.do("PUT", f"{talk.rooms}/mutes/{talk.office.ids['bob']}")
        assert await talk.refused("PUT", f"{path}/b", caller="bob") == (403, "muted", [])
        await talk.do("DELETE", f"{path}/a", caller="bob")
        for number in range(20):
            await talk.do("PUT", f"{path}/{number}")
        assert await talk.refused("PUT", f"{path}/20") == (409, "conflict", [])
        await talk.do("DELETE", f"/messages/{message}")
        assert await talk.refused("PUT", f"{path}/0") == (409, "conflict", [])
        await talk.do("DELETE", f"{path}/0")
        assert (await talk.get(path))["items"] == []
        assert "reactions" not in await talk.get(f"/messages/{message}")


def _toggle(caller: Caller, path: str, emoji: list[str]) -> set[str]:
    """Toggle reactions one after the other, and give what is left."""
    own: set[str] = set()
    for one in emoji:
        caller.call("DELETE" if one in own else "PUT", f"{path}/{one}", status=204)
        own ^= {one}
    return own


@pytest.mark.real_clock
@pytest.mark.parametrize("seed", [1, 2])
def test_reactions_of_many_at_once_count_everybody_once_in_a_database(server: ServerProcess, seed: int) -> None:
    """Eight people at once over SQLite: counts, lists and the journal agree on who is left."""
    draw = random.Random(seed)
    people = [register(server) for _ in range(8)]
    ann = people[0]
    room = ann.room(members=tuple(person.username for person in people[1:]))
    message = ann.post(room, "m")["id"]
    path = f"/messages/{message}/reactions"
    plans = [[draw.choice("ab") for _ in range(15)] for _ in people]
    with ThreadPoolExecutor(len(people)) as threads:
        left = list(threads.map(_toggle, people, [path] * len(people), plans))
    expected = Counter(emoji for own in left for emoji in own)
    counts = {one["emoji"]: one["count"] for one in ann.call("GET", f"/messages/{message}").get("reactions", ())}
    assert counts == expected
    listed: list[Any] = ann.call("GET", path)["items"]
    assert {one["emoji"]: {user["id"] for user in one["users"]} for one in listed} == {
        emoji: {person.id for person, own in zip(people, left, strict=True) if emoji in own} for emoji in expected
    }
    assert len(ann.events(room)) == 2 + 8 * 15

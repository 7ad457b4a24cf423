"""The life of a message over REST: edited, versioned, answered in threads, deleted one by one or many at once."""

from __future__ import annotations

from tests.http.talk import open_talk

NO_MESSAGE = "m_01a1fdb2f15672849aae512f789e0948"


async def test_an_edit_is_answered_with_the_message_as_it_reads_then() -> None:
    """`rev` and `edited_at` move, everything else stays; the event says what changed; ETag is the version."""
    async with open_talk("ann", "bob") as talk:
        message = await talk.say("before")
        answer = await talk.ask("PATCH", f"/messages/{message['id']}", body={"body": "after @bob"})
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
        edited = await answer.get_json()
        changed = {
            "rev": 2,
            "body": "after @bob",
            "mentions": [talk.office.ids["bob"]],
            "edited_at": edited["edited_at"],
        }
        assert edited == {**message, **changed}
        assert await talk.get(f"/messages/{message['id']}", caller="bob") == edited
        event = (await talk.events())[-1]
        assert (event["type"], event["actor"]) == ("message.updated", talk.office.ids["ann"])
        assert event["data"] == {"id": message["id"], "message_seq": 2, "msg_no": 1, **changed}


async def test_an_edit_that_changes_nothing_makes_no_event() -> None:
    """Its repeat is answered like the first, even with the version that it was made from."""
    async with open_talk("ann") as talk:
        message = await talk.say("before")
        answers = [
            await talk.ask("PATCH", f"/messages/{message['id']}", body={"body": "after"}, If_Match='"1"')
            for _ in range(3)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.headers["ETag"] for answer in answers] == ['"2"'] * 3
        assert [event["type"] for event in await talk.events()] == [
            "room.created",
            "message.created",
            "message.updated",
        ]


# If-Match, `rev` in the body, and whether a message at its second version is changed.
CONDITIONS: list[tuple[str | None, int | None, bool]] = [
    (None, None, True),
    ("*", None, True),
    ('"2"', None, True),
    ('"1", "2"', None, True),
    (' "1" ,"2"', None, True),
    (', "1" ,, "2",', None, True),
    ('"1"', None, False),
    ('W/"2"', None, False),
    ('W/"1", "2"', None, True),
    ('"02", "x", ""', None, False),
    ('"2", "9999999999999999999999"', None, True),
    (None, 2, True),
    (None, 1, False),
    (None, 3, False),
    ("*", 2, True),
    ("*", 1, False),
    ('"2"', 2, True),
    ('"1"', 2, False),
    ('"2"', 1, False),
    ('"1"', 1, False),
]


async def test_an_edit_on_a_condition_changes_the_version_that_was_meant_or_none() -> None:
    """If-Match as RFC 9110 has it, or `rev`: either is enough to refuse, with 412."""
    async with open_talk("ann") as talk:
        for condition, rev, goes in CONDITIONS:
            path = f"/messages/{(await talk.say('first'))['id']}"
            assert (await talk.ask("GET", path)).headers["ETag"] == '"1"'
            await talk.ask("PATCH", path, body={"body": "second"})
            body = {"body": "third"} if rev is None else {"body": "third", "rev": rev}
            headers = {} if condition is None else {"If_Match": condition}
            answer = await talk.ask("PATCH", path, body=body, **headers)
            expected = (200, '"3"') if goes else (412, None)
            assert (answer.status_code, answer.headers.get("ETag")) == expected, (condition, rev)
            assert (await talk.get(path))["body"] == ("third" if goes else "second")


async def test_a_condition_that_cannot_be_read_is_refused() -> None:
    """Rather than taken for one that holds, or for none."""
    async with open_talk("ann") as talk:
        path = f"/messages/{(await talk.say('first'))['id']}"
        for condition in ("2", '"2', "W/2", '"2" "3"', "'2'", '"2"x', ","):
            refused = await talk.refused("PATCH", path, body={"body": "b"}, If_Match=condition)
            assert refused == (422, "validation_failed", ["/If-Match"]), condition


WRONG_EDITS: list[tuple[object, str]] = [
    ({}, ""),
    ({"body": None}, "/body"),
    ({"body": 1}, "/body"),
    ({"body": ""}, "/body"),
    ({"body": " \n\t"}, "/body"),
    ({"body": "x" * 4001}, "/body"),
    ({"body": "b", "rev": 0}, "/rev"),
    ({"body": "b", "rev": "1"}, "/rev"),
    ({"body": "b", "rev": 2**53}, "/rev"),
    ({"body": "b", "author": "u_1"}, ""),
    (["b"], ""),
]


async def test_a_wrong_edit_is_refused_at_its_place() -> None:
    """422 with the pointer; the message stays as it was."""
    async with open_talk("ann") as talk:
        message = await talk.say("first")
        path = f"/messages/{message['id']}"
        for body, pointer in WRONG_EDITS:
            assert await talk.refused("PATCH", path, body=body) == (422, "validation_failed", [pointer]), body
        assert await talk.get(path) == message


WRONG_POSTS: list[tuple[dict[str, object], str]] = [
    ({"client_msg_id": "scheduled:1"}, "/client_msg_id"),
    ({"client_msg_id": ""}, "/client_msg_id"),
    ({"mentions": ["u_1"] * 51}, "/mentions"),
    ({"mentions": "u_1"}, "/mentions"),
    ({"mentions": ["u" * 65]}, "/mentions/0"),
    ({"expires_in": 0}, "/expires_in"),
    ({"expires_in": 365 * 86_400 + 1}, "/expires_in"),
    ({"expires_in": 1.5}, "/expires_in"),
    ({"reply_to": ""}, "/reply_to"),
    ({"thread_root": 1}, "/thread_root"),
    ({"body": "\u3000"}, "/body"),
    ({"files": []}, ""),
]


async def test_a_wrong_post_is_refused_at_its_place() -> None:
    """What a post may say besides its text is checked before the room is asked."""
    async with open_talk("ann") as talk:
        for fields, pointer in WRONG_POSTS:
            body = {"client_msg_id": "c", "body": "b", **fields}
            refused = await talk.refused("POST", f"{talk.rooms}/messages", body=body)
            assert refused == (422, "validation_failed", [pointer]), fields
        assert len(await talk.events()) == 1


async def test_a_post_answers_mentions_and_expires() -> None:
    """All of its fields are in the message, and only those who are members are called."""
    async with open_talk("ann", "bob", "eve") as talk:
        talk.office.add_user("zoe")
        root = await talk.say("root")
        people = [talk.office.ids[name] for name in ("eve", "zoe")]
        message = await talk.say(
            "hi @bob and @zoe", reply_to=root["id"], thread_root=root["id"], mentions=people, expires_in=60
        )
        assert message["mentions"] == [talk.office.ids["bob"], talk.office.ids["eve"]]
        assert (message["reply_to"], message["thread_root"]) == (root["id"], root["id"])
        assert message["expires_at"] > message["created_at"]
        assert await talk.refused(
            "POST", f"{talk.rooms}/messages", body={"client_msg_id": "x", "body": "b", "reply_to": NO_MESSAGE}
        ) == (404, "not_found", [])


async def test_only_its_author_edits_a_message() -> None:
    """Not the owner of the room, not once the author may not speak, and nobody once it is deleted."""
    async with open_talk("ann", "bob") as talk:
        message = await talk.say("bob's", caller="bob")
        path = f"/messages/{message['id']}"
        assert await talk.refused("PATCH", path, caller="ann", body={"body": "b"}) == (403, "forbidden", [])
        await talk.do("PUT", f"{talk.rooms}/mutes/{talk.office.ids['bob']}")
        assert await talk.refused("PATCH", path, caller="bob", body={"body": "b"}) == (403, "muted", [])
        await talk.do("DELETE", f"{talk.rooms}/mutes/{talk.office.ids['bob']}")
        await talk.do("DELETE", path, caller="ann")
        await talk.do("DELETE", path, caller="ann")
        assert await talk.refused("PATCH", path, caller="bob", body={"body": "b"}) == (409, "conflict", [])
        gone = await talk.get(path)
        assert (gone["deleted"], gone["body"], gone["seq"]) == (True, "", message["seq"])


async def test_revisions_are_for_the_author_and_for_moderators() -> None:
    """Every version, the present one last, page by page; a deleted message has none."""
    async with open_talk("ann", "bob", "eve") as talk:
        message = await talk.say("v1", caller="bob")
        path = f"/messages/{message['id']}"
        first = {"rev": 1, "body": "v1", "at": message["created_at"]}
        assert await talk.get(f"{path}/revisions", caller="bob") == {"items": [first], "next_cursor": None}
        for number in (2, 3, 4):
            await talk.ask("PATCH", path, caller="bob", body={"body": f"v{number}"})
        for caller in ("bob", "ann"):
            found = (await talk.get(f"{path}/revisions", caller=caller))["items"]
            assert [(one["rev"], one["body"]) for one in found] == [(1, "v1"), (2, "v2"), (3, "v3"), (4, "v4")]
            assert (found[0], found[3]["at"]) == (first, (await talk.get(path))["edited_at"])
        for limit in (1, 2, 3, 4):
            revs, cursor = [], ""
            while True:
                page = await talk.get(f"{path}/revisions?limit={limit}{cursor}", caller="bob")
                revs += [one["rev"] for one in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert revs == [1, 2, 3, 4]
        assert await talk.refused("GET", f"{path}/revisions", caller="eve") == (403, "forbidden", [])
        await talk.do("DELETE", path, caller="bob")
        assert (await talk.get(f"{path}/revisions", caller="ann"))["items"] == []


async def test_a_thread_is_its_replies_in_their_order() -> None:
    """Replies to replies stay in it; one that is deleted leaves it, and the count agrees."""
    async with open_talk("ann", "bob") as talk:
        root = await talk.say("root")
        replies = [await talk.say(f"r{number}", caller="bob", thread_root=root["id"]) for number in range(4)]
        replies.append(await talk.say("nested", thread_root=replies[0]["id"], reply_to=replies[0]["id"]))
        await talk.say("elsewhere", reply_to=root["id"])
        path = f"/messages/{root['id']}"
        assert (await talk.get(f"{path}/replies"))["items"] == replies
        found, cursor = [], ""
        for _ in range(3):
            page = await talk.get(f"{path}/replies?limit=2{cursor}", caller="bob")
            found += page["items"]
            cursor = f"&cursor={page['next_cursor']}"
        assert found == replies
        assert page["next_cursor"] is None
        await talk.do("DELETE", f"/messages/{replies[1]['id']}", caller="bob")
        assert (await talk.get(path))["reply_count"] == 4
        assert [one["body"] for one in (await talk.get(f"{path}/replies"))["items"]] == ["r0", "r2", "r3", "nested"]
        assert (await talk.get(f"/messages/{replies[0]['id']}/replies"))["items"] == []


async def test_many_messages_go_in_one_event_or_none_does() -> None:
    """Named twice or deleted already is no fault; one that is not there, or not one's to delete, keeps them all."""
    async with open_talk("ann", "bob") as talk:
        other = await talk.another()
        foreign = await other.say("of another room")
        ids = [(await talk.say(f"m{number}", caller="bob"))["id"] for number in range(4)]
        own = (await talk.say("ann's"))["id"]
        path = f"{talk.rooms}/messages/bulk-delete"
        before = await talk.events()
        for wrong in (NO_MESSAGE, foreign["id"], "x"):
            assert await talk.refused("POST", path, body={"messages": [*ids, wrong]}) == (404, "not_found", [])
        assert await talk.refused("POST", path, caller="bob", body={"messages": [*ids, own]}) == (403, "forbidden", [])
        assert await talk.events() == before
        await talk.do("DELETE", f"/messages/{ids[3]}")
        await talk.do("POST", path, body={"messages": [*ids, ids[0], own]})
        await talk.do("POST", path, body={"messages": ids})
        events = (await talk.events())[len(before) :]
        assert [event["type"] for event in events] == ["message.deleted", "message.bulk_deleted"]
        assert [gone["id"] for gone in events[1]["data"]["messages"]] == [*ids[:3], own]
        assert all([(await talk.get(f"/messages/{one}"))["deleted"] for one in (*ids, own)])


WRONG_LISTS: list[tuple[object, str]] = [
    ({}, ""),
    ({"messages": []}, "/messages"),
    ({"messages": [f"m_{number}" for number in range(101)]}, "/messages"),
    ({"messages": "m_1"}, "/messages"),
    ({"messages": [1]}, "/messages/0"),
    ({"messages": [""]}, "/messages/0"),
    ({"messages": ["m_1"], "room": "r_1"}, ""),
]


async def test_a_wrong_list_of_messages_is_refused_at_its_place() -> None:
    """One to a hundred ids, and nothing else."""
    async with open_talk("ann") as talk:
        for body, pointer in WRONG_LISTS:
            refused = await talk.refused("POST", f"{talk.rooms}/messages/bulk-delete", body=body)
            assert refused == (422, "validation_failed", [pointer]), body


CALLS: list[tuple[str, str, object]] = [
    ("GET", "", None),
    ("PATCH", "", {"body": "b"}),
    ("DELETE", "", None),
    ("GET", "/revisions", None),
    ("GET", "/replies", None),
    ("GET", "/reactions", None),
    ("PUT", "/reactions/x", None),
    ("DELETE", "/reactions/x", None),
]


async def test_strangers_hear_the_same_of_a_message_and_of_none() -> None:
    """To the letter: a room that one may not know of has no messages, and neither has what is no id at all."""
    async with open_talk("ann") as talk:
        message = (await talk.say("private"))["id"]
        talk.office.add_user("zoe")
        for method, path, body in CALLS:
            problems = []
            for one in (message, NO_MESSAGE, "m_1", "%00", "x" * 300, "%F0%9F%98%80"):
                answer = await talk.ask(method, f"/messages/{one}{path}", caller="zoe", body=body)
                problem = await answer.get_json(force=True)
                problems.append([problem[key] for key in ("status", "code", "title", "detail")])
            assert problems[0][:2] == [404, "not_found"], (method, path)
            assert problems == [problems[0]] * 6, (method, path)


async def test_what_was_there_before_one_came_is_not_there() -> None:
    """A message at or below one's floor is no message, whatever one wants of it."""
    async with open_talk("ann", settings={"history_visibility": "since_join"}) as talk:
        message = (await talk.say("before"))["id"]
        talk.office.add_user("bob")
        await talk.do("PUT", f"{talk.rooms}/members/{talk.office.ids['bob']}")
        for method, path, body in CALLS:
            refused = await talk.refused(method, f"/messages/{message}{path}", caller="bob", body=body)
            assert refused == (404, "not_found", []), (method, path)
        assert (await talk.get(f"/messages/{message}"))["body"] == "before"


async def test_what_is_no_id_is_asked_of_no_store() -> None:
    """Some stores take no NUL: to them it would be a failure and not a message that is not there."""
    async with open_talk("ann") as talk:
        talk.office.switch.down, talk.office.switch.spared = True, frozenset({"user", "session"})
        for odd in ("%00", "m_1", "x" * 300):
            assert await talk.refused("GET", f"/messages/{odd}") == (404, "not_found", []), odd
            assert await talk.refused("PUT", f"{talk.rooms}/pins/{odd}") == (404, "not_found", []), odd
            path = f"{talk.rooms}/reports/{odd}/{talk.office.ids['ann']}"
            assert await talk.refused("DELETE", path) == (404, "not_found", []), odd
            assert await talk.refused("DELETE", f"{talk.rooms}/scheduled/{odd}") == (404, "not_found", []), odd

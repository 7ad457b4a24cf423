"""Reports over REST: told by members, read and put away by moderators, and seen by nobody else."""

from __future__ import annotations

from justchat.rooms.commands import TrimHistory
from justchat.wire.events import SYSTEM
from tests.http.talk import open_talk, quoted

NO_MESSAGE = "m_01a1fdb2f15672849aae512f789e0948"


async def test_a_report_reaches_the_moderators_and_nobody_else() -> None:
    """Once for each who reports; it is in no event and no message; the message is shown as it reads now."""
    async with open_talk("ann", "bob", "eve") as talk:
        message = await talk.say("rude", caller="eve")
        path, before = f"/messages/{message['id']}/reports", await talk.events()
        await talk.do("POST", path, caller="bob", body={"reason": " rude \n"})
        await talk.do("POST", path, caller="bob", body={"reason": "again"})
        await talk.do("POST", path, caller="ann", body={"reason": "x" * 1000})
        (bob_report, ann_report) = sorted(
            (await talk.get(f"{talk.rooms}/reports"))["items"], key=lambda item: len(item["reason"])
        )
        assert (bob_report["message"], bob_report["reason"]) == (message, "rude")
        assert (bob_report["user"]["id"], ann_report["user"]["username"]) == (talk.office.ids["bob"], "ann")
        assert bob_report["at"] >= message["created_at"]
        for caller in ("bob", "eve"):
            assert await talk.refused("GET", f"{talk.rooms}/reports", caller=caller) == (403, "forbidden", [])
        assert await talk.events() == before
        await talk.ask("PATCH", f"/messages/{message['id']}", caller="eve", body={"body": "polite"})
        bodies = [item["message"]["body"] for item in (await talk.get(f"{talk.rooms}/reports"))["items"]]
        assert bodies == ["polite", "polite"]


async def test_a_report_is_put_away_by_a_moderator() -> None:
    """Once is enough, and only that one of that user's goes."""
    async with open_talk("ann", "bob", "eve") as talk:
        message = (await talk.say("rude", caller="eve"))["id"]
        for caller in ("ann", "bob"):
            await talk.do("POST", f"/messages/{message}/reports", caller=caller, body={"reason": "rude"})
        own = f"{talk.rooms}/reports/{message}/{talk.office.ids['bob']}"
        assert await talk.refused("DELETE", own, caller="bob") == (403, "forbidden", [])
        await talk.do("DELETE", own)
        await talk.do("DELETE", own)
        (left,) = (await talk.get(f"{talk.rooms}/reports"))["items"]
        assert left["user"]["username"] == "ann"
        for path in (f"{message}/u_1", f"m_1/{talk.office.ids['bob']}", "%00/%00"):
            assert await talk.refused("DELETE", f"{talk.rooms}/reports/{path}") == (404, "not_found", [])


async def test_reports_are_listed_once_each_over_all_pages() -> None:
    """Whatever the page's size; a made-up cursor finds a page or none."""
    async with open_talk("ann", "bob", "eve") as talk:
        ids = [(await talk.say(f"m{number}"))["id"] for number in range(3)]
        for message in ids:
            for caller in ("bob", "eve"):
                await talk.do("POST", f"/messages/{message}/reports", caller=caller, body={"reason": "r"})
        expected = sorted((message, caller) for message in ids for caller in ("bob", "eve"))
        for limit in (1, 2, 4, 5, 6, 7):
            found, cursor = [], ""
            while True:
                page = await talk.get(f"{talk.rooms}/reports?limit={limit}{cursor}")
                found += [(item["message"]["id"], item["user"]["username"]) for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={quoted(page['next_cursor'])}"
            assert sorted(found) == expected, limit
        assert (await talk.get(f"{talk.rooms}/reports?cursor=made-up"))["next_cursor"] is None


async def test_reports_go_with_history_and_what_is_deleted_cannot_be_reported() -> None:
    """A report of what was deleted since stays, so that it is known that there was something."""
    async with open_talk("ann", "bob") as talk:
        ids = [(await talk.say(f"m{number}"))["id"] for number in range(2)]
        for message in ids:
            await talk.do("POST", f"/messages/{message}/reports", caller="bob", body={"reason": "r"})
            await talk.do("DELETE", f"/messages/{message}")
        assert [item["message"]["deleted"] for item in (await talk.get(f"{talk.rooms}/reports"))["items"]] == [True] * 2
        refused = await talk.refused("POST", f"/messages/{ids[0]}/reports", body={"reason": "r"})
        assert refused == (409, "conflict", [])
        await talk.command(TrimHistory(SYSTEM, 2))
        assert [item["message"]["id"] for item in (await talk.get(f"{talk.rooms}/reports"))["items"]] == [ids[1]]
        assert await talk.refused("POST", f"/messages/{ids[0]}/reports", body={"reason": "r"}) == (404, "not_found", [])


async def test_a_wrong_report_is_refused_at_its_place() -> None:
    """A reason is some text of at most a thousand characters."""
    async with open_talk("ann") as talk:
        path = f"/messages/{(await talk.say('m'))['id']}/reports"
        wrong: list[tuple[object, str]] = [
            ({}, ""),
            ({"reason": ""}, "/reason"),
            ({"reason": " \n"}, "/reason"),
            ({"reason": None}, "/reason"),
            ({"reason": "x" * 1001}, "/reason"),
            ({"reason": "r", "message": "m_1"}, ""),
        ]
        for body, pointer in wrong:
            assert await talk.refused("POST", path, body=body) == (422, "validation_failed", [pointer]), body
        assert (await talk.get(f"{talk.rooms}/reports"))["items"] == []


async def test_strangers_hear_the_same_of_a_message_and_of_none() -> None:
    """And of a private room and none, whatever they want with its reports."""
    async with open_talk("ann") as talk:
        message = (await talk.say("m"))["id"]
        user = talk.office.add_user("zoe")
        calls = [
            ("POST", f"/messages/{message}/reports", f"/messages/{NO_MESSAGE}/reports", {"reason": "r"}),
            ("GET", f"{talk.rooms}/reports", "/rooms/r_01a1fdb2f15672849aae512f789e0948/reports", None),
            (
                "DELETE",
                f"{talk.rooms}/reports/{message}/{user}",
                f"/rooms/r_01a1fdb2f15672849aae512f789e0948/reports/{message}/{user}",
                None,
            ),
        ]
        for method, known, unknown, body in calls:
            problems = []
            for path in (known, unknown):
                answer = await talk.ask(method, path, caller="zoe", body=body)
                problem = await answer.get_json(force=True)
                problems.append([problem[key] for key in ("status", "code", "title", "detail")])
            assert problems[0] == problems[1], method
            assert problems[0][:2] == [404, "not_found"]

"""A room's past by seq: pages that end where one's sight ends, and say so; and reading one's own writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from justchat.rooms.commands import TrimHistory
from justchat.wire.events import SYSTEM
from tests.http.talk import Talk, open_talk


def seqs(page: Any) -> list[int]:
    return [item["seq"] for item in page["items"]]


@asynccontextmanager
async def _late_comer() -> AsyncIterator[Talk]:
    """Open a room that shows nobody what was before them: seqs 2 to 4 are posts, 5 is bob's coming, then 6 and 7."""
    async with open_talk("ann", settings={"history_visibility": "since_join"}) as talk:
        for number in range(3):
            await talk.say(f"before {number}")
        await talk.do("PUT", f"{talk.rooms}/members/{talk.office.add_user('bob')}")
        for number in range(2):
            await talk.say(f"after {number}")
        yield talk


@asynccontextmanager
async def _trimmed() -> AsyncIterator[Talk]:
    """Open a room whose history is trimmed up to seq 4: 2 to 6 are posts, 7 is the trimming, then 8."""
    async with open_talk("ann", "bob") as talk:
        for number in range(5):
            await talk.say(f"m{number}")
        await talk.command(TrimHistory(SYSTEM, 4))
        await talk.say("after")
        yield talk


MESSAGES: list[tuple[str, list[int], list[int]]] = [
    ("", [2, 3, 4, 6, 7], [6, 7]),
    ("?limit=3", [4, 6, 7], [6, 7]),
    ("?after=0", [2, 3, 4, 6, 7], [6, 7]),
    ("?after=0&limit=2", [2, 3], [6, 7]),
    ("?after=6", [7], [7]),
    ("?before=7", [2, 3, 4, 6], [6]),
    ("?before=7&limit=2", [4, 6], [6]),
    ("?before=5", [2, 3, 4], []),
    ("?around=3&limit=2", [2, 3], [6]),
    ("?around=6&limit=4", [3, 4, 6, 7], [6, 7]),
    ("?around=7", [2, 3, 4, 6, 7], [6, 7]),
]


async def test_messages_from_before_one_came_are_on_no_page() -> None:
    """However the page is asked for; who was there sees them all."""
    async with _late_comer() as talk:
        for query, for_ann, for_bob in MESSAGES:
            assert seqs(await talk.get(f"{talk.rooms}/messages{query}")) == for_ann, query
            assert seqs(await talk.get(f"{talk.rooms}/messages{query}", caller="bob")) == for_bob, query


EVENTS: list[tuple[str, list[int], bool, str | None]] = [
    ("", [5, 6, 7], False, None),
    ("?limit=2", [5, 6], True, None),
    ("?after=0", [5, 6, 7], False, "history_visibility"),
    ("?after=0&limit=1", [5], True, "history_visibility"),
    ("?after=3", [5, 6, 7], False, "history_visibility"),
    ("?after=4", [5, 6, 7], False, None),
    ("?after=6", [7], False, None),
    ("?after=7", [], False, None),
    ("?after=99", [], False, None),
    ("?before=7", [5, 6], False, None),
    ("?before=7&limit=1", [6], True, None),
    ("?before=6&limit=1", [5], False, None),
    ("?before=5", [], False, None),
    ("?before=3", [], False, None),
]


async def test_a_page_of_events_says_where_ones_sight_ends() -> None:
    """`floor_seq` always; `reset` where the page does not begin where it was asked to."""
    async with _late_comer() as talk:
        for query, found, more, reset in EVENTS:
            page = await talk.get(f"{talk.rooms}/events{query}", caller="bob")
            assert (seqs(page), page["more"], page.get("reset")) == (found, more, reset), query
            assert (page["floor_seq"], page["head_seq"]) == (4, 7), query
            whole = await talk.get(f"{talk.rooms}/events{query}")
            assert (whole["floor_seq"], "reset" in whole) == (0, False), query


TRIMMED: list[tuple[str, list[int], str | None]] = [
    ("", [5, 6, 7, 8], None),
    ("?after=0", [5, 6, 7, 8], "retention"),
    ("?after=3", [5, 6, 7, 8], "retention"),
    ("?after=4", [5, 6, 7, 8], None),
    ("?before=7", [5, 6], None),
    ("?before=5", [], None),
]


async def test_what_is_trimmed_is_on_no_page_of_events() -> None:
    """The page begins above it and says so, to everybody."""
    async with _trimmed() as talk:
        for query, found, reset in TRIMMED:
            for caller in ("ann", "bob"):
                page = await talk.get(f"{talk.rooms}/events{query}", caller=caller)
                assert (seqs(page), page["floor_seq"], page.get("reset")) == (found, 4, reset), query
        assert seqs(await talk.get(f"{talk.rooms}/messages?after=0")) == [5, 6, 8]
        assert seqs(await talk.get(f"{talk.rooms}/messages?around=4")) == [5, 6, 8]


async def test_the_repeat_of_a_post_that_is_trimmed_is_known_as_one() -> None:
    """Its place and number are told, its text is nobody's any more; another text under its id is refused."""
    async with open_talk("ann", "bob") as talk:
        body = {"client_msg_id": "one", "body": "first"}
        posted = await (await talk.ask("POST", f"{talk.rooms}/messages", body=body)).get_json()
        await talk.say("second")
        await talk.command(TrimHistory(SYSTEM, posted["seq"]))
        head = (await talk.get(talk.rooms))["head_seq"]
        again = await talk.ask("POST", f"{talk.rooms}/messages", body=body)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        kept = ("id", "room", "seq", "msg_no", "author", "created_at", "client_msg_id")
        known = {name: posted[name] for name in kept}
        assert await again.get_json() == known | {"rev": 1, "body": "", "deleted": True}
        other = await talk.refused("POST", f"{talk.rooms}/messages", body=body | {"body": "other"})
        assert other[:2] == (422, "idempotency_mismatch")
        assert (await talk.ask("GET", f"/messages/{posted['id']}")).status_code == 404
        assert (await talk.get(talk.rooms))["head_seq"] == head


async def test_what_nobody_can_have_any_more_is_the_reason_before_what_one_may_not_see() -> None:
    """As for a position that a socket resumes from: retention up to where it goes, and one's coming above it."""
    async with _late_comer() as talk:
        path = f"{talk.rooms}/events?after=1"
        await talk.command(TrimHistory(SYSTEM, 3))
        for caller, floor in (("ann", 3), ("bob", 4)):
            page = await talk.get(path, caller=caller)
            assert (page["floor_seq"], page["reset"]) == (floor, "retention")
        page = await talk.get(f"{talk.rooms}/events?after=3", caller="bob")
        assert (page["floor_seq"], page["reset"]) == (4, "history_visibility")
        await talk.command(TrimHistory(SYSTEM, 6))
        for caller in ("ann", "bob"):
            page = await talk.get(path, caller=caller)
            assert (page["floor_seq"], page["reset"]) == (6, "retention")


async def test_what_is_trimmed_between_the_question_and_the_reading_is_left_out() -> None:
    """The room said that it is there, and storage has it no longer: the page begins above, and says so."""
    async with open_talk("ann") as talk:
        for number in range(5):
            await talk.say(f"m{number}")
        read = talk.office.system.storage.journal.read

        async def trim_first(*place: Any, **options: Any) -> Any:
            talk.office.system.storage.journal.read = read  # type: ignore[method-assign]
            await talk.command(TrimHistory(SYSTEM, 4))
            return await read(*place, **options)

        talk.office.system.storage.journal.read = trim_first  # type: ignore[method-assign]
        page = await talk.get(f"{talk.rooms}/events?after=2")
        assert (seqs(page), page["floor_seq"], page["reset"], page["more"]) == ([5, 6], 4, "retention", False)


async def test_a_read_as_of_a_seq_waits_for_it() -> None:
    """It is answered once the room has come so far, with what is there by then; it need not be asked again."""
    async with open_talk("ann") as talk:
        message = f"/messages/{(await talk.say('first'))['id']}"
        listings = [talk.rooms, *(f"{talk.rooms}/{name}" for name in ("messages", "events", "pins"))]
        for number, path in enumerate((*listings, message, f"{message}/replies", f"{message}/revisions")):
            answers: list[Any] = []

            async def read(path: str, seq: int, answers: list[Any]) -> None:
                answers.append(await talk.get(f"{path}?min_seq={seq}"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, path, number + 3, answers)
                await wait_all_tasks_blocked()
                assert answers == [], path
                await talk.ask("PATCH", message, body={"body": f"version {number}"})
            assert answers, path
            if path == message:
                assert answers[0]["body"] == f"version {number}"


async def test_a_seq_that_does_not_come_is_refused_in_time(autojump_clock: object) -> None:
    """412, and when to ask again; what is below the head is there at once."""
    async with open_talk("ann") as talk:
        answer = await talk.ask("GET", f"{talk.rooms}/messages?min_seq=2")
        problem = await answer.get_json(force=True)
        assert (answer.status_code, problem["code"]) == (412, "seq_unavailable")
        assert problem["retry_after"] > 0
        assert (await talk.ask("GET", f"{talk.rooms}/messages?min_seq=1")).status_code == 200


async def test_a_seq_that_is_none_is_refused_by_name() -> None:
    """Everywhere alike."""
    async with open_talk("ann") as talk:
        message = f"/messages/{(await talk.say('first'))['id']}"
        listings = [f"{talk.rooms}/{name}" for name in ("messages", "events", "pins", "reports", "scheduled")]
        for path in (*listings, message, *(f"{message}/{name}" for name in ("replies", "revisions", "reactions"))):
            for value in ("-1", "x", "", "1.5", str(2**53)):
                refused = await talk.refused("GET", f"{path}?min_seq={value}")
                assert refused == (422, "validation_failed", ["/min_seq"]), (path, value)

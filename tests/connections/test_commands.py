"""Commands of one connection: each gets one answer, and what floods, stalls or comes too late is met with a refusal."""

from __future__ import annotations

import trio

from justchat.connections.rate import TokenBucket
from justchat.connections.services import ConnectionLimits
from tests.connections.house import ROOM, open_house, settle
from tests.rooms.world import Crash


async def test_every_kind_of_command_is_answered_once_whatever_is_wrong_with_it(autojump_clock: object) -> None:
    """Good, refused by the room, refused by the rules of bodies, for no room, a second hello: one answer each."""
    async with open_house() as house:
        await house.create("u_2")
        _, socket = house.connect("u_2")
        none = "r_none"
        asked = {
            socket.say("send", room=ROOM, data={"client_msg_id": "1", "body": "hello"}): ("ack", None),
            socket.say("send", room=ROOM, data={"client_msg_id": "1", "body": "other"}): (
                "error",
                "idempotency_mismatch",
            ),
            socket.say("send", room=ROOM, data={"client_msg_id": "2", "body": "  "}): ("error", "validation_failed"),
            socket.say("send", room=ROOM, data={"body": "x"}): ("error", "validation_failed"),
            socket.say("send", room=none, data={"client_msg_id": "3", "body": "x"}): ("error", "not_a_member"),
            socket.say("delete", room=ROOM, data={"message": "m_none"}): ("error", "not_found"),
            socket.say("delete", room=none, data={"message": "m_none"}): ("error", "not_a_member"),
            socket.say("subscribe", room=none): ("error", "not_a_member"),
            socket.say("subscribe", room=ROOM, data={"after": 99}): ("reset", None),
            socket.say("unsubscribe", room=none): ("unsubscribed", None),
            socket.say("fetch", room=none): ("error", "not_a_member"),
            socket.say("fetch", room=ROOM, data={"before": 0}): ("page", None),
            socket.say("ping"): ("pong", None),
            socket.say("hello"): ("error", "invalid_frame"),
            socket.say("dance"): ("error", "invalid_frame"),
        }
        await settle()
        for frame_id, (kind, code) in asked.items():
            (answer,) = socket.answers(frame_id)
            assert (answer["type"], answer["data"].get("code") if "data" in answer else None) == (kind, code), answer
        assert not socket.closed


async def test_the_third_frame_that_is_none_closes_and_odd_fields_do_not(autojump_clock: object) -> None:
    """Field errors are the client's bug and cost tokens only; frames that are none are three strikes."""
    async with open_house() as house:
        _, socket = house.connect()
        for _ in range(10):
            socket.say("send", room=ROOM, data={"wrong": 1})
        socket.raw("not json")
        socket.raw("[]")
        await settle()
        assert not socket.closed
        socket.raw('{"type":"ping","type":"ping"}')
        await settle()
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4500


async def test_refused_frames_cost_as_much_as_accepted_ones(autojump_clock: object) -> None:
    """A flood of frames with wrong fields meets the rate limit, is answered all the same, and is cut in the end."""
    limits = ConnectionLimits(command_rate=10, command_burst=5, rate_strikes=20)
    async with open_house(limits=limits) as house:
        _, socket = house.connect()
        asked = [socket.say("send", room=ROOM, data={"wrong": 1}) for _ in range(20)]
        await settle()
        codes = [socket.answers(frame_id)[0]["data"]["code"] for frame_id in asked]
        assert codes == ["validation_failed"] * 5 + ["rate_limited"] * 15
        assert socket.answers(asked[-1])[0]["data"]["retry_after"] > 0
        for _ in range(20):
            socket.say("send", room=ROOM, data={"wrong": 1})
        await settle()
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4004


async def test_whoever_keeps_to_the_rate_after_a_burst_is_never_closed(autojump_clock: object) -> None:
    """Strikes for speed are forgiven, one a second."""
    async with open_house(limits=ConnectionLimits(command_rate=10, command_burst=5, rate_strikes=10)) as house:
        _, socket = house.connect()
        for _ in range(30):
            for _ in range(6):
                socket.say("ping")
            await trio.sleep(1)
        assert not socket.closed


async def test_commands_beyond_those_that_may_be_pending_are_refused_at_once(autojump_clock: object) -> None:
    """The room is slow; the answers of the others come, each once, and late ones are refused by the sweep."""
    async with open_house(limits=ConnectionLimits(command_rate=0, pending_commands=4)) as house:
        await house.create()
        _, socket = house.connect()
        house.journal.append_seconds = 2
        asked = [socket.say("send", room=ROOM, data={"client_msg_id": f"{n}", "body": "b"}) for n in range(6)]
        await settle()
        assert [len(socket.answers(frame_id)) for frame_id in asked] == [0, 0, 0, 0, 1, 1]
        assert socket.answers(asked[5])[0]["data"]["code"] == "room_overloaded"
        await trio.sleep(10)
        assert [socket.answers(frame_id)[0]["type"] for frame_id in asked[:4]] == ["ack"] * 4


async def test_an_answer_that_does_not_come_in_time_is_refused_once_and_its_repeat_tells_the_truth(
    autojump_clock: object,
) -> None:
    """`room_unavailable` after the deadline; the commit goes on, and the same client_msg_id finds it."""
    async with open_house() as house:
        await house.create()
        _, socket = house.connect()
        house.journal.append_seconds = 9
        asked = socket.say("send", room=ROOM, data={"client_msg_id": "x", "body": "b"})
        await trio.sleep(30)
        assert [answer["data"]["code"] for answer in socket.answers(asked)] == ["room_unavailable"]
        again = socket.say("send", room=ROOM, data={"client_msg_id": "x", "body": "b"})
        await settle()
        (answer,) = socket.answers(again)
        assert (answer["type"], answer["seq"], answer["data"]["duplicate"]) == ("ack", 2, True)


async def test_a_room_that_crashes_over_a_command_answers_it(autojump_clock: object) -> None:
    """Decided again after the crash: one ack, and one event."""
    crashed = False

    def fault(point: str, room: str) -> None:
        nonlocal crashed
        if point == "after_commit" and not crashed:
            crashed = True
            raise Crash(point)

    async with open_house(fault=fault) as house:
        crashed = True
        await house.create()
        _, socket = await house.subscribed()
        crashed = False
        asked = socket.say("send", room=ROOM, data={"client_msg_id": "x", "body": "b"})
        await trio.sleep(1)
        assert [answer["type"] for answer in socket.answers(asked)] == ["ack"]
        assert socket.seqs(ROOM) == [2]


async def test_a_fetched_page_is_clipped_to_the_configured_size(autojump_clock: object) -> None:
    """`history_max` holds for fetch and for snapshots, whatever the frame asks for; `more` says there is more."""
    async with open_house(limits=ConnectionLimits(command_rate=0, history_max=3)) as house:
        await house.create(posts=9)
        _, socket = house.connect()
        page = socket.say("fetch", room=ROOM, data={"limit": 50})
        first = socket.say("fetch", room=ROOM, data={"after": 0, "limit": 50})
        snapshot = socket.say("subscribe", room=ROOM, data={"history": 50})
        await settle()
        events = [socket.answers(frame_id)[0]["data"]["events"] for frame_id in (page, first, snapshot)]
        assert [[event["seq"] for event in found] for found in events] == [[8, 9, 10], [1, 2, 3], [8, 9, 10]]
        assert socket.answers(page)[0]["data"]["more"] is socket.answers(first)[0]["data"]["more"] is True


async def test_draining_refuses_commands_and_goodbye_closes(autojump_clock: object) -> None:
    """New commands hear `draining`; goodbye comes before the close, once, however often it is said."""
    async with open_house() as house:
        await house.create()
        connection, socket = await house.subscribed()
        house.rooms.start_draining()
        asked = [
            socket.say("send", room=ROOM, data={"client_msg_id": "x", "body": "b"}),
            socket.say("fetch", room=ROOM),
            socket.say("subscribe", room=ROOM),
        ]
        await settle()
        assert {socket.answers(frame_id)[0]["data"]["code"] for frame_id in asked} == {"draining"}
        connection.say_goodbye()
        connection.say_goodbye()
        assert socket.seen[-1]["type"] == "goodbye"
        assert 500 <= socket.seen[-1]["data"]["reconnect_after_ms"] <= 3000
        assert [frame["type"] for frame in socket.seen].count("goodbye") == 1
        assert socket.closed_with == (1012, "restarting")
        await settle()
        assert len(house.index) == 0


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    """Tokens come back with time, never beyond the burst; a rate of 0 means no limit."""
    bucket = TokenBucket(per_second=2, burst=3, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(10.25) == 0.25
    assert bucket.take(10.5) == 0
    assert [bucket.take(1000.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert TokenBucket(per_second=0, burst=0, now=0).take(0) == 0


async def test_a_bug_in_an_answer_does_not_reach_the_room(autojump_clock: object) -> None:
    """What a connection does wrong in the room's turn costs it its answer and the room nothing."""
    async with open_house() as house:
        await house.create()
        connection, socket = await house.subscribed()
        connection.force = _broken  # type: ignore[method-assign]
        socket.say("send", room=ROOM, data={"client_msg_id": "x", "body": "b"})
        await settle()
        health = house.rooms.health(ROOM)
        assert health is not None
        assert (health.restarts, health.head_seq) == (0, 2)


def _broken(frames: bytes, count: int = 1) -> None:
    raise RuntimeError("a bug")

"""Subscriptions of one connection over real rooms: joins, re-joins, replacement, ends, and what nobody may forget."""

from __future__ import annotations

import pytest
import trio

from actors import RestartPolicy
from justchat.connections.services import ConnectionLimits
from justchat.connections.streams import Join
from justchat.rooms.commands import AddMember, DeleteRoom, LeaveRoom, RemoveMember, UpdateRoom
from justchat.rooms.permissions import Visibility
from justchat.rooms.room_actor import RoomLimits
from tests.connections.house import OWNER, ROOM, open_house, settle
from tests.rooms.world import Crash, message

NO_RING = RoomLimits(ring_entries=0)


async def test_somebody_removed_and_added_again_while_behind_is_followed_again(autojump_clock: object) -> None:
    """A reader that follows all rooms is served up to its removal, and then from the event that let it in again."""
    async with open_house() as house:
        await house.create("u_2")
        _, socket = house.connect("u_2", everything=True, joins=[Join(ROOM, own=True)], max_items=4)
        await settle()
        socket.hold()
        await house.post(*[f"m{number}" for number in range(10)])
        await house.command(RemoveMember(OWNER, "u_2"))
        await house.post("unseen")
        await house.command(AddMember(OWNER, "u_2"))
        await house.command(RemoveMember(OWNER, "u_2"))
        await house.command(AddMember(OWNER, "u_2"))
        socket.release()
        await settle()
        await house.post("live again")
        kinds = socket.kinds(ROOM)
        assert kinds.count("unsubscribed") == 1
        ended = kinds.index("unsubscribed")
        seqs = [frame.get("seq") for frame in socket.of(ROOM) if "actor" in frame]
        assert seqs == [*range(2, 13), *range(14, 18)]
        assert socket.of(ROOM)[ended]["data"] == {"seq": 12, "reason": "removed"}
        assert kinds[ended + 1] == "subscribed"


async def test_a_member_added_and_removed_over_and_over_costs_one_join_in_line(autojump_clock: object) -> None:
    """Whoever does not read can be added a thousand times: the line of joins stays as long as there are rooms."""
    async with open_house() as house:
        await house.create()
        connection, socket = house.connect("u_2", everything=True, max_items=4)
        socket.hold()
        for _ in range(4):
            socket.say("ping")
            await settle()
        for _ in range(30):
            await house.command(AddMember(OWNER, "u_2"))
            await house.command(RemoveMember(OWNER, "u_2"))
        await house.command(AddMember(OWNER, "u_2"))
        assert len(connection._line) <= 1
        socket.release()
        await settle()
        await house.post("live")
        assert socket.seqs(ROOM)[-1] == 63
        assert house.subscribers() == 1


async def test_a_client_may_ask_for_things_while_the_server_joins_all_of_its_rooms(autojump_clock: object) -> None:
    """The bound on requests in line counts what the client asked for, not what the server does for it."""
    async with open_house() as house:
        rooms = [f"r_{number}" for number in range(60)]
        for room in rooms:
            await house.create(room=room)
        _, socket = house.connect(everything=True, joins=[Join(room, own=True) for room in rooms])
        asked = socket.say("fetch", room=rooms[-1], data={"limit": 1})
        await settle()
        assert [frame["type"] for frame in socket.answers(asked)] == ["page"]
        assert {frame["room"] for frame in socket.seen if frame["type"] == "subscribed"} == set(rooms)


async def test_more_requests_than_may_wait_are_refused_and_the_others_answered(autojump_clock: object) -> None:
    """Beyond the bound the answer is room_overloaded with a hint; nothing is left unanswered."""
    async with open_house(limits=ConnectionLimits(command_rate=0, queued_requests=5)) as house:
        await house.create()
        _, socket = house.connect()
        house.journal.read_seconds = 0.1
        asked = [socket.say("fetch", room=ROOM) for _ in range(20)]
        await trio.sleep(5)
        answers = [socket.answers(frame_id) for frame_id in asked]
        assert [len(answer) for answer in answers] == [1] * 20
        refused = [answer[0] for answer in answers if answer[0]["type"] == "error"]
        assert {frame["data"]["code"] for frame in refused} == {"room_overloaded"}
        assert 14 <= len(refused) <= 15
        last = socket.say("fetch", room=ROOM)
        await trio.sleep(5)
        assert socket.answers(last)[0]["type"] == "page"


async def test_a_room_that_rests_is_joined_by_the_server_itself_once_it_is_back(autojump_clock: object) -> None:
    """Whoever follows all rooms named none of them, so nobody else would try again."""
    broken = True

    def fault(point: str, room: str) -> None:
        if broken and point == "loading":
            raise Crash(point)

    async with open_house(fault=fault, policy=RestartPolicy(intensity=1, probe_seconds=10)) as house:
        broken = False
        await house.create(room="r_2")
        await house.create()
        broken = True
        house.rooms.crash(ROOM, Crash("parks it"))
        await trio.sleep(3)
        _, socket = house.connect(everything=True, joins=[Join(ROOM, own=True), Join("r_2", own=True)])
        await settle()
        assert (socket.kinds(ROOM), socket.kinds("r_2")) == ([], ["subscribed"])
        broken = False
        await trio.sleep(30)
        await house.post("hello")
        assert socket.kinds(ROOM) == ["subscribed", "message.created"]


async def test_subscribing_again_replaces_the_subscription_and_nothing_arrives_twice(autojump_clock: object) -> None:
    """Live, behind, or in the middle of catching up: one subscription at a time, its events once and in order."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=30)
        _, socket = house.connect(max_items=6)
        house.journal.read_seconds = 0.05
        for pause in (0, 0.01, 0.06, 0.12, 1):
            socket.say("subscribe", room=ROOM, data={"after": 1})
            await trio.sleep(pause)
        await trio.sleep(1)
        await house.post("live")
        last = [index for index, kind in enumerate(socket.kinds(ROOM)) if kind == "subscribed"][-1]
        tail = [frame["seq"] for frame in socket.of(ROOM)[last:] if "actor" in frame]
        assert tail == list(range(2, 33))
        assert house.subscribers() == 1


async def test_nothing_of_a_room_follows_its_unsubscribed(autojump_clock: object) -> None:
    """Asked for amid a replay, with reads under way: the last frame of the room is the answer."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=40)
        for pause in (0, 0.001, 0.01, 0.05, 0.051, 0.1, 0.2):
            _, socket = house.connect(max_items=6)
            socket.hold()
            house.journal.read_seconds = 0.05
            socket.say("subscribe", room=ROOM, data={"after": 1})
            await trio.sleep(pause)
            asked = socket.say("unsubscribe", room=ROOM)
            socket.release()
            await trio.sleep(2)
            house.journal.read_seconds = 0
            await house.post(f"after {pause}")
            (answer,) = socket.answers(asked)
            assert socket.of(ROOM)[-1] is answer
            assert answer["data"]["seq"] == (socket.seqs(ROOM) or [answer["data"]["seq"]])[-1]
            assert house.subscribers() == 0


@pytest.mark.parametrize("end", ["removed", "left", "deleted", "private"])
@pytest.mark.parametrize("behind", [False, True])
async def test_a_subscription_ends_with_the_event_that_ends_it(autojump_clock: object, end: str, behind: bool) -> None:
    """Live or behind, the last event is the one that ended it, then `unsubscribed`; the room forgets it."""
    commands = {
        "removed": RemoveMember(OWNER, "u_2"),
        "left": LeaveRoom("u_2"),
        "deleted": DeleteRoom(OWNER),
        "private": UpdateRoom(OWNER, visibility=Visibility.PRIVATE),
    }
    async with open_house() as house:
        members = () if end == "private" else ("u_2",)
        await house.create(*members, visibility=Visibility.PUBLIC)
        _, socket = await house.subscribed("u_2", max_items=4)
        if behind:
            socket.hold()
        await house.post(*[f"m{number}" for number in range(8)])
        await house.command(commands[end])
        if end != "deleted":
            await house.post("not for them")
        socket.release()
        await settle()
        assert socket.seqs(ROOM) == list(range(2, 11))
        reason = "removed" if end == "private" else end
        assert socket.of(ROOM)[-1]["data"] == {"seq": 10, "reason": reason}
        assert ("lagging" in socket.kinds(ROOM)) is behind
        assert house.subscribers() == 0


async def test_whoever_leaves_in_the_middle_of_joining_is_not_kept_by_the_room(autojump_clock: object) -> None:
    """The room is busy with a commit when its new subscriber goes: no zombie stays in the table."""
    async with open_house() as house:
        await house.create()
        house.journal.append_seconds = 0.5
        _, socket = house.connect()
        house.submit(message("slow"))
        socket.say("subscribe", room=ROOM)
        await trio.sleep(0.1)
        socket.leave()
        await trio.sleep(2)
        assert (len(house.index), house.subscribers()) == (0, 0)


async def test_a_join_that_the_room_answers_too_late_is_refused_once_and_not_done_all_the_same(
    autojump_clock: object,
) -> None:
    """After `room_unavailable` nothing of the room arrives, and the next try gets everything once."""
    async with open_house() as house:
        await house.create()
        _, socket = house.connect()
        await settle()
        house.journal.append_seconds = 8
        house.submit(message("slow"))
        house.submit(message("slower"))
        asked = socket.say("subscribe", room=ROOM, data={"history": 0})
        await trio.sleep(30)
        assert [frame["data"]["code"] for frame in socket.answers(asked)] == ["room_unavailable"]
        house.journal.append_seconds = 0
        socket.say("subscribe", room=ROOM, data={"history": 0})
        await settle()
        await house.post("once")
        assert socket.seqs(ROOM) == [4]


async def test_a_subscription_that_goes_live_when_nobody_waits_any_more_is_told_so_once(autojump_clock: object) -> None:
    """The room takes longer than the deadline to let it go live: no event is missed or doubled."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=3)
        _, socket = house.connect()
        socket.say("subscribe", room=ROOM, data={"after": 1})
        house.journal.read_seconds = 0.2
        await trio.sleep(0.1)
        house.journal.append_seconds = 9
        house.submit(message("in hand when it asks first"))
        await trio.sleep(3)
        house.submit(message("in hand with what it asks again"))
        await trio.sleep(60)
        house.journal.append_seconds = house.journal.read_seconds = 0
        await house.post("live")
        assert socket.seqs(ROOM) == list(range(2, 8))
        assert socket.kinds(ROOM).count("caught_up") == 1


async def test_the_newest_rooms_are_followed_up_to_the_limit_and_the_others_are_named(autojump_clock: object) -> None:
    """Beyond the limit each room gets an error that names it; leaving one makes place for another."""
    async with open_house(limits=ConnectionLimits(command_rate=0, subscriptions=2)) as house:
        for room in ("r_1", "r_2", "r_3"):
            await house.create(room=room)
        _, socket = house.connect(everything=True, joins=[Join(room, own=True) for room in ("r_1", "r_2", "r_3")])
        await settle()
        assert [frame["room"] for frame in socket.seen if frame["type"] == "error"] == ["r_3"]
        socket.say("unsubscribe", room="r_1")
        asked = socket.say("subscribe", room="r_3")
        await settle()
        assert socket.answers(asked)[0]["type"] == "subscribed"


async def test_a_failing_store_refuses_a_snapshot_and_only_delays_a_replay(autojump_clock: object) -> None:
    """The client asks again for the first; the second is the server's own business and loses nothing."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=5)
        _, socket = house.connect()
        house.journal.read_errors = 1
        asked = socket.say("subscribe", room=ROOM, data={"history": 5})
        await settle()
        assert socket.answers(asked)[0]["data"]["code"] == "storage_unavailable"
        socket.say("subscribe", room=ROOM, data={"after": 1})
        house.journal.read_errors = 3
        await trio.sleep(10)
        assert socket.seqs(ROOM) == list(range(2, 7))
        assert socket.kinds(ROOM)[-1] == "caught_up"


async def test_a_journal_with_a_hole_resets_the_reader_instead_of_skipping(autojump_clock: object) -> None:
    """What should follow is not there: `reset` says so, and a reader who has just left hears nothing more."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=9)
        stored = house.journal._store.entries[ROOM]
        lost = stored[3]
        stored[3] = stored[4]
        _, socket = house.connect()
        socket.say("subscribe", room=ROOM, data={"after": 3})
        await settle()
        assert socket.kinds(ROOM) == ["subscribed", "reset"]
        assert socket.of(ROOM)[-1]["data"] == {"reason": "retention", "epoch": "e_1", "head_seq": 10}
        assert house.subscribers() == 0
        stored[3] = lost
        socket.say("subscribe", room=ROOM, data={"after": 3})
        await settle()
        assert socket.seqs(ROOM) == list(range(4, 11))


async def test_a_bug_in_side_work_closes_the_connection_so_that_its_client_comes_back(
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Rather than leaving it open and deaf: the close code says reconnect, the room forgets the subscription."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create(posts=3)

        async def broken(*_: object, **__: object) -> list[object]:
            raise RuntimeError("a bug")

        _, socket = house.connect()
        house.journal.read = broken  # type: ignore[method-assign, assignment]
        socket.say("subscribe", room=ROOM, data={"after": 1})
        await settle()
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4000
        assert (len(house.index), house.subscribers()) == (0, 0)
        assert "connection_work_crashed" in caplog.text


async def test_closing_gives_back_everything_whatever_was_going_on(autojump_clock: object) -> None:
    """Live, behind, joining, with commands under way: afterwards no room and no index knows the connection."""
    async with open_house(room_limits=NO_RING) as house:
        for room in ("r_1", "r_2", "r_3"):
            await house.create(room=room, posts=20)
        for pause in (0, 0.01, 0.06, 0.2, 1):
            _, socket = house.connect(everything=True, joins=[Join("r_1", own=True)], max_items=4)
            socket.hold()
            house.journal.read_seconds = house.journal.append_seconds = 0.05
            socket.say("subscribe", room="r_2", data={"after": 1})
            socket.say("send", room="r_1", data={"client_msg_id": f"x{pause}", "body": "x"})
            socket.say("subscribe", room="r_3", data={"history": 9})
            await trio.sleep(pause)
            socket.leave()
            await trio.sleep(1)
            assert len(house.index) == 0
            assert [house.subscribers(room) for room in ("r_1", "r_2", "r_3")] == [0, 0, 0]

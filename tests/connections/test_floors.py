"""Connections where history begins later than the room: pages, resumes, laggards and rooms joined by themselves."""

from __future__ import annotations

from justchat.connections.streams import Join
from justchat.rooms.commands import AddMember, RemoveMember, TrimHistory, UpdateRoom
from justchat.rooms.permissions import Visibility
from justchat.rooms.room_actor import RoomLimits
from justchat.wire.events import SYSTEM, SettingsChanges
from tests.connections.fake_socket import FakeSocket, Frame
from tests.connections.house import OWNER, ROOM, House, open_house, settle

NO_RING = RoomLimits(ring_entries=0)


async def hide(house: House) -> None:
    await house.command(UpdateRoom(OWNER, settings=SettingsChanges(history_visibility="since_join")))


async def fetch(socket: FakeSocket, **data: int) -> Frame:
    frame_id = socket.say("fetch", room=ROOM, data=data)
    await settle()
    (frame,) = socket.answers(frame_id)
    return frame


def seqs(page: Frame) -> tuple[list[int], bool]:
    return [event["seq"] for event in page["data"]["events"]], page["data"]["more"]


async def test_pages_of_the_past_begin_above_what_was_trimmed(autojump_clock: object) -> None:
    """In both directions, and a page that ends there says that there is no more."""
    async with open_house() as house:
        await house.create(posts=9)
        await house.command(TrimHistory(SYSTEM, 6))
        _, socket = house.connect()
        assert seqs(await fetch(socket, limit=3)) == ([9, 10, 11], True)
        assert seqs(await fetch(socket, before=9, limit=3)) == ([7, 8], False)
        assert seqs(await fetch(socket, before=10, limit=3)) == ([7, 8, 9], False)
        assert seqs(await fetch(socket, before=5, limit=3)) == ([], False)
        assert seqs(await fetch(socket, after=0, limit=3)) == ([7, 8, 9], True)
        assert seqs(await fetch(socket, after=9, limit=3)) == ([10, 11], False)


async def test_pages_of_the_past_begin_with_the_own_joining(autojump_clock: object) -> None:
    """For members who came later, and for visitors there is no past at all."""
    async with open_house() as house:
        await house.create(visibility=Visibility.PUBLIC, posts=3)
        await hide(house)
        await house.command(AddMember(OWNER, "u_2"))
        await house.post("x")
        _, socket = house.connect("u_2")
        assert seqs(await fetch(socket, limit=50)) == ([6, 7], False)
        assert seqs(await fetch(socket, after=1, limit=50)) == ([6, 7], False)
        _, socket = house.connect("u_visitor")
        assert seqs(await fetch(socket, limit=50)) == ([], False)


async def test_history_that_is_trimmed_while_a_page_is_read_is_left_out(autojump_clock: object) -> None:
    """The room was asked before, the journal is read after: what has no text any more does not go out."""
    async with open_house() as house:
        await house.create(posts=9)
        _, socket = house.connect()
        house.journal.read_seconds = 0.1
        frame_id = socket.say("fetch", room=ROOM, data={"limit": 8})
        await settle()
        await house.command(TrimHistory(SYSTEM, 6))
        await settle(0.2)
        (page,) = socket.answers(frame_id)
        assert seqs(page) == ([7, 8, 9, 10], False)


async def test_a_resume_from_too_far_back_is_reset_with_the_reason(autojump_clock: object) -> None:
    """Retention for what is gone, history_visibility for what is not theirs; the connection stays."""
    async with open_house() as house:
        await house.create(posts=5)
        await house.command(TrimHistory(SYSTEM, 3))
        await hide(house)
        await house.command(AddMember(OWNER, "u_2"))
        for after, reason in ((2, "retention"), (4, "history_visibility")):
            _, socket = house.connect("u_2", joins=[Join(ROOM, after=after, replay=True, resumed=True)])
            await settle()
            assert socket.kinds(ROOM) == ["reset"]
            assert socket.of(ROOM)[0]["data"] == {"reason": reason, "epoch": "e_1", "head_seq": 9}
            assert house.subscribers() == 0


async def test_a_reader_that_lags_while_history_is_trimmed_is_reset(autojump_clock: object) -> None:
    """It is never given an entry without its text: it hears reset, subscribes anew, and goes on from there."""
    for limits in (NO_RING, RoomLimits()):
        async with open_house(room_limits=limits) as house:
            await house.create()
            _, socket = await house.subscribed(max_items=4)
            socket.hold()
            await house.post(*[f"m{number}" for number in range(20)])
            await house.command(TrimHistory(SYSTEM, 15))
            socket.release()
            await settle()
            kinds = socket.kinds(ROOM)
            assert kinds[-1] == "reset"
            assert socket.of(ROOM)[-1]["data"] == {"reason": "retention", "epoch": "e_1", "head_seq": 22}
            assert socket.seqs(ROOM) == list(range(2, 2 + len(socket.seqs(ROOM))))
            assert house.subscribers() == 0
            socket.say("subscribe", room=ROOM, data={"history": 50})
            await settle()
            snapshot = socket.of(ROOM)[-1]["data"]
            assert [event["seq"] for event in snapshot["events"]] == list(range(16, 23))
            await house.post("live again")
            assert socket.seqs(ROOM)[-1] == 23


async def test_a_removed_reader_whose_last_part_is_trimmed_hears_the_end(autojump_clock: object) -> None:
    """It was still being served up to its removal; nothing is left to wait for, and nobody asks the room for ever."""
    async with open_house(room_limits=NO_RING) as house:
        await house.create("u_2")
        connection, socket = await house.subscribed("u_2", max_items=4)
        socket.hold()
        await house.post(*[f"m{number}" for number in range(20)])
        await house.command(RemoveMember(OWNER, "u_2"))
        await house.command(TrimHistory(SYSTEM, 21))
        socket.release()
        await settle()
        assert socket.kinds(ROOM)[-1] == "unsubscribed"
        assert socket.of(ROOM)[-1]["data"]["reason"] == "removed"
        assert len(connection._catch_up) == 0


async def test_a_room_joined_by_itself_begins_where_it_can(autojump_clock: object) -> None:
    """The user was added, removed and added while the room was not reached: they get a snapshot, and no reset."""
    async with open_house() as house:
        await house.create()
        await hide(house)
        house.connect("u_2", everything=True)
        _, socket = house.connect("u_2", everything=True, max_items=4)
        socket.hold()
        for _ in range(4):
            socket.say("ping")
            await settle()
        for command in (AddMember(OWNER, "u_2"), RemoveMember(OWNER, "u_2"), AddMember(OWNER, "u_2")):
            await house.command(command)
        await house.post("hello")
        socket.release()
        await settle()
        await house.post("live")
        assert socket.kinds(ROOM)[0] == "subscribed"
        assert "reset" not in socket.kinds(ROOM)
        assert socket.seqs(ROOM)[-1] == 7

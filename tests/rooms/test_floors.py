"""Where a room's history begins for somebody: trimmed by retention, or from their joining on. On a virtual clock."""

from __future__ import annotations

import itertools

from justchat.rooms.commands import AddMember, JoinRoom, RemoveMember, TrimHistory, UpdateRoom
from justchat.rooms.floors import readable
from justchat.rooms.permissions import Visibility
from justchat.rooms.queries import Access, Attach, Attached, GoLive, OutOfReach
from justchat.rooms.room_actor import RoomLimits
from justchat.rooms.subscription import Subscription
from justchat.wire.errors import Refusal
from justchat.wire.events import SYSTEM, RoomSettings, SettingsChanges
from storage.records import Entry
from tests.rooms.world import OWNER, ROOM, RecordingSink, World, message, open_world

_numbers = itertools.count(1)
SINCE_JOIN = RoomSettings(history_visibility="since_join")


async def talk(world: World, count: int) -> None:
    for _ in range(count):
        await world.do(message(f"m{next(_numbers)}"))


async def resume(world: World, user: str, after: int) -> tuple[object, RecordingSink]:
    """Resume the stream, and give the answer and what was received."""
    sink = RecordingSink()
    return await world.room().attach(Attach(Subscription(ROOM, user, sink), after, replay=True)), sink


async def snapshot(world: World, user: str, history: int) -> tuple[list[int], RecordingSink]:
    """Join with the newest entries, and give the seqs in the snapshot and what was received."""
    newest = await world.journal.read_back(ROOM, limit=history)
    sink = RecordingSink()
    attach = Attach(Subscription(ROOM, user, sink), newest[-1].seq, tuple(entry.body for entry in newest))
    assert isinstance(await world.room().attach(attach), Attached)
    data = sink.frames[0]["data"]
    assert isinstance(data, dict)
    return [event["seq"] for event in data["events"]], sink


async def test_a_resume_from_below_what_was_trimmed_says_so(autojump_clock: object) -> None:
    """From the floor on it is an ordinary resume; below it there is a reset that names retention, never a hole."""
    async with open_world() as world:
        await world.create()
        await talk(world, 8)
        await world.do(TrimHistory(SYSTEM, 5))
        below, sink = await resume(world, OWNER, 4)
        assert below == OutOfReach("retention", "e_1", 10)
        assert sink.frames == []
        above, sink = await resume(world, OWNER, 5)
        assert above == Attached(live=True, head=10)
        assert sink.seqs == [6, 7, 8, 9, 10]


async def test_a_snapshot_shows_nothing_from_below_the_floor(autojump_clock: object) -> None:
    """Read before or after the trimming: what is shown is gapless up to the head and above the floor."""
    async with open_world() as world:
        await world.create()
        await talk(world, 8)
        newest = await world.journal.read_back(ROOM, limit=6)
        await world.do(TrimHistory(SYSTEM, 5))
        assert (await snapshot(world, OWNER, 6))[0] == [6, 7, 8, 9, 10]
        sink = RecordingSink()
        attach = Attach(Subscription(ROOM, OWNER, sink), newest[2].seq, tuple(entry.body for entry in newest[:3]))
        assert await world.room().attach(attach) == Attached(live=True, head=10)
        assert sink.frames[0]["data"]["head_seq"] == 10  # type: ignore[index]
        assert [event["seq"] for event in sink.frames[0]["data"]["events"]] == [6, 7, 8, 9, 10]  # type: ignore[index]
        await talk(world, 1)
        assert sink.seqs == [11]


async def test_history_begins_with_the_own_joining(autojump_clock: object) -> None:
    """In snapshots and resumes of who came later, while those who were there see everything."""
    async with open_world() as world:
        await world.create("u_2", settings=SINCE_JOIN)
        await talk(world, 4)
        await world.do(AddMember(OWNER, "u_3"))
        await talk(world, 2)
        assert (await snapshot(world, "u_2", 99))[0] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert (await snapshot(world, "u_3", 99))[0] == [6, 7, 8]
        assert (await resume(world, "u_3", 4))[0] == OutOfReach("history_visibility", "e_1", 8)
        answer, sink = await resume(world, "u_3", 5)
        assert isinstance(answer, Attached)
        await talk(world, 1)
        assert sink.seqs == [6, 7, 8, 9]
        access = await world.room().look("u_3")
        assert isinstance(access, Access)
        assert (access.floor, access.head) == (5, 9)


async def test_whoever_comes_back_begins_with_their_coming_back(autojump_clock: object) -> None:
    """What was said while they were away is not for them, and what they knew before is not shown again."""
    async with open_world() as world:
        await world.create("u_2", settings=SINCE_JOIN)
        await world.do(RemoveMember(OWNER, "u_2"))
        await talk(world, 2)
        await world.do(AddMember(OWNER, "u_2"))
        assert (await snapshot(world, "u_2", 99))[0] == [5]
        assert (await resume(world, "u_2", 1))[0] == OutOfReach("history_visibility", "e_1", 5)


async def test_retention_is_named_where_both_hold(autojump_clock: object) -> None:
    """Whoever is below both floors hears of what is gone for everybody."""
    async with open_world() as world:
        await world.create(settings=SINCE_JOIN)
        await talk(world, 4)
        await world.do(AddMember(OWNER, "u_2"))
        await world.do(TrimHistory(SYSTEM, 3))
        assert (await resume(world, "u_2", 2))[0] == OutOfReach("retention", "e_1", 7)
        assert (await resume(world, "u_2", 3))[0] == OutOfReach("history_visibility", "e_1", 7)


async def test_a_visitor_sees_what_happens_from_their_coming_on(autojump_clock: object) -> None:
    """Of a public room that shows history since joining: from the head of that moment, also if that moves on."""
    async with open_world(limits=RoomLimits(ring_entries=4)) as world:
        await world.create(visibility=Visibility.PUBLIC, settings=SINCE_JOIN)
        await talk(world, 3)
        seqs, sink = await snapshot(world, "u_visitor", 3)
        assert seqs == []
        await talk(world, 2)
        assert sink.seqs == [5, 6]
        assert (await resume(world, "u_visitor", 5))[0] == OutOfReach("history_visibility", "e_1", 6)
        answer, _ = await resume(world, "u_visitor", 6)
        assert isinstance(answer, Attached)
        await world.do(JoinRoom("u_visitor"))
        await talk(world, 1)
        assert sink.seqs == [5, 6, 7, 8]


async def test_a_reader_who_lags_behind_what_is_trimmed_does_not_go_live(autojump_clock: object) -> None:
    """Though the ring still has it; a visitor who lags above that goes live, whatever the head is by now."""
    async with open_world() as world:
        await world.create(visibility=Visibility.PUBLIC, settings=SINCE_JOIN)
        lagging, sink = await world.attach(sink=RecordingSink(capacity=1))
        visiting, _ = await world.attach("u_visitor", sink=RecordingSink(capacity=4))
        await talk(world, 5)
        assert (lagging.seq, visiting.seq) == (1, 4)
        await world.do(TrimHistory(SYSTEM, 3))
        assert await world.room().go_live(lagging) == OutOfReach("retention", "e_1", 7)
        assert sink.seqs == []
        assert await world.room().go_live(visiting) == Attached(live=True, head=7)


async def test_live_subscribers_do_not_notice_that_history_is_trimmed_or_hidden(autojump_clock: object) -> None:
    """They hear of it as of anything else, and go on."""
    async with open_world() as world:
        await world.create("u_2")
        _, sink = await world.attach("u_2")
        await talk(world, 3)
        await world.do(TrimHistory(SYSTEM, 4))
        await world.do(UpdateRoom(OWNER, settings=SettingsChanges(history_visibility="since_join")))
        await talk(world, 1)
        assert sink.seqs == [2, 3, 4, 5, 6, 7]


async def test_the_stream_of_an_ended_subscription_is_not_joined_again(autojump_clock: object) -> None:
    """Somebody asks to go live whom the room has cut meanwhile."""
    async with open_world() as world:
        await world.create("u_2")
        subscription, _ = await world.attach("u_2")
        await world.do(RemoveMember(OWNER, "u_2"))
        assert await world.room().go_live(subscription) is None
        assert not isinstance(await world.room("r_none").look("u_2"), Access)
        assert isinstance(await world.room("r_none").view("u_2"), Refusal)
        assert GoLive(subscription).subscription is subscription


def test_what_was_trimmed_is_never_given_out() -> None:
    """Neither an entry without its text, nor anything that it would leave a hole behind."""
    entries = [Entry(ROOM, seq, 0, "t", OWNER, b"" if seq in {4, 6} else b"{}") for seq in range(3, 10)]
    assert [entry.seq for entry in readable(entries)] == [7, 8, 9]
    assert [entry.seq for entry in readable(entries, floor=8)] == [9]
    assert [entry.seq for entry in readable(entries[4:], floor=2)] == [7, 8, 9]
    assert readable([]) == []

"""The room actor on a virtual clock: order, durability before visibility, crashes, overload, revocation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import Reply, RestartPolicy
from justchat.rooms.commands import Accepted, DeleteMessage, JoinRoom, RemoveMember, UpdateRoom
from justchat.rooms.permissions import Visibility
from justchat.rooms.room import result_of
from justchat.rooms.room_actor import FAULT_POINTS, RoomLimits
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.memory import MemoryJournal, MemoryStore
from storage.records import Append
from tests.rooms.world import OWNER, ROOM, RecordingSink, message, open_world


class SwitchedJournal(MemoryJournal):
    """The memory journal with a gate before and after each append, and an error to raise when told to."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.error: Exception | None = None
        self.error_after_commit = False
        self.gate: trio.Event | None = None
        self.commits = 0

    async def append(self, appends: Sequence[Append]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None and not self.error_after_commit:
            error, self.error = self.error, None
            raise error
        await super().append(appends)
        self.commits += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error


class Crash(Exception):
    """The planted fault."""


async def test_a_post_is_durable_before_anybody_sees_it_and_acknowledged_after(autojump_clock: object) -> None:
    """While the commit hangs nothing is visible and nobody is answered; afterwards both happen."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        _, sink = await world.attach()
        before = len(sink.frames)
        journal.gate = trio.Event()
        reply: Reply[object] = Reply()
        assert world.room().submit(message("hello"), reply) is None
        await wait_all_tasks_blocked()
        assert len(sink.frames) == before
        assert not reply.done
        journal.gate.set()
        answer = result_of(await _finished(reply))
        assert isinstance(answer, Accepted)
        assert sink.seqs == [answer.seq] == [2]


async def _finished(reply: Reply[object]) -> Reply[object]:
    await reply.wait()
    return reply


async def test_commands_that_wait_together_are_committed_together(autojump_clock: object) -> None:
    """The inbox is drained into one append while the previous one is under way."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        replies: list[Reply[object]] = [Reply() for _ in range(50)]
        for number, reply in enumerate(replies):
            assert world.room().submit(message(f"m{number}"), reply) is None
        for reply in replies:
            await reply.wait()
        assert journal.commits <= 3
        assert [reply.result().seq for reply in replies] == list(range(2, 52))  # type: ignore[attr-defined]


async def test_a_commit_that_is_known_not_written_refuses_the_batch_and_the_room_lives(autojump_clock: object) -> None:
    """The sender hears storage_unavailable, the state is untouched, and the next post gets the next seq."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        journal.error = StorageUnavailable("disk full")
        answer = await world.room().post(message("lost"))
        assert isinstance(answer, Refusal)
        assert answer.code is ErrorCode.STORAGE_UNAVAILABLE
        again = await world.room().post(message("lost"))
        assert isinstance(again, Accepted)
        assert again.seq == 2
        health = world.rooms.health(ROOM)
        assert health is not None
        assert health.restarts == 0


@pytest.mark.parametrize("committed", [True, False])
async def test_an_unknown_outcome_is_decided_by_reading_back(autojump_clock: object, committed: bool) -> None:
    """Written or not, the sender gets one true answer and history holds the message once."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        _, sink = await world.attach()
        journal.error, journal.error_after_commit = OutcomeUnknown("cut off"), committed
        answer = await world.room().post(message("maybe"))
        assert isinstance(answer, Accepted)
        assert answer.seq == 2
        entries = await journal.read(ROOM, after=0, limit=10)
        assert [entry.seq for entry in entries] == [1, 2]
        assert len(sink.behind) == (1 if committed else 0)


async def test_a_second_writer_is_noticed_and_the_journal_does_not_fork(autojump_clock: object) -> None:
    """A conflict on seq crashes the room, which reloads and goes on behind the other writer's entries."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        async with open_world(journal=journal) as other:
            assert isinstance(await other.room().post(message("theirs")), Accepted)
        answer = await world.room().post(message("ours"))
        assert isinstance(answer, Accepted)
        assert answer.seq == 3
        health = world.rooms.health(ROOM)
        assert health is not None
        assert health.restarts == 1
        assert "Conflict" in (health.last_error or "")


async def test_the_same_post_gives_the_same_answer_now_and_after_the_room_slept(autojump_clock: object) -> None:
    """By memory, and by the store's unique index once memory is gone; another body is refused."""
    async with open_world(limits=RoomLimits(idle_seconds=10)) as world:
        await world.create()
        first = await world.room().post(message("one", client_msg_id="x"))
        again = await world.room().post(message("one", client_msg_id="x"))
        await trio.sleep(30)
        assert len(world.rooms.registry) == 0
        later = await world.room().post(message("one", client_msg_id="x"))
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert isinstance(later, Accepted)
        assert (first.seq, first.message_id) == (again.seq, again.message_id) == (later.seq, later.message_id)
        assert (first.duplicate, again.duplicate, later.duplicate) == (False, True, True)
        other = await world.room().post(message("two", client_msg_id="x"))
        assert isinstance(other, Refusal)
        assert other.code is ErrorCode.IDEMPOTENCY_MISMATCH


async def test_repeats_that_only_the_store_remembers_do_not_disturb_their_batch(autojump_clock: object) -> None:
    """An old repeat among new posts is answered with its old seq; the others keep a gapless order."""
    async with open_world(limits=RoomLimits(idle_seconds=10)) as world:
        await world.create()
        await world.room().post(message("old"))
        await trio.sleep(30)
        replies: list[Reply[object]] = [Reply() for _ in range(3)]
        for reply, body in zip(replies, ("new1", "old", "new2"), strict=True):
            world.room().submit(message(body), reply)
        for reply in replies:
            await reply.wait()
        assert [reply.result().seq for reply in replies] == [3, 2, 4]  # type: ignore[attr-defined]


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(autojump_clock: object, point: str) -> None:
    """Every sender is answered with the true seq; every subscriber is served from where it stood."""
    armed = False
    hits = 0

    def fault(at: str, room: str) -> None:
        nonlocal armed, hits
        if armed and at == point:
            armed, hits = False, hits + 1
            raise Crash(point)

    async with open_world(fault=fault) as world:
        await world.create("u_2")
        subscription, sink = await world.attach()
        for number in range(20):
            armed = point != "loading"
            if point == "loading":
                world.rooms.crash(ROOM, Crash("from outside"))
                armed = True
            answer = await world.room().post(message(f"m{number}"))
            assert isinstance(answer, Accepted), answer
            assert answer.seq == number + 2
            await _catch_up(world.journal, subscription, sink, world)
            await trio.sleep(40)  # healthy for long enough that the next restart is immediate again
        assert hits == 20
        assert sink.seqs == list(range(2, 22))
        entries = await world.journal.read(ROOM, after=0, limit=100)
        assert [entry.seq for entry in entries] == list(range(1, 22))


async def _catch_up(journal: object, subscription: object, sink: RecordingSink, world: object) -> None:
    """Do what a connection does for a subscription that is behind: read the journal, then go live."""
    from justchat.connections.catch_up import CatchUp

    class Outlet:
        force = sink.force

        async def wait_room(self) -> None:
            await trio.lowlevel.checkpoint()

        def ended(self, _: object) -> None: ...

    catch_up = CatchUp(Outlet(), rooms=world.rooms, journal=journal, page=300)  # type: ignore[arg-type,attr-defined]
    for behind, head, _ in sink.behind:
        catch_up.add(behind, head=head)
    sink.behind.clear()
    await catch_up.run()


async def test_a_command_that_crashes_the_room_twice_is_quarantined_and_its_neighbours_succeed(
    autojump_clock: object,
) -> None:
    """The guilty sender hears internal; the others of the same batch are committed in order."""
    journal = SwitchedJournal()
    appended = journal.append

    async def poisoned(appends: Sequence[Append]) -> None:
        if any(b"poison" in entry.body for append in appends for entry in append.entries):
            raise Crash("poison")
        await appended(appends)

    journal.append = poisoned  # type: ignore[method-assign]
    async with open_world(journal=journal) as world:
        await world.create()
        bodies = ("a", "poison", "b")
        replies: list[Reply[object]] = [Reply() for _ in bodies]
        for body, reply in zip(bodies, replies, strict=True):
            world.room().submit(message(body), reply)
        await trio.sleep(5)
        answers = [result_of(reply) for reply in replies]
        assert [isinstance(answer, Accepted) for answer in answers] == [True, False, True]
        assert isinstance(answers[1], Refusal)
        assert answers[1].code is ErrorCode.INTERNAL
        assert [entry.seq for entry in await journal.read(ROOM, after=0, limit=9)] == [1, 2, 3]


async def test_a_crash_loop_parks_this_room_only_and_a_probe_brings_it_back(autojump_clock: object) -> None:
    """Callers of the parked room hear room_unavailable at once; another room works all the while."""
    broken = True

    def fault(at: str, room: str) -> None:
        if broken and room == ROOM and at == "before_commit":
            raise Crash("always")

    async with open_world(fault=fault, policy=RestartPolicy(intensity=3, probe_seconds=30)) as world:
        await world.create(room="r_2")
        broken = False
        await world.create()
        broken = True
        for number in range(4):
            answer = await world.room().post(message(f"m{number}"))
            assert isinstance(answer, Refusal)
        assert world.rooms.health(ROOM).state == "parked"  # type: ignore[union-attr]
        started = trio.current_time()
        refusal = await world.room().post(message("while parked"))
        assert isinstance(refusal, Refusal)
        assert refusal.code is ErrorCode.ROOM_UNAVAILABLE
        assert refusal.retry_after_seconds is not None
        assert trio.current_time() - started < 0.1
        assert isinstance(await world.room("r_2").post(message("fine")), Accepted)
        broken = False
        await trio.sleep(31)
        assert isinstance(await world.room().post(message("recovered")), Accepted)


async def test_a_full_inbox_refuses_with_a_hint_and_leaves_other_rooms_alone(autojump_clock: object) -> None:
    """Beyond its bound the room says room_overloaded at once; what was taken is still served."""
    journal = SwitchedJournal()
    async with open_world(journal=journal, limits=RoomLimits(inbox=8, batch=4)) as world:
        await world.create()
        await world.create(room="r_2")
        journal.gate = trio.Event()
        replies: list[Reply[object]] = [Reply() for _ in range(40)]
        refusals = []
        for number, reply in enumerate(replies):
            refusals.append(world.room().submit(message(f"m{number}"), reply))
            if number == 0:
                await wait_all_tasks_blocked()
        refused = [refusal for refusal in refusals if refusal is not None]
        assert {refusal.code for refusal in refused} == {ErrorCode.ROOM_OVERLOADED}
        assert all(refusal.retry_after_seconds for refusal in refused)
        assert len(refused) == 40 - 1 - 8
        journal.gate.set()
        assert isinstance(await world.room("r_2").post(message("fine")), Accepted)
        for reply, refusal in zip(replies, refusals, strict=True):
            if refusal is None:
                assert isinstance(await reply.wait(), Accepted)


async def test_after_a_removal_no_later_frame_reaches_the_removed_user(autojump_clock: object) -> None:
    """A removal amid a batch: the removed user's last frame is the removal, everybody else gets all."""
    async with open_world() as world:
        await world.create("u_2")
        _, owner_sink = await world.attach()
        _, sink = await world.attach("u_2")
        replies: list[Reply[object]] = [Reply() for _ in range(5)]
        commands = [message("a"), message("b"), RemoveMember(OWNER, "u_2"), message("c"), message("d")]
        for command, reply in zip(commands, replies, strict=True):
            world.room().submit(command, reply)
        for reply in replies:
            await reply.wait()
        assert owner_sink.seqs == [2, 3, 4, 5, 6]
        assert sink.seqs == [2, 3, 4]
        assert sink.frames[-1]["type"] == "member.removed"
        assert sink.cuts == [("removed", 4)]


async def test_a_removal_during_a_crash_still_ends_the_subscription_at_its_seq(autojump_clock: object) -> None:
    """Committed but never fanned out: the reloaded room cuts the user at the removal, not before and not after."""
    armed = False

    def fault(at: str, room: str) -> None:
        nonlocal armed
        if armed and at == "after_commit":
            armed = False
            raise Crash("between commit and fan-out")

    async with open_world(fault=fault) as world:
        await world.create("u_2")
        _, sink = await world.attach("u_2")
        armed = True
        await world.room().post(RemoveMember(OWNER, "u_2"))
        await world.room().post(message("after"))
        assert sink.seqs == []
        assert sink.cuts == [("removed", 2)]
        assert [head for _, head, _ in sink.behind] == [2]


async def test_a_reader_whose_outbox_is_full_is_pulled_and_the_others_are_served(autojump_clock: object) -> None:
    """Nobody waits for the slow one; it is told once and continues from its own seq."""
    async with open_world() as world:
        await world.create()
        _, fast = await world.attach()
        slow_subscription, slow = await world.attach(sink=RecordingSink(capacity=5))
        for number in range(20):
            await world.room().post(message(f"m{number}"))
        assert fast.seqs == list(range(2, 22))
        assert len(slow.behind) == 1
        assert slow_subscription.seq == slow.seqs[-1]
        health = world.rooms.health(ROOM)
        assert health is not None
        assert (health.subscribers, health.lagging) == (2, 1)
        slow.capacity = 1_000_000
        await _catch_up(world.journal, slow_subscription, slow, world)
        await world.room().post(message("live again"))
        assert slow.seqs == list(range(2, 23))


async def test_a_snapshot_and_its_subscription_are_one_step_under_load(autojump_clock: object) -> None:
    """Joins amid a stream of posts: snapshot and live seqs together are gapless and free of duplicates."""
    async with open_world() as world:
        await world.create()
        joined = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, world, 300)
            for _ in range(20):
                newest = await world.journal.read_back(ROOM, limit=5)
                await trio.sleep(0.001)
                subscription, sink = await _attach_with(world, newest)
                joined += 1
                await trio.sleep(0.002)
                seen = [event["seq"] for event in sink.frames[0]["data"]["events"]] + sink.seqs  # type: ignore[index]
                assert seen == list(range(seen[0], seen[0] + len(seen)))
                assert subscription.seq == seen[-1]
            nursery.cancel_scope.cancel()
        assert joined == 20


async def _attach_with(world: object, newest: object) -> object:
    from justchat.rooms.queries import Attach
    from justchat.rooms.subscription import Subscription

    sink = RecordingSink()
    subscription = Subscription(ROOM, OWNER, sink)
    bodies = tuple(entry.body for entry in newest)  # type: ignore[attr-defined]
    await world.room().attach(Attach(subscription, newest[-1].seq, bodies))  # type: ignore[index,attr-defined]
    return subscription, sink


async def _write(world: object, count: int) -> None:
    for number in range(count):
        await world.room().post(message(f"w{number}"))  # type: ignore[attr-defined]
        await trio.sleep(0.001)


async def test_a_deleted_message_is_announced_once_however_often_it_is_deleted(autojump_clock: object) -> None:
    """The tombstone keeps its place; a repeat changes nothing."""
    async with open_world() as world:
        await world.create()
        posted = await world.room().post(message("secret", client_msg_id="x"))
        assert isinstance(posted, Accepted)
        assert posted.message_id is not None
        first = await world.room().post(DeleteMessage(OWNER, posted.message_id))
        again = await world.room().post(DeleteMessage(OWNER, posted.message_id))
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert (first.changed, again.changed) == (True, False)
        record = await world.journal.message(posted.message_id)
        assert record is not None
        assert record.deleted
        assert b"secret" not in record.doc
        assert record.seq == posted.seq


async def test_strangers_cannot_tell_a_private_room_from_none(autojump_clock: object) -> None:
    """Whatever a stranger asks of a private room, the answer is that of a room that does not exist."""
    async with open_world() as world:
        await world.create()
        for command in (JoinRoom("u_9"), message("x", actor="u_9"), UpdateRoom("u_9", name="y")):
            assert await world.room().post(command) == await world.room("r_none").post(command)
        assert await world.room().view("u_9") == await world.room("r_none").view("u_9")


async def test_those_who_become_members_are_named_to_their_connections(autojump_clock: object) -> None:
    """Creation and joining name the users and the seq at which they are in."""
    async with open_world() as world:
        await world.create("u_2", visibility=Visibility.PUBLIC)
        await world.room().post(JoinRoom("u_3"))
        assert world.joined == [(OWNER, ROOM, 1), ("u_2", ROOM, 1), ("u_3", ROOM, 2)]


async def test_an_idle_room_passivates_and_wakes_as_if_nothing_had_been(autojump_clock: object) -> None:
    """Not while somebody is subscribed; afterwards the registry holds nothing and the next command wakes it."""
    async with open_world(limits=RoomLimits(idle_seconds=60)) as world:
        await world.create()
        subscription, _ = await world.attach()
        await trio.sleep(200)
        assert len(world.rooms.registry) == 1
        world.room().detach(subscription)
        await trio.sleep(200)
        assert len(world.rooms.registry) == 0
        answer = await world.room().post(message("awake"))
        assert isinstance(answer, Accepted)
        assert answer.seq == 2


async def test_a_conflict_is_an_error_of_the_store_and_never_of_the_caller(autojump_clock: object) -> None:
    """A store that reports a repeat it cannot name crashes the command, which is then quarantined, not looped."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()

        async def liar(appends: Sequence[Append]) -> None:
            raise Conflict("client_msg_id", room=ROOM)

        journal.append = liar  # type: ignore[method-assign]
        answer = await world.room().post(message("x"))
        assert isinstance(answer, Refusal)
        assert answer.code is ErrorCode.INTERNAL

"""The room actor on a virtual clock: order, durability before visibility, overload, revocation."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from actors import Reply
from justchat.rooms.commands import Accepted, DeleteMessage, JoinRoom, RemoveMember, UpdateRoom
from justchat.rooms.permissions import Visibility
from justchat.rooms.room import result_of
from justchat.rooms.room_actor import RoomLimits
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import StorageUnavailable
from tests.rooms.world import OWNER, ROOM, RecordingSink, SwitchedJournal, catch_up, message, open_world


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
        await catch_up(world, slow)
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


async def test_what_was_decided_on_top_of_an_unwritten_entry_is_taken_back_with_it(autojump_clock: object) -> None:
    """A repeat within a batch that could not be written must not hear that its original is in."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        journal.error = StorageUnavailable("disk full")
        replies: list[Reply[object]] = [Reply() for _ in range(3)]
        for reply in replies:
            world.room().submit(message("twice"), reply)
        for reply in replies:
            await reply.wait()
        codes = {result.code for reply in replies if isinstance(result := result_of(reply), Refusal)}
        answers = [result_of(reply) for reply in replies]
        history = await journal.read(ROOM, after=0, limit=9)
        accepted = [answer for answer in answers if isinstance(answer, Accepted)]
        assert codes == {ErrorCode.STORAGE_UNAVAILABLE}
        assert all(answer.seq in [entry.seq for entry in history] for answer in accepted)


async def test_a_repeat_is_answered_even_when_its_sender_has_left(autojump_clock: object) -> None:
    """The answer reports what happened then: by memory, and by the store once the room has slept."""
    async with open_world(limits=RoomLimits(idle_seconds=10)) as world:
        await world.create("u_2")
        first = await world.room().post(message("before I go", actor="u_2"))
        await world.room().post(RemoveMember(OWNER, "u_2"))
        again = await world.room().post(message("before I go", actor="u_2"))
        await trio.sleep(30)
        later = await world.room().post(message("before I go", actor="u_2"))
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert isinstance(later, Accepted)
        assert first.seq == again.seq == later.seq
        assert isinstance(await world.room().post(message("after", actor="u_2")), Refusal)


async def test_rooms_that_do_not_exist_do_not_crowd_out_those_that_do(autojump_clock: object) -> None:
    """Somebody asks for as many unknown rooms as may be awake: a moment later there is place again."""
    async with open_world() as world:
        for number in range(100):
            await world.room(f"r_unknown{number}").post(message("x"))
        refused = await world.room().post(message("x"))
        await trio.sleep(2)
        assert isinstance(refused, Refusal)
        assert refused.code is ErrorCode.ROOM_OVERLOADED
        assert len(world.rooms.registry) == 0
        await world.create()

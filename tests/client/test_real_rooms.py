"""The client's commands and REST calls for running a room, against the real server: what each does is seen by another.

A member follows over the socket what the owner does over REST, and the other way round.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from msgspec import Struct

from justchat.client import Client, PositionLost, Refused, RoomEvent, Subscribed, Unsubscribed, open_client
from justchat.client.rest import RestClient, open_rest
from justchat.client.rest_answers import RoomPermissions
from justchat.ids import new_id
from justchat.wire.events import SYSTEM, SettingsChanges
from justchat.wire.server_frames import RoomView
from tests.client.script import take
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

PASSWORD = "correct horse battery"
T = TypeVar("T")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest") as server:
        yield server


class Room(Struct):
    """A room of Ann's, in which Bob is a member and follows what happens."""

    id: str
    ann: RestClient
    bob: RestClient
    bob_id: str
    client: Client

    async def event(self) -> RoomEvent:
        """Wait for the next event as Bob receives it."""
        item = await take(self.client)
        assert isinstance(item, RoomEvent), item
        return item

    async def events(self, *types: str) -> list[RoomEvent]:
        """Wait for events of these types, and no others."""
        found = [await self.event() for _ in types]
        assert [event.type for event in found] == list(types)
        return found


@asynccontextmanager
async def a_room(server: ServerProcess) -> AsyncIterator[Room]:
    async with open_rest(server.url) as ann, open_rest(server.url) as bob:
        await ann.register(f"u{new_id('n')[-20:]}", PASSWORD)
        session = await bob.register(f"u{new_id('n')[-20:]}", PASSWORD)
        room = await ann.create_room("Tea", members=[session.user.username])
        async with open_client(server.url, token=session.access_token) as client:
            await client.subscribe(room.id)
            assert isinstance(await take(client), Subscribed)
            yield Room(room.id, ann, bob, session.user.id, client)


async def soon(call: Callable[[datetime], Awaitable[T]]) -> T:
    """Ask for something in a second; later, where the second was over before the server heard of it."""
    for seconds in (1, 5):
        try:
            return await call(datetime.now(UTC) + timedelta(seconds=seconds))
        except Refused as refused:
            if refused.code != "validation_failed":
                raise
    return await call(datetime.now(UTC) + timedelta(seconds=20))


async def test_a_message_is_edited_reacted_to_pinned_and_deleted(real: ServerProcess) -> None:
    """Each command over the socket changes something once; REST shows what became of it."""
    async with a_room(real) as room:
        client, rest = room.client, room.bob
        message = (await client.send(room.id, "teh end")).message_id or ""
        for again in (False, True):
            assert (await client.edit(room.id, message, "the end")).changed is not again
            assert (await client.react(room.id, message, "👍")).changed is not again
        with pytest.raises(Refused, match="precondition_failed"):
            await client.edit(room.id, message, "not the end", rev=1)
        with pytest.raises(Refused, match="forbidden"):
            await client.pin(room.id, message)
        await room.events("message.created", "message.updated", "reaction.added")
        shown = await rest.message(message)
        assert (shown.body, shown.rev, shown.edited_at is not None) == ("the end", 2, True)
        assert [(one.emoji, one.count, one.me) for one in shown.reactions] == [("👍", 1, True)]
        assert [one.me for one in (await room.ann.message(message)).reactions] == [False]
        assert [revision.body for revision in (await rest.revisions(message)).items] == ["teh end", "the end"]
        assert (await client.unreact(room.id, message, "👍")).changed
        assert not (await client.unreact(room.id, message, "👍")).changed
        assert (await client.delete(room.id, message)).changed
        assert (await rest.message(message)).deleted
        await room.events("reaction.removed", "message.deleted")


async def test_threads_mentions_and_expiry_come_with_a_post(real: ServerProcess) -> None:
    """Replies are listed under their root, who is named is told, and what expires does so by itself."""
    async with a_room(real) as room:
        root = await room.ann.post(room.id, "Any news?", client_msg_id="1")
        ack = await room.client.send(room.id, "Some", thread_root=root.id, reply_to=root.id, mentions=[room.bob_id])
        replies = (await room.ann.replies(root.id)).items
        assert [(reply.id, reply.thread_root, reply.mentions) for reply in replies] == [
            (ack.message_id, root.id, (room.bob_id,))
        ]
        assert (await room.ann.message(root.id)).reply_count == 1
        short = await room.ann.post(room.id, "Read quickly", client_msg_id="2", expires_in=1)
        assert short.expires_at is not None
        events = await room.events("message.created", "message.created", "message.created", "message.expired")
        assert events[-1].actor == SYSTEM
        assert (await room.ann.message(short.id)).body == ""


async def test_rest_edits_reacts_pins_and_reports(real: ServerProcess) -> None:
    """The same over REST, with who it was and what was said before."""
    async with a_room(real) as room:
        ann, bob = room.ann, room.bob
        message = await ann.post(room.id, "Rules", client_msg_id="1")
        edited = await ann.edit_message(message.id, "House rules", rev=1)
        assert (edited.body, edited.rev) == ("House rules", 2)
        with pytest.raises(Refused, match="precondition_failed"):
            await ann.edit_message(message.id, "Other rules", rev=1)
        for emoji in ("👍", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"):
            await bob.react(message.id, emoji)
            await bob.react(message.id, emoji)
        await ann.react(message.id, "👍")
        await bob.unreact(message.id, "🏴󠁧󠁢󠁳󠁣󠁴󠁿")
        (reactions,) = (await ann.reactions(message.id)).items
        assert (reactions.emoji, reactions.count, len(reactions.users)) == ("👍", 2, 2)
        assert (await ann.reactions(message.id, emoji="🎉")).items == ()
        await ann.pin(room.id, message.id)
        (pin,) = (await bob.pins(room.id)).items
        assert (pin.message.body, pin.by) == ("House rules", (await ann.me()).id)
        await ann.unpin(room.id, message.id)
        assert (await bob.pins(room.id)).items == ()
        await bob.report(message.id, "too strict")
        (report,) = (await ann.moderation.reports(room.id)).items
        assert (report.message.id, report.user.id, report.reason) == (message.id, room.bob_id, "too strict")
        await ann.moderation.dismiss_report(room.id, message.id, room.bob_id)
        assert (await ann.moderation.reports(room.id)).items == ()


async def test_a_mute_takes_the_voice_until_its_end(real: ServerProcess) -> None:
    """Listed with its end while it lasts; it ends by itself, and can be ended early."""
    async with a_room(real) as room:
        until = datetime.now(UTC) + timedelta(hours=1)
        await room.ann.moderation.mute(room.id, room.bob_id, until=until, reason="caps")
        with pytest.raises(Refused, match="muted"):
            await room.client.send(room.id, "HELLO")
        (mute,) = (await room.ann.moderation.mutes(room.id)).items
        assert (mute.user.id, mute.reason) == (room.bob_id, "caps")
        mine = await room.bob.member(room.id)
        assert (mine.muted, mine.muted_until, "messages.send" in mine.permissions) == (True, mute.until, False)
        await soon(lambda at: room.ann.moderation.mute(room.id, room.bob_id, until=at))
        muted, _, unmuted = await room.events("member.muted", "member.muted", "member.unmuted")
        assert (muted.actor != SYSTEM, unmuted.actor) == (True, SYSTEM)
        await room.client.send(room.id, "hello")
        await room.ann.moderation.mute(room.id, room.bob_id)
        await room.ann.moderation.unmute(room.id, room.bob_id)
        await room.client.send(room.id, "hello again")
        assert (await room.ann.moderation.mutes(room.id)).items == ()


async def test_a_ban_ends_the_run_and_keeps_out(real: ServerProcess) -> None:
    """The banned member's stream ends with its name; an invite does not let them back in before the ban is lifted."""
    async with a_room(real) as room:
        invite = await room.ann.invites.create(room.id)
        await room.ann.moderation.ban(room.id, room.bob_id, reason="spam")
        await room.events("invite.created", "member.banned")
        ended = await take(room.client)
        assert isinstance(ended, Unsubscribed)
        assert (ended.reason, ended.seq) == ("banned", ended.ended_at)
        (ban,) = (await room.ann.moderation.bans(room.id)).items
        assert (ban.user.id, ban.reason) == (room.bob_id, "spam")
        with pytest.raises(Refused, match="banned"):
            await room.bob.invites.accept(invite.code)
        await room.ann.moderation.unban(room.id, room.bob_id)
        assert (await room.bob.invites.accept(invite.code)).me.role == "member"
        log = await room.ann.moderation.audit_log(room.id)
        assert {"member.unbanned", "member.banned"} <= {event.type for event in log.events}
        assert [event.seq for event in log.events] == sorted((event.seq for event in log.events), reverse=True)
        with pytest.raises(Refused, match="forbidden"):
            await room.bob.moderation.audit_log()


async def test_invites_are_made_listed_counted_and_revoked(real: ServerProcess) -> None:
    """The list has no codes; a revoked invite lets nobody in."""
    async with a_room(real) as room, open_rest(real.url) as eve:
        await eve.register(f"u{new_id('n')[-20:]}", PASSWORD)
        ends = datetime.now(UTC) + timedelta(days=1)
        invite = await room.ann.invites.create(room.id, role="guest", expires_at=ends, max_uses=2)
        assert (await eve.invites.accept(invite.code)).me.role == "guest"
        (listed,) = (await room.ann.invites.many(room.id)).items
        assert (listed.id, listed.uses, listed.max_uses, listed.role) == (invite.id, 1, 2, "guest")
        await room.ann.invites.revoke(room.id, invite.code)
        await eve.leave(room.id)
        with pytest.raises(Refused, match="not_found"):
            await eve.invites.accept(invite.code)
        assert (await room.ann.invites.many(room.id)).items == ()


async def test_settings_permissions_and_archiving(real: ServerProcess) -> None:
    """A room is set up, changed in part, laid up and taken into use again."""
    async with a_room(real) as room:
        made = await room.ann.create_room("Slow", settings=SettingsChanges(slow_mode_seconds=60, retention_days=30))
        assert (made.settings.slow_mode_seconds, made.settings.retention_days) == (60, 30)
        changed = await room.ann.update_room(made.id, settings=SettingsChanges(retention_days=None, read_only=True))
        assert (changed.settings.slow_mode_seconds, changed.settings.retention_days) == (60, None)
        assert changed.settings.read_only
        granted = await room.ann.set_permissions(room.id, {"member": {"messages.pin": True}})
        assert isinstance(granted, RoomPermissions)
        assert granted.overrides == {"member": {"messages.pin": True}}
        assert "messages.pin" in (await room.bob.permissions(room.id)).effective["member"]
        message = (await room.client.send(room.id, "pin me")).message_id or ""
        assert (await room.client.pin(room.id, message)).changed
        assert (await room.client.unpin(room.id, message)).changed
        await room.ann.set_permissions(room.id, {"member": {"messages.pin": None}})
        assert (await room.ann.archive_room(room.id)).settings.archived
        with pytest.raises(Refused, match="forbidden"):
            await room.client.send(room.id, "anybody?")
        assert not (await room.ann.archive_room(room.id, archived=False)).settings.archived
        await room.client.send(room.id, "back again")


async def test_slow_mode_says_how_long_to_wait(real: ServerProcess) -> None:
    """The refusal has the seconds, and the first post of all is free."""
    async with a_room(real) as room:
        await room.ann.update_room(room.id, settings=SettingsChanges(slow_mode_seconds=60))
        await room.client.send(room.id, "one")
        with pytest.raises(Refused, match="slow_mode") as caught:
            await room.client.send(room.id, "two")
        assert 0 < (caught.value.problem.retry_after or 0) <= 60


async def test_several_messages_go_at_once_or_none(real: ServerProcess) -> None:
    """One event for all of them; somebody who may not delete them all deletes none."""
    async with a_room(real) as room:
        ids = [(await room.ann.post(room.id, f"m{n}", client_msg_id=f"{n}")).id for n in range(3)]
        with pytest.raises(Refused, match="forbidden"):
            await room.bob.moderation.bulk_delete(room.id, ids)
        await room.ann.moderation.bulk_delete(room.id, ids)
        *_, gone = await room.events(*["message.created"] * 3, "message.bulk_deleted")
        assert [message.deleted for message in await room.bob.messages(room.id)] == [True] * 3
        assert gone.content is not None


async def test_two_people_have_one_direct_room(real: ServerProcess) -> None:
    """Whoever asks, and however often."""
    async with a_room(real) as room:
        first: RoomView = await room.ann.direct_room(room.bob_id)
        second = await room.bob.direct_room((await room.ann.me()).id)
        assert (first.id, first.kind) == (second.id, "direct")


async def test_a_scheduled_post_waits_and_is_posted(real: ServerProcess) -> None:
    """Nobody else sees it before; one that was removed never comes."""
    async with a_room(real) as room:
        far = datetime.now(UTC) + timedelta(days=1)
        waiting, never = [await room.ann.scheduled.create(room.id, body, send_at=far) for body in ("later", "never")]
        assert {post.id for post in (await room.ann.scheduled.many(room.id)).items} == {waiting.id, never.id}
        assert (await room.bob.scheduled.many(room.id)).items == ()
        await room.ann.scheduled.remove(room.id, never.id)
        await soon(lambda at: room.ann.scheduled.create(room.id, "in a second", send_at=at))
        (created,) = await room.events("message.created")
        assert (await room.ann.messages(room.id))[0].body == "in a second"
        assert created.actor == (await room.ann.me()).id
        assert [post.id for post in (await room.ann.scheduled.many(room.id)).items] == [waiting.id]


async def test_who_joins_later_cannot_look_back_where_the_room_says_so(real: ServerProcess) -> None:
    """Resuming before one's own time is a reset with its reason, over REST and on the socket alike."""
    async with a_room(real) as room, open_rest(real.url) as eve:
        session = await eve.register(f"u{new_id('n')[-20:]}", PASSWORD)
        await room.ann.update_room(room.id, settings=SettingsChanges(history_visibility="since_join"))
        await room.client.send(room.id, "between us")
        await room.ann.add_member(room.id, session.user.id)
        page = await eve.events(room.id, after=1)
        assert (page.reset, page.events[0].type, page.events[0].seq) == (
            "history_visibility",
            "member.added",
            page.floor_seq + 1,
        )
        async with open_client(real.url, token=session.access_token) as client:
            with pytest.raises(Refused, match="not_found"):
                await eve.message((await room.ann.messages(room.id))[0].id)
            begun = await client.subscribe(room.id, history=50)
            assert [event.type for event in begun.history] == ["member.added"]
            assert isinstance(await take(client), Subscribed)
            with pytest.raises(PositionLost) as lost:
                await client.subscribe(room.id, after=1, epoch=page.epoch)
            assert lost.value.reset.reason == "history_visibility"


async def test_a_time_without_an_offset_is_refused_before_it_is_sent(real: ServerProcess) -> None:
    """It could mean any time; nothing was scheduled."""
    async with a_room(real) as room:
        naive = datetime.now()
        with pytest.raises(ValueError, match="offset"):
            await room.ann.scheduled.create(room.id, "when?", send_at=naive + timedelta(hours=1))
        assert (await room.ann.scheduled.many(room.id)).items == ()

"""Messages: posting and its repeats, threads, mentions, slow mode, edits, deletion, reactions, pins, and the end."""

from __future__ import annotations

import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import (
    BulkDelete,
    DeleteMessage,
    EditMessage,
    ExpireMessage,
    PinMessage,
    PostMessage,
    React,
    TrimHistory,
    UnpinMessage,
    Unreact,
)
from justchat.rooms.decide import Context, Repeat, decide
from justchat.rooms.items import Pin, Spoke
from justchat.rooms.permissions import Kind, Role
from justchat.rooms.rules.message_rules import EMOJI_MAX, PINS_MAX
from justchat.rooms.state import RoomState
from justchat.wire.errors import Refusal
from justchat.wire.events import (
    SYSTEM,
    Event,
    HistoryTrimmed,
    Message,
    MessageCreated,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    ReactionCount,
    RoomSettings,
)
from tests.rooms.scenes import ACTOR, AT, CONTEXT, NOBODY, NOW, POSTED, THUMB, USERS, after, outcome, room

MEMBER, GUEST = USERS[Role.MEMBER], USERS[Role.GUEST]
POST = PostMessage(ACTOR, "new", "words", b"d")
SLOW = RoomSettings(slow_mode_seconds=10)


def at(now: int) -> Context:
    return replace(CONTEXT, now=now)


def posted(state: RoomState, command: PostMessage = POST, context: Context = CONTEXT) -> Message:
    event = decide(state, command, context)
    assert isinstance(event, MessageCreated)
    return event.message


def done(state: RoomState, *commands: PostMessage | DeleteMessage | BulkDelete | React | Unreact) -> RoomState:
    """Do these, one after another; a message that is posted is at hand afterwards."""
    for number, command in enumerate(commands):
        event = decide(state, command, replace(CONTEXT, message_id=f"m_new{number}"))
        assert isinstance(event, Event), (command, event)
        state = after(state, command, event)
        if isinstance(event, MessageCreated):
            state = replace(state, loaded=state.loaded.set(event.message.id, event.message))
    return state


def test_a_post_is_known_by_its_sender_and_id_together() -> None:
    """Another user may use the same client_msg_id; the same user may post the same text under another one."""
    state = room(Role.MEMBER)
    again = PostMessage(ACTOR, POSTED[0], "words", POSTED[1])
    assert decide(state, again, CONTEXT) == Repeat(state.sent[ACTOR, POSTED[0]])
    assert outcome(state, replace(again, actor=MEMBER)) == "yes"
    assert outcome(state, replace(again, client_msg_id="new")) == "yes"


@pytest.mark.parametrize("digest", [b"", b"other", POSTED[1] + b"\0"])
def test_the_same_id_with_another_content_is_told_apart(digest: bytes) -> None:
    """Only the digest counts, also when the text that came along looks the same."""
    assert outcome(room(Role.MEMBER), PostMessage(ACTOR, POSTED[0], "words", digest)) == "idempotency_mismatch"


def test_a_repeat_reports_what_happened_even_to_somebody_who_may_no_longer_post() -> None:
    """The post was made: silence now would make the client believe that it was not."""
    repeat = PostMessage(ACTOR, POSTED[0], "words", POSTED[1])
    for state in (room(Role.GUEST), room(Role.MEMBER, muted=True), room(banned=True), room(deleted_at=NOW)):
        assert outcome(state, repeat) == "repeat"


def test_threads_do_not_nest() -> None:
    """A reply to a reply is one in the same thread, and the thread's first message counts it."""
    state = room(Role.MEMBER)
    assert posted(state, replace(POST, thread_root="m_other")).thread_root == "m_other"
    assert posted(state, replace(POST, thread_root="m_reply")).thread_root == "m_other"
    state = done(state, replace(POST, thread_root="m_reply"))
    assert (state.loaded["m_other"].reply_count, state.loaded["m_reply"].reply_count) == (2, 0)


def test_a_thread_counts_the_replies_that_are_left() -> None:
    """Replies come and go, one by one and together, with and without the message that began the thread."""
    posts = [replace(POST, client_msg_id=str(number), thread_root="m_other") for number in range(3)]
    state = done(room(Role.MODERATOR), *posts)
    assert state.loaded["m_other"].reply_count == 4
    state = done(state, DeleteMessage(ACTOR, "m_new0"))
    assert state.loaded["m_other"].reply_count == 3
    state = done(state, BulkDelete(ACTOR, ("m_new1", "m_other", "m_reply")))
    assert (state.loaded["m_other"].reply_count, state.loaded["m_other"].deleted) == (1, True)
    expiring = replace(state.loaded["m_new2"], expires_at=AT)
    state = replace(state, loaded=state.loaded.set("m_new2", expiring))
    command = ExpireMessage(SYSTEM, "m_new2")
    event = decide(state, command, CONTEXT)
    assert event == MessageExpired("m_new2", 13, 9, "m_other")
    assert after(state, command, event).loaded["m_other"].reply_count == 0


def test_members_are_called_by_name_and_by_id_and_nobody_else() -> None:
    """Each once, in the order of the text first; names that nobody has, and those of strangers, call nobody."""
    command = replace(POST, names=("guest", "nobody", "unknown", "member"), mentions=(GUEST, NOBODY, ACTOR))
    state = room(Role.MEMBER)
    assert posted(state, command).mentions == (GUEST, MEMBER, ACTOR)
    assert posted(state, replace(command, names=())).mentions == (GUEST, ACTOR)
    assert posted(state, replace(command, mentions=())).mentions == (GUEST, MEMBER)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.GUEST])
def test_everybody_is_called_by_who_may(role: Role) -> None:
    """A plain member's text says so, and calls nobody."""
    message = posted(room(role), replace(POST, mentions_all=True))
    assert message.mentions_all == (role is not Role.MEMBER)
    overrides = {"member": {"mentions.all": True}}
    assert posted(room(Role.MEMBER, overrides=overrides), replace(POST, mentions_all=True)).mentions_all


@pytest.mark.parametrize(("waited", "retry"), [(0, 10.0), (1, 9.999), (9_999, 0.001), (10_000, None), (20_000, None)])
def test_in_slow_mode_one_waits_between_posts(waited: int, retry: float | None) -> None:
    """The refusal says for how long still; others do not wait for one, and posts are not counted before it was on."""
    state = room(Role.MEMBER, settings=SLOW)
    assert outcome(state, POST) == "yes"
    state = after(state, POST, decide(state, POST, CONTEXT))
    assert state.held.spoke[ACTOR] == Spoke(ACTOR, NOW)
    second = decide(state, replace(POST, client_msg_id="2"), at(NOW + waited))
    if retry is None:
        assert isinstance(second, MessageCreated)
    else:
        assert isinstance(second, Refusal)
        assert (second.code, second.retry_after_seconds) == ("slow_mode", retry)
    assert outcome(state, POST, at(NOW + waited)) == "repeat"
    assert outcome(state, replace(POST, actor=MEMBER), at(NOW + waited)) == "yes"


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MODERATOR])
def test_moderators_do_not_wait(role: Role) -> None:
    """But they are noted, for the case that they are members later."""
    state = room(role, settings=SLOW)
    for number in range(3):
        command = replace(POST, client_msg_id=str(number))
        state = after(state, command, decide(state, command, CONTEXT))
    assert state.held.spoke[ACTOR] == Spoke(ACTOR, NOW)


def test_who_spoke_is_forgotten_without_slow_mode() -> None:
    """Nothing is noted where nobody has to wait."""
    assert not after(room(Role.MEMBER), POST, MessageCreated(posted(room(Role.MEMBER)))).held.spoke


def test_an_edit_counts_versions_and_calls_whom_its_text_names() -> None:
    """Who was called before is called no longer unless the new text names them."""
    state = room(Role.MODERATOR)
    called = replace(state.loaded["m_own"], mentions=(MEMBER,), mentions_all=True, rev=3)
    state = replace(state, loaded=state.loaded.set("m_own", called))
    command = EditMessage(ACTOR, "m_own", "@guest @nobody", 3, names=("guest", "nobody"))
    event = decide(state, command, CONTEXT)
    assert event == MessageUpdated("m_own", 2, 1, 4, "@guest @nobody", AT, (GUEST,))
    assert after(state, command, event).loaded["m_own"] == replace(
        called, body="@guest @nobody", rev=4, edited_at=AT, mentions=(GUEST,), mentions_all=False
    )
    everybody = decide(state, replace(command, mentions_all=True), CONTEXT)
    assert isinstance(everybody, MessageUpdated)
    assert everybody.mentions_all


def test_an_edit_of_an_older_version_is_refused() -> None:
    """Unless it asks for what is there already, or does not say which version it saw."""
    state = room(Role.MEMBER)
    assert outcome(state, EditMessage(ACTOR, "m_own", "new", 2)) == "precondition_failed"
    assert outcome(state, EditMessage(ACTOR, "m_own", "new", None)) == "yes"
    assert outcome(state, EditMessage(ACTOR, "m_own", "words", 2)) == "unchanged"


def test_several_messages_go_in_one_event_or_none_does() -> None:
    """Each once, in the order of asking; those that are gone already are left out."""
    state = room(Role.MODERATOR)
    event = decide(state, BulkDelete(ACTOR, ("m_reply", "m_own", "m_own_gone", "m_reply")), CONTEXT)
    gone = (MessageGone("m_reply", 6, 5, "m_other"), MessageGone("m_own", 2, 1))
    assert event == MessagesBulkDeleted(gone)
    assert outcome(state, BulkDelete(ACTOR, ("m_reply", "m_unknown"))) == "not_found"
    assert outcome(room(Role.MEMBER), BulkDelete(ACTOR, ("m_own", "m_reply"))) == "forbidden"


def test_one_person_counts_once_for_each_emoji() -> None:
    """Emoji stand in the order in which they came to be there, and go with the last who used them."""
    state = room(Role.MEMBER)
    for user in (ACTOR, MEMBER):
        for emoji in ("🎉", THUMB):
            if outcome(state, React(user, "m_own", emoji)) == "yes":
                state = done(state, React(user, "m_own", emoji))
            assert outcome(state, React(user, "m_own", emoji)) == "unchanged"
    assert state.loaded["m_own"].reactions == (ReactionCount("🎉", 2), ReactionCount(THUMB, 2))
    state = done(state, Unreact(ACTOR, "m_own", "🎉"))
    assert outcome(state, Unreact(ACTOR, "m_own", "🎉")) == "unchanged"
    assert state.loaded["m_own"].reactions == (ReactionCount("🎉", 1), ReactionCount(THUMB, 2))
    state = done(state, Unreact(MEMBER, "m_own", "🎉"), React(ACTOR, "m_own", "🎉"))
    assert state.loaded["m_own"].reactions == (ReactionCount(THUMB, 2), ReactionCount("🎉", 1))


def test_a_reaction_is_not_taken_back_from_a_message_that_is_deleted_before_in_the_same_batch() -> None:
    """It went with the message."""
    state = done(room(Role.OWNER), DeleteMessage(ACTOR, "m_other"))
    assert outcome(state, Unreact(ACTOR, "m_other", THUMB)) == "unchanged"


def test_a_message_has_twenty_different_emoji_at_most() -> None:
    """Any number of people may join in with one that is there."""
    state = room(Role.MEMBER)
    state = done(state, *(React(ACTOR, "m_own", f"e{number}") for number in range(EMOJI_MAX)))
    assert len(state.loaded["m_own"].reactions) == EMOJI_MAX == 20
    assert outcome(state, React(MEMBER, "m_own", "one more")) == "conflict"
    assert outcome(state, React(MEMBER, "m_own", "e0")) == "yes"
    assert outcome(state, React(ACTOR, "m_own", "e0")) == "unchanged"
    state = done(state, Unreact(ACTOR, "m_own", "e0"))
    assert outcome(state, React(MEMBER, "m_own", "one more")) == "yes"


@pytest.mark.parametrize("present", [PINS_MAX - 1, PINS_MAX])
def test_a_room_has_no_more_pins_than_its_state_can_hold(present: int) -> None:
    """Those that are there are still found there."""
    state = room(Role.MODERATOR)
    pins = Map({f"m_{number}": Pin(f"m_{number}", 2, ACTOR, NOW) for number in range(present - 1)})
    state = replace(state, held=replace(state.held, pins=pins.set("m_pinned", Pin("m_pinned", 7, ACTOR, NOW))))
    assert outcome(state, PinMessage(ACTOR, "m_own")) == ("conflict" if present == PINS_MAX else "yes")
    assert outcome(state, PinMessage(ACTOR, "m_pinned")) == "unchanged"


@pytest.mark.parametrize("kind", Kind)
def test_a_pin_goes_with_its_message(kind: Kind) -> None:
    """Deleted alone or with others, expired, or trimmed."""
    state = room(Role.OWNER, kind=kind)
    expiring = replace(state.loaded["m_pinned"], author=ACTOR, expires_at=AT)
    state = replace(state, loaded=state.loaded.set("m_pinned", expiring))
    going = (
        DeleteMessage(ACTOR, "m_pinned"),
        BulkDelete(ACTOR, ("m_own", "m_pinned")),
        ExpireMessage(SYSTEM, "m_pinned"),
        TrimHistory(SYSTEM, 7),
        UnpinMessage(ACTOR, "m_pinned"),
    )
    for command in going:
        event = decide(state, command, CONTEXT)
        assert isinstance(event, Event)
        assert not after(state, command, event).held.pins
    assert after(state, TrimHistory(SYSTEM, 6), HistoryTrimmed(6)).held.pins


@pytest.mark.parametrize(("expires_in", "now", "expected"), [
    (1_000, NOW + 999, "unchanged"), (1_000, NOW + 1_000, "yes"), (1_000, NOW + 5_000, "yes"),
    (None, 2 * NOW, "unchanged"),
])  # fmt: skip
def test_a_message_expires_when_its_time_is_over(expires_in: int | None, now: int, expected: str) -> None:
    """Not before, only by itself and only once; an edit does not prolong its life."""
    state = done(room(Role.OWNER), replace(POST, expires_in=expires_in))
    edit = EditMessage(ACTOR, "m_new0", "other words")
    state = after(state, edit, decide(state, edit, CONTEXT))
    command = ExpireMessage(SYSTEM, "m_new0")
    assert outcome(state, command, at(now)) == expected
    assert outcome(state, replace(command, actor=ACTOR), at(now)) == "not_found"
    if expected == "yes":
        gone = after(state, command, MessageExpired("m_new0", 11, 7))
        assert (gone.loaded["m_new0"].deleted, gone.loaded["m_new0"].expires_at) == (True, None)
        assert outcome(gone, command, at(now)) == "unchanged"
    assert outcome(state, replace(command, message="m_unknown"), at(now)) == "not_found"


@pytest.mark.parametrize(("floor", "upto", "expected"), [(0, 5, 5), (4, 5, 5), (5, 5, None), (6, 5, None), (0, 99, 10)])
def test_history_is_trimmed_forward_only_and_not_beyond_the_head(floor: int, upto: int, expected: int | None) -> None:
    """A repeat finds it done."""
    state = room(Role.OWNER)
    state = replace(state, held=replace(state.held, floor_seq=floor))
    event = decide(state, TrimHistory(SYSTEM, upto), CONTEXT)
    assert (event.upto_seq if isinstance(event, HistoryTrimmed) else None) == expected


def test_what_is_trimmed_is_not_there_for_the_rest_of_the_batch() -> None:
    """Not for its timers either: what hangs on it went with it, and must not come back."""
    state = room(Role.OWNER)
    expiring = {name: replace(message, expires_at=AT) for name, message in state.loaded.items()}
    state = replace(state, loaded=Map(expiring))
    state = after(state, TrimHistory(SYSTEM, 5), HistoryTrimmed(5))
    assert sorted(state.loaded) == ["m_pinned", "m_reply"]
    for name in expiring:
        expected = "yes" if name in state.loaded else "not_found"
        for command in (ExpireMessage(SYSTEM, name), DeleteMessage(ACTOR, name), React(ACTOR, name, "🎉")):
            assert outcome(state, command) == expected

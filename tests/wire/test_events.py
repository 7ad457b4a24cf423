"""Events: made once into bytes, read back as the same value, and written again as the same bytes."""

from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.wire.events import (
    EVENTS,
    Event,
    HistoryTrimmed,
    InviteCreated,
    InviteRevoked,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberMuted,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionCount,
    ReactionRemoved,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    SettingsChanges,
    decode_event,
    decode_message,
    encode_event,
    encode_message,
    event_name,
)
from justchat.wire.strict_json import decode_strict
from justchat.wire.times import rfc3339
from tests.wire.event_values import BY_TYPE, messages
from tests.wire.json_values import texts

TS = 1_769_851_800_123
SETTINGS = (
    '{"slow_mode_seconds":0,"retention_days":null,"history_visibility":"shared","read_only":false,"archived":false}'
)
LEAST_JSON = (
    '{"id":"m_1","room":"r_1","seq":2,"msg_no":1,"rev":1,"author":"u_1","body":"hi",'
    '"created_at":"2026-01-31T09:30:00.123Z"'
)
LEAST = Message("m_1", "r_1", 2, 1, 1, "u_1", "hi", "2026-01-31T09:30:00.123Z")

# An event of each type, and its `data` as the journals of this version hold it. These bytes are for ever: a change here
# means that stored entries no longer read the same.
STORED: list[tuple[str, Event, str]] = [
    (
        "room.created",
        RoomCreated("group", "private", "Tea", "", "e_1", RoomSettings(), (MemberView("u_1", "owner"),)),
        '{"kind":"group","visibility":"private","name":"Tea","topic":"","epoch":"e_1","settings":'
        + SETTINGS
        + ',"members":[{"user":"u_1","role":"owner"}]}',
    ),
    (
        "room.updated",
        RoomUpdated(RoomChanges(name="Tea", topic=""), RoomChanges(name="", topic="Cups")),
        '{"old":{"name":"Tea","topic":""},"new":{"name":"","topic":"Cups"}}',
    ),
    ("room.deleted", RoomDeleted(), "{}"),
    ("member.joined", MemberJoined("u_1", "member"), '{"user":"u_1","role":"member"}'),
    ("member.left", MemberLeft("u_1"), '{"user":"u_1"}'),
    ("member.added", MemberAdded("u_1", "guest"), '{"user":"u_1","role":"guest"}'),
    ("member.removed", MemberRemoved("u_1"), '{"user":"u_1"}'),
    (
        "member.role_changed",
        MemberRoleChanged("u_1", "guest", "admin"),
        '{"user":"u_1","old":"guest","new":"admin"}',
    ),
    (
        "message.created",
        MessageCreated(LEAST),
        LEAST_JSON + "}",
    ),
    (
        "message.created",
        MessageCreated(
            msgspec.structs.replace(
                LEAST,
                client_msg_id="c",
                edited_at="2026-01-31T09:30:00.124Z",
                deleted=True,
                reply_to="m_0",
                thread_root="m_0",
                reply_count=3,
                mentions=("u_2",),
                mentions_all=True,
                reactions=(ReactionCount("👍", 2),),
                expires_at="2026-01-31T09:31:00.123Z",
            )
        ),
        LEAST_JSON
        + ',"client_msg_id":"c","edited_at":"2026-01-31T09:30:00.124Z","deleted":true,"reply_to":"m_0",'
        + '"thread_root":"m_0","reply_count":3,"mentions":["u_2"],"mentions_all":true,'
        + '"reactions":[{"emoji":"👍","count":2}],"expires_at":"2026-01-31T09:31:00.123Z"}',
    ),
    ("message.deleted", MessageDeleted("m_1", 2, 1), '{"id":"m_1","message_seq":2,"msg_no":1}'),
    (
        "message.deleted",
        MessageDeleted("m_1", 2, 1, "m_0", "u_2"),
        '{"id":"m_1","message_seq":2,"msg_no":1,"thread_root":"m_0","author":"u_2"}',
    ),
    ("message.expired", MessageExpired("m_1", 2, 1), '{"id":"m_1","message_seq":2,"msg_no":1}'),
    (
        "message.bulk_deleted",
        MessagesBulkDeleted((MessageGone("m_1", 2, 1), MessageGone("m_2", 3, 2, "m_1"))),
        (
            '{"messages":[{"id":"m_1","message_seq":2,"msg_no":1},'
            '{"id":"m_2","message_seq":3,"msg_no":2,"thread_root":"m_1"}]}'
        ),
    ),
    (
        "message.updated",
        MessageUpdated("m_1", 2, 1, 2, "ho", "2026-01-31T09:30:00.124Z"),
        '{"id":"m_1","message_seq":2,"msg_no":1,"rev":2,"body":"ho","edited_at":"2026-01-31T09:30:00.124Z"}',
    ),
    (
        "message.updated",
        MessageUpdated("m_1", 2, 1, 2, "@al @all", "2026-01-31T09:30:00.124Z", ("u_2",), True),
        (
            '{"id":"m_1","message_seq":2,"msg_no":1,"rev":2,"body":"@al @all","edited_at":"2026-01-31T09:30:00.124Z",'
            '"mentions":["u_2"],"mentions_all":true}'
        ),
    ),
    (
        "reaction.added",
        ReactionAdded("m_1", 2, "u_1", "👍"),
        '{"message":"m_1","message_seq":2,"user":"u_1","emoji":"👍"}',
    ),
    (
        "reaction.removed",
        ReactionRemoved("m_1", 2, "u_1", "👍"),
        '{"message":"m_1","message_seq":2,"user":"u_1","emoji":"👍"}',
    ),
    ("pin.added", PinAdded("m_1", 2), '{"message":"m_1","message_seq":2}'),
    ("pin.removed", PinRemoved("m_1", 2), '{"message":"m_1","message_seq":2}'),
    ("history.trimmed", HistoryTrimmed(5), '{"upto_seq":5}'),
    ("room.archived", RoomArchived(True), '{"archived":true}'),
    (
        "room.updated",
        RoomUpdated(
            RoomChanges(settings=SettingsChanges(slow_mode_seconds=0, retention_days=7)),
            RoomChanges(settings=SettingsChanges(slow_mode_seconds=5, retention_days=None)),
        ),
        (
            '{"old":{"settings":{"slow_mode_seconds":0,"retention_days":7}},'
            '"new":{"settings":{"slow_mode_seconds":5,"retention_days":null}}}'
        ),
    ),
    ("member.joined", MemberJoined("u_1", "guest", "i_1"), '{"user":"u_1","role":"guest","invite":"i_1"}'),
    ("member.banned", MemberBanned("u_1"), '{"user":"u_1"}'),
    ("member.banned", MemberBanned("u_1", "spam"), '{"user":"u_1","reason":"spam"}'),
    ("member.unbanned", MemberUnbanned("u_1"), '{"user":"u_1"}'),
    ("member.muted", MemberMuted("u_1"), '{"user":"u_1"}'),
    (
        "member.muted",
        MemberMuted("u_1", "2026-01-31T09:30:00.124Z", "spam"),
        '{"user":"u_1","until":"2026-01-31T09:30:00.124Z","reason":"spam"}',
    ),
    ("member.unmuted", MemberUnmuted("u_1"), '{"user":"u_1"}'),
    ("invite.created", InviteCreated("i_1", "member"), '{"id":"i_1","role":"member"}'),
    (
        "invite.created",
        InviteCreated("i_1", "member", "2026-01-31T09:30:00.124Z", 3),
        '{"id":"i_1","role":"member","expires_at":"2026-01-31T09:30:00.124Z","max_uses":3}',
    ),
    ("invite.revoked", InviteRevoked("i_1"), '{"id":"i_1"}'),
    (
        "permissions.updated",
        PermissionsUpdated({}, {"guest": {"messages.send": True}}),
        '{"old":{},"new":{"guest":{"messages.send":true}}}',
    ),
]

any_event = st.one_of(*BY_TYPE.values())
ANY = msgspec.json.Decoder()


def encode(event: Event, *, room: str = "r_1", seq: int = 7, ts: int = TS, actor: str = "u_9") -> bytes:
    return encode_event(event, room=room, seq=seq, ts=ts, actor=actor)


def test_every_event_type_has_its_cases() -> None:
    """The catalogue, the union, the strategies and the stored examples are the same set of types."""
    types = set(get_args(Event))
    assert set(EVENTS.values()) == types
    assert len(EVENTS) == len(types)
    assert BY_TYPE.keys() == types
    assert {type(event) for _, event, _ in STORED} == types


@pytest.mark.parametrize(("name", "event", "data"), STORED)
def test_an_event_has_exactly_these_bytes(name: str, event: Event, data: str) -> None:
    """The form of the journal does not drift: names, order and spelling of every field are fixed."""
    body = f'{{"type":"{name}","room":"r_1","seq":7,"ts":"2026-01-31T09:30:00.123Z","actor":"u_9","data":{data}}}'
    assert encode(event).decode() == body
    assert decode_event(body.encode()) == event
    assert event_name(event) == name


@pytest.mark.parametrize("kind", BY_TYPE, ids=lambda kind: kind.__name__)
@given(st.data(), texts, st.integers(0, 2**63 - 1), st.integers(0, 253_402_300_799_999), texts)
def test_an_event_reads_back_as_it_was(
    kind: type[Event], data: st.DataObject, room: str, seq: int, ts: int, actor: str
) -> None:
    """Any event of any type survives its bytes, and its frame says where, when and by whom."""
    event = data.draw(BY_TYPE[kind])
    body = encode(event, room=room, seq=seq, ts=ts, actor=actor)
    assert decode_event(body) == event
    whole = json.loads(body)
    assert list(whole) == ["type", "room", "seq", "ts", "actor", "data"]
    assert EVENTS[whole["type"]] is kind
    assert [whole["room"], whole["seq"], whole["ts"], whole["actor"]] == [room, seq, rfc3339(ts), actor]


@given(any_event)
def test_bytes_are_stable(event: Event) -> None:
    """Reading and writing again gives the same bytes, so an entry made anew after a crash is the entry it was."""
    body = encode(event)
    assert encode(decode_event(body)) == body


@given(any_event)
def test_what_the_server_writes_passes_its_own_strict_reader(event: Event) -> None:
    """No event of clean text is one that we would refuse from a stranger."""
    assert decode_strict(encode(event), ANY) == json.loads(encode(event))


@given(messages)
def test_a_message_of_an_event_is_the_message_of_a_projection(message: Message) -> None:
    """REST and the socket show the same object: the event's `data` is the projection's document."""
    assert encode(MessageCreated(message)).endswith(b',"data":' + encode_message(message) + b"}")
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("name", EVENTS)
def test_fields_of_a_later_version_are_passed_over(name: str) -> None:
    """An older server can still read a journal to which a newer one has added fields."""
    event, data = next((event, data) for stored, event, data in STORED if stored == name)
    fields = json.loads(data) | {"added_later": [1, {"x": None}]}
    body = json.dumps(
        {"type": name, "room": "r", "seq": 1, "ts": "", "actor": "u", "data": fields, "more": 1}, separators=(",", ":")
    )
    assert decode_event(body.encode()) == event


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"type":"member.left","room":"r","seq":1,"ts":"","actor":"a"}',
        b'{"type":"member.left","room":"r","seq":1,"ts":"","actor":"a","data":{}}',
        b'{"type":"member.left","room":"r","seq":1,"ts":"","actor":"a","data":{"user":1}}',
        b'{"type":"message.created","room":"r","seq":1,"ts":"","actor":"a","data":{"id":"m"}}',
        b'{"type":"room.created","room":"r","seq":"1","ts":"","actor":"a","data":{}}',
    ],
)
def test_what_is_no_event_is_not_read(body: bytes) -> None:
    """A journal that holds something else is damaged, and reading it says so with one kind of error."""
    with pytest.raises(msgspec.ValidationError):
        decode_event(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"type":"no.such","room":"r","seq":1,"ts":"","actor":"a","data":{}}',
        pytest.param(
            b'{"type":"member.left","room":"r","seq":1,"ts":"","actor":"a","data":{"user":"\xff"}}',
        ),
    ],
    ids=["empty", "cut off", "unknown type", "not UTF-8"],
)
def test_damage_of_any_kind_is_the_same_error(body: bytes) -> None:
    """Bytes that are no JSON and types that do not exist raise what the docstring promises."""
    with pytest.raises(msgspec.ValidationError):
        decode_event(body)

"""Records to test with: small, valid, and different where the number is."""

from __future__ import annotations

from msgspec.structs import replace

from storage.account_records import AvatarRecord, CredentialRecord, SessionRecord
from storage.records import (
    Append,
    Change,
    Entry,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    UserRecord,
)


def a_user(number: int = 1, *, name: str | None = None, email: str | None = None, disabled: bool = False) -> UserRecord:
    """Make an account whose id sorts by its number."""
    name = name or f"user{number:04d}"
    return UserRecord(
        id=f"u_{number:04d}",
        username=name.title(),
        name_key=name,
        display_name=f"User {number}",
        email=email,
        password_hash="not-a-hash",
        role="user",
        created_at=1_700_000_000_000 + number,
        disabled=disabled,
    )


def a_session(number: int = 1, *, user: str = "u_0001", seen_at: int | None = None) -> SessionRecord:
    """Make a session that was just begun; the higher the number, the later it was seen."""
    return SessionRecord(
        id=f"s_{number:04d}",
        user=user,
        family=f"family-{number}".encode(),
        digest=f"digest-{number}".encode(),
        created_at=1_700_000_000_000 + number,
        seen_at=1_700_000_000_000 + number if seen_at is None else seen_at,
        expires_at=1_700_001_000_000 + number,
        ends_at=1_700_009_000_000 + number,
        user_agent=f"Browser/{number}",
        address="192.0.2.7",
    )


def a_credential(
    number: int = 1,
    *,
    kind: str = "token",
    user: str = "u_0001",
    expires_at: int | None = None,
    uses_left: int | None = None,
) -> CredentialRecord:
    """Make a credential; the higher the number, the newer it is."""
    return CredentialRecord(
        id=f"t_{number:04d}",
        kind=kind,
        user=user,
        digest=f"digest-{number}".encode(),
        name=f"Token {number}",
        scopes=("rooms:read", "messages:write"),
        created_at=1_700_000_000_000 + number,
        expires_at=expires_at,
        uses_left=uses_left,
    )


def an_avatar(number: int = 1, *, user: str | None = None) -> AvatarRecord:
    """Make a picture."""
    return AvatarRecord(user or f"u_{number:04d}", f"a_{number}", "image/webp", bytes(range(256)) + bytes([number]))


def a_room(room: str = "r_1", *, seq: int = 1, name: str = "lobby", visibility: str = "public") -> RoomRecord:
    """Make a room's row as of `seq`."""
    return RoomRecord(
        id=room,
        kind="group",
        visibility=visibility,
        name=name.title(),
        name_key=name,
        topic="what to talk about",
        created_by="u_0001",
        created_at=1_700_000_000_000,
        epoch="e1",
        settings=b'{"slow_mode_seconds":0}',
        applied_seq=seq,
        last_msg_no=seq,
    )


def a_member(room: str = "r_1", user: str = "u_0001", *, seq: int = 1, role: str = "member") -> MemberRecord:
    """Make a membership."""
    return MemberRecord(room=room, user=user, role=role, joined_seq=seq, joined_at=1_700_000_000_000 + seq)


def a_post(room: str, seq: int, *, sender: str = "u_0001", client_msg_id: str | None = None, text: str = "") -> Entry:
    """Make the entry of a post."""
    return Entry(
        room=room,
        seq=seq,
        ts=1_700_000_000_000 + seq,
        type="message.created",
        actor=sender,
        body=f'{{"type":"message.created","room":"{room}","seq":{seq},"data":"{text}"}}'.encode(),
        sender=sender,
        client_msg_id=client_msg_id or f"c{seq}",
        digest=b"digest-of-" + (text or str(seq)).encode(),
        message_id=f"m_{room}_{seq:06d}",
        msg_no=seq,
    )


def a_message(entry: Entry, *, deleted: bool = False, doc: bytes | None = None) -> MessageRecord:
    """Make the message that a post amounts to."""
    return MessageRecord(
        id=entry.message_id or "",
        room=entry.room,
        seq=entry.seq,
        msg_no=entry.msg_no or 0,
        author=entry.actor,
        deleted=deleted,
        doc=entry.body if doc is None else doc,
        applied_seq=entry.seq,
    )


def an_item(
    key: str = "k",
    *,
    room: str = "r_1",
    kind: str = "pin",
    doc: bytes = b"{}",
    held: bool = False,
    due_at: int | None = None,
    seq: int = 0,
) -> ItemRecord:
    """Make an item that hangs on the room itself."""
    return ItemRecord(room=room, kind=kind, key=key, doc=doc, held=held, due_at=due_at, seq=seq)


def a_change(room: str, seq: int) -> Entry:
    """Make the entry of something else than a post."""
    return replace(
        a_post(room, seq),
        type="room.updated",
        sender=None,
        client_msg_id=None,
        digest=None,
        message_id=None,
        msg_no=None,
    )


def appended(*entries: Entry, changes: tuple[Change, ...] = ()) -> Append:
    """Make one room's append of these entries, with the messages they are and the room's row at the end."""
    room = entries[-1].room
    messages = tuple(PutMessage(a_message(entry)) for entry in entries if entry.message_id is not None)
    return Append(room=room, entries=entries, changes=(*messages, *changes, PutRoom(a_room(room, seq=entries[-1].seq))))


def posts(room: str, first: int, last: int) -> Append:
    """Make one append of the posts `first` to `last`."""
    return appended(*(a_post(room, seq) for seq in range(first, last + 1)))


def joined(room: str, seq: int, *users: str) -> Append:
    """Make one append, of one entry, that makes these users members."""
    return appended(a_change(room, seq), changes=tuple(PutMember(a_member(room, user, seq=seq)) for user in users))

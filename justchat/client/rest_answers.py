"""What the server answers over REST, besides the types of `justchat.wire`. Times are RFC 3339.

Users stand in lists as `UserView`, elsewhere by their id. Fields that a later server adds are ignored.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from justchat.client.items import RoomEvent
from justchat.wire.events import Message, Overrides, ReactionCount
from justchat.wire.server_frames import RoomView, UserView

T = TypeVar("T")


class Session(Struct, frozen=True):
    """A login, or its renewal: an access token for `expires_in` seconds, and what gets the next one.

    The refresh token is good once, within `refresh_expires_in` seconds. Neither is shown by `repr`.
    """

    user: UserView
    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a secret
    session_id: str | None = None
    refresh_token: str | None = None
    refresh_expires_in: int | None = None

    def __repr__(self) -> str:
        return f"Session(user={self.user!r}, session_id={self.session_id!r}, expires_in={self.expires_in})"


class OpenSession(Struct, frozen=True):
    """A login that has not ended, by where it is used. `current` is the one that asks."""

    id: str
    current: bool
    user_agent: str
    address: str
    created_at: str
    last_seen_at: str
    expires_at: str


class PersonalToken(Struct, frozen=True):
    """A token for a program. `token` is told once, when it is made; without `expires_at` it has no end."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"PersonalToken(id={self.id!r}, name={self.name!r}, scopes={self.scopes!r})"


class OwnProfile(Struct, frozen=True):
    """One's own account, with what only its owner sees."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str
    created_at: str
    email_verified: bool = False
    bio: str = ""
    avatar_url: str | None = None


class Profile(Struct, frozen=True):
    """A user in full. Of a `deleted` account nothing is left but its id.

    When they were last seen is not told to whom they block.
    """

    id: str
    username: str
    display_name: str
    role: str
    created_at: str
    bio: str = ""
    avatar_url: str | None = None
    online: bool = False
    last_seen_at: str | None = None
    deleted: bool = False


class Contact(Struct, frozen=True):
    """What somebody is to the caller: `asked` by them, `asks_you`, or both have `accepted`."""

    user: UserView
    state: str
    since: str


class Block(Struct, frozen=True):
    """Somebody whom the caller blocks."""

    user: UserView
    since: str


class PageOf(Struct, Generic[T], frozen=True):
    """A page of a list; `next_cursor` fetches the next one and is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Member(Struct, frozen=True):
    """A member of a room; `joined_seq` is the event that made them one."""

    user: UserView
    role: str
    joined_seq: int


class MemberDetail(Member, frozen=True):
    """One member, with what they may do in the room at this moment.

    `muted` is None where it is not for the caller to know; `muted_until` None is a mute without an end.
    """

    permissions: tuple[str, ...] = ()
    muted: bool | None = None
    muted_until: str | None = None


class ReactionView(ReactionCount, frozen=True):
    """How many people reacted with one emoji, and whether the caller did."""

    me: bool = False


class MessageView(Message, frozen=True, omit_defaults=True):
    """A message as the caller sees it."""

    reactions: tuple[ReactionView, ...] = ()


class Reactions(Struct, frozen=True):
    """Who reacted with one emoji. `count` is of all pages; the people may go on on the next one."""

    emoji: str
    count: int
    users: tuple[UserView, ...]


class Revision(Struct, frozen=True):
    """A version of a message; `at` is when it came to read like that."""

    rev: int
    body: str
    at: str


class PinnedMessage(Struct, frozen=True):
    """A pinned message, and who pinned it when."""

    message: MessageView
    by: str
    at: str


class EventPage(Struct, frozen=True):
    """A page of a room's journal, ascending; `more` says whether another page lies in the asked direction.

    The caller can see what lies above `floor_seq`. `reset` says why a page begins there instead of above `after`:
    `retention` or `history_visibility`.
    """

    events: tuple[RoomEvent, ...]
    head_seq: int
    epoch: str
    more: bool
    floor_seq: int = 0
    reset: str | None = None


class AuditPage(Struct, frozen=True):
    """A page of an audit log, newest first; `next_cursor` fetches the next one."""

    events: tuple[RoomEvent, ...]
    next_cursor: str | None = None


class RoomPermissions(Struct, frozen=True):
    """What each role may do in a room: by default, where the room deviates from that, and what comes of both.

    `effective` counts that the room is read-only or archived; who is muted is left out.
    """

    defaults: dict[str, tuple[str, ...]]
    overrides: Overrides
    effective: dict[str, tuple[str, ...]]


class Ban(Struct, frozen=True):
    """Somebody who may not come back."""

    user: UserView
    by: str
    at: str
    reason: str


class Mute(Struct, frozen=True):
    """Somebody who may not speak, until then or (None) until somebody says so."""

    user: UserView
    by: str
    at: str
    until: str | None
    reason: str


class Report(Struct, frozen=True):
    """What somebody says about a message, which is shown as it reads now."""

    message: MessageView
    user: UserView
    reason: str
    at: str


class NewInvite(Struct, frozen=True):
    """An invite as its creator sees it, once: `code` lets people in, `id` only names it."""

    id: str
    code: str
    role: str
    expires_at: str | None
    max_uses: int | None
    uses: int = 0


class Invite(Struct, frozen=True):
    """An invite as lists show it: without its code."""

    id: str
    role: str
    created_by: str
    created_at: str
    expires_at: str | None
    max_uses: int | None
    uses: int


class ScheduledPost(Struct, frozen=True):
    """A post of one's own that waits. `failed` is the code of the refusal that it met when its time had come."""

    id: str
    room: str
    body: str
    send_at: str
    created_at: str
    reply_to: str | None = None
    thread_root: str | None = None
    failed: str | None = None


class EventItems(Struct, frozen=True):
    """A page of a journal before its events are decoded."""

    items: tuple[msgspec.Raw, ...]
    head_seq: int
    epoch: str
    more: bool
    floor_seq: int = 0
    reset: str | None = None


class AuditItems(Struct, frozen=True):
    """A page of an audit log before its events are decoded."""

    items: tuple[msgspec.Raw, ...]
    next_cursor: str | None = None


class OwnRoom(RoomView, frozen=True):
    """A room of the caller's, with what was said last in it; `me.unread` says how much of it they have not read."""

    last_message: Message | None = None


Listing = PageOf[RoomView]
"""A page of rooms."""

Roster = PageOf[Member]
"""A page of members."""

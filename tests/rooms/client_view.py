"""What a client has to do with each durable event to know a room as a fresh look at it would show it.

A client begins with a snapshot: the room, its members, its deviating permissions, its messages, and what moderators can
list. From then on each event of the room is applied in the order of its seq, from its bytes alone. Twice that is not
enough: when it changes which history may be read, the messages are to be fetched again; and when the client's own
way into the room ends, there is nothing left to know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

# What nobody does who is muted, and what members and guests do not do in a read-only room.
SPEAKING = {
    "messages.send", "messages.edit_own", "messages.pin", "reactions.add", "files.attach", "mentions.all",
}  # fmt: skip
# What is left in an archived room.
LAID_UP = {
    "room.view", "room.edit", "room.delete", "members.remove", "members.ban", "roles.manage", "audit.view",
}  # fmt: skip
# Whoever has one of these roles speaks also in a read-only room.
SPEAKERS = {"owner", "admin", "moderator"}


class ClientView:
    """One user's view of one room. `messages` None means: fetch them; `gone`: the room is not theirs any more.

    `defaults` are what each role may do by default, as `GET /rooms/{r}/permissions` tells.
    """

    def __init__(self, me: str, *, room: Json, defaults: dict[str, list[str]], **parts: Json | None) -> None:
        self.me = me
        self.room = room
        self.defaults = defaults
        self.overrides: Json = parts["overrides"] or {}
        self.members: Json = parts["members"] or {}  # user -> role
        self.bans: Json = parts["bans"] or {}  # user -> reason
        self.mutes: Json = parts["mutes"] or {}  # user -> until
        self.invites: Json = parts["invites"] or {}  # id -> {role, expires_at, max_uses, uses}
        self.pins: Json = parts["pins"] or {}  # message -> {message_seq, by, at}
        self.messages: Json | None = parts["messages"]  # id -> message
        self.gone = False

    def apply(self, frame: bytes) -> None:
        """Take the next event in; one that is here already changes nothing. Raises ValueError for a gap."""
        event = json.loads(frame)
        head = self.room["head_seq"]
        if event["seq"] <= head:
            return
        if event["seq"] != head + 1:
            raise ValueError(f"after {head} comes {event['seq']}: subscribe again, after {head}")
        self.room["head_seq"] = event["seq"]
        RULES[event["type"]](self, event["data"], event)
        self.settle()

    def settle(self) -> None:
        """Work out what follows from the rest: what the client may do, how many are in, whether they may still look."""
        role = self.members.get(self.me)
        self.room["member_count"] = len(self.members)
        self.room["me"] = {"role": role, "permissions": sorted(self.permissions(role))}
        visible = role is not None or (self.room["visibility"] == "public" and self.me not in self.bans)
        self.gone = self.gone or not visible
        if role is None and self.room["settings"]["history_visibility"] == "since_join":
            self.messages = {}

    def permissions(self, role: str | None) -> set[str]:
        """Say what somebody with this role may do, who is muted or not."""
        if role is None:
            return {"room.view"} if self.room["visibility"] == "public" and self.me not in self.bans else set()
        changes = self.overrides.get(role, {})
        allowed = {*self.defaults[role], *(name for name, yes in changes.items() if yes)}
        allowed -= {name for name, yes in changes.items() if not yes}
        if self.room["settings"]["read_only"] and role not in SPEAKERS:
            allowed -= SPEAKING
        if self.room["settings"]["archived"]:
            allowed &= LAID_UP
        return allowed - SPEAKING if self.me in self.mutes else allowed

    def message(self, name: str | None) -> Json | None:
        """Give a message as far as it is known."""
        return None if name is None or self.messages is None else self.messages.get(name)


def updated(view: ClientView, data: Json, _: Json) -> None:
    changes = dict(data["new"])
    settings = changes.pop("settings", {})
    view.room |= changes
    view.room["settings"] = view.room["settings"] | settings
    if "history_visibility" in settings:
        view.messages = None


def archived(view: ClientView, data: Json, _: Json) -> None:
    view.room["settings"] = view.room["settings"] | data


def ended(view: ClientView, data: Json, event: Json) -> None:
    view.gone = True


def deviated(view: ClientView, data: Json, _: Json) -> None:
    view.overrides = data["new"]


def came(view: ClientView, data: Json, _: Json) -> None:
    view.members[data["user"]] = data["role"]
    if data.get("invite") in view.invites:
        view.invites[data["invite"]]["uses"] += 1


def went(view: ClientView, data: Json, _: Json) -> None:
    view.members.pop(data["user"], None)
    # Also one who was only visiting hears no more of it after a removal or a ban.
    view.gone = view.gone or data["user"] == view.me


def changed_role(view: ClientView, data: Json, _: Json) -> None:
    view.members[data["user"]] = data["new"]


def banned(view: ClientView, data: Json, event: Json) -> None:
    view.bans[data["user"]] = data.get("reason", "")
    went(view, data, event)


def muted(view: ClientView, data: Json, _: Json) -> None:
    view.mutes[data["user"]] = data.get("until")


def invited(view: ClientView, data: Json, _: Json) -> None:
    view.invites[data["id"]] = {"expires_at": None, "max_uses": None, "uses": 0} | {
        name: value for name, value in data.items() if name != "id"
    }


def posted(view: ClientView, data: Json, _: Json) -> None:
    if view.messages is not None:
        view.messages[data["id"]] = data
        count_reply(view, data.get("thread_root"), 1)


def count_reply(view: ClientView, root: str | None, by: int) -> None:
    message = view.message(root)
    if message is not None:
        put(message, reply_count=max(message.get("reply_count", 0) + by, 0))


def put(message: Json, **fields: object) -> None:
    """Change a message as the server shows it: what is empty, zero or no is left out."""
    for name, value in fields.items():
        if value or name in {"body", "rev"}:
            message[name] = value
        else:
            message.pop(name, None)


def edited(view: ClientView, data: Json, _: Json) -> None:
    message = view.message(data["id"])
    if message is not None:
        put(message, rev=data["rev"], body=data["body"], edited_at=data["edited_at"])
        put(message, mentions=data.get("mentions"), mentions_all=data.get("mentions_all"))


def deleted(view: ClientView, data: Json, _: Json) -> None:
    for gone in data.get("messages", [data]):
        view.pins.pop(gone["id"], None)
        message = view.message(gone["id"])
        if message is not None:
            put(message, body="", deleted=True, rev=message["rev"] + 1)
            put(message, mentions=None, mentions_all=None, reactions=None, expires_at=None)
        count_reply(view, gone.get("thread_root"), -1)


def reacted(view: ClientView, data: Json, event: Json) -> None:
    message = view.message(data["message"])
    if message is None:
        return
    by = 1 if event["type"] == "reaction.added" else -1
    counts = {each["emoji"]: each for each in message.get("reactions", [])}
    reaction = counts.setdefault(data["emoji"], {"emoji": data["emoji"], "count": 0, "me": False})
    reaction["count"] += by
    if data["user"] == view.me:
        reaction["me"] = by > 0
    put(message, reactions=[each for each in counts.values() if each["count"] > 0])


def pinned(view: ClientView, data: Json, event: Json) -> None:
    view.pins[data["message"]] = {"message_seq": data["message_seq"], "by": event["actor"], "at": event["ts"]}


def trimmed(view: ClientView, data: Json, _: Json) -> None:
    upto = data["upto_seq"]
    view.pins = {name: pin for name, pin in view.pins.items() if pin["message_seq"] > upto}
    if view.messages is not None:
        view.messages = {name: message for name, message in view.messages.items() if message["seq"] > upto}


# A type that a client does not know changes nothing that it knows.
RULES: dict[str, Callable[[ClientView, Json, Json], None]] = {
    "room.created": lambda view, data, event: None,  # nobody has a snapshot from before it
    "room.updated": updated,
    "room.archived": archived,
    "room.deleted": ended,
    "permissions.updated": deviated,
    "member.joined": came,
    "member.added": came,
    "member.left": went,
    "member.removed": went,
    "member.role_changed": changed_role,
    "member.banned": banned,
    "member.unbanned": lambda view, data, event: view.bans.pop(data["user"], None),
    "member.muted": muted,
    "member.unmuted": lambda view, data, event: view.mutes.pop(data["user"], None),
    "invite.created": invited,
    "invite.revoked": lambda view, data, event: view.invites.pop(data["id"], None),
    "message.created": posted,
    "message.updated": edited,
    "message.deleted": deleted,
    "message.expired": deleted,
    "message.bulk_deleted": deleted,
    "reaction.added": reacted,
    "reaction.removed": reacted,
    "pin.added": pinned,
    "pin.removed": lambda view, data, event: view.pins.pop(data["message"], None),
    "history.trimmed": trimmed,
}

"""A room as its rules read in prose, in the plainest Python: who may what, and how commands are answered.

It shares nothing with the code under test but the commands, keeps its own mutable state, and answers each command with
a tuple: `("yes", seq)`, `("unchanged", seq)`, `("repeat", seq)` or `("no", code)`. Who may not know of the room gets 0
for a position. What each command does is in the modules beside; `tests.rooms.reference_room` is all of it together.
"""

from __future__ import annotations

import re
from typing import Any

from justchat.rooms import commands as c
from justchat.rooms import kept_commands as k
from tests.rooms.command_values import USERS

Answer = tuple[str, object]
POWER = ["guest", "member", "moderator", "admin", "owner"]
DAY = 86_400_000
# permission -> the least role that has it by default
LEAST = {
    "room.view": "guest", "messages.send": "member", "messages.edit_own": "member", "messages.delete_own": "member",
    "reactions.add": "member", "files.attach": "member", "members.invite": "moderator", "members.remove": "moderator",
    "members.ban": "moderator", "members.mute": "moderator", "messages.delete_any": "moderator",
    "messages.pin": "moderator", "mentions.all": "moderator", "slow_mode.bypass": "moderator",
    "audit.view": "moderator", "room.edit": "admin", "roles.manage": "admin", "webhooks.manage": "admin",
    "room.delete": "owner",
}  # fmt: skip
SPEECH = {"messages.send", "messages.edit_own", "messages.pin", "reactions.add", "files.attach", "mentions.all"}
LAID_UP = {"room.view", "room.edit", "room.delete", "members.remove", "members.ban", "roles.manage", "audit.view"}
SYSTEM = "system"
EVERYBODY = (*USERS, "u_nobody")


class Reference:
    """One room. `log` is what happened, as (type, actor); `lost` says who lost sight of the room with each of it."""

    def __init__(self, named: dict[str, str]) -> None:
        self.named = named
        self.now = 0
        self.log: list[tuple[str, str]] = []
        self.lost: list[set[str]] = []
        self.times: list[int] = []
        self.kind = self.visibility = self.name = self.topic = ""
        self.settings: dict[str, Any] = {}
        self.overrides: dict[str, dict[str, bool]] = {}
        self.roles: dict[str, str] = {}
        self.joined: dict[str, int] = {}
        self.bans: set[str] = set()
        self.mutes: dict[str, int | None] = {}
        self.invites: dict[str, dict[str, Any]] = {}
        self.pins: set[str] = set()
        self.messages: dict[str, dict[str, Any]] = {}
        self.posts: dict[tuple[str, str], tuple[bytes, int]] = {}
        self.spoke: dict[str, int] = {}
        self.scheduled: dict[tuple[str, str], dict[str, Any]] = {}
        self.reports: set[tuple[str, str]] = set()
        self.posted = self.floor = 0
        self.sweep_at: int | None = None
        self.deleted = False

    @property
    def head(self) -> int:
        return len(self.log)

    # Who may what.

    def can(self, user: str, name: str) -> bool:
        role = self.roles.get(user)
        if user == SYSTEM or self.deleted or user in self.bans or role is None:
            visitor = role is None and self.visibility == "public" and user not in self.bans
            return user == SYSTEM or (not self.deleted and visitor and name == "room.view")
        allowed = self.overrides.get(role, {}).get(name, self.by_default(role, name))
        silent = (self.settings["read_only"] and role in {"member", "guest"}) or user in self.mutes
        return allowed and not (silent and name in SPEECH) and not (self.settings["archived"] and name not in LAID_UP)

    def by_default(self, role: str, name: str) -> bool:
        if self.kind == "direct":
            return LEAST[name] in {"guest", "member"} or name == "messages.pin"
        if self.kind == "channel" and (role, name) == ("member", "messages.send"):
            return False
        return POWER.index(role) >= POWER.index(LEAST[name])

    def no(self, user: str, name: str) -> Answer | None:
        if self.can(user, name):
            return None
        if user not in self.roles:
            return ("no", "not_a_member")
        return ("no", "muted" if name in SPEECH and user in self.mutes else "forbidden")

    def above(self, actor: str, user: str) -> bool:
        if actor == SYSTEM or user not in self.roles:
            return True
        own, other = POWER.index(self.roles[actor]), POWER.index(self.roles[user])
        return own > other or own == other == 4

    def last_owner(self, user: str) -> bool:
        return [each for each, role in self.roles.items() if role == "owner"] == [user]

    def floor_of(self, user: str) -> int:
        if self.settings["history_visibility"] == "shared":
            return self.floor
        return max(self.floor, self.joined[user] - 1 if user in self.roles else self.head)

    def find(self, user: str, name: str) -> dict[str, Any] | None:
        message = self.messages.get(name)
        return message if message and (user == SYSTEM or message["seq"] > self.floor_of(user)) else None

    # Answers.

    def yes(self, kind: str, actor: str, *, out: str = "") -> Answer:
        """Note what happened; `out` is who had to go, though they may be able to look in from outside."""
        self.log.append((kind, actor))
        self.lost.append({user for user in EVERYBODY if user == out or not self.can(user, "room.view")})
        self.times.append(self.now)
        return ("yes", self.head)

    def unchanged(self, user: str) -> Answer:
        return ("unchanged", self.head if user in self.roles or self.can(user, "room.view") else 0)

    def answer(self, command: c.Command | k.KeptCommand) -> Answer:
        """Do what the command asks, if its actor may. A post is put under its place, until its id is known."""
        actor = command.actor
        if isinstance(command, c.CreateRoom):
            return self.unchanged(actor) if self.log else self.do(command)
        if isinstance(command, c.RemoveMember) and command.user == actor:
            command = c.LeaveRoom(actor)
        if isinstance(command, c.LeaveRoom | c.JoinRoom | k.Unschedule):
            return self.do(command) if self.log else self.nowhere(command)
        if isinstance(command, c.PostMessage) and (actor, command.client_msg_id) in self.posts:
            digest, seq = self.posts[actor, command.client_msg_id]
            return ("repeat", seq) if digest == command.digest else ("no", "idempotency_mismatch")
        if self.deleted and isinstance(command, c.DeleteRoom):
            self.deleted = False
            could, self.deleted = self.can(actor, "room.delete"), True
            return self.unchanged(actor) if could else ("no", "not_found")
        if not self.log or self.deleted or not self.can(actor, "room.view"):
            banned = self.log and not self.deleted and self.visibility == "public" and actor in self.bans
            return ("no", "banned" if banned else "not_found")
        return self.do(command)

    def nowhere(self, command: c.Command | k.KeptCommand) -> Answer:
        """Whoever leaves a room that is none is not in it."""
        return ("unchanged", 0) if isinstance(command, c.LeaveRoom) else ("no", "not_found")

    def do(self, command: c.Command | k.KeptCommand) -> Answer:
        name = re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), type(command).__name__)
        answer: Answer = getattr(self, f"do{name}")(command)
        return answer

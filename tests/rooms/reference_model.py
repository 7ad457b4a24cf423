"""A room as its rules read in prose, in the plainest Python: what real rooms are compared with.

It shares nothing with the code under test but the commands, keeps its own mutable state, and answers each command with
a tuple: `("yes", seq)`, `("unchanged", seq)`, `("repeat", seq)` or `("no", code)`. Who may not know of the room gets 0
for a position. What is due by the clock happens when `pass_time` is called; times are milliseconds.
"""

from __future__ import annotations

import re
from typing import Any

from justchat.rooms import commands as c
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

    def answer(self, command: c.Command) -> Answer:
        """Do what the command asks, if its actor may. A post is put under `new`, until its id is known."""
        actor = command.actor
        if isinstance(command, c.CreateRoom):
            return self.unchanged(actor) if self.log else self.create(command)
        if isinstance(command, c.LeaveRoom) or (isinstance(command, c.RemoveMember) and command.user == actor):
            return self.leave(actor)
        if isinstance(command, c.JoinRoom):
            return self.join(command)
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
        name = re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), type(command).__name__)
        return getattr(self, f"do{name}")(command)

    # The room.

    def create(self, command: c.CreateRoom) -> Answer:
        self.kind, self.visibility = str(command.kind), str(command.visibility)
        self.name, self.topic = command.name, command.topic
        fields = command.settings.__struct_fields__
        self.settings = {name: getattr(command.settings, name) for name in fields}
        self.roles = dict.fromkeys(command.members, "member") | {command.actor: "owner"}
        self.joined = dict.fromkeys(self.roles, 1)
        self.sweep_at = None if command.settings.retention_days is None else 0
        return self.yes("room.created", command.actor)

    def do_update_room(self, command: c.UpdateRoom) -> Answer:
        if refused := self.no(command.actor, "room.edit"):
            return refused
        if self.settings["archived"]:
            return ("no", "conflict")
        plain = {name: getattr(command, name) for name in ("name", "topic", "visibility")}
        plain = {name: str(value) for name, value in plain.items() if value not in (None, getattr(self, name))}
        wanted = command.settings
        names = () if wanted is None else wanted.__struct_fields__
        named = {name: getattr(wanted, name) for name in names if type(getattr(wanted, name)).__name__ != "UnsetType"}
        new = {name: value for name, value in named.items() if value != self.settings[name]}
        if not plain and not new:
            return self.unchanged(command.actor)
        vars(self).update(plain)
        self.settings |= new
        if new.get("slow_mode_seconds") == 0:
            self.spoke = {}
        if "retention_days" in new:
            self.sweep_at = None if new["retention_days"] is None else 0
        return self.yes("room.updated", command.actor)

    def do_archive_room(self, command: c.ArchiveRoom) -> Answer:
        if refused := self.no(command.actor, "room.edit"):
            return refused
        if self.settings["archived"] is command.archived:
            return self.unchanged(command.actor)
        self.settings["archived"] = command.archived
        return self.yes("room.archived", command.actor)

    def do_delete_room(self, command: c.DeleteRoom) -> Answer:
        if refused := self.no(command.actor, "room.delete"):
            return refused
        self.deleted, self.mutes, self.invites, self.sweep_at = True, {}, {}, None
        return self.yes("room.deleted", command.actor)

    def do_set_permissions(self, command: c.SetPermissions) -> Answer:
        if refused := self.no(command.actor, "roles.manage"):
            return refused
        if self.settings["archived"]:
            return ("no", "conflict")
        new = {role: dict(changes) for role, changes in self.overrides.items()}
        for role, changes in command.changes.items():
            if POWER.index(role) >= POWER.index(self.roles[command.actor]):
                return ("no", "forbidden")
            for name, wanted in changes.items():
                if name == "room.view":
                    return ("no", "validation_failed")
                usual = self.by_default(role, name)
                before = new.setdefault(role.value, {}).pop(name, usual)
                after = usual if wanted is None else wanted
                if after and not before and not self.can(command.actor, name):
                    return ("no", "forbidden")
                new[role.value] |= {name: after} if after != usual else {}
        new = {role: changes for role, changes in new.items() if changes}
        if new == self.overrides:
            return self.unchanged(command.actor)
        self.overrides = new
        return self.yes("permissions.updated", command.actor)

    # Members.

    def put(self, kind: str, actor: str, user: str, role: str) -> Answer:
        answer = self.yes(kind, actor)
        self.joined[user] = self.joined[user] if user in self.roles else self.head
        self.roles[user] = str(role)
        return answer

    def join(self, command: c.JoinRoom) -> Answer:
        user, invite = command.actor, self.invites.get(command.invite or "")
        if not self.log or self.deleted:
            return ("no", "not_found")
        if user in self.roles:
            return self.unchanged(user)
        if command.invite is not None:
            late = invite is not None and invite["end"] is not None and self.now >= invite["end"]
            if invite is None or late or invite["uses"] == invite["most"]:
                return ("no", "not_found")
        elif self.visibility != "public":
            return ("no", "not_found")
        if user in self.bans:
            return ("no", "banned")
        if self.settings["archived"]:
            return ("no", "conflict")
        if invite is not None:
            invite["uses"] += 1
        return self.put("member.joined", user, user, "member" if invite is None else invite["role"])

    def leave(self, user: str) -> Answer:
        if not self.log or self.deleted or user not in self.roles:
            return self.unchanged(user)
        if self.kind == "direct" or self.last_owner(user):
            return ("no", "conflict" if self.kind == "direct" else "last_owner")
        del self.roles[user]
        return self.yes("member.left", user, out=user)

    def cannot_give(self, actor: str, role: str) -> bool:
        above = POWER.index(role) > POWER.index(self.roles[actor])
        return above or (role != "member" and not self.can(actor, "roles.manage"))

    def do_add_member(self, command: c.AddMember) -> Answer:
        if refused := self.no(command.actor, "members.invite"):
            return refused
        if self.cannot_give(command.actor, command.role):
            return ("no", "forbidden")
        if command.user in self.roles:
            return self.unchanged(command.actor)
        if command.user in self.bans:
            return ("no", "conflict")
        return self.put("member.added", command.actor, command.user, command.role)

    def do_remove_member(self, command: c.RemoveMember) -> Answer:
        if refused := self.no(command.actor, "members.remove"):
            return refused
        if command.user not in self.roles:
            return self.unchanged(command.actor)
        if not self.above(command.actor, command.user):
            return ("no", "forbidden")
        del self.roles[command.user]
        return self.yes("member.removed", command.actor, out=command.user)

    def do_set_role(self, command: c.SetRole) -> Answer:
        actor, user, role = command.actor, command.user, command.role
        if actor == user and self.roles.get(user) == role:
            return self.unchanged(actor)
        if refused := self.no(actor, "roles.manage"):
            return refused
        if user not in self.roles:
            return ("no", "not_found")
        if POWER.index(role) > POWER.index(self.roles[actor]):
            return ("no", "forbidden")
        if self.roles[user] == role:
            return self.unchanged(actor)
        if user != actor and not self.above(actor, user):
            return ("no", "forbidden")
        if self.last_owner(user):
            return ("no", "last_owner")
        return self.put("member.role_changed", actor, user, role)

    # Moderation.

    def do_ban_member(self, command: c.BanMember) -> Answer:
        actor, user = command.actor, command.user
        if refused := self.no(actor, "members.ban"):
            return refused
        if user == actor or user in self.bans:
            return ("no", "conflict") if user == actor else self.unchanged(actor)
        if not self.above(actor, user):
            return ("no", "forbidden")
        self.bans.add(user)
        self.roles.pop(user, None)
        return self.yes("member.banned", actor, out=user)

    def do_unban_member(self, command: c.UnbanMember) -> Answer:
        if refused := self.no(command.actor, "members.ban"):
            return refused
        if command.user not in self.bans:
            return self.unchanged(command.actor)
        self.bans.remove(command.user)
        return self.yes("member.unbanned", command.actor)

    def do_mute_member(self, command: c.MuteMember) -> Answer:
        actor, user = command.actor, command.user
        if refused := self.no(actor, "members.mute"):
            return refused
        if user == actor or user not in self.roles:
            return ("no", "conflict" if user == actor else "not_found")
        if not self.above(actor, user):
            return ("no", "forbidden")
        if user in self.mutes and self.mutes[user] == command.until:
            return self.unchanged(actor)
        if command.until is not None and command.until <= self.now:
            return ("no", "validation_failed")
        self.mutes[user] = command.until
        return self.yes("member.muted", actor)

    def do_unmute_member(self, command: c.UnmuteMember) -> Answer:
        actor, user = command.actor, command.user
        if refused := self.no(actor, "members.mute"):
            return refused
        until = self.mutes.get(user)
        if user not in self.mutes or (actor == SYSTEM and (until is None or until > self.now)):
            return self.unchanged(actor)
        if not self.above(actor, user):
            return ("no", "forbidden")
        del self.mutes[user]
        return self.yes("member.unmuted", actor)

    def do_create_invite(self, command: c.CreateInvite) -> Answer:
        actor = command.actor
        if refused := self.no(actor, "members.invite"):
            return refused
        if self.cannot_give(actor, command.role):
            return ("no", "forbidden")
        if command.id in self.invites:
            return self.unchanged(actor)
        if command.expires_at is not None and command.expires_at <= self.now:
            return ("no", "validation_failed")
        self.invites[command.id] = {
            "role": str(command.role), "end": command.expires_at, "most": command.max_uses, "uses": 0,
        }  # fmt: skip
        return self.yes("invite.created", actor)

    def do_revoke_invite(self, command: c.RevokeInvite) -> Answer:
        actor, invite = command.actor, self.invites.get(command.id)
        if refused := self.no(actor, "members.invite"):
            return refused
        if invite is None or (actor == SYSTEM and (invite["end"] is None or invite["end"] > self.now)):
            return self.unchanged(actor)
        del self.invites[command.id]
        return self.yes("invite.revoked", actor)

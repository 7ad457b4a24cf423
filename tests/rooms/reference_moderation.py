"""Moderation in the reference model: bans, mutes and invites."""

from __future__ import annotations

from justchat.rooms import commands as c
from tests.rooms.reference_members import Members
from tests.rooms.reference_model import SYSTEM, Answer


class Moderation(Members):
    """What may be done to keep a room in order."""

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
            "by": actor, "role": str(command.role), "end": command.expires_at, "most": command.max_uses, "uses": 0,
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

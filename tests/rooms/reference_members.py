"""The members of the reference model: who comes and goes, and with which role."""

from __future__ import annotations

from justchat.rooms import commands as c
from tests.rooms.reference_model import POWER, Answer, Reference


class Members(Reference):
    """What may be done about members."""

    def put(self, kind: str, actor: str, user: str, role: str) -> Answer:
        answer = self.yes(kind, actor)
        self.joined[user] = self.joined[user] if user in self.roles else self.head
        self.roles[user] = str(role)
        return answer

    def do_join_room(self, command: c.JoinRoom) -> Answer:
        user, invite = command.actor, self.invites.get(command.invite or "")
        if self.deleted:
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
        if invite is None:
            return self.put("member.joined", user, user, "member")
        # An invite is worth what whoever made it could give now.
        if not self.can(invite["by"], "members.invite"):
            return ("no", "not_found")
        invite["uses"] += 1
        too_much = POWER.index(invite["role"]) > 1 and self.cannot_give(invite["by"], invite["role"])
        return self.put("member.joined", user, user, "member" if too_much else invite["role"])

    def do_leave_room(self, command: c.LeaveRoom) -> Answer:
        user = command.actor
        if self.deleted or user not in self.roles:
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

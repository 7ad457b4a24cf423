"""The room itself in the reference model: made, changed, laid up, ended, and what its roles may do."""

from __future__ import annotations

from justchat.rooms import commands as c
from tests.rooms.reference_model import POWER, Answer, Reference


class Settings(Reference):
    """What may be done to a room."""

    def do_create_room(self, command: c.CreateRoom) -> Answer:
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
        self.deleted, self.mutes, self.invites, self.scheduled, self.sweep_at = True, {}, {}, {}, None
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

"""A room as its rules read in prose, in the plainest Python: what the real rules are compared with.

It shares nothing with the code under test but the commands, keeps its own mutable state, and answers each command with
a tuple: `("yes", seq, …)`, `("unchanged", seq)`, `("repeat", seq, msg_no, id)` or `("no", code)`. Who may not know of
the room gets no position with an answer: a bare `("unchanged",)`.
"""

from __future__ import annotations

from justchat.rooms.commands import (
    AddMember,
    Command,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    SetRole,
    UpdateRoom,
)

POWER = ["guest", "member", "moderator", "admin", "owner"]
Answer = tuple[object, ...]


class Model:
    """One room. `messages`: id -> [author, body, deleted]; `posts`: (user, client_msg_id) -> digest and answer."""

    def __init__(self) -> None:
        self.kind = self.visibility = self.name = self.topic = ""
        self.roles: dict[str, str] = {}
        self.messages: dict[str, list[object]] = {}
        self.posts: dict[tuple[str, str], tuple[bytes, Answer]] = {}
        self.log: list[str] = []
        self.deleted = False

    def answer(self, command: Command, message_id: str) -> Answer:
        """Do what the command asks, if its actor may, and answer."""
        if isinstance(command, CreateRoom):
            return ("unchanged",) if self.log else self.create(command)
        if isinstance(command, PostMessage) and (command.actor, command.client_msg_id) in self.posts:
            return self.repeat(command)
        if not self.log or self.deleted or (command.actor not in self.roles and self.visibility == "private"):
            return self.out_of_sight(command)
        match command:
            case PostMessage():
                return self.post(command, message_id)
            case DeleteMessage(actor=actor, message=message):
                return self.delete(actor, message)
            case UpdateRoom():
                return self.refused(command.actor, "admin") or self.update(command)
            case DeleteRoom(actor=actor):
                return self.refused(actor, "owner") or self.end()
            case JoinRoom(actor=actor):
                return self.unchanged() if actor in self.roles else self.put("member.joined", actor, "member")
            case LeaveRoom(actor=actor):
                return self.leave(actor)
            case AddMember(actor=actor, user=user, role=role):
                return self.refused(actor, "moderator") or self.add(actor, user, role)
            case RemoveMember(actor=actor, user=user):
                return (
                    self.leave(actor) if user == actor else self.refused(actor, "moderator") or self.drop(actor, user)
                )
            case SetRole(actor=actor, user=user, role=role):
                if actor == user and self.roles.get(user) == role:
                    return self.unchanged()
                return self.refused(actor, "admin") or self.change(actor, user, role)

    def out_of_sight(self, command: Command) -> Answer:
        if isinstance(command, DeleteRoom) and self.roles.get(command.actor) == "owner":
            return self.unchanged()
        leaving = isinstance(command, LeaveRoom) or (
            isinstance(command, RemoveMember) and command.user == command.actor
        )
        return ("unchanged",) if leaving else ("no", "not_found")

    def create(self, command: CreateRoom) -> Answer:
        if command.kind == "direct" and (len({command.actor, *command.members}) != 2 or command.visibility == "public"):
            return ("no", "validation_failed")
        self.kind, self.visibility = command.kind.value, command.visibility.value
        self.name, self.topic = command.name, command.topic
        self.roles = dict.fromkeys(command.members, "member") | {command.actor: "owner"}
        return self.yes("room.created")

    def repeat(self, command: PostMessage) -> Answer:
        digest, said = self.posts[command.actor, command.client_msg_id]
        return ("repeat", *said) if digest == command.digest else ("no", "idempotency_mismatch")

    def post(self, command: PostMessage, message_id: str) -> Answer:
        refused = self.refused(command.actor, "moderator" if self.kind == "channel" else "member")
        if refused:
            return refused
        if command.reply_to is not None and command.reply_to not in self.messages:
            return ("no", "not_found")
        self.messages[message_id] = [command.actor, command.body, False]
        said = (len(self.log) + 1, len(self.messages), message_id)
        self.posts[command.actor, command.client_msg_id] = (command.digest, said)
        return (*self.yes("message.created"), *said[1:])

    def delete(self, actor: str, message: str) -> Answer:
        if message not in self.messages:
            return ("no", "not_found")
        author, _, deleted = self.messages[message]
        refused = self.refused(actor, "member" if author == actor else "moderator")
        if self.kind == "direct" and author != actor:
            refused = refused or ("no", "forbidden")
        if refused or deleted:
            return refused or self.unchanged()
        self.messages[message] = [author, "", True]
        return self.yes("message.deleted")

    def update(self, command: UpdateRoom) -> Answer:
        if self.fixed():
            return ("no", "conflict")
        wanted = {"name": command.name, "topic": command.topic, "visibility": command.visibility}
        news = {field: value for field, value in wanted.items() if value not in (None, getattr(self, field))}
        for field, value in news.items():
            setattr(self, field, value)
        return self.yes("room.updated") if news else self.unchanged()

    def end(self) -> Answer:
        self.deleted = True
        return self.yes("room.deleted")

    def leave(self, user: str) -> Answer:
        if user not in self.roles:
            return self.unchanged()
        return self.fixed() or self.without_last_owner(user) or self.put("member.left", user, None)

    def add(self, actor: str, user: str, role: str) -> Answer:
        if self.fixed():
            return ("no", "conflict")
        if self.above(role, actor) or (role != "member" and self.refused(actor, "admin")):
            return ("no", "forbidden")
        return self.unchanged() if user in self.roles else self.put("member.added", user, role)

    def drop(self, actor: str, user: str) -> Answer:
        if user not in self.roles:
            return self.unchanged()
        return self.untouchable(actor, user) or self.fixed() or self.put("member.removed", user, None)

    def change(self, actor: str, user: str, role: str) -> Answer:
        if user not in self.roles:
            return ("no", "not_found")
        if self.above(role, actor):
            return ("no", "forbidden")
        if self.roles[user] == role:
            return self.unchanged()
        refused = (user != actor and self.untouchable(actor, user)) or self.fixed() or self.without_last_owner(user)
        return refused or self.put("member.role_changed", user, role)

    def fixed(self) -> Answer | None:
        return ("no", "conflict") if self.kind == "direct" else None

    def above(self, role: str, actor: str) -> bool:
        return POWER.index(role) > POWER.index(self.roles[actor])

    def untouchable(self, actor: str, user: str) -> Answer | None:
        own, other = self.roles[actor], self.roles[user]
        return None if POWER.index(own) > POWER.index(other) or own == other == "owner" else ("no", "forbidden")

    def without_last_owner(self, user: str) -> Answer | None:
        owners = [member for member, role in self.roles.items() if role == "owner"]
        return ("no", "last_owner") if owners == [user] else None

    def refused(self, actor: str, least: str) -> Answer | None:
        if actor not in self.roles:
            return ("no", "not_a_member")
        return ("no", "forbidden") if POWER.index(self.roles[actor]) < POWER.index(least) else None

    def put(self, event: str, user: str, role: str | None) -> Answer:
        self.roles.pop(user, None) if role is None else self.roles.update({user: str(role)})
        return self.yes(event)

    def yes(self, event: str) -> Answer:
        self.log.append(event)
        return ("yes", len(self.log))

    def unchanged(self) -> Answer:
        return ("unchanged", len(self.log))

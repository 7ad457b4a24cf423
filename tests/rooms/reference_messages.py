"""The messages of the reference model: what is said, and what hangs on it."""

from __future__ import annotations

from typing import Any

from justchat.rooms import commands as c
from tests.rooms.reference_model import SYSTEM, Answer, Reference


class Messages(Reference):
    """What may be done with words. A message is `{seq, author, body, rev, …}`, its reactions emoji -> users."""

    def do_post_message(self, command: c.PostMessage) -> Answer:
        actor, root = command.actor, command.thread_root
        if refused := self.no(actor, "messages.send"):
            return refused
        if self.wait_of(actor) and not self.can(actor, "slow_mode.bypass"):
            return ("no", "slow_mode")
        if not all(self.find(actor, name) for name in (command.reply_to, root) if name is not None):
            return ("no", "not_found")
        if root is not None:
            root = self.messages[root]["root"] or root
        if self.settings["slow_mode_seconds"]:
            self.spoke[actor] = self.now
        self.posted += 1
        self.posts[actor, command.client_msg_id] = (command.digest, self.head + 1)
        end = None if command.expires_in is None else self.now + command.expires_in
        # Its id is the server's to choose.
        self.messages[f"at {self.head + 1}"] = {
            "seq": self.head + 1, "msg_no": self.posted, "author": actor, "body": command.body, "rev": 1,
            "deleted": False, "root": root, "reply_to": command.reply_to, "replies": 0, "end": end, "reactions": {},
            **self.called(command, command.mentions),
        }  # fmt: skip
        self.count_reply(root, 1)
        self.scheduled.pop((actor, command.client_msg_id.removeprefix("scheduled:")), None)
        return self.yes("message.created", actor)

    def wait_of(self, user: str) -> int:
        """Give how long slow mode still lasts for somebody."""
        pause = self.settings["slow_mode_seconds"] * 1000
        return max(0, self.spoke[user] + pause - self.now) if pause and user in self.spoke else 0

    def called(self, command: c.PostMessage | c.EditMessage, ids: tuple[str, ...] = ()) -> dict[str, Any]:
        users = [self.named[name] for name in command.names if name in self.named] + list(ids)
        everybody = command.mentions_all and self.can(command.actor, "mentions.all")
        return {"mentions": [user for user in dict.fromkeys(users) if user in self.roles], "all": everybody}

    def count_reply(self, root: str | None, by: int) -> None:
        if root in self.messages:
            self.messages[root]["replies"] += by

    def do_edit_message(self, command: c.EditMessage) -> Answer:
        actor, message = command.actor, self.find(command.actor, command.message)
        if message is None:
            return ("no", "not_found")
        if message["author"] != actor:
            return self.no(actor, "messages.send") or ("no", "forbidden")
        if refused := self.no(actor, "messages.edit_own"):
            return refused
        if message["deleted"]:
            return ("no", "conflict")
        if message["body"] == command.body:
            return self.unchanged(actor)
        if command.rev not in (None, message["rev"]):
            return ("no", "precondition_failed")
        message |= {"body": command.body, "rev": message["rev"] + 1, **self.called(command)}
        return self.yes("message.updated", actor)

    def bury(self, name: str) -> None:
        message = self.messages[name]
        message |= {"body": "", "rev": message["rev"] + 1, "deleted": True, "end": None, "reactions": {}}
        message |= {"mentions": [], "all": False}
        self.pins.discard(name)
        self.count_reply(message["root"], -1)

    def do_delete_message(self, command: c.DeleteMessage) -> Answer:
        return self.delete(command.actor, (command.message,), "message.deleted")

    def do_bulk_delete(self, command: c.BulkDelete) -> Answer:
        return self.delete(command.actor, tuple(dict.fromkeys(command.messages)), "message.bulk_deleted")

    def delete(self, actor: str, names: tuple[str, ...], event: str) -> Answer:
        for name in names:
            message = self.find(actor, name)
            if message is None:
                return ("no", "not_found")
            own = message["author"] == actor
            if refused := self.no(actor, "messages.delete_own" if own else "messages.delete_any"):
                return refused
        living = [name for name in names if not self.messages[name]["deleted"]]
        for name in living:
            self.bury(name)
        return self.yes(event, actor) if living else self.unchanged(actor)

    def do_expire_message(self, command: c.ExpireMessage) -> Answer:
        message = self.messages.get(command.message)
        if command.actor != SYSTEM or message is None:
            return ("no", "not_found")
        if message["end"] is None or message["end"] > self.now:
            return self.unchanged(SYSTEM)
        self.bury(command.message)
        return self.yes("message.expired", SYSTEM)

    def do_react(self, command: c.React) -> Answer:
        actor, message = command.actor, self.find(command.actor, command.message)
        if message is None:
            return ("no", "not_found")
        if refused := self.no(actor, "reactions.add"):
            return refused
        if message["deleted"]:
            return ("no", "conflict")
        users = message["reactions"].setdefault(command.emoji, set())
        if actor in users:
            return self.unchanged(actor)
        users.add(actor)
        return self.yes("reaction.added", actor)

    def do_unreact(self, command: c.Unreact) -> Answer:
        actor, message = command.actor, self.find(command.actor, command.message)
        if message is None:
            return ("no", "not_found")
        if actor not in message["reactions"].get(command.emoji, ()):
            return self.unchanged(actor)
        if self.settings["archived"]:
            return ("no", "conflict")
        message["reactions"][command.emoji].remove(actor)
        message["reactions"] = {emoji: users for emoji, users in message["reactions"].items() if users}
        return self.yes("reaction.removed", actor)

    def do_pin_message(self, command: c.PinMessage) -> Answer:
        actor, message = command.actor, self.find(command.actor, command.message)
        if message is None:
            return ("no", "not_found")
        if refused := self.no(actor, "messages.pin"):
            return refused
        if message["deleted"]:
            return ("no", "conflict")
        if command.message in self.pins:
            return self.unchanged(actor)
        self.pins.add(command.message)
        return self.yes("pin.added", actor)

    def do_unpin_message(self, command: c.UnpinMessage) -> Answer:
        if refused := self.no(command.actor, "messages.pin"):
            return refused
        if command.message not in self.pins:
            return self.unchanged(command.actor)
        self.pins.remove(command.message)
        return self.yes("pin.removed", command.actor)

    def do_trim_history(self, command: c.TrimHistory) -> Answer:
        if command.actor != SYSTEM:
            return ("no", "forbidden")
        upto = min(command.upto, self.head)
        if upto <= self.floor:
            return self.unchanged(SYSTEM)
        self.floor = upto
        self.messages = {name: message for name, message in self.messages.items() if message["seq"] > upto}
        self.pins &= self.messages.keys()
        self.reports = {(message, user) for message, user in self.reports if message in self.messages}
        return self.yes("history.trimmed", SYSTEM)

"""What the reference model keeps besides its log: scheduled posts and reports, which are for some eyes only."""

from __future__ import annotations

from justchat.rooms import commands as c
from justchat.rooms import kept_commands as k
from tests.rooms.reference_messages import Messages
from tests.rooms.reference_model import Answer


class Kept(Messages):
    """What may be asked of a room that leads to no entry. A scheduled post is `{end, post, wish, failed}`."""

    def kept(self, word: str, user: str) -> Answer:
        return (word, self.head if self.can(user, "room.view") else 0)

    def do_schedule_message(self, command: k.ScheduleMessage) -> Answer:
        actor, name = command.actor, (command.actor, command.id)
        if name in self.scheduled:
            same = self.scheduled[name]["wish"] == command
            return self.kept("unchanged", actor) if same else ("no", "idempotency_mismatch")
        if refused := self.no(actor, "messages.send"):
            return refused
        if not all(self.find(actor, at) for at in (command.reply_to, command.thread_root) if at is not None):
            return ("no", "not_found")
        if command.due_at <= self.now:
            return ("no", "validation_failed")
        seconds = command.expires_in
        said = (command.body, command.reply_to, command.thread_root, command.mentions, seconds)
        post = c.PostMessage(
            actor,
            f"scheduled:{command.id}",
            command.body,
            repr(said).encode(),
            command.reply_to,
            command.thread_root,
            command.mentions,
            expires_in=None if seconds is None else seconds * 1000,
        )
        self.scheduled[name] = {"end": command.due_at, "post": post, "wish": command, "failed": None}
        return self.kept("yes", actor)

    def do_unschedule(self, command: k.Unschedule) -> Answer:
        gone = self.scheduled.pop((command.actor, command.id), None)
        return self.kept("unchanged" if gone is None else "yes", command.actor)

    def not_posted(self, post: c.PostMessage, answer: Answer) -> None:
        """What was said before needs not be said again; what has to wait is tried again, and the rest has failed."""
        name = (post.actor, post.client_msg_id.removeprefix("scheduled:"))
        if answer[0] == "repeat":
            del self.scheduled[name]
        elif answer[1] == "slow_mode":
            self.scheduled[name]["end"] = self.now + max(1000, self.wait_of(post.actor))
        else:
            self.scheduled[name] |= {"end": None, "failed": answer[1]}

    def do_report_message(self, command: k.ReportMessage) -> Answer:
        actor, message = command.actor, self.find(command.actor, command.message)
        if message is None:
            return ("no", "not_found")
        if (command.message, actor) in self.reports:
            return self.kept("unchanged", actor)
        if message["deleted"]:
            return ("no", "conflict")
        self.reports.add((command.message, actor))
        return self.kept("yes", actor)

    def do_dismiss_report(self, command: k.DismissReport) -> Answer:
        actor, report = command.actor, (command.message, command.user)
        if refused := self.no(actor, "messages.delete_any"):
            return refused
        word = "yes" if report in self.reports else "unchanged"
        self.reports.discard(report)
        return self.kept(word, actor)

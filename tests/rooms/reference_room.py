"""A whole room of the reference model, and what happens in it by the clock; times are milliseconds."""

from __future__ import annotations

from justchat.rooms import commands as c
from tests.rooms.reference_kept import Kept
from tests.rooms.reference_messages import Messages
from tests.rooms.reference_model import DAY, SYSTEM
from tests.rooms.reference_moderation import Moderation
from tests.rooms.reference_settings import Settings


class ReferenceRoom(Settings, Moderation, Kept, Messages):
    """What real rooms are compared with. What is due happens when `pass_time` is called."""

    def pass_time(self) -> None:
        """Let happen what is due, the earliest first."""
        if self.deleted:
            return
        due: list[tuple[int, str, c.Command]] = [
            *((end, f"mute {user}", c.UnmuteMember(SYSTEM, user)) for user, end in self.mutes.items() if end),
            *(
                (at["end"], f"invite {name}", c.RevokeInvite(SYSTEM, name))
                for name, at in self.invites.items()
                if at["end"]
            ),
            *(
                (at["end"], f"expiry {name}", c.ExpireMessage(SYSTEM, name))
                for name, at in self.messages.items()
                if at["end"]
            ),
            *(
                (at["end"], f"scheduled {user}/{name}", at["post"])
                for (user, name), at in self.scheduled.items()
                if at["end"]
            ),
        ]
        if self.sweep_at is not None and self.sweep_at <= self.now:
            due.append((self.sweep_at, "sweep", c.TrimHistory(SYSTEM, self.too_old())))
            self.sweep_at = self.now + DAY
        for at, _, command in sorted(due, key=lambda timer: (timer[0] or 0, timer[1])):
            if (at or 0) <= self.now:
                answer = self.answer(command)
                if isinstance(command, c.PostMessage) and answer[0] != "yes":
                    self.not_posted(command, answer)

    def too_old(self) -> int:
        """Give the seq up to which everything is older than the room's retention time."""
        bound = self.now - self.settings["retention_days"] * DAY
        upto = sum(at < bound for at in self.times)
        kinds = {kind for kind, _ in self.log[self.floor : upto]}
        return self.floor if kinds <= {"history.trimmed"} else max(upto, self.floor)

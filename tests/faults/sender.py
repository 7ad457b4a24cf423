"""A client that posts, and never takes silence for an answer: it keeps an account of every `client_msg_id`.

What is not answered is sent again under the same id, over a new connection if need be, until there is an answer that
counts: an ack, or a refusal that a retry cannot change.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import trio

from tests.faults.participant import Frame, Gone, Participant

RETRYABLE = frozenset(
    {"room_overloaded", "room_unavailable", "storage_unavailable", "draining", "rate_limited", "internal"}
)
# Well beyond what the server allows itself, which is 5 s and the pauses of the machine.
ANSWER_SECONDS = 25.0
_LOOK_SECONDS = 0.25


class Sender:
    """One user's posts to some rooms, `rate` a second, at most `window` of them unanswered."""

    def __init__(
        self,
        port: int,
        token: str,
        rooms: Sequence[str],
        *,
        tag: str,
        choice: random.Random,
        rate: float = 50.0,
        window: int = 16,
        padding: int = 0,
    ) -> None:
        self.port = port
        self.token = token
        self.rooms = list(rooms)
        self.tag = tag
        self.choice = choice
        self.rate = rate
        self.window = window
        self.padding = "x" * padding
        self.stopping = False
        self.attempts: dict[str, tuple[str, str]] = {}
        """Every id ever sent, with its room and body."""
        self.begun_at: dict[str, float] = {}
        self.acks: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        """Ids that ended with a refusal that is final."""
        self.answers: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.answer_seconds = ANSWER_SECONDS
        self.trusts_network = True
        """If not, an answer that is overdue is the network's fault and goes into `given_up`."""
        self.given_up = 0
        self.goodbyes = 0
        self.contradictions = 0
        """Acks of one id with different seqs."""
        self.unanswered = 0
        """Times that an answer was overdue on a connection that was alive."""
        self.pending: dict[str, float] = {}
        """Sent and not answered: when the answer is overdue."""
        self._retry_at: dict[str, float] = {}
        self._next_at = 0.0
        self._line: Participant | None = None

    def stop(self) -> None:
        """Begin nothing new; `run` ends when all is answered."""
        self.stopping = True

    async def run(self) -> None:
        """Post until told to stop and answered."""
        self._next_at = trio.current_time()
        while not self._done():
            try:
                await self._once()
            except Gone as gone:
                self.closes[gone.code] += 1
            except OSError:
                self.closes[0] += 1
                await trio.sleep(self.choice.uniform(0.05, 0.2))
            if not self._done():
                await trio.sleep(self.choice.uniform(0.0, 0.05))

    def _done(self) -> bool:
        return self.stopping and not self.pending and not self._retry_at

    def _may_begin(self) -> bool:
        return not self.stopping and len(self.pending) + len(self._retry_at) < self.window

    async def _once(self) -> None:
        with trio.move_on_after(self.answer_seconds):
            self._line = await Participant.greeted(self.port, self.token)
        line, self._line = self._line, None
        if line is None:
            raise Gone(1006)
        try:
            for client_msg_id in list(self.pending):
                await self._post(line, client_msg_id)
            while not self._done():
                await self._post_what_is_due(line)
                with trio.move_on_at(self._wake_at()):
                    self._answered(await line.next())
        finally:
            line.drop()

    async def _post_what_is_due(self, line: Participant) -> None:
        now = trio.current_time()
        for client_msg_id in [i for i, at in self._retry_at.items() if at <= now]:
            del self._retry_at[client_msg_id]
            await self._post(line, client_msg_id)
        overdue = [i for i, at in self.pending.items() if at <= now]
        if overdue:
            if self.trusts_network:
                self.unanswered += len(overdue)
            else:
                self.given_up += len(overdue)
            # The line is taken for dead, as a real client would.
            raise Gone(1006)
        if self._may_begin() and self._next_at <= now:
            self._next_at = max(self._next_at, now - 1.0) + self.choice.expovariate(self.rate)
            client_msg_id = f"{self.tag}-{len(self.attempts)}"
            body = f"{client_msg_id} {self.choice.getrandbits(32)} {self.padding}".strip()
            self.attempts[client_msg_id] = (self.choice.choice(self.rooms), body)
            self.begun_at[client_msg_id] = now
            await self._post(line, client_msg_id)

    def _wake_at(self) -> float:
        now = trio.current_time()
        candidates = [now + _LOOK_SECONDS, *self._retry_at.values()]
        if self._may_begin():
            candidates.append(self._next_at)
        return min(candidates)

    async def _post(self, line: Participant, client_msg_id: str) -> None:
        room, body = self.attempts[client_msg_id]
        self.pending[client_msg_id] = trio.current_time() + self.answer_seconds
        data = {"client_msg_id": client_msg_id, "body": body}
        await line.say("send", room=room, data=data, frame_id=client_msg_id)

    def _answered(self, frame: Frame) -> None:
        self.goodbyes += frame["type"] == "goodbye"
        client_msg_id = frame.get("id")
        if client_msg_id not in self.attempts:
            return
        assert isinstance(client_msg_id, str)
        self.pending.pop(client_msg_id, None)
        if frame["type"] == "ack":
            self.answers["ack"] += 1
            self._retry_at.pop(client_msg_id, None)
            if self.acks.setdefault(client_msg_id, frame["seq"]) != frame["seq"]:
                self.contradictions += 1
            return
        code = frame["data"]["code"]
        self.answers[code] += 1
        if code in RETRYABLE:
            self._retry_at[client_msg_id] = trio.current_time() + min(frame["data"].get("retry_after", 0.1), 0.5)
        else:
            self.refused[client_msg_id] = code

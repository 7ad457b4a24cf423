"""What to do when an actor crashes: restart at once, later, park it, or give up. Pure: time and chance are passed in.

The first crash after a healthy time restarts at once; each further one waits twice as long, up to a maximum. More
crashes within a period than the restart intensity allows park the actor, which is then probed, or escalate.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct


class RestartPolicy(Struct, frozen=True):
    """How patient a supervisor is with one actor."""

    intensity: int = 5
    """This many crashes within the period are answered by restarts; one more parks or escalates."""
    period_seconds: float = 30.0
    backoff_min_seconds: float = 0.05
    backoff_max_seconds: float = 5.0
    jitter: float = 0.2
    """The back-off is shortened by a random part of up to this fraction, so that many actors do not restart in step."""
    healthy_seconds: float = 30.0
    """An incarnation that has worked for so long wipes the slate clean."""
    probe_seconds: float = 30.0
    """How long an actor stays parked before it is tried again."""
    escalate: bool = False
    """Whether too many crashes end the whole tree instead of parking the actor."""

    def __post_init__(self) -> None:
        if self.intensity < 0 or not 0.0 <= self.jitter <= 1.0:
            raise ValueError("intensity must not be negative, and jitter must be between 0 and 1")
        if not 0.0 < self.backoff_min_seconds <= self.backoff_max_seconds:
            raise ValueError("back-off must be positive, and its minimum no more than its maximum")
        if min(self.period_seconds, self.healthy_seconds, self.probe_seconds) <= 0.0:
            raise ValueError("the period, the healthy time and the probe time must be positive")


class RestartAfter(Struct, frozen=True):
    """Start the next incarnation after this time."""

    seconds: float


class Park(Struct, frozen=True):
    """Refuse messages; start a probing incarnation after this time."""

    probe_after_seconds: float


class Escalate(Struct, frozen=True):
    """Give up: this actor's failure is its owner's failure."""


class RestartHistory:
    """One actor's crashes, as far as they still count."""

    __slots__ = ("_crashes", "_policy", "_probing", "_ready_at", "_streak")

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._crashes: deque[float] = deque(maxlen=policy.intensity + 1)
        self._streak = 0
        self._probing = False
        self._ready_at: float | None = None

    @property
    def probing(self) -> bool:
        """Whether the actor was parked and has not been healthy since."""
        return self._probing

    def ready(self, now: float) -> None:
        """Record that an incarnation has started well, at `now` seconds."""
        self._ready_at = now

    def healthy(self, now: float) -> bool:
        """Tell whether the present incarnation has worked for the healthy time."""
        return self._ready_at is not None and now - self._ready_at >= self._policy.healthy_seconds

    def crashed(self, now: float, jitter: float) -> RestartAfter | Park | Escalate:
        """Decide what follows a crash at `now` seconds; `jitter` is drawn evenly from 0 to 1."""
        policy = self._policy
        if self.healthy(now):
            self._crashes.clear()
            self._streak = 0
            self._probing = False
        self._ready_at = None
        if self._probing:
            return Park(policy.probe_seconds)
        self._crashes.append(now)
        while now - self._crashes[0] > policy.period_seconds:
            self._crashes.popleft()
        if len(self._crashes) > policy.intensity:
            return self._give_up()
        return RestartAfter(self._backoff(jitter))

    def _give_up(self) -> Park | Escalate:
        if self._policy.escalate:
            return Escalate()
        self._probing = True
        return Park(self._policy.probe_seconds)

    def _backoff(self, jitter: float) -> float:
        policy = self._policy
        streak, self._streak = self._streak, self._streak + 1
        if streak == 0:
            return 0.0
        doublings = min(streak - 1, 64)  # beyond that the maximum has long been reached, and a float would overflow
        seconds = min(policy.backoff_max_seconds, policy.backoff_min_seconds * 2.0**doublings)
        return seconds * (1.0 - policy.jitter * jitter)

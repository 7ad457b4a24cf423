"""What can go wrong between a caller and an actor.

Every reply that fails, fails with one of these, and every refused tell raises one of these. They mean "no answer came",
never "the answer is no": a refusal by the actor itself is a value of its reply.
"""

from __future__ import annotations


class ActorError(Exception):
    """The root: catch it to catch every way in which an actor does not answer."""


class InboxFull(ActorError):
    """The inbox holds as many messages as it may; nothing was queued."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"inbox full: retry in {retry_after_seconds:.3g} s")
        self.retry_after_seconds = retry_after_seconds


class ActorStopped(ActorError):
    """The inbox is closed: its actor finished, passivated or was shut down. Activate it again and retry."""

    def __init__(self, message: str = "the actor has stopped: activate it again") -> None:
        super().__init__(message)


class ActorUnavailable(ActorError):
    """The supervisor parked the actor after too many crashes; it is tried again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"the actor is parked after repeated crashes: retry in {retry_after_seconds:.3g} s")
        self.retry_after_seconds = retry_after_seconds


class ActorCrashed(ActorError):
    """The actor crashed over this message, which is not run again; whether it took effect is unknown."""

    def __init__(self, message: str = "this message crashed the actor twice and is quarantined") -> None:
        super().__init__(message)


class AskTimeout(ActorError):
    """No answer came before the caller's deadline; whether the message takes effect is unknown."""

    def __init__(self, message: str = "no answer before the deadline") -> None:
        super().__init__(message)


class RegistryFull(ActorError):
    """As many actors are active as the registry may hold; none was started."""

    def __init__(self, capacity: int) -> None:
        super().__init__(f"all {capacity} places are taken: wait until an actor passivates")
        self.capacity = capacity


class ActorEscalated(ActorError):
    """An actor crashed too often and its policy says that the whole tree must not go on without it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"actor {name} crashed more often than its restart policy allows")
        self.name = name

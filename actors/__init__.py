"""A small supervised-actor runtime for Trio: inboxes, replies, outboxes, supervisors and a registry of keyed actors.

An actor is an async function over an `Inbox`; there is no base class. This package owns how messages wait, how callers
are answered, and what follows a crash. It promises that nothing is unbounded and that no caller is left without an
answer. It knows nothing of chat: the chat's own actors (room, connection, presence) live in `justchat/`, those of the
stores in `storage/`. Start with README.md beside this file.
"""

from __future__ import annotations

from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorEscalated,
    ActorStopped,
    ActorUnavailable,
    AskTimeout,
    InboxFull,
    RegistryFull,
)
from actors.inbox import Envelope, Inbox, InboxControl, InboxStatistics
from actors.outbox import Outbox, OutboxStatistics
from actors.registry import Registry, RegistryStatistics
from actors.reply import Reply
from actors.restart import Escalate, Park, RestartAfter, RestartHistory, RestartPolicy
from actors.statistics import Timings
from actors.supervisor import Child, ChildState, ChildStatistics, Supervisor, SupervisorStatistics

__all__ = [
    "ActorCrashed",
    "ActorError",
    "ActorEscalated",
    "ActorStopped",
    "ActorUnavailable",
    "AskTimeout",
    "Child",
    "ChildState",
    "ChildStatistics",
    "Envelope",
    "Escalate",
    "Inbox",
    "InboxControl",
    "InboxFull",
    "InboxStatistics",
    "Outbox",
    "OutboxStatistics",
    "Park",
    "Registry",
    "RegistryFull",
    "RegistryStatistics",
    "Reply",
    "RestartAfter",
    "RestartHistory",
    "RestartPolicy",
    "Supervisor",
    "SupervisorStatistics",
    "Timings",
]

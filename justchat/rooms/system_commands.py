"""What the server itself asks of a room: nobody else may, whoever they are.

An account that goes takes several steps in each of its rooms, and each step is one entry. `EndMembership` asks for the
next one and is asked again until nothing is left to change, so that the room alone decides what the next one is, as of
that moment. So does `TakeOver`.
"""

from __future__ import annotations

from msgspec import Struct


class EndMembership(Struct, frozen=True):
    """Take the next step of letting `user` go, who had no hand in it: their account goes, or loses its rooms.

    `heirs` are the accounts to which the room may pass on where it would be left without an owner; in a direct room,
    the other one if they are still there. None: nobody has looked for them yet, and where it matters the answer is
    `last_owner`. `for_good` says that the account never comes back, so that nothing has to be held against it.
    """

    actor: str
    user: str
    heirs: tuple[str, ...] | None = None
    for_good: bool = True


class TakeOver(Struct, frozen=True):
    """Take the next step of making `user` an owner of the room, as the server's administrator `by` wants it."""

    actor: str
    user: str
    by: str


class EraseMessages(Struct, frozen=True):
    """Turn those of these messages into tombstones that are `user`'s and still there; in a deleted room, too."""

    actor: str
    user: str
    messages: tuple[str, ...]


class EraseReaction(Struct, frozen=True):
    """Take back a reaction of `user`; in a deleted room, too."""

    actor: str
    user: str
    message: str
    emoji: str


SystemCommand = EndMembership | TakeOver | EraseMessages | EraseReaction

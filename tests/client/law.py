"""The law of a client's stream, as a judge that is shown every item.

Per room: a run begins with `Subscribed`, each event is the one after the last, and a run ends with `Unsubscribed`,
`Reset` or the next `Subscribed`. What is delivered must also be what the journal holds at that place.
"""

from __future__ import annotations

from collections.abc import Mapping

from justchat.client.items import Item, Reset, RoomEvent, Subscribed, Unsubscribed
from justchat.wire.events import MessageCreated
from justchat.wire.frames import Position


class Judge:
    """Sees the items in their order; `seqs` holds the place of every run that is open."""

    def __init__(self, resumed: Mapping[str, Position] | None = None) -> None:
        self.seqs: dict[str, int] = {room: position.seq for room, position in (resumed or {}).items()}
        self.epochs: dict[str, str] = {room: position.epoch for room, position in (resumed or {}).items()}
        # (room, epoch, seq, body) of every event
        self.seen: list[tuple[str, str, int, str]] = []
        self.events = 0
        self.resets = 0

    def bodies(self, room: str) -> list[str]:
        """Give the bodies delivered for a room, in their order."""
        return [body for name, _, _, body in self.seen if name == room]

    def see(self, item: Item) -> None:
        match item:
            case Subscribed(room=room, seq=seq, history=history):
                seqs = [event.seq for event in history]
                assert seqs == list(range(seq - len(seqs) + 1, seq + 1)), "history ends where the run begins"
                self.seqs[room] = seq
                self.epochs[room] = item.epoch
            case RoomEvent(room=room, seq=seq, content=MessageCreated(message=message)):
                assert room in self.seqs, f"an event of {room} outside of any run"
                assert seq == self.seqs[room] + 1, f"{room}: {seq} after {self.seqs[room]}"
                self.seqs[room] = seq
                self.seen.append((room, self.epochs[room], seq, message.body))
                self.events += 1
            case Reset(room=room, seq=seq) | Unsubscribed(room=room, seq=seq):
                assert self.seqs.pop(room) == seq, "a run ends where its last event was"
                self.resets += isinstance(item, Reset)
            case _:
                raise AssertionError(f"unexpected {item}")

"""The sums at the end of a fault test: what was sent, what history holds, and what each client was given. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tests.faults.reading import Reading
from tests.faults.sender import Sender

Event = dict[str, Any]


class Verdict(Struct, frozen=True):
    """Every figure but the last four must be 0; those say that the test was worth its time."""

    lost: int
    """Acked, and not in history."""
    duplicated: int
    """In history more than once."""
    unexpected: int
    """In history, and never sent."""
    mismatched: int
    """In history with another seq or body than was acked or sent, or acked with two seqs."""
    phantom: int
    """Given to a client, and not in history."""
    holes: int
    """Seqs missing in history."""
    gaps: int
    """Seqs that a client was not given."""
    repeats: int
    """Seqs that a client was given again."""
    resets: int
    unanswered: int
    acked: int
    recovered: int
    """Never acked, and yet in history: allowed, and the retry would have said so."""
    delivered: int
    retried: int

    def clean(self) -> bool:
        """Tell whether every promise was kept."""
        return not any(getattr(self, name) for name in self.__struct_fields__[:10])

    def table(self) -> str:
        """Render for a test's output."""
        return " ".join(f"{name}={getattr(self, name)}" for name in self.__struct_fields__)


def judge(histories: Mapping[str, Sequence[Event]], senders: Sequence[Sender], readings: Iterable[Reading]) -> Verdict:
    """Compare; each reading is expected to have been brought up to its room's head before."""
    readings = list(readings)
    posts = [event for history in histories.values() for event in history if event["type"] == "message.created"]
    counts = Counter(event["data"]["client_msg_id"] for event in posts)
    stored = {event["data"]["client_msg_id"]: event for event in posts}
    attempts = {key: value for sender in senders for key, value in sender.attempts.items()}
    acks = {key: value for sender in senders for key, value in sender.acks.items()}
    return Verdict(
        lost=len(acks.keys() - stored.keys()),
        duplicated=sum(count - 1 for count in counts.values()),
        unexpected=len(stored.keys() - attempts.keys()),
        mismatched=sum(
            not _agrees(stored[key], attempts[key], acks.get(key)) for key in stored.keys() & attempts.keys()
        )
        + sum(sender.contradictions for sender in senders),
        phantom=sum(_phantoms(reading, histories[reading.room]) for reading in readings),
        holes=sum(_holes(history) for history in histories.values()),
        gaps=sum(_gaps(reading, histories[reading.room]) for reading in readings),
        repeats=sum(reading.repeats for reading in readings),
        resets=sum(reading.resets for reading in readings),
        unanswered=sum(sender.unanswered for sender in senders),
        acked=len(acks),
        recovered=len(stored.keys() & attempts.keys() - acks.keys()),
        delivered=sum(len(reading.given) for reading in readings),
        retried=sum(count for sender in senders for code, count in sender.answers.items() if code != "ack"),
    )


def _agrees(event: Event, attempt: tuple[str, str], acked_seq: int | None) -> bool:
    right_seq = acked_seq is None or event["seq"] == acked_seq
    return right_seq and (event["room"], event["data"]["body"]) == attempt


def _phantoms(reading: Reading, history: Sequence[Event]) -> int:
    known = {(event["seq"], event["type"], (event.get("data") or {}).get("client_msg_id")) for event in history}
    return sum((given.seq, given.type, given.client_msg_id) not in known for given in reading.given)


def _holes(history: Sequence[Event]) -> int:
    return history[-1]["seq"] - history[0]["seq"] + 1 - len(history) if history else 0


def _gaps(reading: Reading, history: Sequence[Event]) -> int:
    """Count what lies between its first seq and the room's head and was not given."""
    expected = {event["seq"] for event in history if event["seq"] > reading.first}
    return len(expected - {given.seq for given in reading.given}) + reading.gaps

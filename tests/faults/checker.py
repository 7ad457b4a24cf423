"""What the server promised, against what clients saw: figures from their logs and from the history drained at the end.

Pure. A log is what one client wrote down, in its order: what it posted on which connection, each answer, each event as
it came in (nothing dropped, nothing sorted), where its streams began, and when a connection broke. Times are seconds of
one monotonic clock, taken before a frame is sent and after one was received. All of `MUST_BE_ZERO` are violations of
the promise; the other figures say whether a run was able to prove anything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import asdict

ANSWER_SECONDS = 15.0
"""How long an open connection may owe an answer: thrice what the server allows itself."""

MISMATCH = "idempotency_mismatch"


class Item(Struct, frozen=True):
    """One durable event as somebody saw it; all but the first four fields are empty for what is not a message."""

    room: str
    seq: int
    kind: str
    author: str
    message_id: str = ""
    client_msg_id: str = ""
    body: str = ""


class Posted(Struct, frozen=True):
    """One attempt to post: a frame written to a connection. A repeat is another attempt with the same client_msg_id."""

    at: float
    connection: int
    frame: str
    room: str
    client_msg_id: str
    body: str


class Answered(Struct, frozen=True):
    """The answer to one attempt: an ack, or an error if there is a `code`."""

    at: float
    connection: int
    frame: str
    room: str
    client_msg_id: str
    seq: int = 0
    message_id: str = ""
    duplicate: bool = False
    code: str = ""


class Delivered(Struct, frozen=True):
    """An event given to the application."""

    at: float
    connection: int
    item: Item


class Joined(Struct, frozen=True):
    """A room's stream begins after `seq`: the first join, or a new start after the server signalled a gap."""

    room: str
    seq: int


class Resumed(Struct, frozen=True):
    """A room's stream went on after a break, and the server said that nothing of `missed` events is missing now."""

    room: str
    missed: int


class Closed(Struct, frozen=True):
    """A connection broke. One that the client left in peace at the end of a run is not mentioned."""

    at: float
    connection: int


Record = Posted | Answered | Delivered | Joined | Resumed | Closed
R = TypeVar("R", Posted, Answered, Delivered, Joined, Resumed, Closed)


class ClientLog(Struct):
    """One client of one user.

    `drained` claims that it stayed until it should have seen the end of every room; `ordered` that it posted one after
    the other on one connection at a time, so that the order of its posts is promised.
    """

    user: str
    records: list[Record]
    drained: bool = False
    ordered: bool = True

    def of(self, kind: type[R]) -> Iterator[R]:
        """Give the records of one kind, in their order."""
        return (record for record in self.records if isinstance(record, kind))


class Report(Struct, frozen=True):
    """The figures. From `recovered` on they are not violations, but what the run was worth."""

    lost_acked: int = 0
    phantom: int = 0
    unexpected: int = 0
    dup_history: int = 0
    dup_delivery: int = 0
    gaps: int = 0
    order_violations: int = 0
    seq_holes: int = 0
    ack_mismatch: int = 0
    realtime_order: int = 0
    unanswered: int = 0
    recovered: int = 0
    acks: int = 0
    kills_in_flight: int = 0
    resumes: int = 0
    deliveries: int = 0

    @property
    def violations(self) -> dict[str, int]:
        """The figures that must be zero and are not."""
        return {name: value for name, value in asdict(self).items() if name in MUST_BE_ZERO and value}

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


MUST_BE_ZERO = Report.__struct_fields__[:11]

Key = tuple[str, str, str]
"""A post's identity: room, user, client_msg_id."""


def check(
    logs: Sequence[ClientLog],
    history: Sequence[Item],
    *,
    kills: Sequence[float] = (),
    answer_seconds: float = ANSWER_SECONDS,
) -> Report:
    """Count every figure. `kills` are the times just before the server was killed."""
    evidence = _Evidence(logs, history)
    streams = [stream for log in logs for stream in _streams(log, evidence.heads)]
    return Report(
        lost_acked=sum(key not in evidence.stored for key in evidence.acks),
        phantom=len({record.item for log in logs for record in log.of(Delivered)} - set(history)),
        unexpected=sum(key not in evidence.attempts for key in evidence.stored),
        dup_history=sum(len(items) - 1 for items in evidence.stored.values()),
        dup_delivery=sum(stream.repeated for stream in streams),
        gaps=sum(stream.missing for stream in streams),
        order_violations=sum(stream.disorder for stream in streams) + _fifo_violations(logs, evidence),
        seq_holes=_seq_holes(history),
        ack_mismatch=_ack_mismatches(evidence),
        realtime_order=_realtime_violations(evidence),
        unanswered=sum(_unanswered(log, answer_seconds) for log in logs),
        recovered=_recovered(evidence),
        acks=len(evidence.acks),
        kills_in_flight=sum(any(_in_flight(log, kill) for log in logs) for kill in kills),
        resumes=sum(1 for log in logs for _ in log.of(Resumed)),
        deliveries=sum(1 for log in logs for _ in log.of(Delivered)),
    )


class _Evidence:
    """Logs and history by post: the attempts, acks and refusals of each, and the messages stored for it."""

    def __init__(self, logs: Sequence[ClientLog], history: Sequence[Item]) -> None:
        self.attempts: dict[Key, list[Posted]] = {}
        self.acks: dict[Key, list[Answered]] = {}
        self.refused: set[Key] = set()
        self.stored: dict[Key, list[Item]] = {}
        self.heads: dict[str, int] = {}
        for log in logs:
            self._read(log)
        for item in history:
            self.heads[item.room] = max(item.seq, self.heads.get(item.room, 0))
            if item.message_id:
                self.stored.setdefault((item.room, item.author, item.client_msg_id), []).append(item)

    def _read(self, log: ClientLog) -> None:
        # An attempt that was told to be another message than the one stored has no share in it.
        void = {(record.connection, record.frame) for record in log.of(Answered) if record.code == MISMATCH}
        for record in log.records:
            match record:
                case Posted() if (record.connection, record.frame) not in void:
                    self.attempts.setdefault(_key(log, record), []).append(record)
                case Answered(code=""):
                    self.acks.setdefault(_key(log, record), []).append(record)
                case Answered():
                    self.refused.add(_key(log, record))

    def seq_of(self, key: Key) -> int | None:
        """Give the first place at which a post is stored."""
        items = self.stored.get(key)
        return min(item.seq for item in items) if items else None


def _key(log: ClientLog, record: Posted | Answered) -> Key:
    return record.room, log.user, record.client_msg_id


class _Stream:
    """The events of one room at one client from a join on: to the end, or to a gap that the server signalled."""

    def __init__(self, start: int) -> None:
        self.start = self.last = start
        self.seen: set[int] = set()
        self.repeated = 0
        self.disorder = 0
        self.end = start

    def take(self, seq: int) -> None:
        self.repeated += seq in self.seen
        self.disorder += seq <= self.last
        self.seen.add(seq)
        self.last = seq
        self.end = max(self.end, seq)

    @property
    def missing(self) -> int:
        return self.end - self.start - sum(seq > self.start for seq in self.seen)


def _streams(log: ClientLog, heads: dict[str, int]) -> list[_Stream]:
    present: dict[str, _Stream] = {}
    past: list[_Stream] = []
    for record in log.records:
        match record:
            case Joined(room=room, seq=seq):
                if room in present:
                    past.append(present[room])
                present[room] = _Stream(seq)
            case Delivered(item=item):
                present.setdefault(item.room, _Stream(item.seq - 1)).take(item.seq)
    if log.drained:
        for room, stream in present.items():
            stream.end = max(stream.end, heads.get(room, 0))
    return [*past, *present.values()]


def _fifo_violations(logs: Sequence[ClientLog], evidence: _Evidence) -> int:
    """Count posts stored before an earlier one of the same client, unless a refusal or a rival client explains it."""
    owners: dict[Key, set[int]] = {}
    for number, log in enumerate(logs):
        for record in log.of(Posted):
            owners.setdefault(_key(log, record), set()).add(number)
    count = 0
    for log in logs:
        if not log.ordered:
            continue
        last: dict[str, int] = {}
        for key in dict.fromkeys(_key(log, record) for record in log.of(Posted)):
            seq = evidence.seq_of(key)
            if seq is None or key in evidence.refused or len(owners[key]) > 1:
                continue
            count += seq < last.get(key[0], 0)
            last[key[0]] = max(seq, last.get(key[0], 0))
    return count


def _seq_holes(history: Sequence[Item]) -> int:
    seqs: dict[str, list[int]] = {}
    for item in history:
        seqs.setdefault(item.room, []).append(item.seq)
    # A seq that is taken twice is as wrong as one that is missing, and must not make up for it.
    return sum(max(taken) - min(taken) + 1 - len(set(taken)) + len(taken) - len(set(taken)) for taken in seqs.values())


def _ack_mismatches(evidence: _Evidence) -> int:
    """Count acks that name another place than history or an earlier ack do, and messages whose body nobody posted."""
    count = 0
    for key, acks in evidence.acks.items():
        items = evidence.stored.get(key)
        if items is None:
            continue
        told = [(ack.seq, ack.message_id) for ack in acks]
        places = {(item.seq, item.message_id) for item in items}
        count += sum(place not in places or place != told[0] for place in told)
        bodies = {attempt.body for attempt in evidence.attempts.get(key, [])}
        count += sum(item.body not in bodies for item in items)
    return count


def _realtime_violations(evidence: _Evidence) -> int:
    """Count posts begun after another one was acked and yet stored before it."""
    acked: dict[str, list[tuple[float, int]]] = {}
    for key, acks in evidence.acks.items():
        seq = evidence.seq_of(key)
        if seq is not None:
            acked.setdefault(key[0], []).append((min(ack.at for ack in acks), seq))
    times: dict[str, list[float]] = {}
    highest: dict[str, list[int]] = {}
    for room, pairs in acked.items():
        pairs.sort()
        times[room] = [at for at, _ in pairs]
        highest[room] = list(accumulate((seq for _, seq in pairs), max))
    count = 0
    for key, attempts in evidence.attempts.items():
        seq = evidence.seq_of(key)
        if seq is None or key[0] not in times:
            continue
        before = bisect_left(times[key[0]], min(attempt.at for attempt in attempts))
        count += before > 0 and highest[key[0]][before - 1] > seq
    return count


def _unanswered(log: ClientLog, answer_seconds: float) -> int:
    answered = {(record.connection, record.frame) for record in log.of(Answered)}
    closed = {record.connection: record.at for record in log.of(Closed)}
    return sum(
        (post.connection, post.frame) not in answered
        and closed.get(post.connection, float("inf")) - post.at > answer_seconds
        for post in log.of(Posted)
    )


def _recovered(evidence: _Evidence) -> int:
    """Count posts that are stored although the attempt that stored them was never answered."""
    return sum(
        all(ack.duplicate for ack in evidence.acks.get(key, ())) for key in evidence.stored if key in evidence.attempts
    )


def _in_flight(log: ClientLog, kill: float) -> bool:
    """Tell whether the kill broke a connection of this client that still owed an answer."""
    answered = {(record.connection, record.frame) for record in log.of(Answered)}
    broken = {record.connection for record in log.of(Closed) if record.at >= kill}
    return any(
        post.at <= kill and post.connection in broken and (post.connection, post.frame) not in answered
        for post in log.of(Posted)
    )

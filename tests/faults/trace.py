"""What a traced server wrote, synced and told, and whether it told anything before it was durable. Pure.

A message counts as durable once a sync of the write-ahead log has returned that began after the message was written to
it. Strace stops a thread at the beginning and at the end of each call, so whatever one call caused stands below it in
the trace; the numbers of lines are all the clock that is needed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from msgspec import Struct

WAL = "-wal"
_LINE = re.compile(r"^(\d+) +[\d.]+ (.*)$", re.DOTALL)
_CALL = re.compile(r"^(\w+)\(\d+<([^>]*(?:->[^>]*)?)>")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>")
_SYNCED = re.compile(r"\) += 0$")
_UNFINISHED = " <unfinished ...>"
_FRAME = '{\\"type\\":\\"'


class Call(Struct, frozen=True):
    """One system call on one file, with the lines at which it began and ended; `text` is all that was printed of it."""

    name: str
    file: str
    text: str
    began: int
    ended: int


class Told(Struct, frozen=True):
    """Something written to a client: which message it names, in what kind of frame, in which line."""

    marker: str
    kind: str
    line: int


class Findings(Struct, frozen=True):
    """Every telling of a message, and those that came before the message was durable."""

    told: list[Told]
    early: list[Told]

    def count(self, kind: str) -> int:
        """Count tellings of one kind."""
        return sum(told.kind == kind for told in self.told)


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """Read a trace; a call that another thread interrupted is put together again."""
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        thread, text = found.groups()
        if text.endswith(_UNFINISHED):
            begun[thread] = (number, text.removesuffix(_UNFINISHED))
            continue
        began, head = number, text
        if resumed := _RESUMED.match(text):
            began, head = begun.pop(thread)
            head += text[resumed.end() :]
        if call := _CALL.match(head):
            yield Call(call.group(1), call.group(2), head, began, number)


def judge(trace: Iterable[Call], markers: re.Pattern[str], *, written_before: bool = False) -> Findings:
    """Compare what was told with what was synced.

    `markers` matches the client_msg_ids to look at; `written_before` says that the messages were in the log, perhaps
    not synced, before the trace began.
    """
    written: dict[str, int] = {}
    syncs: list[tuple[int, int]] = []
    told: list[Told] = []
    for call in trace:
        if call.file.endswith(WAL):
            if call.name in {"fsync", "fdatasync"}:
                if _SYNCED.search(call.text):
                    syncs.append((call.began, call.ended))
                continue
            for marker in markers.findall(call.text):
                written.setdefault(marker, call.ended)
        elif call.file.startswith("TCP"):
            told.extend(_told(call, markers))
    early = [
        each for each in told if not _durable(-1 if written_before else written.get(each.marker), syncs, each.line)
    ]
    return Findings(told, early)


def _told(call: Call, markers: re.Pattern[str]) -> Iterator[Told]:
    """Cut what was sent into frames; whatever is none counts as a response."""
    before, *frames = call.text.split(_FRAME)
    for marker in dict.fromkeys(markers.findall(before)):
        yield Told(marker, "response", call.began)
    for frame in frames:
        kind = frame.partition("\\")[0]
        for marker in dict.fromkeys(markers.findall(frame)):
            yield Told(marker, kind, call.began)


def _durable(written: int | None, syncs: list[tuple[int, int]], line: int) -> bool:
    """Tell whether a sync began after the write and returned before the line. Syncs are in order: one thread's."""
    if written is None:
        return False
    first = bisect_right(syncs, (written, written))
    return first < len(syncs) and syncs[first][1] < line

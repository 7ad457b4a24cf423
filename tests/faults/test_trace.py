"""Reading traces: calls that were interrupted are put together, and only a sync that came in between counts.

The traces are written by hand, in strace's own notation, so that each way of being too early or too late is there.
"""

from __future__ import annotations

import re

import pytest

from tests.faults.trace import Told, calls, judge

MARKER = re.compile(r"m-\d")
WRITE = '7 1.0 pwrite64(9</x/chat.db-wal>, "\\r\\0m-1 page", 4096, 32) = 4096'
SYNC = "7 1.0 fdatasync(9</x/chat.db-wal>) = 0"
SYNC_BEGINS = "7 1.0 fdatasync(9</x/chat.db-wal> <unfinished ...>"
SYNC_ENDS = "7 1.0 <... fdatasync resumed>) = 0"
SYNC_FAILS = "7 1.0 fdatasync(9</x/chat.db-wal>) = -1 EIO (Input/output error)"
OTHER_SYNC = "7 1.0 fdatasync(8</x/chat.db>) = 0"
ACK = '6 1.0 write(16<TCP:[127.0.0.1:1->127.0.0.1:2]>, "\\201~\\0{\\"type\\":\\"ack\\",\\"id\\":\\"m-1\\"}", 9) = 9'
ACK_BEGINS = ACK.removesuffix(", 9) = 9") + ", 9 <unfinished ...>"
ACK_ENDS = "6 1.0 <... write resumed>) = 9"
KILLED = "6 1.0 +++ killed by SIGKILL +++"


@pytest.mark.parametrize(
    ("trace", "early"),
    [
        ([WRITE, SYNC, ACK], False),
        ([WRITE, ACK, SYNC], True),
        ([ACK, WRITE, SYNC], True),
        ([SYNC, WRITE, ACK], True),
        ([WRITE, SYNC_FAILS, ACK], True),
        ([WRITE, OTHER_SYNC, ACK], True),
        ([WRITE, SYNC_BEGINS, SYNC_ENDS, ACK], False),
        ([WRITE, SYNC_BEGINS, ACK, SYNC_ENDS], True),
        ([WRITE, SYNC_BEGINS, ACK_BEGINS, SYNC_ENDS, ACK_ENDS], True),
        ([WRITE, SYNC_BEGINS, SYNC_ENDS, ACK_BEGINS, ACK_ENDS], False),
        # Written again, as a page of the log is with every commit: the first time decides.
        ([WRITE, SYNC, WRITE, ACK], False),
        ([SYNC, ACK], True),
    ],
)
def test_an_ack_is_early_unless_a_sync_began_after_the_write_and_returned_before_it(
    trace: list[str], early: bool
) -> None:
    """Every order of write, sync and ack, with the calls whole and interrupted."""
    findings = judge(calls([*trace, KILLED]), MARKER)
    assert [told.kind for told in findings.told] == ["ack"]
    assert bool(findings.early) is early


def test_one_write_may_tell_of_several_messages() -> None:
    """Frames that leave together are told apart, and so is what is no frame."""
    frames = "".join(
        f'\\201~\\0{{\\"type\\":\\"{kind}\\",\\"x\\":\\"{marker}\\"}}'
        for kind, marker in [("message.created", "m-1"), ("message.created", "m-2"), ("ack", "m-1")]
    )
    sent = f'6 1.0 sendto(16<TCP:[127.0.0.1:1->127.0.0.1:2]>, "see m-3 {frames}", 9, 0, NULL, 0) = 9'
    findings = judge(calls([sent]), MARKER)
    assert findings.told == [
        Told("m-3", "response", 0),
        Told("m-1", "message.created", 0),
        Told("m-2", "message.created", 0),
        Told("m-1", "ack", 0),
    ]
    assert findings.count("ack") == 1


def test_what_was_written_before_the_trace_needs_any_sync_before_it_is_told() -> None:
    """A successor syncs what it found before it speaks of it."""
    assert judge(calls([SYNC, ACK]), MARKER, written_before=True).early == []
    assert len(judge(calls([ACK, SYNC]), MARKER, written_before=True).early) == 1
    assert len(judge(calls([ACK]), MARKER, written_before=True).early) == 1

"""How far a command has come is shown now and then: as a bar in a terminal, and as plain lines elsewhere."""

from __future__ import annotations

from io import StringIO

from justchat.operate.progress import Progress


class Terminal(StringIO):
    """A stream that says that somebody is watching."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_shows_one_line_that_is_redrawn_and_wiped() -> None:
    """At most ten times a second; a shorter text leaves nothing of a longer one behind."""
    clock, terminal = Clock(), Terminal()
    progress = Progress(terminal, clock=clock)
    progress.begin("copying", 2000)
    for _ in range(10):
        clock.now += 0.0625
        progress.advance(100)
    assert terminal.getvalue().count("\r") == 5
    assert terminal.getvalue().endswith("\r[###############               ] copying  50% 1,000 of 2,000")
    clock.now += 1
    progress.begin("verifying", 1)
    last = terminal.getvalue().rpartition("\r")[2]
    assert last.startswith("[                              ] verifying   0% 0 of 1 ")
    progress.end()
    assert terminal.getvalue().endswith("\r" + " " * len(last) + "\r")
    assert "\n" not in terminal.getvalue()


def test_elsewhere_there_is_a_plain_line_every_few_seconds() -> None:
    """No control characters for a log, and not a line more than anybody wants to read."""
    clock, log = Clock(), StringIO()
    progress = Progress(log, clock=clock)
    progress.begin("copying", 100)
    for _ in range(12):
        clock.now += 1
        progress.advance(10)
    progress.end()
    assert log.getvalue() == "copying  50% 50 of 100\ncopying 100% 100 of 100\n"


def test_a_short_work_says_nothing() -> None:
    """What is done at once needs no bar, and nothing to do is no division by zero."""
    clock = Clock()
    for stream in (Terminal(), StringIO()):
        progress = Progress(stream, clock=clock)
        progress.begin("copying", 0)
        progress.advance(0)
        progress.end()
        assert stream.getvalue() == ""
    clock.now += 10
    progress.advance(0)
    assert stream.getvalue() == "copying 100% 0 of 0\n"

"""How far a long command has come: a bar on one line of a terminal, or a plain line every few seconds elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

_BAR_WIDTH = 30
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 5.0


class Progress:
    """Draws on `stream`, which is written to only now and then; `clock` gives seconds."""

    __slots__ = ("_clock", "_done", "_drawn", "_every_seconds", "_label", "_stream", "_total", "_width")

    def __init__(self, stream: TextIO, *, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._every_seconds = _REDRAW_SECONDS if stream.isatty() else _LINE_SECONDS
        self._label = ""
        self._total = self._done = self._width = 0
        self._drawn = clock()

    def begin(self, label: str, total: int) -> None:
        """Start with another part of the work, of which `total` is all there is to do."""
        self._label, self._total, self._done = label, total, 0
        self._draw_now_and_then()

    def advance(self, count: int) -> None:
        """Take note that so much more is done."""
        self._done += count
        self._draw_now_and_then()

    def end(self) -> None:
        """Leave the line to whoever writes next."""
        if self._width:
            self._stream.write(f"\r{'':{self._width}}\r")
            self._stream.flush()
            self._width = 0

    def _draw_now_and_then(self) -> None:
        now = self._clock()
        if now - self._drawn < self._every_seconds:
            return
        self._drawn = now
        share = min(1.0, self._done / self._total) if self._total else 1.0
        text = f"{self._label} {share:4.0%} {self._done:,} of {self._total:,}"
        if self._stream.isatty():
            bar = "#" * int(share * _BAR_WIDTH)
            self._stream.write(f"\r{f'[{bar:<{_BAR_WIDTH}}] {text}':<{self._width}}")
            self._width = max(self._width, len(text) + _BAR_WIDTH + 3)
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

"""Identifiers: a prefix that says what it names, and a UUIDv7 in hex: `u_01a1fdb2f15672849aae512f789e0948`.

They sort by time of birth (strictly so within one process) and are opaque to everybody else: nothing reads a time out
of them, and they are not secrets.
"""

from __future__ import annotations

import re

from uuid_utils import uuid7

_UUID7_HEX = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


def new_id(prefix: str) -> str:
    """Make a fresh id: `new_id("u")` gives `u_…`. Raises ValueError when `prefix` is not lower-case ASCII letters."""
    if not (prefix.isascii() and prefix.isalpha() and prefix.islower()):
        raise ValueError(f"an id prefix is lower-case letters without the underscore, not {prefix!r}")
    return f"{prefix}_{uuid7().hex}"


def is_id(prefix: str, text: str) -> bool:
    """Tell whether `text` has exactly the shape that `new_id(prefix)` makes."""
    head = f"{prefix}_"
    return text.startswith(head) and _UUID7_HEX.fullmatch(text, len(head)) is not None

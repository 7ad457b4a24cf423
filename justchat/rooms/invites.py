"""The codes of invites: a secret that lets somebody into a room, and the id that names it without letting anybody in.

A code begins with its room, so that whoever shows it need not say which room it is for. Nothing keeps codes: an invite
is stored under its id, which is a digest of the code, so that neither a list nor the journal nor a copy of the database
lets anybody in.
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b
from typing import Final

_SECRET_BYTES: Final = 16
_CODE: Final = re.compile(r"(r_[0-9a-f]{32})\.[A-Za-z0-9_-]{22}")
_ID: Final = re.compile(r"i_[0-9a-f]{32}")


def new_code(room: str) -> str:
    """Make a fresh code for a room: 128 random bits, in characters that need no quoting in an address."""
    return f"{room}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def invite_id(code: str) -> str:
    """Name the invite that this code belongs to."""
    return f"i_{blake2b(code.encode(), digest_size=16).hexdigest()}"


def room_of(code: str) -> str | None:
    """Give the room that a code is for; None for what is no code."""
    found = _CODE.fullmatch(code)
    return None if found is None else found[1]


def is_invite_id(text: str) -> bool:
    """Tell whether `text` has the shape of an invite's id."""
    return _ID.fullmatch(text) is not None

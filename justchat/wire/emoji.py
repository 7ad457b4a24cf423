"""What somebody may react with: an emoji, or any other short text that shows something.

There is no list of emoji here, because there are new ones every year, and some sites have names for their own. It
becomes part of an address and of a key, so it holds no slash and no space.
"""

from __future__ import annotations

from typing import Final

from justchat.wire.errors import Refusal, invalid

EMOJI_MAX_CHARACTERS: Final = 32
"""Code points, of which a family of four or the flag of Scotland takes seven."""

# What joins emoji into one, and what spells the flags of regions: not printable by itself, and part of an emoji.
_JOINERS: Final = frozenset({"\u200d", *map(chr, range(0xE0020, 0xE0080))})
# What stands for bytes that were not UTF-8.
_REPLACEMENT: Final = "\ufffd"


def emoji_problem(emoji: str, *, pointer: str) -> Refusal | None:
    """Refuse what nobody may react with. `pointer` says where it stands in the request."""
    if not 1 <= len(emoji) <= EMOJI_MAX_CHARACTERS:
        return invalid(pointer, f"an emoji has 1 to {EMOJI_MAX_CHARACTERS} characters", code="length")
    shown = [character for character in emoji if character not in _JOINERS]
    if not shown or not all(_is_shown(character) for character in shown):
        return invalid(pointer, "an emoji is printable, without spaces and slashes", code="invalid")
    return None


def _is_shown(character: str) -> bool:
    return character.isprintable() and not character.isspace() and character not in {"/", _REPLACEMENT}

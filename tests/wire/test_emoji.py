"""What one may react with: whatever is one emoji anywhere passes, and what would break an address or a key does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.wire.emoji import EMOJI_MAX_CHARACTERS, emoji_problem
from justchat.wire.errors import ErrorCode

GOOD = {
    "thumbs up": "\U0001f44d",
    "with a skin tone": "\U0001f44d\U0001f3fd",
    "a heart with its variation selector": "\u2764\ufe0f",
    "a keycap": "1\ufe0f\u20e3",
    "a flag of two letters": "\U0001f1eb\U0001f1f7",
    "the flag of Scotland, spelt in tags": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a family of four, joined": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a name": ":party_parrot:",
    "a word": "+1",
    "another script": "\u0434\u0430",
    "what addresses mean something by": "?#%&;@",
    "the longest": "x" * EMOJI_MAX_CHARACTERS,
}
BAD = {
    "nothing": "",
    "too long": "x" * (EMOJI_MAX_CHARACTERS + 1),
    "a space": " ",
    "a space within": "a b",
    "a no-break space": "a\u00a0b",
    "an ideographic space": "\u3000",
    "a slash": "a/b",
    "a line break": "a\nb",
    "a NUL": "\0",
    "an escape": "\x1b[0m",
    "a joiner alone": "\u200d",
    "tags alone": "\U000e0067\U000e007f",
    "turned writing": "a\u202eb",
    "a byte order mark": "\ufeff",
    "a private character": "\ue000",
    "what stands for bytes that were none of UTF-8": "\ufffd",
}


@pytest.mark.parametrize("name", GOOD)
def test_an_emoji_passes(name: str) -> None:
    """Whatever it is made of."""
    assert emoji_problem(GOOD[name], pointer="/emoji") is None


@pytest.mark.parametrize("name", BAD)
def test_what_is_none_is_refused_at_its_place(name: str) -> None:
    """422 with the pointer that the caller named."""
    refusal = emoji_problem(BAD[name], pointer="/data/emoji")
    assert refusal is not None
    assert (refusal.code, refusal.errors[0].pointer) == (ErrorCode.VALIDATION_FAILED, "/data/emoji")


@given(st.text(max_size=40))
def test_what_passes_fits_into_an_address_and_a_key(emoji: str) -> None:
    """No slash, no space, nothing that no store takes, and never more than the bound."""
    if emoji_problem(emoji, pointer="") is None:
        assert 1 <= len(emoji) <= EMOJI_MAX_CHARACTERS
        assert "/" not in emoji
        assert "\0" not in emoji
        assert emoji.split() == [emoji]
        assert emoji.encode().decode() == emoji

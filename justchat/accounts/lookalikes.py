"""Letters that are drawn like others, and what a folded name has in their place: names that look the same are the same.

Letters of other alphabets give way to the Latin ones they look like, in small or else in large, and rare Latin ones to
the common ones; Katakana gives way to the characters that it resembles. The basic Latin letters and the digits stay as
they are: `rn` is not `m`, and `1` is not `l`. The table is of alphabets that people write today; an old one that is not
in it stays by itself, since a name has letters of one alphabet only. Pure.
"""

from __future__ import annotations

import re
from typing import Final

# Letter -> what looks like it: rare Latin, Cyrillic, Greek, Armenian, Coptic, Cherokee, Lisu and others, in any case.
_ALIKE: Final = {
    "a": "ɑᴀ а α ⲁ Ꭺ ꓮ",
    "b": "ʙƅ вь β ⲃ ᏴᏏ ꓐ",
    "c": "ᴄ с ⲥ Ꮯ ꓚ",
    "d": "ᴅ ԁ Ꭰ ꓓ",
    "e": "ᴇɛ еҽԑ ε ⲉ Ꭼ ꓰ",
    "f": "ꜰ ք ꓝ",
    "g": "ɡɢ ԍ ց ᏀᏳ ꓖ",
    "h": "ʜ һн հ ⲏ ᏂᎻ ꓧ",
    "i": "ıɩɪ і ι ⲓ Ꭵ ꓲ",
    "j": "ȷᴊ ј ϳ յ Ꭻ ꓙ",
    "k": "ᴋĸ к κ ⲕ Ꮶ ꓗ",
    "l": "ʟꞁǀ ӏ լ Ꮮ ꓡ",
    "m": "ᴍ м μ ⲙ Ꮇ ꓟ",
    "n": "ɴ η ոռ ⲛ ꓠ",
    "o": "ᴏᴑ о οσ օ ⲟ ꓳ ჿ 𐐬",
    "p": "ᴘ р ρ ⲣ Ꮲ ꓑ",
    "q": "ꞯ ԛ գզ",
    "r": "ʀᴦꭇꭈ г ⲅ ᎡᏒ ꓣ",
    "s": "ꜱƽ ѕ տ Ꮪ ꓢ",
    "t": "ᴛ т τ ⲧ Ꭲ ꓔ",
    "u": "ᴜʋꭎꭒ υ ս ꓴ",
    "v": "ᴠ ѵ ν Ꮩ ꓦ",
    "w": "ᴡɯ ѡԝ ա ᏔᎳ ꓪ",
    "x": "х χ ⲭ ꓫ",
    "y": "ʏɣỿ уү γ ⲩ Ꭹ ꓬ",
    "z": "ᴢ ζ ⲍ Ꮓ ꓜ",
    "3": "зӡ ȝʒ",
    "4": "Ꮞ",
    "6": "Ꮾ",
    "æ": "ӕ",
    "ə": "әǝ",
    "ɵ": "ө",
    "þ": "ϸ",
    "一": "ー",
    "二": "ニ",
    "八": "ハ",
    "力": "カ",
    "卜": "ト",
    "口": "ロ",
    "夕": "タ",
    "工": "エ",
    "へ": "ヘ",
}

_REPLACED: Final = str.maketrans(
    {letter: plain for plain, alike in _ALIKE.items() for letter in alike.replace(" ", "").casefold()}
)


# These have a dot, and one more is drawn in the same place.
_DOTTED: Final = re.compile("([ij])\u0307+")


def plain(folded: str) -> str:
    """Replace the look-alikes in text that is case-folded and decomposed (NFD)."""
    return _DOTTED.sub(r"\1", folded.translate(_REPLACED))

"""`ETag` and `If-Match` (RFC 9110): what a caller saw has a version, and is changed only if it is still that.

`If-None-Match` asks for it only if it is not that any more.
"""

from __future__ import annotations

import re
from typing import Final

from quart import request

from justchat.http.answers import Refused
from justchat.wire.errors import invalid

NEVER: Final = 0
"""A version that nothing has."""

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'
# A list may have empty places.
_TAGS: Final = re.compile(rf"[\s,]*{_TAG}(\s*,[\s,]*{_TAG})*[\s,]*")
_EACH: Final = re.compile(_TAG)


def entity_tag(version: int | str) -> dict[str, str]:
    """Make the header that tells a version, which holds neither quotes nor blanks."""
    return {"ETag": f'"{version}"'}


def read_if_match() -> frozenset[str] | None:
    """Read which versions the caller wants to change; None if any will do. Raises Refused.

    They are compared strongly, as If-Match is: a weak tag matches nothing.
    """
    header = ", ".join(request.headers.getlist("If-Match"))
    if not header or header.strip() == "*":
        return None
    if _TAGS.fullmatch(header) is None:
        raise Refused(invalid("/If-Match", 'If-Match is * or an entity tag such as "3"'))
    return frozenset(tag.strip('"') for tag in _EACH.findall(header) if tag.startswith('"'))


def is_known(version: int | str) -> bool:
    """Tell whether the caller has this version already; tags that are none are of no use and do no harm."""
    header = ", ".join(request.headers.getlist("If-None-Match"))
    return header.strip() == "*" or f'"{version}"' in {tag.removeprefix("W/") for tag in _EACH.findall(header)}

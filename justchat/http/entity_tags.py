"""`ETag` and `If-Match` (RFC 9110): what a caller saw has a version, and is changed only if it is still that."""

from __future__ import annotations

import re
from typing import Final

from quart import request

from justchat.http.answers import Refused
from justchat.wire.errors import invalid

NEVER: Final = 0
"""A version that nothing has."""

_TAG: Final = r'(W/)?"[\x21\x23-\x7e]*"'
# A list may have empty places.
_TAGS: Final = re.compile(rf"[\s,]*{_TAG}(\s*,[\s,]*{_TAG})*[\s,]*")
# Compared strongly, as If-Match is: a weak tag matches nothing.
_STRONG: Final = re.compile(r'(?<!W/)"([1-9][0-9]{0,14})"')


def entity_tag(version: int) -> dict[str, str]:
    """Make the header that tells a version."""
    return {"ETag": f'"{version}"'}


def read_if_match(present: int, *, named: int | None = None) -> int | None:
    """Say which version the caller wants to change; None if any will do, NEVER if what they want cannot be.

    `present` is the version as it stands, `named` one that the body names: then it has to be that one. Raises Refused
    for a header that cannot be read.
    """
    header = ", ".join(request.headers.getlist("If-Match"))
    if not header or header.strip() == "*":
        return named
    if _TAGS.fullmatch(header) is None:
        raise Refused(invalid("/If-Match", 'If-Match is * or an entity tag such as "3"'))
    wanted = present if named is None else named
    return wanted if wanted in {int(tag) for tag in _STRONG.findall(header)} else NEVER

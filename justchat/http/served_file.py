"""Files that are served as they are: a page, what belongs to it, and documents, each with its version.

They are for browsers, which keep them and ask again: who has the present version already is not sent it once more.
"""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from quart import Response

from justchat.http.entity_tags import entity_tag, is_known
from justchat.wire.errors import ErrorCode, Refusal

NO_SUCH_FILE = Refusal(ErrorCode.NOT_FOUND, "there is no such file")

# Icons may be data; `connect-src` is what a page needs to call the API.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
)


class ServedFile(Struct, frozen=True):
    """One file, ready to be served."""

    content: bytes
    content_type: str
    version: str


def served_file(content: bytes, content_type: str) -> ServedFile:
    """Make a file of its content, which is its version, too."""
    return ServedFile(content, content_type, blake2b(content, digest_size=8).hexdigest())


def page_policy(*, forms: str) -> str:
    """Make a Content-Security-Policy: everything from the page's own site, and forms sent to nobody but `forms`."""
    return _PAGE_POLICY.format(forms=forms)


def file_answer(file: ServedFile, *, policy: str) -> Response:
    """Answer with a file, or that the caller has it."""
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", **entity_tag(file.version)}
    if is_known(file.version):
        return Response(b"", status=304, headers=headers)
    return Response(file.content, headers=headers, content_type=file.content_type)

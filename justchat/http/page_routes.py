"""The chat page and its files, read once at start and served with headers that forbid everything it does not use."""

from __future__ import annotations

import mimetypes
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct
from quart import Blueprint, Response, request

import justchat.web
from justchat.http.answers import Refused, handled
from justchat.wire.errors import ErrorCode, Refusal

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_NO_SUCH_FILE = Refusal(ErrorCode.NOT_FOUND, "there is no such file")


class PageFile(Struct, frozen=True):
    """One file of the page."""

    content: bytes
    media_type: str
    etag: str


def load_page_files() -> dict[str, PageFile]:
    """Read the page's files by name. The page is small and its names are known: nothing is looked up on disk later."""
    folder = Path(justchat.web.__file__).parent
    found: dict[str, PageFile] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".html", ".js", ".css", ".svg"}:
            content = path.read_bytes()
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            etag = f'"{blake2b(content, digest_size=8).hexdigest()}"'
            found[path.relative_to(folder).as_posix()] = PageFile(content, media_type, etag)
    return found


def page_routes() -> Blueprint:
    """Build `/` and `/assets`."""
    routes = Blueprint("pages", __name__)
    files = load_page_files()

    def answer(file: PageFile) -> Response:
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "ETag": file.etag,
            "Cache-Control": "no-cache",
        }
        if request.headers.get("If-None-Match") == file.etag:
            return Response(b"", status=304, headers=headers)
        content_type = f"{file.media_type}; charset=utf-8"
        return Response(file.content, headers=headers, content_type=content_type)

    async def index() -> Response:
        return answer(files["index.html"])

    async def asset(name: str) -> Response:
        file = files.get(name)
        if file is None:
            raise Refused(_NO_SUCH_FILE)
        return answer(file)

    routes.get("/")(handled(index))
    routes.get("/assets/<path:name>")(handled(asset))
    return routes

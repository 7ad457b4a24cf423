"""The chat page and its files, read once at start and served with headers that forbid everything it does not use."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Final

from quart import Blueprint, Response

import justchat.web
from justchat.http.answers import Refused, handled
from justchat.http.served_file import NO_SUCH_FILE, ServedFile, file_answer, page_policy, served_file

_POLICY: Final = page_policy(forms="'self'")


def load_page_files() -> dict[str, ServedFile]:
    """Read the page's files by name. The page is small and its names are known: nothing is looked up on disk later."""
    folder = Path(justchat.web.__file__).parent
    found: dict[str, ServedFile] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".html", ".js", ".css", ".svg"}:
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.relative_to(folder).as_posix()] = served_file(path.read_bytes(), f"{media_type}; charset=utf-8")
    return found


def page_routes() -> Blueprint:
    """Build `/` and `/assets`."""
    routes = Blueprint("pages", __name__)
    files = load_page_files()

    async def index() -> Response:
        return file_answer(files["index.html"], policy=_POLICY)

    async def asset(name: str) -> Response:
        file = files.get(name)
        if file is None:
            raise Refused(NO_SUCH_FILE)
        return file_answer(file, policy=_POLICY)

    routes.get("/")(handled(index))
    routes.get("/assets/<path:name>")(handled(asset))
    return routes

"""What describes the API, served by the API: `/openapi.json`, `/asyncapi.json`, and `/docs` to read and try it.

The documents are made once, when somebody first asks, in a thread: a start does not wait for them, and neither does
the loop. The page is Swagger UI from its package, with nothing from elsewhere; its own headers allow it what it needs,
and the rest of the site keeps its stricter ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import trio
from quart import Blueprint, Quart, Response, request

from justchat import __version__
from justchat.http.answers import Refused, handled
from justchat.http.openapi import openapi_document, published_operations
from justchat.http.served_file import NO_SUCH_FILE, ServedFile, file_answer, page_policy, served_file
from justchat.wire.asyncapi import asyncapi_document

_POLICY: Final = page_policy(forms="'none'")
_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_PAGE: Final = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>JustChat API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</html>
"""
# Without `validatorUrl` the page would send its address to a service elsewhere. Tokens are not kept.
_START: Final = b"""\
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, persistAuthorization: false,
  docExpansion: "list", defaultModelsExpandDepth: 0, displayRequestDuration: true
});
"""


def _assets_folder() -> Path:
    """Find Swagger UI's files in its package, whose own code is of no use here and is not run."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise ImportError("flask-swagger-ui is not installed; set api_docs to no, or install it")
    return Path(package.origin).parent / "dist"


def document_routes(app: Quart) -> Blueprint:
    """Build the routes that describe an app. Call it when all others are registered."""
    routes = Blueprint("documents", __name__)
    folder = _assets_folder()

    def openapi() -> ServedFile:
        content = openapi_document(published_operations(app), version=__version__)
        return served_file(msgspec.json.encode(content), "application/json")

    def asyncapi() -> ServedFile:
        return served_file(msgspec.json.encode(asyncapi_document(version=__version__)), "application/json")

    makers: dict[str, Callable[[], ServedFile]] = {
        "/openapi.json": openapi,
        "/asyncapi.json": asyncapi,
        "/docs": lambda: served_file(_PAGE, "text/html; charset=utf-8"),
        "/docs/assets/start.js": lambda: served_file(_START, "text/javascript; charset=utf-8"),
    }
    for name, kind in _ASSETS.items():
        makers[f"/docs/assets/{name}"] = partial(_read, folder / name, kind)

    @cache
    def made(path: str) -> ServedFile:
        return makers[path]()

    async def document(name: str = "") -> Response:  # noqa: ARG001  # it is part of the path
        if request.path not in makers:
            raise Refused(NO_SUCH_FILE)
        return file_answer(await trio.to_thread.run_sync(made, request.path), policy=_POLICY)

    for path in ("/openapi.json", "/asyncapi.json", "/docs"):
        routes.get(path, endpoint=path.strip("/").replace(".", "_"))(handled(document))
    routes.get("/docs/assets/<name>")(handled(document))
    return routes


def _read(path: Path, content_type: str) -> ServedFile:
    return served_file(path.read_bytes(), content_type)

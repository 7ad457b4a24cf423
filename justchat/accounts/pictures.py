"""Small pictures out of whatever people send, made by processes that are bounded and thrown away.

A decoder is the one part of a server that strangers can feed arbitrary bytes of an arbitrary machine's language. It
runs in a process for each picture (`justchat.accounts.picture_worker`), one at a time for each core but one, with a
deadline; what it answers is taken as bytes, and no more of them than a small picture has.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Final

import trio

from justchat.accounts import picture_worker
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal

logger = logging.getLogger(__name__)

MEDIA_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""What may be sent."""

MADE_TYPE: Final = "image/webp"
"""What is made of it."""

DEADLINE_SECONDS: Final = 5.0
MADE_MAX_BYTES: Final = 262_144

_WAITING_MAX = 8
_FORMS: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
# Not the rest of the environment, which may hold the signing key and the password of the database.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TZ")
_UNKNOWN_TYPE = Refusal(ErrorCode.UNSUPPORTED_MEDIA, f"send one of {', '.join(MEDIA_TYPES)}")
_BUSY = Refusal(ErrorCode.RATE_LIMITED, "too many pictures at once; try again shortly", (), DEADLINE_SECONDS)


def _unusable(code: str, detail: str) -> Refusal:
    return Refusal(ErrorCode.VALIDATION_FAILED, detail, (FieldProblem("", code, detail),))


_OTHER_TYPE = _unusable("not_a_picture", "this is no picture of the type that Content-Type says")
_NO_PICTURE = _unusable("not_a_picture", "this picture cannot be read: it is damaged, or not whole")
_TOO_MANY_PIXELS = _unusable("too_many_pixels", f"at most {picture_worker.PIXELS_MAX // 1_000_000} million pixels")
_TOO_COSTLY = _unusable("too_costly", "this picture takes too much time or memory to read")
_REFUSALS: Final = {
    picture_worker.NO_PICTURE: _NO_PICTURE,
    picture_worker.TOO_MANY_PIXELS: _TOO_MANY_PIXELS,
    picture_worker.TOO_MUCH_MEMORY: _TOO_COSTLY,
}


class PictureWorkerBroken(Exception):
    """The worker could not even begin: it is not installed as it should be."""


class Pictures:
    """Makes small square pictures; bounded in how many at once."""

    def __init__(
        self,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        worker: str = str(Path(picture_worker.__file__)),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Set the deadline of one picture; `worker` is the program that makes it."""
        kept = os.environ if environ is None else environ
        self._deadline_seconds = deadline_seconds
        # -P: the folder that the program lies in is none to import from.
        self._command = [sys.executable, "-P", worker]
        self._environ = {name: kept[name] for name in _KEPT if name in kept}
        cores = max(1, (os.cpu_count() or 1) - 1)
        self._limiter = trio.CapacityLimiter(cores)
        self._inside, self._inside_max = 0, cores + _WAITING_MAX

    async def small(self, data: bytes, media_type: str) -> bytes | Refusal:
        """Make a small square picture, of the type MADE_TYPE. Raises PictureWorkerBroken."""
        form = _FORMS.get(media_type)
        if form is None:
            return _UNKNOWN_TYPE
        if not _begins_like(data, media_type):
            return _OTHER_TYPE
        # No await between the check and the count.
        if self._inside >= self._inside_max:
            return _BUSY
        self._inside += 1
        try:
            async with self._limiter:
                code, made = await self._run(data, form)
        finally:
            self._inside -= 1
        return self._judged(code, made)

    def _judged(self, code: int | None, made: bytes) -> bytes | Refusal:
        if code == picture_worker.MADE and len(made) <= MADE_MAX_BYTES and _begins_like(made, MADE_TYPE):
            return made
        if code is not None and code in _REFUSALS:
            return _REFUSALS[code]
        if code == 1:
            raise PictureWorkerBroken("the picture worker could not begin; what it says is on stderr")
        # Ended by a signal, by the deadline, or not as it should: somebody may be trying something.
        logger.warning("event=picture_worker_died code=%s bytes=%d", code, len(made))
        return _TOO_COSTLY

    async def _run(self, data: bytes, form: str) -> tuple[int | None, bytes]:
        """Run the program on a picture; the code is None if it had to be ended."""
        process = await trio.lowlevel.open_process(
            [*self._command, form], stdin=PIPE, stdout=PIPE, env=self._environ, cwd="/"
        )
        try:
            with trio.move_on_after(self._deadline_seconds):
                made = await _exchange(process, data)
                # What says more than any small picture is, need not be heard out.
                return (await process.wait() if len(made) <= MADE_MAX_BYTES else None), made
            return None, b""
        finally:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await trio.aclose_forcefully(stream)


async def _exchange(process: trio.Process, data: bytes) -> bytes:
    """Send everything, and then take what comes: the program reads all before it writes anything."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the worker was started without its pipes")
    try:
        await stdin.send_all(data)
        await stdin.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        # It has ended already; its exit code says why.
        pass
    made = bytearray()
    while len(made) <= MADE_MAX_BYTES and (chunk := await stdout.receive_some()):
        made += chunk
    return bytes(made)


def _begins_like(data: bytes, media_type: str) -> bool:
    match media_type:
        case "image/png":
            return data.startswith(b"\x89PNG\r\n\x1a\n")
        case "image/jpeg":
            return data.startswith(b"\xff\xd8\xff")
        case "image/gif":
            return data.startswith((b"GIF87a", b"GIF89a"))
        case _:
            return data.startswith(b"RIFF") and data[8:12] == b"WEBP"

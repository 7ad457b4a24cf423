"""Pictures for tests: good ones, and what hostile people send as some."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)
FORMS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
Size = tuple[int, int]


def picture(form: str = "PNG", size: Size = (300, 200), mode: str = "RGB", **how: Any) -> bytes:
    """Make a picture, red on the left and blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    out = io.BytesIO()
    image.convert(mode).save(out, form, **how)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: Size, data: bytes, *, bits: int = 1, colour: int = 0, more: bytes = b"") -> bytes:
    """Make a PNG of a size out of compressed data, whether they go together or not."""
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def animated(frames: int) -> bytes:
    """Make a GIF of many frames, the first of them red, the others blue."""
    first, other = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)
    one, two = io.BytesIO(), io.BytesIO()
    first.save(one, "GIF")
    first.save(two, "GIF", save_all=True, append_images=[other], duration=10, loop=0)
    # The last frame's blocks lie between those of the first and the trailer; they are repeated.
    both = two.getvalue()
    tail = both[both.rindex(b"\x21\xf9") : -1]
    return both[:-1] + tail * (frames - 2) + b"\x3b"


def opened(data: bytes) -> Image.Image:
    """Decode a picture in this process, for one of our own making only."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def colour_at(image: Image.Image, across: float, down: float) -> str:
    """Say whether a place of a picture is red or blue."""
    pixel: Any = image.convert("RGB").getpixel((int(image.width * across), int(image.height * down)))
    return "red" if pixel[0] > pixel[2] else "blue"

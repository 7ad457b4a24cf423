"""Makes a small picture of our own out of what somebody sent as one; runs as a process of its own, and only so.

The picture comes in on stdin, the small one goes out on stdout, and the exit code says what became of it. Whatever a
decoder can be led to do, it does here: within bounds of memory and time, without files, and without our secrets.

It imports nothing of the server, so that it starts quickly and so that there is nothing in it.
"""

from __future__ import annotations

import io
import resource
import sys
import warnings
from typing import Final

from PIL import Image

MADE: Final = 0
NO_PICTURE: Final = 10
TOO_MANY_PIXELS: Final = 11
TOO_MUCH_MEMORY: Final = 12

EDGE_PIXELS: Final = 256
PIXELS_MAX: Final = 25_000_000
MEMORY_BYTES: Final = 512 * 1024 * 1024
CPU_SECONDS: Final = 5

_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def limit_ourselves() -> None:
    """Bound what this process may use from here on."""
    _bound(resource.RLIMIT_AS, MEMORY_BYTES)
    _bound(resource.RLIMIT_CPU, CPU_SECONDS)
    _bound(resource.RLIMIT_FSIZE, 0)
    _bound(resource.RLIMIT_CORE, 0)
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX


def _bound(kind: int, most: int) -> None:
    """Set one bound for good, or leave it where somebody has set a lower one."""
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (bound, bound))


def small_picture(data: bytes, form: str) -> bytes:
    """Decode the first frame, turn it upright, cut out the middle, and encode that as WebP with nothing besides."""
    with Image.open(io.BytesIO(data), formats=(form,)) as image:
        # All of it, also what is cut off below, and before anything else can: what is damaged is no picture.
        image.load()
        turn = _TURNS.get(_orientation(image))
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = _in_colour(image.crop((left, top, left + side, top + side)))
    edge = min(EDGE_PIXELS, side)
    small = square.resize((edge, edge), Image.Resampling.LANCZOS)
    if turn is not None:
        small = small.transpose(turn)
    # Pixels and nothing else: no EXIF, no profile, no comment, no text.
    bare = Image.frombytes(small.mode, small.size, small.tobytes())
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=85, method=4)
    return out.getvalue()


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a good picture whose metadata are broken is a good picture
        return 1


def _in_colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Sixteen bits of grey: the upper eight are what is seen.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def main() -> int:
    """Read, make, write; the answer is the exit code."""
    limit_ourselves()
    try:
        made = small_picture(sys.stdin.buffer.read(), sys.argv[1])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return TOO_MANY_PIXELS
    except MemoryError:
        return TOO_MUCH_MEMORY
    except Exception:  # noqa: BLE001 - decoders raise whatever they like, and all of it means the same
        return NO_PICTURE
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    return MADE


if __name__ == "__main__":
    sys.exit(main())

"""Pictures: small, upright, bare of everything that is not seen, and made where nothing hostile does harm."""

from __future__ import annotations

import io
import os
import resource
import zlib
from pathlib import Path
from typing import Any

import pytest
import trio
from PIL import Image

from justchat.accounts import picture_worker
from justchat.accounts.picture_worker import small_picture
from justchat.accounts.pictures import MADE_MAX_BYTES, Pictures, PictureWorkerBroken
from justchat.wire.errors import ErrorCode, Refusal
from tests.accounts.pictures import FORMS, animated, chunk, colour_at, opened, picture, png

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


async def made(data: bytes, media_type: str = "image/png") -> Image.Image:
    small = await Pictures().small(data, media_type)
    assert isinstance(small, bytes), small
    return opened(small)


async def refused(data: bytes, media_type: str = "image/png") -> str:
    """Expect a refusal of the picture itself, and give its code."""
    refusal = await Pictures().small(data, media_type)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.VALIDATION_FAILED
    return refusal.errors[0].code


@pytest.mark.parametrize("media_type", FORMS)
async def test_of_every_type_the_middle_is_made_a_small_square(media_type: str) -> None:
    """WebP of 256 pixels, red on the left and blue on the right like the original."""
    image = await made(picture(FORMS[media_type], (700, 500)), media_type)
    assert (image.format, image.size, image.mode) == ("WEBP", (256, 256), "RGB")
    assert (colour_at(image, 0.2, 0.5), colour_at(image, 0.8, 0.5)) == ("red", "blue")


@pytest.mark.parametrize(
    ("size", "edge"), [((1, 1), 1), ((40, 30), 30), ((256, 256), 256), ((2000, 300), 256), ((1, 3000), 1)]
)
async def test_a_picture_that_is_small_stays_so(size: tuple[int, int], edge: int) -> None:
    """Nothing is blown up, and no shape is too odd."""
    assert (await made(picture("PNG", size))).size == (edge, edge)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_pictures_of_all_kinds_of_colours_are_read(mode: str) -> None:
    """With and without transparency, grey of eight and of sixteen bits, palettes."""
    # Of two colours there is no grey.
    dark, light = (0, 255) if mode == "1" else (64, 192)
    image = Image.new("L", (64, 64), dark)
    image.paste(light, (32, 0, 64, 64))
    out = io.BytesIO()
    if mode == "I;16":
        wide = image.convert("I").point(lambda value: value * 257)
        wide.convert("I;16").save(out, "PNG")
    else:
        image.convert(mode).save(out, "PNG")
    small = (await made(out.getvalue())).convert("L")
    left, right = small.getpixel((8, 32)), small.getpixel((56, 32))
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    assert left + 60 < right


async def test_what_is_transparent_stays_transparent() -> None:
    """Also where a palette has one transparent colour."""
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (32, 0, 64, 64))
    for form, media_type in (("PNG", "image/png"), ("GIF", "image/gif"), ("WEBP", "image/webp")):
        out = io.BytesIO()
        clear.save(out, form)
        image = await made(out.getvalue(), media_type)
        assert image.mode == "RGBA"
        left: Any = image.getpixel((8, 32))
        right: Any = image.getpixel((56, 32))
        assert (left[3] < 40, right[3] > 200) == (True, True)


@pytest.mark.parametrize(
    ("orientation", "red"),
    [(1, "left"), (2, "right"), (3, "right"), (4, "left"), (5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")],
)
async def test_a_photo_is_turned_upright_and_says_nothing_of_where_it_was_taken(orientation: int, red: str) -> None:
    """S3-35: EXIF is applied and then gone, with the place, the camera and the comment in it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    data = picture("JPEG", (400, 400), exif=exif, comment=b"SecretComment", icc_profile=b"SecretProfile")
    assert b"SecretCamera" in data
    small = await Pictures().small(data, "image/jpeg")
    assert isinstance(small, bytes)
    assert b"Secret" not in small
    assert not {b"EXIF", b"ICCP", b"XMP "} & {small[place : place + 4] for place in range(len(small))}
    image = opened(small)
    places = {"left": (0.1, 0.5), "right": (0.9, 0.5), "top": (0.5, 0.1), "bottom": (0.5, 0.9)}
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[red]
    assert colour_at(image, *places[red]) == "red"
    assert colour_at(image, *places[opposite]) == "blue"


async def test_text_and_profiles_of_a_png_are_gone() -> None:
    """What a program wrote into chunks does not come out again, compressed or not."""
    text = chunk(b"tEXt", b"Author\0SecretAuthor") + chunk(b"zTXt", b"More\0\0" + zlib.compress(b"Secret" * 9))
    data = png((8, 8), zlib.compress(b"\0\xff" * 8), more=text)
    small = await Pictures().small(data, "image/png")
    assert isinstance(small, bytes)
    assert b"Secret" not in small


async def test_broken_metadata_do_not_spoil_a_picture() -> None:
    """EXIF that is rubbish is passed over."""
    data = picture("JPEG", (64, 64), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert (await made(data, "image/jpeg")).size == (64, 64)


async def test_of_an_animation_the_first_frame_is_kept() -> None:
    """Ten thousand frames cost no more than one."""
    image = await made(animated(10_000), "image/gif")
    assert getattr(image, "n_frames", 1) == 1
    assert colour_at(image, 0.5, 0.5) == "red"


@pytest.mark.parametrize(
    "tail", [b"<html><script>alert(1)</script>", b"PK\x03\x04" + b"evil.zip" * 50], ids=["html", "zip"]
)
@pytest.mark.parametrize("media_type", FORMS)
async def test_what_is_a_picture_and_something_else_becomes_a_picture_only(media_type: str, tail: bytes) -> None:
    """A polyglot's other half is not stored: what is served are pixels that we encoded."""
    small = await Pictures().small(picture(FORMS[media_type], (64, 64)) + tail, media_type)
    assert isinstance(small, bytes)
    assert b"script" not in small
    assert b"evil" not in small


@pytest.mark.parametrize("media_type", FORMS)
async def test_what_is_not_whole_is_no_picture(media_type: str) -> None:
    """Cut off anywhere: after the first bytes, in the header, in the middle, before the end."""
    image = Image.effect_noise((400, 400), 80).convert("RGB")
    out = io.BytesIO()
    image.save(out, FORMS[media_type])
    data = out.getvalue()
    for length in (12, 30, len(data) // 2, len(data) - 200):
        assert await refused(data[:length], media_type) == "not_a_picture"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 5000,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7",
        b"BM" + b"\0" * 100,
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 3000,
        picture("JPEG"),
        png((8, 8), b"not deflated"),
        png((8, 8), zlib.compress(b"\0")),
        png((0, 8), zlib.compress(b"")),
        png((8, 8), zlib.compress(b"\0\xff" * 8), bits=7, colour=9),
    ],
)
async def test_what_is_no_picture_of_its_type_is_refused(data: bytes) -> None:
    """Whatever its first bytes say, it is decoded to the end before it is believed."""
    assert await refused(data) == "not_a_picture"


async def test_an_unknown_type_is_refused_as_such() -> None:
    """SVG and TIFF are not even looked at."""
    for media_type in ("image/svg+xml", "image/tiff", "text/html", ""):
        refusal = await Pictures().small(picture(), media_type)
        assert isinstance(refusal, Refusal)
        assert refusal.code is ErrorCode.UNSUPPORTED_MEDIA


async def test_a_bomb_of_pixels_is_refused_by_its_size_and_costs_nothing() -> None:
    """50,000 x 50,000 pixels in a few kilobytes; the limit is exact."""
    await made(picture())
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert await refused(png((50_000, 50_000), zlib.compress(bytes(6251) * 1000))) == "too_many_pixels"
    assert await refused(png((25_000_001, 1), zlib.compress(b"\0"))) == "too_many_pixels"
    # In kilobytes, and of whichever child was largest, this process's own size at the moment of its birth included.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < before + 50_000
    rows = zlib.compress((b"\0" + b"\x0f" * 625) * 5000)
    assert (await made(png((5000, 5000), rows))).size == (256, 256), "25 million pixels are allowed"


async def test_a_bomb_of_text_is_no_picture() -> None:
    """A chunk that swells to 30 megabytes is not swallowed."""
    text = chunk(b"zTXt", b"More\0\0" + zlib.compress(bytes(30_000_000)))
    assert len(text) < 40_000
    assert await refused(png((8, 8), zlib.compress(b"\0\xff" * 8), more=text)) == "not_a_picture"


async def test_the_largest_picture_that_is_allowed_fits_into_the_memory_that_is() -> None:
    """25 million pixels of four bytes each, with transparency, which is what takes most."""
    rows = zlib.compressobj(1)
    data = b"".join(rows.compress(b"\0" + b"\x10\x20\x30\x80" * 5000) for _ in range(5000)) + rows.flush()
    assert (await made(png((5000, 5000), data, bits=8, colour=6))).mode == "RGBA"


def worker(folder: Path, text: str) -> str:
    path = folder / "worker.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


async def test_a_worker_that_hangs_is_ended_at_the_deadline(tmp_path: Path) -> None:
    """The caller has an answer, and no process is left behind."""
    pid, draft = tmp_path / "pid", tmp_path / "draft"
    hangs = worker(
        tmp_path,
        f"import os, time\nwith open({str(draft)!r}, 'w') as f: f.write(str(os.getpid()))\n"
        f"os.rename({str(draft)!r}, {str(pid)!r})\ntime.sleep(600)",
    )
    for deadline_seconds in (0.7, 7, 70):
        with trio.fail_after(100):
            pictures = Pictures(deadline_seconds=deadline_seconds, worker=hangs)
            refusal = await pictures.small(picture("PNG", (2000, 2000)) + bytes(1_000_000), "image/png")
        assert isinstance(refusal, Refusal)
        assert refusal.errors[0].code == "too_costly"
        # Where this machine is slow it may end before it has begun: then it is given more time.
        if pid.exists():
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_a_caller_who_goes_away_takes_the_worker_along(tmp_path: Path) -> None:
    """Cancelled in the middle: the process is gone when the cancellation is through."""
    pid = tmp_path / "pid"
    # Opening a named pipe waits for the other side: so both know that the worker is at it.
    os.mkfifo(pid)
    hangs = worker(
        tmp_path, f"import os, time\nwith open({str(pid)!r}, 'w') as f: f.write(str(os.getpid()))\ntime.sleep(600)"
    )
    pictures, told = Pictures(worker=hangs), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pictures.small, picture(), "image/png")
        told.append(int(await trio.to_thread.run_sync(pid.read_text)))
        nursery.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(told[0], 0)


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos.abort()",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import sys\nsys.stdin.read()\nsys.exit(77)",
        "import sys\nwhile True: sys.stdout.buffer.write(b'RIFF0000WEBP' * 1000)",
        "import sys\nsys.stdin.buffer.read()\nsys.stdout.buffer.write(b'<script>')",
    ],
    ids=["aborts", "killed", "other code", "floods", "no picture"],
)
async def test_whatever_becomes_of_the_worker_is_a_refusal(tmp_path: Path, program: str) -> None:
    """A decoder that was taken over can end as it likes and say what it likes: nothing of it is stored."""
    pictures = Pictures(deadline_seconds=2, worker=worker(tmp_path, program))
    refusal = await pictures.small(picture(), "image/png")
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.VALIDATION_FAILED


async def test_a_worker_that_cannot_begin_is_a_bug_and_not_the_callers_fault(tmp_path: Path) -> None:
    """Where the library is missing nobody is told that their picture is bad."""
    with pytest.raises(PictureWorkerBroken):
        await Pictures(worker=worker(tmp_path, "import no_such_library")).small(picture(), "image/png")


async def test_the_worker_knows_no_secret_and_may_use_little(tmp_path: Path) -> None:
    """Not the environment's settings, no files, bounded memory and time."""
    tells = worker(
        tmp_path,
        f"""
import json, os, resource, sys
sys.path.insert(0, {str(Path(picture_worker.__file__).parents[2])!r})
from justchat.accounts.picture_worker import limit_ourselves
limit_ourselves()
sys.stdin.buffer.read()
told = dict(environ=dict(os.environ), limits=[resource.getrlimit(name)[0] for name in (
    resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)])
sys.stdout.buffer.write(b'RIFF0000WEBP' + json.dumps(told).encode())
""",
    )
    environ = {**os.environ, "JUSTCHAT_SIGNING_KEY": "secret", "JUSTCHAT_DATABASE": "postgres://u:secret@h/d"}
    told = await Pictures(worker=tells, environ=environ).small(picture(), "image/png")
    assert isinstance(told, bytes)
    assert b"secret" not in told
    assert b'"limits": [536870912, 5, 0, 0]' in told


async def test_too_many_pictures_at_once_are_refused_and_the_others_made(tmp_path: Path) -> None:
    """A bounded line: beyond it a refusal at once, with when to come again."""
    quick = worker(tmp_path, "import sys\nsys.stdin.buffer.read()\nsys.stdout.buffer.write(b'RIFF0000WEBP')")
    pictures, answers = Pictures(worker=quick), []

    async def send() -> None:
        answers.append(await pictures.small(picture("PNG", (32, 32)), "image/png"))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(send)
    refused_ones = [answer for answer in answers if isinstance(answer, Refusal)]
    assert {refusal.code for refusal in refused_ones} == {ErrorCode.RATE_LIMITED}
    assert all(refusal.retry_after_seconds for refusal in refused_ones)
    assert len(answers) - len(refused_ones) == max(1, (os.cpu_count() or 1) - 1) + 8
    assert isinstance(await pictures.small(picture(), "image/png"), bytes), "the line is free again"


def test_a_small_picture_is_small() -> None:
    """What the worker may answer is more than the worst it can make, and far less than memory."""
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 200).convert("RGB").save(noise, "PNG")
    assert len(small_picture(noise.getvalue(), "PNG")) < MADE_MAX_BYTES / 2

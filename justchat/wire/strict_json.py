"""JSON from strangers: decoded strictly into a type, or refused with the reason. Nothing odd gets past this point.

msgspec already refuses invalid UTF-8, lone surrogates, NaN and infinities, trailing bytes, wrong types and unknown
fields. This adds what databases and other clients would trip over later: duplicate keys, NUL characters, integers
beyond 64 bits and nesting that exhausts the stack.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from justchat.wire.errors import ErrorCode, FieldProblem, Refusal

T = TypeVar("T")

_PATH = re.compile(r" - at `((?:key` in `)?\$[A-Za-z0-9_.\[\]]*)`$")


class _OddJson(ValueError):
    """Valid JSON that is refused all the same."""


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _OddJson("an object has the same key twice")
    return found


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise _OddJson("an integer is beyond 64 bits")
    return int(digits)


def _refuse_nul(value: object) -> None:
    """Look for NUL in every string; called only when the raw bytes hold its escape."""
    if isinstance(value, str) and "\x00" in value:
        raise _OddJson("text may not contain NUL")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key)
            _refuse_nul(inner)
    if isinstance(value, list):
        for inner in value:
            _refuse_nul(inner)


def _pointer(message: str) -> tuple[str, str]:
    """Split msgspec's `… - at `$.data.body`` into a JSON Pointer and the plain reason.

    Below a mapping msgspec does not name the key (`[...]`), so the pointer ends at the mapping.
    """
    found = _PATH.search(message)
    if found is None:
        return "", message
    known = found[1].removeprefix("key` in `").partition("[...]")[0]
    steps = known.removeprefix("$").replace("[", ".").replace("]", "")
    return steps.replace(".", "/"), message[: found.start()]


def decode_strict(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T | Refusal:
    """Decode `raw` with `decoder`, or say why not: `invalid_frame` where it is not JSON, else `validation_failed`."""
    try:
        value = decoder.decode(raw)
        # The second parse is the price of seeing duplicate keys: about 3 us for a chat message.
        plain = json.loads(raw, object_pairs_hook=_pairs, parse_int=_int64)
        if b"\\u0000" in raw:
            _refuse_nul(plain)
    except msgspec.ValidationError as error:
        pointer, reason = _pointer(str(error))
        return Refusal(ErrorCode.VALIDATION_FAILED, reason, (FieldProblem(pointer, "invalid", reason),))
    except UnicodeDecodeError:
        return Refusal(ErrorCode.INVALID_FRAME, "not acceptable JSON: the bytes are not UTF-8")
    except RecursionError:
        return Refusal(ErrorCode.INVALID_FRAME, "not acceptable JSON: nested too deeply")
    except (msgspec.DecodeError, ValueError) as error:
        return Refusal(ErrorCode.INVALID_FRAME, f"not acceptable JSON: {error}")
    return value

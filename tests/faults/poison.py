"""JSON that no server should swallow: each call gives one request body for a post, wrong in one way. Pure, seeded.

Every one of them must be refused; none may reach a room's actor.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

_GOOD = b'{"client_msg_id":"poison","body":"swallow me"}'
_TOO_LONG = 4001


def _body(raw: bytes) -> bytes:
    return b'{"client_msg_id":"poison","body":' + raw + b"}"


def _surrogate(choice: random.Random) -> bytes:
    return _body(b'"\\ud8%02x"' % choice.randrange(256))


def _not_a_number(choice: random.Random) -> bytes:
    return _body(choice.choice((b"NaN", b"Infinity", b"-Infinity", b"1e999999", b"-", b"01", b"+1", b"0x10")))


def _control(choice: random.Random) -> bytes:
    return _body(choice.choice((b'"a\\u0000b"', b'"a\x00b"', b'"a\nb"', b'"\x1f"', b'"\\x41"')))


def _twice(choice: random.Random) -> bytes:
    name = choice.choice((b"body", b"client_msg_id", b"b\\u006fdy"))
    return b'{"client_msg_id":"poison","body":"a","' + name + b'":"b"}'


def _deep(choice: random.Random) -> bytes:
    levels = choice.choice((20, 200, 3000))
    opening, closing = choice.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return _body(opening * levels + b"1" + closing * levels)


def _large_number(choice: random.Random) -> bytes:
    digits = b"9" * choice.choice((17, 20, 400, 5000))
    return b'{"client_msg_id":"poison","body":"a","reply_to":' + digits + b"}"


def _wrong_type(choice: random.Random) -> bytes:
    wrong: object = choice.choice((None, True, 1, 1.5, [], ["a"], {}, {"a": "b"}))
    return json.dumps({"client_msg_id": "poison", "body": wrong}).encode()


def _wrong_id(choice: random.Random) -> bytes:
    wrong: object = choice.choice(("", "x" * 65, None, 1, ["poison"]))
    return json.dumps({"client_msg_id": wrong, "body": "a"}).encode()


def _wrong_fields(choice: random.Random) -> bytes:
    wrong: object = choice.choice(
        ({}, {"body": "a"}, {"client_msg_id": "poison"}, {"client_msg_id": "poison", "body": "a", "seq": 1}, [], "a", 1)
    )
    return json.dumps(wrong).encode()


def _nothing_to_say(choice: random.Random) -> bytes:
    return json.dumps({"client_msg_id": "poison", "body": choice.choice(("", " ", "\t \n", " ", " "))}).encode()


def _too_much_to_say(choice: random.Random) -> bytes:
    return json.dumps(
        {"client_msg_id": "poison", "body": choice.choice("xé✓") * _TOO_LONG}, ensure_ascii=False
    ).encode()


def _cut_off(choice: random.Random) -> bytes:
    return _GOOD[: choice.randrange(len(_GOOD))]


def _followed(choice: random.Random) -> bytes:
    return _GOOD + choice.choice((b"{}", b",", b"x", b"\x00", _GOOD))


def _not_utf8(choice: random.Random) -> bytes:
    return _body(b'"' + choice.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f")) + b'"')


def _noise(choice: random.Random) -> bytes:
    return b"\x00" + choice.randbytes(choice.randrange(1, 200))


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _surrogate, _not_a_number, _control, _twice, _deep, _large_number, _wrong_type, _wrong_id, _wrong_fields,
    _nothing_to_say, _too_much_to_say, _cut_off, _followed, _not_utf8, _noise,
)  # fmt: skip


def poison(choice: random.Random) -> bytes:
    """Make one."""
    return choice.choice(KINDS)(choice)

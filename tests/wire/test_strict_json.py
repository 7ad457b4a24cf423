"""JSON from strangers: whatever comes in, out comes a value that is safe everywhere, or a refusal. Nothing raises."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import ClientFrame
from justchat.wire.strict_json import decode_strict
from tests.wire.json_values import around, values

ANY = msgspec.json.Decoder()
FRAME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ClientFrame)

# name -> a JSON text that is refused wherever it stands as a value.
POISON_VALUES = {
    "a lone high surrogate": r'"\ud800"',
    "a lone high surrogate in upper case": r'"\uD83D"',
    "a lone low surrogate": r'"\udc00"',
    "a high surrogate before text": r'"\ud800abc"',
    "a high surrogate before another escape": r'"\ud800\n"',
    "two high surrogates": r'"\ud800\ud800"',
    "surrogates in the wrong order": r'"\ude00\ud83d"',
    "a lone surrogate in a key": r'{"\ud800":1}',
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "a float beyond range": "1e999",
    "a negative float beyond range": "-1e999",
    "a float with a huge exponent": "1e" + "9" * 50,
    "a long float beyond range": "1" + "0" * 400 + ".0",
    "an integer of 2 to the 63": "9223372036854775808",
    "an integer of 2 to the 64": "18446744073709551616",
    "a negative integer beyond 64 bits": "-9223372036854775809",
    "an integer of 21 digits": "1" * 21,
    "an integer of 5,000 digits": "1" * 5_000,
    "a negative integer of 5,000 digits": "-" + "1" * 5_000,
    "NUL in a value": r'"a\u0000b"',
    "NUL alone": r'"\u0000"',
    "NUL in a key": r'{"\u0000":1}',
    "NUL behind an escaped backslash": r'"\\\u0000"',
    "a raw NUL": '"a\0b"',
    "a raw control character": '"a\nb"',
    "the same key twice": '{"a":1,"a":1}',
    "the same key twice in two spellings": r'{"a":1,"\u0061":2}',
    "the same key twice, far apart": '{"a":1,"b":{"a":2},"a":3}',
    "the empty key twice": '{"":1,"":2}',
    "deep lists": "[" * 5_000 + "]" * 5_000,
    "deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "deep lists and objects": '[{"a":' * 5_000 + "1" + "}]" * 5_000,
    "single quotes": "'a'",
    "a leading zero": "01",
    "a leading plus": "+1",
    "a bare fraction": ".5",
    "an open fraction": "1.",
    "hexadecimal": "0x1",
    "a comment": "1/**/",
    "a trailing comma": "[1,]",
    "an unknown word": "undefined",
}

# name -> bytes that are no JSON text at all, whatever they are wrapped in.
POISON_BYTES = {
    "no bytes": b"",
    "only white space": b" \r\n\t",
    "invalid UTF-8 in a text": b'"\xff"',
    "overlong UTF-8": b'"\xc0\x80"',
    "a surrogate encoded as UTF-8": b'"\xed\xa0\x80"',
    "UTF-8 cut off": b'"\xf0\x9f\x98"',
    "a byte order mark": b'\xef\xbb\xbf{"type":"ping"}',
    "UTF-16 with a mark": '{"type":"ping"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"type":"ping"}'.encode("utf-16-le"),
    "UTF-32": '{"type":"ping"}'.encode("utf-32-be"),
    "a truncated object": b'{"type":',
    "a truncated text": b'{"type":"pi',
    "a truncated escape": b'{"type":"\\u00',
    "a truncated number": b"-",
    "a truncated word": b"tru",
    "two values": b"1 2",
    "two objects": b'{"type":"ping"}{"type":"ping"}',
    "bytes behind the value": b'{"type":"ping"}x',
    "a NUL behind the value": b'{"type":"ping"}\0',
    "a hundred thousand open lists": b"[" * 100_000,
    "a hundred thousand nested lists": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand open objects": b'{"a":' * 100_000,
}


def check_refused(answer: object) -> None:
    assert isinstance(answer, Refusal), answer
    assert answer.code in {ErrorCode.INVALID_FRAME, ErrorCode.VALIDATION_FAILED}
    assert answer.detail


def strictly(raw: bytes) -> object:
    """Read JSON with the standard library and every rule spelled out: the reference to compare with."""
    return json.loads(raw.decode(), object_pairs_hook=_once, parse_int=_int64, parse_float=_finite, parse_constant=_no)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _int64(digits: str) -> int:
    value = int(digits)
    if value.bit_length() > 64 or value not in range(-(2**63), 2**63):
        raise ValueError("too big")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("infinite")
    return value


def _no(constant: str) -> NoReturn:
    raise ValueError(constant)


def is_clean(text: str) -> bool:
    return "\0" not in text and not any(0xD800 <= ord(character) < 0xE000 for character in text)


def texts_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_in(part)]
    return [text for part in value for text in texts_in(part)] if isinstance(value, list) else []


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_every_json_value_comes_through_unchanged(value: object, escaped: bool, indent: int | None) -> None:
    """What another implementation writes is read as it was meant, in every spelling."""
    raw = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    assert decode_strict(raw, ANY) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("-0", 0),
        ("1e308", 1e308),
        ("1e-999", 0.0),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\u0000"', r"\u0000"),
        (r'{"\\u0000":"\\\\u0000"}', {r"\u0000": r"\\u0000"}),
        (r'"\\ud800"', r"\ud800"),
        ('{"a":{"a":1},"b":[{"a":1},{"a":1}]}', {"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}),
        ('{"a":1,"A":2,"ä":3,"a ":4}', {"a": 1, "A": 2, "ä": 3, "a ": 4}),
        ('"\ufeff\uffff\u2028"', "\ufeff\uffff\u2028"),
        ("[" * 100 + "]" * 100, json.loads("[" * 100 + "]" * 100)),
    ],
)
def test_what_only_looks_like_poison_is_accepted(text: str, value: object) -> None:
    """The edges of the ranges, backslashes spelled out, equal keys in different objects, and a sane depth pass."""
    assert decode_strict(text.encode(), ANY) == value


@pytest.mark.parametrize("poison", POISON_VALUES.values(), ids=POISON_VALUES.keys())
@given(st.data())
def test_a_poisoned_value_is_refused_wherever_it_stands(poison: str, data: st.DataObject) -> None:
    """At the top or deep inside, between good values or alone: refused, and nothing is raised."""
    check_refused(decode_strict(data.draw(around(poison)).encode(), ANY))


@pytest.mark.parametrize("poison", POISON_VALUES.values(), ids=POISON_VALUES.keys())
@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"ping","id":%s}',
        '{"id":%s,"type":"ping"}',
        '{"type":%s}',
        '{"type":"ping","unknown":%s}',
        '{"unknown":%s,"type":"ping"}',
        '{"type":"send","room":"r_1","data":{"client_msg_id":"c","body":%s}}',
        '{"type":"send","room":"r_1","data":%s}',
        '{"type":"hello","data":{"resume":{"r_1":{"epoch":"e","seq":%s}}}}',
        '{"type":"hello","data":{"resume":{"r_1":%s}}}',
        "%s",
    ],
)
def test_a_poisoned_frame_is_refused(poison: str, frame: str) -> None:
    """A typed decoder refuses the same poison in any field, known or not, before and after the type."""
    check_refused(decode_strict(frame.replace("%s", poison).encode(), FRAME))


@pytest.mark.parametrize("poison", POISON_BYTES.values(), ids=POISON_BYTES.keys())
def test_bytes_that_are_no_json_text_are_an_invalid_frame(poison: bytes) -> None:
    """Wrong encoding, wrong end, wrong depth: said to be no frame at all, and refused by a typed decoder as well."""
    answer = decode_strict(poison, ANY)
    assert isinstance(answer, Refusal)
    assert answer.code is ErrorCode.INVALID_FRAME
    check_refused(decode_strict(poison, FRAME))


@pytest.mark.parametrize("depth", [0, 400, 800])
def test_a_refusal_does_not_depend_on_how_deep_the_caller_stands(depth: int) -> None:
    """A depth bomb is refused, not raised, also when little stack is left; and a small frame is still read."""

    def sink(levels: int, raw: bytes) -> object:
        return sink(levels - 1, raw) if levels else decode_strict(raw, ANY)

    check_refused(sink(depth, b"[" * 3_000 + b"]" * 3_000))
    assert sink(depth, b'{"type":"ping"}') == {"type": "ping"}


@given(st.binary(max_size=200))
@example(b'{"a":1,"a":1}')
def test_random_bytes_never_raise(raw: bytes) -> None:
    """Noise gives a refusal, or by luck a value that the reference reads too."""
    answer = decode_strict(raw, ANY)
    if isinstance(answer, Refusal):
        check_refused(answer)
    else:
        assert answer == strictly(raw)


@given(values, st.data())
def test_damaged_json_is_refused_or_read_as_the_reference_reads_it(value: object, data: st.DataObject) -> None:
    """After any change of a few bytes, an accepted value is the one that a reader with all rules spelled out gives."""
    raw = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 3))
        raw[at : at + cut] = data.draw(
            st.sampled_from([b"", b"\\u0000", b"\\ud800", b'"', b"\\", b"1e999", b"9" * 19, b"{", b"]", b","])
            | st.binary(max_size=3)
        )
    answer = decode_strict(bytes(raw), ANY)
    if isinstance(answer, Refusal):
        check_refused(answer)
    else:
        assert answer == strictly(bytes(raw))
        assert all(map(is_clean, texts_in(answer)))


@given(values)
def test_damage_is_not_the_only_reason_to_refuse(value: object) -> None:
    """The reference itself takes every good value, so agreeing with it means something."""
    assert strictly(json.dumps(value).encode()) == value


class Inner(Struct, forbid_unknown_fields=True):
    """A nested body."""

    count: int
    words: list[str] = []


class Outer(Struct, forbid_unknown_fields=True):
    """A body as an endpoint takes it."""

    name: str
    inner: Inner | None = None
    table: dict[str, Inner] = {}


OUTER = msgspec.json.Decoder(Outer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("[]", ""),
        ("{}", ""),
        ('{"name":1}', "/name"),
        ('{"name":"a","inner":{"count":"1"}}', "/inner/count"),
        ('{"name":"a","inner":{}}', "/inner"),
        ('{"name":"a","inner":{"count":1,"other":2}}', "/inner"),
        ('{"name":"a","inner":{"count":1,"words":["a",2]}}', "/inner/words/1"),
        ('{"name":"a","inner":{"count":1,"words":{}}}', "/inner/words"),
        ('{"name":"a","inner":{"count":true}}', "/inner/count"),
        ('{"name":"a","table":{"k":{"count":"1"}}}', "/table"),
        ('{"name":"a","table":{"k":{}}}', "/table"),
    ],
)
def test_a_wrong_field_is_pointed_at(body: str, pointer: str) -> None:
    """`validation_failed` names the field by a JSON Pointer; for a missing or unknown one, the object it belongs to.

    Below a mapping the reader cannot know the key, so the pointer ends at the mapping.
    """
    answer = decode_strict(body.encode(), OUTER)
    assert isinstance(answer, Refusal)
    assert answer.code is ErrorCode.VALIDATION_FAILED
    assert [problem.pointer for problem in answer.errors] == [pointer]
    assert answer.errors[0].detail == answer.detail
    assert " - at " not in answer.detail


@pytest.mark.parametrize(
    "key",
    ["x", "x`", "x - at `y"],
)
def test_an_unknown_field_cannot_choose_where_the_pointer_points(key: str) -> None:
    """The pointer is ours: a stranger's key does not get into it."""
    answer = decode_strict(json.dumps({"name": "a", key: 1}).encode(), OUTER)
    assert isinstance(answer, Refusal)
    assert [problem.pointer for problem in answer.errors] == [""]

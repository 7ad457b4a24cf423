"""Client frames: each type is decoded into its own value; everything else is refused with the place of the fault.

Without a type that clients may send it is no frame at all (`invalid_frame`); a frame of a known type with a fault in it
is one that failed validation (`validation_failed`), and the fault is pointed at.
"""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import (
    FRAME_TYPES,
    ClientFrame,
    Delete,
    DeleteData,
    Edit,
    EditData,
    Fetch,
    FetchData,
    Hello,
    HelloData,
    Pin,
    PinData,
    Ping,
    Position,
    React,
    ReactionData,
    Read,
    ReadData,
    Refresh,
    RefreshData,
    Send,
    SendData,
    Subscribe,
    SubscribeData,
    Unpin,
    Unreact,
    Unsubscribe,
    decode_frame,
    frame_id_of,
)
from tests.wire.json_values import texts, values

# type -> the least that is a frame of it, and the most.
CASES: dict[str, tuple[dict[str, object], ClientFrame, dict[str, object], ClientFrame]] = {
    "hello": (
        {},
        Hello(HelloData()),
        {
            "id": "1",
            "data": {"token": "t", "ticket": "w", "resume": {"r_1": {"epoch": "e", "seq": 7}}, "subscribe": "all"},
        },
        Hello(HelloData("t", "w", {"r_1": Position("e", 7)}, "all"), "1"),
    ),
    "subscribe": (
        {"room": "r_1"},
        Subscribe("r_1", SubscribeData()),
        {"id": "1", "room": "r_1", "data": {"after": 7, "epoch": "e"}},
        Subscribe("r_1", SubscribeData(7, "e"), "1"),
    ),
    "unsubscribe": ({"room": "r_1"}, Unsubscribe("r_1"), {"id": "1", "room": "r_1"}, Unsubscribe("r_1", "1")),
    "send": (
        {"room": "r_1", "data": {"client_msg_id": "c", "body": "b"}},
        Send("r_1", SendData("c", "b")),
        {"id": "1", "room": "r_1", "data": {"client_msg_id": "c", "body": "b", "reply_to": "m_1"}},
        Send("r_1", SendData("c", "b", "m_1"), "1"),
    ),
    "delete": (
        {"room": "r_1", "data": {"message": "m_1"}},
        Delete("r_1", DeleteData("m_1")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1"}},
        Delete("r_1", DeleteData("m_1"), "1"),
    ),
    "edit": (
        {"room": "r_1", "data": {"message": "m_1", "body": "b"}},
        Edit("r_1", EditData("m_1", "b")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1", "body": "b", "rev": 3}},
        Edit("r_1", EditData("m_1", "b", 3), "1"),
    ),
    "react": (
        {"room": "r_1", "data": {"message": "m_1", "emoji": "\U0001f44d"}},
        React("r_1", ReactionData("m_1", "\U0001f44d")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1", "emoji": ":parrot:"}},
        React("r_1", ReactionData("m_1", ":parrot:"), "1"),
    ),
    "unreact": (
        {"room": "r_1", "data": {"message": "m_1", "emoji": "\U0001f44d"}},
        Unreact("r_1", ReactionData("m_1", "\U0001f44d")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1", "emoji": ":parrot:"}},
        Unreact("r_1", ReactionData("m_1", ":parrot:"), "1"),
    ),
    "pin": (
        {"room": "r_1", "data": {"message": "m_1"}},
        Pin("r_1", PinData("m_1")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1"}},
        Pin("r_1", PinData("m_1"), "1"),
    ),
    "unpin": (
        {"room": "r_1", "data": {"message": "m_1"}},
        Unpin("r_1", PinData("m_1")),
        {"id": "1", "room": "r_1", "data": {"message": "m_1"}},
        Unpin("r_1", PinData("m_1"), "1"),
    ),
    "fetch": (
        {"room": "r_1"},
        Fetch("r_1", FetchData(None, None, 50)),
        {"id": "1", "room": "r_1", "data": {"before": 9, "limit": 100}},
        Fetch("r_1", FetchData(9, None, 100), "1"),
    ),
    "read": (
        {"room": "r_1", "data": {"seq": 0}},
        Read("r_1", ReadData(0)),
        {"id": "1", "room": "r_1", "data": {"seq": 9}},
        Read("r_1", ReadData(9), "1"),
    ),
    "refresh": (
        {"data": {"token": "t"}},
        Refresh(RefreshData("t")),
        {"id": "1", "data": {"token": "t"}},
        Refresh(RefreshData("t"), "1"),
    ),
    "ping": ({}, Ping(), {"id": "1"}, Ping("1")),
}
POINTER = re.compile(r"(/([^/~]|~[01])*)*")


def frame(kind: str, fields: dict[str, object]) -> str:
    return json.dumps({"type": kind, **fields})


def refused(text: str) -> tuple[ErrorCode, list[str]]:
    answer = decode_frame(text)
    assert isinstance(answer, Refusal), answer
    return answer.code, [problem.pointer for problem in answer.errors]


def test_every_frame_type_has_a_case() -> None:
    """The cases here, the union and the listed names are the same set; a new frame type must come with its cases."""
    assert set(FRAME_TYPES) == CASES.keys()
    assert {type(case[1]) for case in CASES.values()} == set(get_args(ClientFrame))


@pytest.mark.parametrize("kind", CASES)
def test_the_least_and_the_most_of_each_frame_is_decoded(kind: str) -> None:
    """Optional fields get their defaults, and every field arrives where it belongs."""
    least, least_frame, most, most_frame = CASES[kind]
    assert decode_frame(frame(kind, least)) == least_frame
    assert decode_frame(frame(kind, most)) == most_frame


@pytest.mark.parametrize("kind", CASES)
def test_the_order_of_fields_does_not_matter(kind: str) -> None:
    """The type may come last, as an encoder that sorts its keys will send it."""
    most = CASES[kind][2]
    assert decode_frame(json.dumps({**dict(reversed(most.items())), "type": kind})) == CASES[kind][3]


@pytest.mark.parametrize("kind", CASES)
def test_null_is_the_same_as_absent_where_a_field_is_optional(kind: str) -> None:
    """A client that writes `"id": null` means that it wants no id."""
    assert decode_frame(frame(kind, {**CASES[kind][0], "id": None})) == CASES[kind][1]


@pytest.mark.parametrize("kind", CASES)
def test_an_unknown_field_of_a_frame_is_refused(kind: str) -> None:
    """Typing errors surface, with a pointer to the object that holds the field: here the frame itself."""
    assert refused(frame(kind, {**CASES[kind][0], "romo": "r_1"})) == (ErrorCode.VALIDATION_FAILED, [""])


@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if "data" in case[2]])
def test_an_unknown_field_of_the_data_is_refused(kind: str) -> None:
    """Typing errors surface in the data as well."""
    data = {**CASES[kind][2]["data"], "bdoy": "b"}  # type: ignore[dict-item]
    assert refused(frame(kind, {**CASES[kind][2], "data": data})) == (ErrorCode.VALIDATION_FAILED, ["/data"])


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, case in CASES.items() for field in case[0]])
def test_a_missing_field_of_a_frame_is_refused(kind: str, field: str) -> None:
    """Each field of the least frame is needed; the pointer names the object that lacks it."""
    rest = {name: value for name, value in CASES[kind][0].items() if name != field}
    assert refused(frame(kind, rest)) == (ErrorCode.VALIDATION_FAILED, [""])


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, case in CASES.items() for field in case[0].get("data", ())],  # type: ignore[attr-defined]
)
def test_a_missing_field_of_the_data_is_refused(kind: str, field: str) -> None:
    """What a command cannot do without must be there."""
    whole = json.loads(frame(kind, CASES[kind][2]))
    del whole["data"][field]
    assert refused(json.dumps(whole)) == (ErrorCode.VALIDATION_FAILED, ["/data"])


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("wrong", [1, 1.5, True, [], {}, ["x"]], ids=repr)
def test_a_field_of_another_type_is_refused(kind: str, wrong: object) -> None:
    """Nothing is converted: a number is no id, a list is no room, and the pointer names the field."""
    assert refused(frame(kind, {**CASES[kind][0], "id": wrong})) == (ErrorCode.VALIDATION_FAILED, ["/id"])
    if "room" in CASES[kind][0]:
        assert refused(frame(kind, {**CASES[kind][0], "room": wrong})) == (ErrorCode.VALIDATION_FAILED, ["/room"])


@pytest.mark.parametrize("kind", ["", "Ping", "ping ", "edited", "message.created", "member.role_changed", "welcome"])
def test_a_type_that_clients_do_not_send_is_refused(kind: str) -> None:
    """Neither events nor the server's own frames come from a client, and names are exact."""
    assert refused(frame(kind, {}))[0] is ErrorCode.INVALID_FRAME
    assert refused(frame(kind, {"id": "1", "room": "r_1", "data": {}}))[0] is ErrorCode.INVALID_FRAME


@pytest.mark.parametrize(
    "text",
    ["{}", '{"id":"1"}', '{"type":null}', '{"type":1}', '{"type":["ping"]}', "[]", "null", "1", '"ping"', '["ping"]'],
)
def test_what_is_not_an_object_with_a_type_is_no_frame(text: str) -> None:
    """Valid JSON of another shape is refused as a whole."""
    assert refused(text)[0] is ErrorCode.INVALID_FRAME


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ping",
        '{"type":"ping"',
        '{"type":"ping"}{"type":"ping"}',
        '\ufeff{"type":"ping"}',
        '{"type":"ping","id":"\ud800"}',
        '{"type":"ping","id":"\\ud800"}',
        '{"type":"ping","id":"\\u0000"}',
        '{"type":"ping","id":"1","id":"2"}',
        '{"type":"ping","type":"ping"}',
        '{"type":"hello","data":{"resume":{"r":{"epoch":"e","seq":1},"r":{"epoch":"e","seq":2}}}}',
        '{"data":' + "[" * 10_000 + "]" * 10_000 + ',"type":"ping"}',
    ],
)
def test_what_is_not_acceptable_json_is_an_invalid_frame(text: str) -> None:
    """Said with a code of its own and without a pointer: there is nothing to point into."""
    assert refused(text) == (ErrorCode.INVALID_FRAME, [])


def within(kind: str, pointer: str, value: object) -> str:
    """Put a value into the most of a frame, at a pointer."""
    whole = json.loads(frame(kind, CASES[kind][2]))
    place = whole
    *steps, last = pointer.strip("/").split("/")
    for step in steps:
        place = place[step]
    place[last] = value
    # Of two wishes that exclude each other the one under test stays.
    place.pop({"after": "before", "history": "after"}.get(last, ""), None)
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("kind", "pointer", "good", "bad"),
    [
        ("ping", "/id", ["", "x" * 64, "😀" * 64], ["x" * 65]),
        ("subscribe", "/room", ["r", "r" * 64], ["", "r" * 65]),
        ("send", "/data/client_msg_id", ["c", "c" * 64, "ä" * 64, " "], ["", "c" * 65]),
        ("send", "/data/body", ["b", " ", "\n", "😀" * 4_000, "\\u0000"], [""]),
        ("send", "/data/reply_to", [None, "m", "m" * 64], ["", "m" * 65]),
        ("send", "/data/mentions", [[], ["u_1"]], ["u_1", None, {}]),
        ("send", "/data/expires_in", [None, 60], [1.5, "60", True]),
        ("delete", "/data/message", ["m", "m" * 64], ["", "m" * 65, None]),
        ("edit", "/data/message", ["m", "m" * 64], ["", "m" * 65, None]),
        ("edit", "/data/body", ["b", " ", "😀" * 4_000], ["", None, 1]),
        ("edit", "/data/rev", [None, 1, 2**53 - 1], [0, -1, 2**53, 1.5, "1", True]),
        ("react", "/data/emoji", ["x", "😀" * 32], ["", "x" * 33, None, 1]),
        ("unreact", "/data/emoji", ["x", "😀" * 32], ["", "x" * 33, None, 1]),
        ("pin", "/data/message", ["m", "m" * 64], ["", "m" * 65, None]),
        ("unpin", "/data/message", ["m", "m" * 64], ["", "m" * 65, None]),
        ("fetch", "/data/limit", [1, 50, 100], [0, 101, -1, None, 1.0, "50"]),
        ("fetch", "/data/before", [None, 0, 2**53 - 1], [-1, 2**53, 1.5, "1"]),
        ("fetch", "/data/after", [None, 0, 2**53 - 1], [-1, 2**53, 1.5, "1"]),
        ("subscribe", "/data/after", [None, 0, 2**53 - 1], [-1, 2**53, 1e3, True]),
        ("subscribe", "/data/history", [None, 0, 100], [-1, 101, 5.0]),
        ("subscribe", "/data/epoch", [None, "", "e" * 64], ["e" * 65, 1]),
        ("hello", "/data/token", [None, "", "t" * 4_096], ["t" * 4_097, 1]),
        ("hello", "/data/ticket", [None, "", "t" * 128], ["t" * 129, 1]),
        ("refresh", "/data/token", ["", "t" * 4_096], ["t" * 4_097, 1, None]),
        ("hello", "/data/subscribe", [None, "all"], ["", "al", "call", "all ", "ALL", ["all"]]),
        ("hello", "/data/resume", [{}, {"r": {"epoch": "e", "seq": 0}}], [None, [], "r"]),
    ],
)
def test_limits_are_exact(kind: str, pointer: str, good: list[object], bad: list[object]) -> None:
    """The last good value passes, the first bad one is refused at its place. Lengths count characters, not bytes."""
    for value in good:
        assert not isinstance(decode_frame(within(kind, pointer, value)), Refusal), value
    for value in bad:
        assert refused(within(kind, pointer, value)) == (ErrorCode.VALIDATION_FAILED, [pointer]), value


@pytest.mark.parametrize(
    "resume",
    [{"": {"epoch": "e", "seq": 1}}, {"r" * 65: {"epoch": "e", "seq": 1}}, {"r": {"epoch": "e", "seq": -1}}, {"r": {}}],
    ids=["empty id", "long id", "negative seq", "no position"],
)
def test_a_bad_position_to_resume_from_is_refused(resume: dict[str, object]) -> None:
    """Ids and positions inside `resume` have the same limits as elsewhere."""
    assert refused(within("hello", "/data/resume", resume))[0] is ErrorCode.VALIDATION_FAILED


def test_a_bad_position_to_resume_from_is_pointed_at() -> None:
    """The pointer of a fault inside `resume` is a JSON Pointer like any other."""
    for resume in ({"": {"epoch": "e", "seq": 1}}, {"r": {"epoch": "e", "seq": -1}}):
        (pointer,) = refused(within("hello", "/data/resume", resume))[1]
        assert POINTER.fullmatch(pointer)
        assert pointer.startswith("/data/resume")
        assert "//" not in pointer


def test_all_is_one_word_without_a_line_feed() -> None:
    """The only value of `subscribe` is exactly "all"."""
    assert refused(within("hello", "/data/subscribe", "all\n"))[0] is ErrorCode.VALIDATION_FAILED


@given(st.text(max_size=80))
def test_any_text_is_a_frame_or_a_refusal(text: str) -> None:
    """No text message raises."""
    assert isinstance(decode_frame(text), ClientFrame | Refusal)


@given(st.text(st.characters(categories=["Cs", "Lu"]), min_size=1, max_size=10))
def test_a_lone_surrogate_in_the_text_itself_is_a_refusal(text: str) -> None:
    """A text that cannot be written as UTF-8 is refused wherever the surrogate stands."""
    assert refused(f'{{"type":"ping","id":"{text}\udc00"}}') == (ErrorCode.INVALID_FRAME, [])
    assert refused(f'\ud800{{"type":"ping","id":"{text}"}}') == (ErrorCode.INVALID_FRAME, [])


@given(st.sampled_from(FRAME_TYPES), st.dictionaries(st.sampled_from(["id", "room", "data"]), values))
def test_any_fields_give_a_frame_or_a_refusal_that_points(kind: str, fields: dict[str, object]) -> None:
    """Whatever is in the known fields: a frame of that type, or a refusal with at most one problem."""
    answer = decode_frame(frame(kind, fields))
    if isinstance(answer, Refusal):
        assert len(answer.errors) <= 1
        assert all(POINTER.fullmatch(problem.pointer) for problem in answer.errors)
    else:
        assert type(answer) is type(CASES[kind][1])


@given(texts.filter(bool).filter(lambda text: len(text) <= 64), texts.filter(bool))
def test_ids_and_bodies_arrive_as_they_were_sent(word: str, body: str) -> None:
    """Nothing is trimmed, folded or normalised on the way in."""
    data = {"client_msg_id": word, "body": body, "reply_to": word}
    assert decode_frame(frame("send", {"id": word, "room": word, "data": data})) == Send(
        word, SendData(word, body, word), word
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"7","type":"nope"}',
        '{"type":"send","id":"7"}',
        '{"type":"ping","id":"7","x":[{"id":"8"}]}',
        '{"id":"7"}',
        '{"type":"ping","id":"7","type":"ping"}',
    ],
)
def test_a_refused_frame_still_says_whose_answer_the_error_is(text: str) -> None:
    """The id of a frame that could not be decoded goes back with the error, so that the client can match it."""
    assert isinstance(decode_frame(text), Refusal)
    assert frame_id_of(text) == "7"


@pytest.mark.parametrize(
    "text", ["", "7", "[]", "{}", '{"id":7}', '{"id":null}', '{"id":["7"]}', '{"id":"7"', f'{{"id":"{"x" * 65}"}}']
)
def test_without_a_plain_id_the_error_has_none(text: str) -> None:
    """An id of another type or beyond its limit is not echoed."""
    assert frame_id_of(text) is None


@given(st.text(st.characters(), max_size=40) | st.just("[" * 50_000) | st.just('{"id":' * 50_000))
def test_looking_for_an_id_never_raises(text: str) -> None:
    """Whatever was refused may be asked for its id, lone surrogates and depth bombs included."""
    assert frame_id_of(text) is None
    assert frame_id_of(f'{{"id":"{text}') is None


@pytest.mark.parametrize(
    ("kind", "data"), [("subscribe", {"after": 1, "history": 5}), ("fetch", {"before": 9, "after": 1})]
)
def test_two_wishes_of_which_one_would_be_ignored_are_refused(kind: str, data: dict[str, object]) -> None:
    """Nothing that a client says is silently dropped."""
    assert refused(frame(kind, {"room": "r_1", "data": data})) == (ErrorCode.VALIDATION_FAILED, ["/data"])

"""What a message may be, and the fingerprint by which the repeat of a post is known."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from msgspec.structs import replace

from justchat.rooms.commands import EditMessage, PostMessage
from justchat.rooms.mentions import MENTIONS_MAX
from justchat.rooms.posts import EXPIRES_IN_MAX_SECONDS, Content, edit, post, post_command
from justchat.wire.errors import Refusal


def posted(body: str = "words", content: Content | None = None, client_msg_id: str = "c") -> PostMessage | Refusal:
    return post(
        "u_1", client_msg_id=client_msg_id, body=body, content=content or Content(), max_characters=10, pointer="/data"
    )


def pointer(answer: object) -> str:
    assert isinstance(answer, Refusal)
    (problem,) = answer.errors
    return problem.pointer


def test_a_post_says_whom_its_text_names() -> None:
    """By folded name; whether they are members is for the room to say. Seconds become milliseconds."""
    content = Content("m_1", "m_2", ("u_2",), 3)
    command = post_command("u_1", client_msg_id="c", body="@Anna @all", content=content)
    assert replace(command, digest=b"") == PostMessage(
        "u_1", "c", "@Anna @all", b"", "m_1", "m_2", ("u_2",), ("anna",), True, 3000
    )


REFUSED: list[tuple[str, Content, str, str]] = [
    ("", Content(), "c", "/data/body"),
    (" \n\t", Content(), "c", "/data/body"),
    ("x" * 11, Content(), "c", "/data/body"),
    ("words", Content(mentions=("u_1",) * (MENTIONS_MAX + 1)), "c", "/data/mentions"),
    ("words", Content(expires_in=0), "c", "/data/expires_in"),
    ("words", Content(expires_in=-1), "c", "/data/expires_in"),
    ("words", Content(expires_in=EXPIRES_IN_MAX_SECONDS + 1), "c", "/data/expires_in"),
    ("words", Content(), "scheduled:1", "/data/client_msg_id"),
]


@pytest.mark.parametrize(("body", "content", "client_msg_id", "where"), REFUSED)
def test_what_is_no_message_is_refused_at_its_field(
    body: str, content: Content, client_msg_id: str, where: str
) -> None:
    """One answer for REST and for the socket."""
    assert pointer(posted(body, content, client_msg_id)) == where


@pytest.mark.parametrize(
    "content",
    [
        Content(expires_in=1),
        Content(expires_in=EXPIRES_IN_MAX_SECONDS),
        Content(mentions=("u_1",) * MENTIONS_MAX),
    ],
)
def test_the_limits_themselves_are_allowed(content: Content) -> None:
    """Exactly so much, of characters too."""
    assert isinstance(posted("x" * 10, content), PostMessage)


def test_one_message_calls_a_bounded_number_of_people_by_id_and_by_name_together() -> None:
    """Those that are named by id come first."""
    content = Content(mentions=tuple(f"u_{number}" for number in range(MENTIONS_MAX - 1)))
    command = post_command("u_1", client_msg_id="c", body="@anna @ben", content=content)
    assert (len(command.mentions), command.names) == (MENTIONS_MAX - 1, ("anna",))


def digest(body: str = "words", **content: object) -> bytes:
    return post_command("u_1", client_msg_id="c", body=body, content=Content(**content)).digest  # type: ignore[arg-type]


def test_whatever_is_said_besides_the_text_is_part_of_what_is_repeated() -> None:
    """Any difference is another message; the same again is the same."""
    variants = [
        digest(),
        digest("other"),
        digest(reply_to="m_1"),
        digest(thread_root="m_1"),
        digest(reply_to="m_1", thread_root="m_1"),
        digest(mentions=("u_1",)),
        digest(mentions=("u_1", "u_2")),
        digest(expires_in=1),
        digest(expires_in=2),
        digest("m_1", reply_to="words"),
    ]
    assert len(set(variants)) == len(variants)
    assert digest(thread_root="m_1", mentions=("u_1",)) == digest(mentions=("u_1",), thread_root="m_1")


def test_a_plain_post_is_known_across_versions() -> None:
    """Earlier versions knew a text and a reply only: what they stored still tells a repeat from another message."""
    assert digest("hello") == blake2b(b"\0hello", digest_size=16).digest()
    assert digest("hello", reply_to="m_1") == blake2b(b"m_1\0hello", digest_size=16).digest()


def test_an_edit_is_a_text_like_any_other() -> None:
    """The same limits, and the names that it now has."""
    command = edit("u_1", "m_1", body="@Anna", rev=2, max_characters=10)
    assert command == EditMessage("u_1", "m_1", "@Anna", 2, ("anna",))
    assert pointer(edit("u_1", "m_1", body=" ", rev=None, max_characters=10, pointer="/data")) == "/data/body"
    assert pointer(edit("u_1", "m_1", body="x" * 11, rev=None, max_characters=10)) == "/body"

"""The index of open connections: who is closed when sessions end, and who hears of what concerns a user."""

from __future__ import annotations

import pytest

from justchat.accounts.identity import Identity
from justchat.connections.index import ConnectionIndex
from tests.support.signing_in import somebody


class Line:
    """A connection that remembers what it was told."""

    def __init__(self, user: str, *, session: str | None = None, credential: str | None = None) -> None:
        self.user_id = user
        self.identity = Identity(somebody(user).user, session=session, credential=credential)
        self.told: list[object] = []

    def joined(self, room: str, seq: int) -> None:
        self.told.append((room, seq))

    def say(self, payload: bytes) -> None:
        self.told.append(payload)

    def identify(self, identity: Identity) -> None:
        self.identity = identity

    def revoke(self) -> None:
        self.told.append("revoked")

    def sweep(self, now: float) -> None:
        self.told.append(now)

    def say_goodbye(self) -> None:
        self.told.append("goodbye")


@pytest.fixture
def lines() -> dict[str, Line]:
    """Two of Ann's session, one of her other one, one by a token, and Bob."""
    return {
        "first": Line("u_ann", session="s_1"),
        "again": Line("u_ann", session="s_1"),
        "other": Line("u_ann", session="s_2"),
        "robot": Line("u_ann", credential="k_1"),
        "bob": Line("u_bob", session="s_3"),
    }


@pytest.fixture
def index(lines: dict[str, Line]) -> ConnectionIndex:
    index = ConnectionIndex()
    for line in lines.values():
        index.add(line)
    return index


@pytest.mark.parametrize("user", [None, "u_ann"])
@pytest.mark.parametrize(
    ("ended", "revoked"),
    [
        (["s_1"], {"first", "again"}),
        (["k_1"], {"robot"}),
        (["s_2", "k_1"], {"other", "robot"}),
        (["s_none", ""], set()),
        ([], set()),
    ],
)
def test_what_is_open_by_what_has_ended_is_closed(
    index: ConnectionIndex, lines: dict[str, Line], ended: list[str], revoked: set[str], user: str | None
) -> None:
    """All of it and nothing else, whether or not it is known whose it was."""
    index.revoke(ended, user=user)
    assert {name for name, line in lines.items() if line.told == ["revoked"]} == revoked
    assert not any(line.told for name, line in lines.items() if name not in revoked)


def test_of_somebody_else_nothing_is_closed(index: ConnectionIndex, lines: dict[str, Line]) -> None:
    """Whose they are narrows it down, also where ids are other people's."""
    index.revoke(["s_1", "s_3"], user="u_bob")
    assert [name for name, line in lines.items() if line.told] == ["bob"]


def test_a_connection_that_leaves_as_it_is_closed_does_not_disturb_the_others(index: ConnectionIndex) -> None:
    """Closing may take it out of the index at once."""

    class Hasty(Line):
        def revoke(self) -> None:
            super().revoke()
            index.remove(self)

    hasty = [Hasty("u_cem", session="s_9") for _ in range(3)]
    for line in hasty:
        index.add(line)
    index.revoke(["s_9"])
    assert [line.told for line in hasty] == [["revoked"]] * 3
    assert (len(index), index.of_user("u_cem")) == (5, 0)


def test_a_right_that_was_exchanged_counts_as_it_is_now(index: ConnectionIndex, lines: dict[str, Line]) -> None:
    """A connection that goes on by another session is closed with that one, and not with the former."""
    lines["first"].identify(Identity(somebody("u_ann").user, session="s_2"))
    assert index.origins() == {"s_1": "u_ann", "s_2": "u_ann", "k_1": "u_ann", "s_3": "u_bob"}
    index.revoke(["s_1"])
    assert lines["first"].told == []
    index.revoke(["s_2"])
    assert lines["first"].told == ["revoked"]


def test_a_user_is_told_on_all_devices_and_nobody_else_is(index: ConnectionIndex, lines: dict[str, Line]) -> None:
    """Frames and new memberships alike."""
    index.tell("u_ann", b"x")
    index.joined("u_ann", "r_1", 7)
    index.tell("u_nobody", b"x")
    assert {name for name, line in lines.items() if line.told == [b"x", ("r_1", 7)]} == set(lines) - {"bob"}
    assert lines["bob"].told == []


def test_connections_are_counted_and_forgotten(index: ConnectionIndex, lines: dict[str, Line]) -> None:
    """Leaving twice is leaving once."""
    assert (len(index), index.of_user("u_ann"), set(index)) == (5, 4, set(lines.values()))
    for _ in range(2):
        index.remove(lines["robot"])
    index.remove(Line("u_nobody", session="s_1"))
    assert (len(index), index.of_user("u_ann")) == (4, 3)
    for line in lines.values():
        index.remove(line)
    assert (len(index), list(index), index.origins()) == (0, [], {})

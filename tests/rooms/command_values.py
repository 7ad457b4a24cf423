"""Strategies for commands. Users, names and ids are few, so that commands meet: repeats, lost rights, deleted rooms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from hypothesis import strategies as st
from msgspec.structs import replace

from justchat.rooms.commands import (
    AddMember,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    SetRole,
    UpdateRoom,
)
from justchat.rooms.permissions import Kind, Role, Visibility

users = st.sampled_from(["u_a", "u_b", "u_c", "u_d"])
words = st.sampled_from(["tea", "cups", ""])
roles = st.sampled_from(Role)
# A number stands for one of the room's newest messages, or for an unknown one while there is none.
references = st.integers(0, 3).map(str)
posts = st.builds(
    lambda actor, key, body, reply_to: PostMessage(actor, key, body, f"{body} {reply_to}".encode(), reply_to),
    users,
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(["tea", "tea", "tea", "cups"]),
    st.sampled_from([None, None, None, "0", "1"]),
)
created = st.builds(
    CreateRoom,
    actor=users,
    kind=st.sampled_from([Kind.GROUP, Kind.GROUP, Kind.CHANNEL, Kind.DIRECT]),
    visibility=st.sampled_from(Visibility),
    name=words,
    topic=words,
    epoch=st.just("e_1"),
    members=st.lists(users, max_size=4).map(tuple),
).map(lambda room: replace(room, visibility=Visibility.PRIVATE) if room.kind is Kind.DIRECT else room)
# `one_of` would draw every kind equally often; a room that is used is mostly posted to.
commands = st.sampled_from(
    [
        *[posts] * 8,
        *[st.builds(DeleteMessage, users, references)] * 3,
        *[st.builds(AddMember, users, users, roles)] * 3,
        *[st.builds(AddMember, users, users)] * 2,
        *[st.builds(SetRole, users, users, roles)] * 4,
        *[st.builds(RemoveMember, users, users)] * 2,
        *[st.builds(JoinRoom, users)] * 2,
        st.builds(LeaveRoom, users),
        st.builds(UpdateRoom, users, st.none() | words, st.none() | words, st.none() | st.sampled_from(Visibility)),
        created,
        st.builds(DeleteRoom, st.sampled_from(["u_a", "u_nobody", "u_nobody", "u_nobody"])),
    ]
).flatmap(lambda kind: kind)
batches = st.lists(commands, max_size=6)


def numbered(start: int = 0) -> Callable[[str], str]:
    """Give ids m_1, m_2 and so on, one per command."""
    given = count(start + 1)
    return lambda prefix: f"{prefix}_{next(given)}"

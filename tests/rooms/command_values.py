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
    st.sampled_from(["1", "2", "3", "4", "5"]),
    words,
    st.none() | st.none() | references,
)
created = st.builds(
    CreateRoom,
    actor=users,
    kind=st.sampled_from([Kind.GROUP, Kind.GROUP, Kind.CHANNEL, Kind.DIRECT]),
    visibility=st.sampled_from(Visibility),
    name=words,
    topic=words,
    epoch=st.just("e_1"),
    members=st.lists(users, max_size=2).map(tuple),
).map(lambda room: replace(room, visibility=Visibility.PRIVATE) if room.kind is Kind.DIRECT else room)
commands = st.one_of(
    posts,
    posts,
    posts,
    st.builds(DeleteMessage, users, references),
    st.builds(AddMember, users, users, roles),
    st.builds(AddMember, users, users),
    st.builds(SetRole, users, users, roles),
    st.builds(RemoveMember, users, users),
    st.builds(JoinRoom, users),
    st.builds(LeaveRoom, users),
    st.builds(UpdateRoom, users, st.none() | words, st.none() | words, st.none() | st.sampled_from(Visibility)),
    created,
    st.builds(DeleteRoom, st.sampled_from(["u_a", "u_nobody", "u_nobody", "u_nobody"])),
)
batches = st.lists(commands, max_size=6)


def numbered(start: int = 0) -> Callable[[str], str]:
    """Give ids m_1, m_2 and so on, one per command."""
    given = count(start + 1)
    return lambda prefix: f"{prefix}_{next(given)}"

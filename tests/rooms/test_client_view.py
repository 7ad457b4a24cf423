"""A snapshot and the events after it are the next snapshot: for every type of event, and for every kind of member.

The client's side of it is `tests.rooms.client_view`; what it is compared with is what the server shows at that moment.
"""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from justchat.http.message_views import shown
from justchat.http.permission_routes import permissions_view
from justchat.rooms.permissions import Permission
from justchat.rooms.project import project_room
from justchat.rooms.queries import view_of
from justchat.rooms.state import RoomState
from justchat.wire.events import EVENTS
from justchat.wire.times import rfc3339
from tests.rooms.client_view import RULES, ClientView
from tests.rooms.command_values import USERS, Turn, seeds, turns
from tests.rooms.house import House, messages
from tests.rooms.scenes import ROOM

OBSERVERS = (*USERS, "u_nobody")
plans = st.builds(turns, seeds, st.integers(0, 20), st.just((ROOM,)))


async def look(house: House, user: str) -> ClientView | None:
    """Give what a user sees who looks at the room right now; None if there is nothing to see."""
    state = house.states[ROOM]
    if state is None or Permission.ROOM_VIEW not in state.allowed(user):
        return None
    permissions = permissions_view(project_room(state).room)
    visible = [record for record in messages(house.store, ROOM) if record.seq > state.floor_of(user)]
    told = await shown(house.journal, user, visible) if visible else []
    return ClientView(
        user,
        room=json.loads(msgspec.json.encode(view_of(state, user))),
        defaults={role: list(names) for role, names in permissions.defaults.items()},
        overrides=permissions.overrides,
        members={member.user: str(member.role) for member in state.members.values()},
        messages={record.id: json.loads(bytes(doc)) for record, doc in zip(visible, told, strict=True)},
        **listed(state),
    )


def listed(state: RoomState) -> dict[str, dict[str, object]]:
    """Give what moderators can list, with all times as the wire has them."""
    invites = {invite.id: msgspec.to_builtins(invite) for invite in state.held.invites.values()}
    for invite in invites.values():
        del invite["id"], invite["by"], invite["at"]
        invite["expires_at"] = None if invite["expires_at"] is None else rfc3339(invite["expires_at"])
    pins = state.held.pins.values()
    return {
        "bans": {ban.user: ban.reason for ban in state.held.bans.values()},
        "mutes": {mute.user: None if mute.until is None else rfc3339(mute.until) for mute in state.held.mutes.values()},
        "invites": invites,
        "pins": {pin.message: {"message_seq": pin.message_seq, "by": pin.by, "at": rfc3339(pin.at)} for pin in pins},
    }


async def follow(house: House, views: dict[str, ClientView], turn: Turn, seen: Counter[str]) -> None:
    """Serve a turn, advance the views of all observers by its events, and compare them with a fresh look."""
    draft = await house.serve(turn)
    seen.update(entry.type for entry in draft.entries)
    for user in OBSERVERS:
        fresh, view = await look(house, user), views.get(user)
        if view is not None:
            for entry in draft.entries:
                if not view.gone:
                    view.apply(entry.body)
            # Whoever was sent away and came back within one batch begins anew.
            assert view.gone or fresh is not None
            if fresh is not None and not view.gone:
                if view.messages is None:
                    assert b"history_visibility" in b"".join(entry.body for entry in draft.entries)
                    view.messages = fresh.messages
                wrong = {
                    name: (value, getattr(fresh, name))
                    for name, value in vars(view).items()
                    if value != getattr(fresh, name)
                }
                assert not wrong, (user, wrong, [entry.body for entry in draft.entries])
        if view is None or view.gone:
            views.pop(user, None)
            if fresh is not None:
                views[user] = fresh


async def followed(plan: list[Turn]) -> Counter[str]:
    house, views, seen = House(ROOM), dict[str, ClientView](), Counter[str]()
    for turn in plan:
        await follow(house, views, turn, seen)
    return seen


@settings(max_examples=60, deadline=None)
@given(plans)
async def test_events_lead_from_one_snapshot_to_the_next(plan: list[Turn]) -> None:
    """Of any room with any history, for everybody who may look at it; the bytes of the events are enough."""
    await followed(plan)


def test_every_type_of_event_is_met() -> None:
    """A new type fails here until a client knows what to do with it, and until it comes up in what is compared."""
    assert RULES.keys() == EVENTS.keys()
    seen: Counter[str] = Counter()
    for seed in range(60):
        seen += trio.run(followed, turns(seed, 20, (ROOM,)))
        if seen.keys() == EVENTS.keys():
            return
    assert seen.keys() == EVENTS.keys()


async def test_an_event_is_taken_once_and_in_order() -> None:
    """What is known already changes nothing, and what comes too early is told."""
    house = House(ROOM)
    begin = turns(1, 0, (ROOM,))
    await house.serve(begin[0])
    view = await look(house, USERS[0])
    assert view is not None
    bodies = [entry.body for entry in (await house.serve(begin[1])).entries]
    with pytest.raises(ValueError, match="after 1 comes 3"):
        view.apply(bodies[1])
    for body in (bodies[0], bodies[0], bodies[1], bodies[0]):
        view.apply(body)
    assert view.room["head_seq"] == 3
    assert view.messages is not None
    assert len(view.messages) == 2

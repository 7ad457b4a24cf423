"""Deeds of administrators: each is in the published schema of the audit log, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from justchat.wire.deeds import (
    DEEDS,
    AccountCreated,
    AccountDeleted,
    AccountDisabled,
    AccountEnabled,
    AccountRoleChanged,
    AuditFrame,
    Deed,
    InvitationCreated,
    InvitationRevoked,
    RoomDeletedByAdmin,
    RoomTakenOver,
    encode_deed,
)
from justchat.wire.events import EventFrame, RoomDeleted, encode_event
from justchat.wire.schemas import schemas_of
from tests.http.documents import Schemas

EACH: list[Deed] = [
    AccountCreated("u_1", "admin"),
    AccountDisabled("u_1"),
    AccountEnabled("u_1"),
    AccountRoleChanged("u_1", "user", "guest"),
    AccountDeleted("u_1", erase=True),
    RoomTakenOver("r_1", "u_1"),
    RoomDeletedByAdmin("r_1"),
    InvitationCreated("choir", "user", None),
    InvitationRevoked("v_1"),
]


def problems(value: object, *, kind: str = "AuditFrame") -> list[str]:
    """Say what is wrong with a line of the log."""
    _, named = schemas_of([AuditFrame, EventFrame])
    return Schemas({"components": {"schemas": named}}).problems(f"/components/schemas/{kind}", value)


def line(deed: Deed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_deed(deed, ts=1_700_000_000_000, actor="u_root"))
    return found


def test_every_deed_is_tried_here() -> None:
    """A new one has to come with its example."""
    assert {type(deed) for deed in EACH} == set(DEEDS.values())


@pytest.mark.parametrize("deed", EACH, ids=lambda deed: type(deed).__name__)
def test_a_deed_is_as_its_schema_says_to_the_last_field(deed: Deed) -> None:
    """Read like an event, of no room and without a seq; one field more or less is seen."""
    found = line(deed)
    assert problems(found) == []
    assert DEEDS[found["type"]] is type(deed)
    assert (found["room"], found["seq"], found["ts"]) == ("", 0, "2023-11-14T22:13:20.000Z")
    assert problems({**found, "more": 1}) != []
    assert problems({**found, "data": {}}) != []
    assert problems({**found, "room": "r_1"}) != []
    assert problems(found, kind="EventFrame") != [], "no room's event"


def test_an_event_of_a_room_is_a_line_of_the_log_too() -> None:
    """Both stand in the one log for administrators."""
    assert problems(json.loads(encode_event(RoomDeleted(), room="r_1", seq=3, ts=0, actor="u_1"))) == []

"""Which accounts may be members of rooms: everybody who is there, but guests."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from justchat.accounts.identity import ServerRole
from justchat.accounts.membership import can_be_member
from tests.storage.samples import a_user


@pytest.mark.parametrize("role", ServerRole)
def test_every_account_but_a_guests_may_be_in_rooms(role: ServerRole) -> None:
    """Administrators, users and bots alike."""
    assert can_be_member(replace(a_user(), role=role.value)) is (role is not ServerRole.GUEST)


@pytest.mark.parametrize("state", ["leaving", "erasing", "gone", "demoting"])
def test_who_departs_comes_into_no_room_any_more(state: str) -> None:
    """Else a departure might never end."""
    assert not can_be_member(replace(a_user(), state=state))


def test_who_is_not_there_or_disabled_is_in_no_room() -> None:
    """As for everything else that others do with an account."""
    assert not can_be_member(None)
    assert not can_be_member(a_user(disabled=True))

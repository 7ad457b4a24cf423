"""A room in which everybody has spoken, and as many copies of it as are wanted, each as fresh as the first.

Copies are made in the store, under other ids, and wake up like any room that slept: what one caller does to theirs, the
next does not see.
"""

from __future__ import annotations

from itertools import count
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from justchat.app import wall_ms
from justchat.wire.times import rfc3339
from storage.memory import MemoryStore
from tests.http.community import PEOPLE, Community

T = TypeVar("T")


def tomorrow() -> str:
    """Give a time that something can be scheduled for."""
    return rfc3339(wall_ms() + 86_400_000)


class Furnished(Struct, frozen=True):
    """A room, what everybody said in it, and what hangs on it. `stranger` has said nothing."""

    room: str
    said: dict[str, str]
    scheduled: dict[str, str]
    pinned: str
    invite: str


async def furnish(town: Community, *, visibility: str) -> tuple[Furnished, str]:
    """Make the room, and the code of its invite. First all are members, and each says and schedules something."""
    room = await town.room(*PEOPLE[1:-1], visibility=visibility)
    said, scheduled = {}, {}
    for name in PEOPLE[:-1]:
        said[name] = (await town.post(name, room, f"hello from {name}"))["id"]
        later = {"body": "later", "send_at": tomorrow()}
        scheduled[name] = (await town.call(name, "POST", f"/rooms/{room}/scheduled", later, status=201))["id"]
        await town.call(name, "PUT", f"/messages/{said['owner']}/reactions/👍", status=204)
    pinned = (await town.post("member", room, "look here"))["id"]
    await town.call("owner", "PUT", f"/rooms/{room}/pins/{pinned}", status=204)
    await town.call("member", "POST", f"/messages/{said['guest']}/reports", {"reason": "rude"}, status=204)
    invite = await town.call("owner", "POST", f"/rooms/{room}/invites", status=201)
    for role in ("admin", "moderator", "guest"):
        await town.call("owner", "PATCH", f"/rooms/{room}/members/{town.ids[role]}", {"role": role}, status=204)
    await town.call("owner", "PUT", f"/rooms/{room}/mutes/{town.ids['muted']}", status=204)
    await town.call("owner", "PUT", f"/rooms/{room}/bans/{town.ids['banned']}", status=204)
    await town.call("gone", "DELETE", f"/rooms/{room}/members/me", status=204)
    return Furnished(room, said, scheduled, pinned, invite["id"]), invite["code"]


class Copies:
    """Copies of a furnished room. Messages and the room get new ids; what else there is is named within the room."""

    def __init__(self, store: MemoryStore, original: Furnished) -> None:
        self._store, self._original = store, original
        self._numbers = count(1)
        self._messages = [message for _, message in store.message_order[original.room]]

    def copy(self) -> Furnished:
        """Make one."""
        number = f"{next(self._numbers):08d}"
        new = {old: old[:-8] + number for old in (self._original.room, *self._messages)}
        assert len({*new.values()} | new.keys()) == 2 * len(new), "the ends of the ids are not unique"
        self._copy_rows(self._original.room, new)
        return _renamed(self._original, new)

    def _copy_rows(self, old: str, new: dict[str, str]) -> None:
        store, room = self._store, new[old]
        store.rooms[room] = _renamed(store.rooms[old], new)
        store.entries[room] = [_renamed(entry, new) for entry in store.entries[old]]
        store.members[room] = {user: _renamed(member, new) for user, member in store.members[old].items()}
        for user in store.members[room]:
            store.rooms_of[user].add(room)
        for entry in store.entries[room]:
            if entry.sender is not None:
                store.sent[room, entry.sender, entry.client_msg_id or ""] = entry
        for message in self._messages:
            store.messages[new[message]] = _renamed(store.messages[message], new)
        store.message_order[room] = [(seq, new[message]) for seq, message in store.message_order[old]]
        items = [_renamed(item, new) for item in store.items[old].values()]
        store.items[room] = {(item.kind, item.key): item for item in items}


def _renamed(value: T, new: dict[str, str]) -> T:
    """Give a value with new ids in the place of the old ones, wherever they stand."""
    found: Any = value
    match value:
        case str():
            for old, other in new.items():
                found = found.replace(old, other)
        case bytes():
            for old, other in new.items():
                found = found.replace(old.encode(), other.encode())
        case dict():
            found = {key: _renamed(each, new) for key, each in value.items()}
        case Struct():
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            found = replace(value, **{name: _renamed(each, new) for name, each in fields.items()})
    return found  # type: ignore[no-any-return]

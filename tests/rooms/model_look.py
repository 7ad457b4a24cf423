"""What there is to see of a room, and what the reference model says should be seen: two values to be compared."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from justchat.rooms.items import Invite, ItemKind, Mute, Scheduled, Spoke
from justchat.rooms.state import stored_settings
from justchat.wire.errors import Refusal
from justchat.wire.events import Message, decode_message
from justchat.wire.times import epoch_ms
from storage.ports import Directory, Journal
from storage.records import ItemRecord, MessageRecord
from tests.rooms.reference_model import EVERYBODY, LEAST
from tests.rooms.reference_room import ReferenceRoom
from tests.rooms.scenes import ROOM
from tests.rooms.world import World

# Items that hang on messages or follow from what is held, by their keys alone.
KEYS = ("ban", "pin", "reaction", "reply", "revision", "expiry", "sweep", "report")


async def look(world: World, journal: Journal, directory: Directory) -> dict[str, Any]:
    """Look at everything that is stored of the room, and at the room as everybody sees it."""
    snapshot = await journal.load_room(ROOM)
    assert snapshot is not None
    assert snapshot.room is not None
    row = snapshot.room
    settings, overrides = stored_settings(row)
    items = {kind: await _items(directory, kind) for kind in ItemKind}
    return {
        "row": (row.kind, row.visibility, row.name, row.topic, row.deleted_at is not None),
        "place": (row.applied_seq, row.last_msg_no, snapshot.head_seq),
        "settings": msgspec.structs.asdict(settings),
        "overrides": overrides,
        "members": {member.user: (member.role, member.joined_seq) for member in snapshot.members},
        "messages": {record.id: _message(record) for record in await journal.messages(ROOM, limit=10_000)},
        "keys": {kind: sorted(item.key for item in items[ItemKind(kind)]) for kind in KEYS},
        "mutes": {item.key: _read(item, Mute).until for item in items[ItemKind.MUTE]},
        "spoke": {item.key: _read(item, Spoke).at for item in items[ItemKind.SPOKE]},
        "invites": {item.key: _invite(item) for item in items[ItemKind.INVITE]},
        "scheduled": {item.key: (item.due_at, _read(item, Scheduled).failed) for item in items[ItemKind.SCHEDULED]},
        "floor": [msgspec.json.decode(item.doc)["floor_seq"] for item in items[ItemKind.RETENTION]],
        "views": {user: await _view(world, user) for user in EVERYBODY},
    }


async def _items(directory: Directory, kind: ItemKind) -> list[ItemRecord]:
    return list((await directory.items(kind.value, room=ROOM, cursor=None, limit=10_000)).items)


def _read(item: ItemRecord, form: type[Any]) -> Any:
    return msgspec.json.decode(item.doc, type=form)


def _invite(item: ItemRecord) -> dict[str, Any]:
    invite: Invite = _read(item, Invite)
    return {
        "by": invite.by,
        "role": invite.role,
        "end": invite.expires_at,
        "most": invite.max_uses,
        "uses": invite.uses,
    }


def _message(record: MessageRecord) -> dict[str, Any]:
    message: Message = decode_message(record.doc)
    assert (record.seq, record.msg_no, record.author) == (message.seq, message.msg_no, message.author)
    return {
        "seq": message.seq,
        "msg_no": message.msg_no,
        "author": message.author,
        "body": message.body,
        "rev": message.rev,
        "deleted": message.deleted,
        "root": message.thread_root,
        "reply_to": message.reply_to,
        "replies": message.reply_count,
        "end": None if message.expires_at is None else epoch_ms(message.expires_at),
        "mentions": list(message.mentions),
        "all": message.mentions_all,
        "reactions": {reaction.emoji: reaction.count for reaction in message.reactions},
    }


async def _view(world: World, user: str) -> object:
    view = await world.room().view(user)
    if isinstance(view, Refusal):
        return view.code.value
    return (view.head_seq, view.member_count, view.me.role, set(view.me.permissions))


def looked_for(model: ReferenceRoom) -> dict[str, Any]:
    """Say what there should be to see."""
    keys: dict[str, list[str]] = defaultdict(list)
    for name, message in model.messages.items():
        if message["deleted"]:
            continue
        keys["reaction"] += [
            f"{name}/{emoji}/{user}" for emoji, users in message["reactions"].items() for user in users
        ]
        keys["revision"] += [f"{name}/{rev:06d}" for rev in range(2, message["rev"] + 1)]
        # A room that is gone waits for nothing any more.
        keys["expiry"] += [name] if message["end"] is not None and not model.deleted else []
        keys["reply"] += [f"{message['root']}/{message['seq']:012d}"] if message["root"] is not None else []
    keys |= {"ban": [*model.bans], "pin": [*model.pins], "sweep": [] if model.sweep_at is None else [""]}
    keys["report"] = [f"{message}/{user}" for message, user in model.reports]
    return {
        "row": (model.kind, model.visibility, model.name, model.topic, model.deleted),
        "place": (model.head, model.posted, model.head),
        "settings": model.settings,
        "overrides": model.overrides,
        "members": {user: (role, model.joined[user]) for user, role in model.roles.items()},
        "messages": {
            name: message | {"reactions": {emoji: len(users) for emoji, users in message["reactions"].items()}}
            for name, message in model.messages.items()
        },
        "keys": {kind: sorted(keys[kind]) for kind in KEYS},
        "mutes": model.mutes,
        "spoke": model.spoke,
        "invites": model.invites,
        "scheduled": {f"{user}/{name}": (at["end"], at["failed"]) for (user, name), at in model.scheduled.items()},
        "floor": [model.floor] if model.floor else [],
        "views": {user: _viewed(model, user) for user in EVERYBODY},
    }


def _viewed(model: ReferenceRoom, user: str) -> object:
    if not model.can(user, "room.view"):
        return "not_found"
    permissions = {name for name in LEAST if model.can(user, name)}
    return (model.head, len(model.roles), model.roles.get(user), permissions)

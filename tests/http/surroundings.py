"""A server that is lived in: people, rooms with a past, and one user who may do nearly everything to all of it."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess

ROOMS = 4
THUMBS_UP = "\N{THUMBS UP SIGN}"


class Surroundings(Struct, frozen=True):
    """Who calls, and what their addresses may name, by the names of path parameters."""

    token: str
    spare_token: str
    named: Mapping[str, Sequence[str]]

    @property
    def address(self) -> Mapping[str, str]:
        """One of each, to be put into an address; of what there is none of, a name that could be one."""
        return defaultdict(lambda: "none", {name: values[0] for name, values in self.named.items()})


def furnish(server: ServerProcess) -> Surroundings:
    """Make rooms in which there is something of everything, and throw in a few to be taken away."""
    ann, *others = (register(server) for _ in range(4))
    _make_admin(server, ann)
    named: dict[str, list[str]] = {"user": [ann.id, *(other.id for other in others)], "emoji": [THUMBS_UP]}
    for number in range(ROOMS):
        for name, value in _room(ann, others, f"Room {number}").items():
            named.setdefault(name, []).append(value)
    named["invitation"] = [ann.call("POST", "/admin/invitations", {})["id"] for _ in range(ROOMS)]
    return Surroundings(ann.token, register(server).token, named)


def _make_admin(server: ServerProcess, caller: Caller) -> None:
    """Let somebody administrate, too."""
    database = f"--database=sqlite:///{server._folder}/chat.db"
    command = [sys.executable, "-m", "justchat", "admin", "role", caller.username, "admin", database]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)


def _room(ann: Caller, others: Sequence[Caller], name: str) -> dict[str, str]:
    """Make a room with people and a past; give what is in it, by the names of path parameters."""
    room = ann.room(name, visibility="public", members=tuple(other.username for other in others))
    by_other = [other.post(room, f"by {other.username}")["id"] for other in others]
    root = ann.post(room, "root")["id"]
    reply = {"client_msg_id": f"{room}-reply", "body": "reply", "thread_root": root}
    ann.call("POST", f"/rooms/{room}/messages", reply)
    ann.call("PATCH", f"/messages/{root}", {"body": "better"})
    ann.call("PUT", f"/messages/{root}/reactions/{THUMBS_UP}")
    ann.call("PUT", f"/rooms/{room}/pins/{root}")
    others[0].call("POST", f"/messages/{root}/reports", {"reason": "rude"})
    ann.call("PUT", f"/rooms/{room}/mutes/{others[1].id}", {"reason": "loud"})
    ann.call("PUT", f"/rooms/{room}/bans/{others[2].id}", {"reason": "louder"})
    ann.call("DELETE", f"/messages/{by_other[1]}")
    later = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    scheduled: Any = ann.call("POST", f"/rooms/{room}/scheduled", {"body": "later", "send_at": later})
    code: str = ann.call("POST", f"/rooms/{room}/invites", {})["code"]
    return {"room": room, "message": root, "scheduled": scheduled["id"], "code": code}

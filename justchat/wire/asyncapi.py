"""The AsyncAPI document: every frame in both directions on the WebSocket, made from the types that are on the wire.

The server is the application of the document: what clients send is received, what the server says is sent. Only what
types cannot say is written here: what answers what, and what the close codes mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import StructConfig

from justchat.wire.close_codes import CLOSE_MEANINGS, CloseCode, may_reconnect
from justchat.wire.frames import ClientFrame, FrameId, Id, Seq
from justchat.wire.schemas import EVENT_FRAMES, REF, Schema, schemas_of
from justchat.wire.server_frames import SERVER_FRAMES, FrameForm

_ALWAYS: Final[Mapping[str, object]] = {"id": FrameId, "room": Id, "seq": Seq}
_SOMETIMES: Final[Mapping[str, object]] = {"id": FrameId | UnsetType, "room": Id | UnsetType}
_COMMAND_ANSWERS: Final = ("ack", "error")
# What else than a command's answer may answer a frame with its `id`.
_ANSWERS: Final[Mapping[str, tuple[str, ...]]] = {
    "hello": ("welcome", "error"),
    "subscribe": ("subscribed", "reset", "error"),
    "unsubscribe": ("unsubscribed", "error"),
    "fetch": ("page", "error"),
    "refresh": ("refreshed", "error"),
    "ping": ("pong", "error"),
}
_INTRODUCTION: Final = """\
One socket per device carries all rooms. Every frame is one JSON object in one text message. `id` is the client's own
and comes back in the answer. A frame with `seq`, `ts` and `actor` is a durable event: per room, seqs have no gaps.

The first frame is `hello`, with an access token or a ticket in it, unless the upgrade had the token in the header
`Authorization: Bearer` or the ticket in the query (`?ticket=`). `expiring` comes a minute before a token's end:
`refresh` with another token keeps the socket and its subscriptions.

Ignore fields, frames and events that you do not know; fields that the server does not know are refused.

Per room keep the last seq. Accept `seq == last + 1`, drop what is not above `last`, and on a jump `subscribe` with
`after: last`. Trust a seq only under the `epoch` it was given in.

## Close codes

| code | meaning | come back by yourself |
|---|---|---|
"""


def client_frames() -> dict[str, type[Struct]]:
    """Give every frame that a client may send, by its type."""
    return {_tag_of(frame): frame for frame in get_args(ClientFrame)}


def answers_to(frame: str) -> tuple[str, ...]:
    """Name the server's frames that may answer a client's frame."""
    return _ANSWERS.get(frame, _COMMAND_ANSWERS)


def asyncapi_document(*, version: str) -> Schema:
    """Make the document; `version` is the program's."""
    server = {name: _frame_type(name, form) for name, form in SERVER_FRAMES.items()}
    groups: dict[str, Mapping[str, type[Struct]]] = {"client": client_frames(), "server": server, "event": EVENT_FRAMES}
    _, named = schemas_of(kind for group in groups.values() for kind in group.values())
    messages = {
        f"{group}.{name}": _message(name, kind) for group, kinds in groups.items() for name, kind in kinds.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "JustChat",
            "version": version,
            "description": _INTRODUCTION + "".join(map(_close_row, CloseCode)),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"here": _server()},
        "channels": {"socket": _channel(messages)},
        "operations": _operations(groups),
        "components": {
            "schemas": {name: _plain(schema) for name, schema in named.items()},
            "messages": messages,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _tag_of(frame: type[Struct]) -> str:
    config: StructConfig = frame.__struct_config__
    return str(config.tag)


def _frame_type(name: str, form: FrameForm) -> type[Struct]:
    """Make the type of one frame as it stands on the wire."""
    fields: list[tuple[str, object] | tuple[str, object, object]] = [
        *((part, _ALWAYS[part]) for part in form.always),
        *([("data", form.data)] if form.data else []),
        *((part, _SOMETIMES[part], UNSET) for part in form.sometimes),
    ]
    title = "".join(part.title() for part in name.split("_"))
    return msgspec.defstruct(f"{title}Frame", fields, tag=name, namespace={"__doc__": form.maker.__doc__})


def _message(name: str, kind: type[Struct]) -> Schema:
    has_id = "id" in kind.__struct_fields__
    return {
        "name": name,
        "title": name,
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"{REF}{kind.__name__}"},
        **({"correlationId": {"location": "$message.payload#/id"}} if has_id else {}),
    }


def _server() -> Schema:
    return {
        "host": "{host}",
        "protocol": "wss",
        "description": "Where this document was found; `ws` where it is served without TLS.",
        "variables": {"host": {"description": "Host and port of the server.", "default": "localhost"}},
        "security": [{"$ref": "#/components/securitySchemes/bearer"}],
    }


def _channel(messages: Iterable[str]) -> Schema:
    header = {"type": "string", "description": "`Bearer` and an access token, for those who can set headers."}
    return {
        "address": "/ws",
        "title": "The WebSocket",
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {"type": "object", "properties": {"Authorization": header}},
                "bindingVersion": "0.1.0",
            }
        },
        "x-close-codes": {
            str(int(code)): {
                "name": code.name.lower(),
                "meaning": CLOSE_MEANINGS[code],
                "reconnect": may_reconnect(code),
            }
            for code in CloseCode
        },
    }


def _operations(groups: Mapping[str, Mapping[str, type[Struct]]]) -> Schema:
    found: Schema = {
        f"receive.{name}": {
            **_operation("receive", "client", [name]),
            "title": name,
            "reply": {"channel": {"$ref": "#/channels/socket"}, "messages": _in_channel("server", answers_to(name))},
        }
        for name in groups["client"]
    }
    found["send.frames"] = {**_operation("send", "server", groups["server"]), "title": "Answers and what else is told"}
    found["send.events"] = {**_operation("send", "event", groups["event"]), "title": "Durable events of a room"}
    return found


def _operation(action: Literal["receive", "send"], group: str, names: Iterable[str]) -> Schema:
    return {"action": action, "channel": {"$ref": "#/channels/socket"}, "messages": _in_channel(group, names)}


def _in_channel(group: str, names: Iterable[str]) -> list[Schema]:
    return [{"$ref": f"#/channels/socket/messages/{group}.{name}"} for name in names]


def _close_row(code: CloseCode) -> str:
    return f"| {int(code)} | {CLOSE_MEANINGS[code]} | {'yes' if may_reconnect(code) else 'no'} |\n"


def _plain(schema: Schema) -> Schema:
    """Leave out what means something else in AsyncAPI's schemas; the field `type` tells types apart as well."""
    return {key: value for key, value in schema.items() if key != "discriminator"}

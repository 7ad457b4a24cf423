"""JSON Schemas of what goes over the wire, made from the very types that are decoded and encoded.

Both published documents get their schemas here: nothing about a field is written down twice. Times are text whose name
says that it is one (`ts`, `…_at`), which the schemas state as a format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from justchat.wire.deeds import DEEDS, AuditFrame
from justchat.wire.events import EVENTS, EventFrame, Message, MessageCreated
from justchat.wire.frames import Id, Seq

Schema = dict[str, object]

REF: Final = "#/components/schemas/"
_TIMES: Final = frozenset({"at", "ts", "until", "server_time"})
_Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_Actor = Annotated[str, Meta(description="The id of the user who did it, or `system`.")]
_Doer = Annotated[str, Meta(description="The id of the administrator who did it, or `console`.")]


def _event_frame(name: str, data: type[Struct]) -> type[Struct]:
    """Make the type of one event as it stands on the wire."""
    # On the wire the data of a new message is the message itself.
    content = Message if data is MessageCreated else data
    return msgspec.defstruct(
        f"{data.__name__}Event",
        [("room", Id), ("seq", Seq), ("ts", _Time), ("actor", _Actor), ("data", content)],
        tag=name,
        tag_field="type",
        namespace={"__doc__": data.__doc__},
    )


def _deed_frame(name: str, data: type[Struct]) -> type[Struct]:
    """Make the type of one deed as it stands in the audit log."""
    return msgspec.defstruct(
        f"{data.__name__}Deed",
        [("room", Literal[""]), ("seq", Literal[0]), ("ts", _Time), ("actor", _Doer), ("data", data)],
        tag=name,
        tag_field="type",
        namespace={"__doc__": data.__doc__},
    )


EVENT_FRAMES: Final[Mapping[str, type[Struct]]] = {name: _event_frame(name, data) for name, data in EVENTS.items()}
"""Every event's whole frame by its name. They are types for schemas; `encode_event` makes the bytes."""

_DEED_FRAMES: Final = tuple(_deed_frame(name, data) for name, data in DEEDS.items())


def _reference(kind: type[Struct]) -> Schema:
    return {"$ref": f"{REF}{kind.__name__}"}


def _any_event() -> Schema:
    return {
        "title": "Event",
        "description": "A durable event. There will be more types: ignore those that you do not know.",
        "oneOf": [_reference(frame) for frame in EVENT_FRAMES.values()],
    }


def schemas_of(types: Iterable[object]) -> tuple[list[Schema], dict[str, Schema]]:
    """Give the schemas of types, and the named ones that they refer to, `Event` and all events among them."""
    wanted = [*types]
    schemas, named = msgspec.json.schema_components([*wanted, *EVENT_FRAMES.values()], ref_template=f"{REF}{{name}}")
    for schema in named.values():
        _name_formats(schema)
    if EventFrame.__name__ in named:
        # The frame as it is encoded leaves open what its data is.
        named[EventFrame.__name__] = {"$ref": f"{REF}Event"}
    if AuditFrame.__name__ in named:
        named.update(_audited())
    return list(schemas[: len(wanted)]), {**named, "Event": _any_event()}


def _audited() -> dict[str, Schema]:
    """Give the schemas of deeds, and that of the log's lines, which are deeds or events."""
    _, named = msgspec.json.schema_components(_DEED_FRAMES, ref_template=f"{REF}{{name}}")
    deeds = [_reference(frame) for frame in _DEED_FRAMES]
    title = {"title": AuditFrame.__name__, "description": AuditFrame.__doc__}
    return {**named, AuditFrame.__name__: {**title, "anyOf": [{"$ref": f"{REF}Event"}, *deeds]}}


def _name_formats(schema: Schema) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, form in properties.items():
        if name in _TIMES or name.endswith("_at"):
            for choice in form.get("anyOf", [form]):
                if choice.get("type") == "string":
                    choice["format"] = "date-time"

"""The Python client: chat with a JustChat server from a Trio program, without noticing that connections break.

    async with open_client("http://127.0.0.1:8000", credentials=("alice", "her password"), subscribe="all") as client:
        async for item in client.events():
            match item:
                case RoomEvent(room=room, content=MessageCreated(message=message)):
                    print(room, message.author, message.body)

The promise: for each room the events come in order, without a gap and without a repetition, over any number of lost
connections; what cannot be kept is said openly (`Reset`, `Unsubscribed`). A `send` that returned is in the room, once.
REST is in `justchat.client.rest`, which needs httpx (`justchat[client]`), as do `credentials=` and `RefreshTokens`.
"""

from __future__ import annotations

from justchat.client.client import Client
from justchat.client.errors import (
    ClientClosed,
    ClientError,
    ClosedByServer,
    NoAnswer,
    PositionLost,
    Refused,
    Unreachable,
    UpgradeRefused,
)
from justchat.client.items import Ack, Item, Page, Reset, RoomEvent, Subscribed, Unsubscribed
from justchat.client.opening import open_client
from justchat.client.sessions import RefreshTokens
from justchat.client.settings import ClientSettings
from justchat.client.statistics import ClientStatistics
from justchat.client.stream import ItemStream
from justchat.client.tokens import Credentials, TokenSource
from justchat.wire.events import MessageCreated
from justchat.wire.frames import Position

__all__ = [
    "Ack",
    "Client",
    "ClientClosed",
    "ClientError",
    "ClientSettings",
    "ClientStatistics",
    "ClosedByServer",
    "Credentials",
    "Item",
    "ItemStream",
    "MessageCreated",
    "NoAnswer",
    "Page",
    "Position",
    "PositionLost",
    "RefreshTokens",
    "Refused",
    "Reset",
    "RoomEvent",
    "Subscribed",
    "TokenSource",
    "Unreachable",
    "Unsubscribed",
    "UpgradeRefused",
    "open_client",
]

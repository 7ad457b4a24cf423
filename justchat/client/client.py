"""The client: connect once, then send, subscribe and read events as if the connection never broke.

`open_client` owns a background task that keeps the connection up; everything else is here. Calls wait for their answer
and may be made from any number of tasks; events are read by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from justchat.client.backoff import Backoff
from justchat.client.commands import Command
from justchat.client.conversation import Conversation
from justchat.client.errors import NoAnswer
from justchat.client.items import Ack, Page, Subscribed, Unsubscribed
from justchat.client.line import Line
from justchat.client.outbound import Request, encode_command
from justchat.client.settings import ClientSettings
from justchat.client.statistics import ClientStatistics
from justchat.client.stream import ItemStream
from justchat.wire.frames import (
    ClientFrame,
    Delete,
    DeleteData,
    Edit,
    EditData,
    Fetch,
    FetchData,
    Pin,
    PinData,
    Position,
    React,
    ReactionData,
    Send,
    SendData,
    Subscribe,
    SubscribeData,
    Unpin,
    Unreact,
    Unsubscribe,
)
from justchat.wire.server_frames import UserView, WelcomeData

A = TypeVar("A", Ack, Page, Subscribed, Unsubscribed)

DEADLINE_SECONDS = 30.0


class Client:
    """A user's connection to a server. Made by `open_client`."""

    def __init__(
        self, conversation: Conversation, line: Line, settings: ClientSettings, *, message_ids: Callable[[], str]
    ) -> None:
        self._conversation = conversation
        self._line = line
        self._settings = settings
        self._message_ids = message_ids
        self._places = trio.Semaphore(settings.pending_max, max_value=settings.pending_max)
        self._stream = ItemStream(conversation.buffer, line)
        self._frames = 0

    @property
    def connected(self) -> bool:
        """Tell whether there is a connection right now. Nothing needs to ask: calls wait for one."""
        return self._line.connected

    @property
    def welcome(self) -> WelcomeData:
        """The server's latest welcome: who the user is, the limits, and where the rooms stood then."""
        if self._conversation.welcome is None:
            raise RuntimeError("not connected yet: use the client that open_client gives")
        return self._conversation.welcome

    @property
    def user(self) -> UserView:
        """Who this client is."""
        return self.welcome.user

    def events(self) -> ItemStream:
        """Give the stream of events: always the same one, for one reader.

        It is bounded. When the reader is slow the client stops reading the socket, and the server serves this client
        from its journal at the reader's pace.
        """
        return self._stream

    def position(self, room: str) -> Position | None:
        """Tell how far the room's events have been received (not: read from `events`); None if it is not followed."""
        return self._conversation.following.position(room)

    def statistics(self) -> ClientStatistics:
        """Report what the client is doing."""
        buffer, commands, following = (
            self._conversation.buffer,
            self._conversation.commands,
            self._conversation.following,
        )
        return ClientStatistics(
            connected=self._line.connected,
            connections=self._line.connections,
            renewals=self._conversation.renewal.renewals,
            rooms=len(following),
            behind=following.behind,
            buffered=len(buffer),
            buffer_capacity=buffer.capacity,
            buffer_peak=buffer.peak,
            pending=len(commands),
            retries=commands.retries,
            duplicates=following.duplicates,
            jumps=following.jumps,
            overflows=following.overflows,
            resets=following.resets,
        )

    async def send(
        self,
        room: str,
        body: str,
        *,
        client_msg_id: str | None = None,
        reply_to: str | None = None,
        thread_root: str | None = None,
        mentions: Sequence[str] = (),
        expires_in: int | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Ack:
        """Post a message and wait until it is committed.

        `thread_root` puts it into the thread below that message. `mentions` are ids of users, besides those whom the
        body names as `@name`; only members are called. After `expires_in` seconds the message becomes a tombstone.

        The post survives lost connections and passing refusals: it is repeated under the same `client_msg_id`, so it
        stands in the room once. Posts of one task keep their order; those of concurrent calls may be reordered by
        retries. Raises Refused, or NoAnswer after the deadline, when calling again with its `client_msg_id` is safe.

        Slow mode is not waited for, because the wait may be hours: `Refused` says `slow_mode`, and its
        `problem.retry_after` how many seconds are left.
        """
        message_id = client_msg_id or self._message_ids()
        data = SendData(message_id, body, reply_to, thread_root, tuple(mentions), expires_in)
        frame = Send(room, data, id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds, client_msg_id=message_id)

    async def edit(
        self,
        room: str,
        message: str,
        body: str,
        *,
        rev: int | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Ack:
        """Change the text of one's own message; `changed` is false if it reads like that already.

        With the `rev` of the text that you saw, an edit made meanwhile is not overwritten: then Refused says
        `precondition_failed`.
        """
        frame = Edit(room, EditData(message, body, rev), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def delete(self, room: str, message: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Ack:
        """Turn a message into a tombstone. Deleting a deleted one is fine: then `changed` is false."""
        frame = Delete(room, DeleteData(message), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def react(self, room: str, message: str, emoji: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Ack:
        """React to a message: once with each emoji, so `changed` is false the second time.

        `emoji` is any short text that shows something, without spaces and slashes.
        """
        frame = React(room, ReactionData(message, emoji), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def unreact(self, room: str, message: str, emoji: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Ack:
        """Take one's reaction back; `changed` is false if there is none."""
        frame = Unreact(room, ReactionData(message, emoji), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def pin(self, room: str, message: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Ack:
        """Pin a message for everybody in the room; `changed` is false if it is pinned already."""
        frame = Pin(room, PinData(message), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def unpin(self, room: str, message: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Ack:
        """Take a pin off; `changed` is false if there is none."""
        frame = Unpin(room, PinData(message), id=self._next_id())
        return await self._ask(frame, Ack, deadline_seconds=deadline_seconds)

    async def fetch(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Page:
        """Get a page of a room's past: the last `limit` events below `before`, or the first above `after`."""
        frame = Fetch(room, FetchData(before, after, limit), id=self._next_id())
        return await self._ask(frame, Page, deadline_seconds=deadline_seconds)

    async def subscribe(
        self,
        room: str,
        *,
        history: int | None = None,
        after: int | None = None,
        epoch: str | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Subscribed:
        """Begin a run of the room's events; the same `Subscribed` also stands in `events()`, at its place.

        `history` asks for that many newest events in it, 0 if not given. `after` resumes past a seq instead, with the
        `epoch` it belongs to. A subscription to the same room is replaced. Raises PositionLost when `after` cannot be
        resumed from, Refused, NoAnswer.
        """
        if after is not None and history is not None:
            raise ValueError("ask for history or for what comes after a seq, not for both")
        wish = SubscribeData(history=history or 0) if after is None else SubscribeData(after=after, epoch=epoch)
        self._conversation.following.want(room)
        frame = Subscribe(room, wish, id=self._next_id())
        return await self._ask(frame, Subscribed, deadline_seconds=deadline_seconds, after=after)

    async def unsubscribe(self, room: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Unsubscribed:
        """End the room's run; with `subscribe="all"` too, until the room is subscribed to by name."""
        self._conversation.following.mute(room)
        frame = Unsubscribe(room, id=self._next_id())
        return await self._ask(frame, Unsubscribed, deadline_seconds=deadline_seconds)

    def _next_id(self) -> str:
        self._frames += 1
        return str(self._frames)

    async def _ask(
        self,
        frame: Request,
        expects: type[A],
        *,
        deadline_seconds: float,
        client_msg_id: str | None = None,
        after: int | None = None,
    ) -> A:
        text = encode_command(frame, max_bytes=self._conversation.frame_max_bytes)
        done = trio.Event()
        settings = self._settings
        command = Command(
            frame.id or "",
            text,
            expects,
            on_done=done.set,
            backoff=Backoff(base_seconds=settings.retry_base_seconds, cap_seconds=settings.retry_cap_seconds),
            after=after,
        )
        with trio.move_on_after(deadline_seconds):
            async with self._places:
                await self._done(command, done)
        if command.answer is None and command.failure is None:
            raise NoAnswer(_name(frame), deadline_seconds, client_msg_id)
        answer = command.result()
        if not isinstance(answer, expects):
            raise TypeError(f"{_name(frame)} was answered with {answer!r}")
        return answer

    async def _done(self, command: Command, done: trio.Event) -> None:
        if self._line.failure is not None:
            raise self._line.failure.again()
        self._conversation.commands.add(command)
        try:
            self._line.commanded()
            await done.wait()
        finally:
            self._conversation.commands.forget(command.id)


def _name(frame: ClientFrame) -> str:
    return type(frame).__name__.lower()

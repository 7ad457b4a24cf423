"""The line to the server: it keeps one link up for as long as the client lives, and lets the conversation flow over it.

One task reads, one writes, and one gets fresh tokens. Reading stops while the application is behind, so that the server
notices; writing stays within the rate that the server allows. What may be hoped for again is waited for, with back-off;
what may not ends the line, and `failure` says why.
"""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Callable

import trio

from justchat.client.address import Address
from justchat.client.backoff import Backoff, Reconnects
from justchat.client.commands import RETRYABLE
from justchat.client.conversation import PING, Conversation
from justchat.client.ending import ABNORMAL, Ended
from justchat.client.errors import ClientClosed, ClientError, Refused, Unreachable
from justchat.client.inbound import Inbound, NotAFrame, read_data, read_frame
from justchat.client.link import Link, LinkEnded, run_link
from justchat.client.settings import ClientSettings
from justchat.client.tokens import TokenSource
from justchat.client.wakeup import Wakeup
from justchat.connections.rate import TokenBucket
from justchat.wire.close_codes import CloseCode
from justchat.wire.errors import Problem
from justchat.wire.server_frames import WelcomeData

logger = logging.getLogger(__name__)


class Line:
    """Connects, talks, and connects again. `failure` is set once, when there is no point in going on."""

    def __init__(
        self,
        address: Address,
        tokens: TokenSource,
        conversation: Conversation,
        *,
        settings: ClientSettings,
        jitter: Callable[[], float],
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.connected = False
        self.connections = 0
        self.failure: ClientError | None = None
        self.items = Wakeup()
        self.settled = trio.Event()
        self._address = address
        self._tokens = tokens
        self._conversation = conversation
        self._settings = settings
        self._jitter = jitter
        self._ssl_context = ssl_context
        self._to_write = Wakeup()
        self._to_read = Wakeup()
        self._to_renew = Wakeup()
        self._scope = trio.CancelScope()
        self._stopping = False
        self._token_refusal: Ended | None = None
        self._last: Ended | None = None
        self._reconnects = Reconnects(
            Backoff(base_seconds=settings.reconnect_base_seconds, cap_seconds=settings.reconnect_cap_seconds),
            healthy_seconds=settings.reconnect_healthy_seconds,
        )

    # For the client.

    def commanded(self) -> None:
        """Note that there is a new command: it wants to be written, and its answer to be read."""
        self._to_write.ring()
        self._to_read.ring()

    def drained(self) -> None:
        """Note that the application took an item."""
        self._to_read.ring()
        if self._conversation.following.behind:
            self._to_write.ring()

    def unreachable(self, seconds: float) -> Unreachable:
        """Say why there is no first connection."""
        return Unreachable(seconds, "there was none" if self._last is None else str(self._last))

    def stop(self) -> None:
        """Close the link politely if there is one, and end `run` soon."""
        self._stopping = True
        self._scope.deadline = trio.current_time() + self._settings.close_seconds
        if self.connected:
            self._to_write.ring()
            self._to_read.ring()
        else:
            self._scope.cancel()

    async def run(self) -> None:
        """Keep a link up until `stop` or a failure; either way, everybody who waits is told."""
        try:
            with self._scope:
                await self._keep_up()
        except ClientError as error:
            self._end(error)
        finally:
            self._end(ClientClosed())

    # Connections.

    async def _keep_up(self) -> None:
        while not self._stopping:
            await self._pause(await self._one_connection())

    async def _pause(self, ended: Ended) -> None:
        """Wait as long as it is right to after a connection that ended like this. Raises what makes it pointless."""
        if self._stopping:
            return
        self._last = ended
        if ended.final:
            raise ended.error()
        if ended.about_the_token:
            self._token_refusal = ended
        # Its hint is about the connection that it ended, and about no later one.
        goodbye, self._conversation.goodbye = self._conversation.goodbye, None
        delay = self._reconnects.lost(
            trio.current_time(),
            jitter=self._jitter(),
            hint_seconds=ended.hint_seconds(goodbye),
            at_once=ended.about_the_token,
        )
        logger.info("reconnecting in_seconds=%.3f after_code=%s reason=%s", delay, ended.code, ended.reason)
        await trio.sleep(delay)

    async def _one_connection(self) -> Ended:
        refusal, self._token_refusal = self._token_refusal, None
        try:
            token = await self._tokens.token(fresh=refusal is not None)
        except OSError as error:
            return Ended(ABNORMAL, f"no token: {error}")
        except Refused as refused:
            if refused.code not in RETRYABLE:
                raise
            return Ended(ABNORMAL, f"no token: {refused}", retry_after_seconds=refused.problem.retry_after)
        if token is None:
            raise (refusal or Ended(CloseCode.UNAUTHENTICATED, "there is no token")).error()
        before = self.connections
        try:
            ended = await run_link(
                self._address,
                token=token,
                converse=self._converse,
                connect_seconds=self._settings.connect_seconds,
                write_seconds=self._settings.write_seconds,
                ssl_context=self._ssl_context,
            )
        finally:
            self.connected = False
        if refusal is not None and ended.about_the_token and self.connections == before:
            # Not even the fresh one was accepted.
            raise ended.error()
        return ended

    # One connection.

    async def _converse(self, link: Link) -> None:
        welcome = await self._greet(link)
        self._conversation.welcomed(welcome)
        self._reconnects.opened(trio.current_time())
        heartbeat_seconds = welcome.heartbeat_ms / 1000
        link.expect_life(silence_seconds=heartbeat_seconds + self._settings.silence_margin_seconds)
        self.connected = True
        self.connections += 1
        self.settled.set()
        logger.info("connected connection=%s", welcome.connection_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, link, welcome)
            nursery.start_soon(self._keep_renewed)
            ended = await self._read(link)
            nursery.cancel_scope.cancel()
        raise LinkEnded(ended)

    async def _greet(self, link: Link) -> WelcomeData:
        seconds = self._settings.connect_seconds
        with trio.move_on_after(seconds):
            await link.send(self._conversation.hello(trio.current_time()))
            while True:
                try:
                    frame = read_frame(await link.receive())
                    if frame.type == "welcome":
                        return read_data(frame, WelcomeData)
                    _note_error(frame)
                except NotAFrame as error:
                    raise LinkEnded(Ended(ABNORMAL, f"not a frame: {error}")) from None
        raise LinkEnded(Ended(ABNORMAL, f"no welcome within {seconds} s"))

    async def _read(self, link: Link) -> Ended:
        conversation = self._conversation
        try:
            while True:
                while not (conversation.wants_frames or self._stopping):
                    await self._to_read.sleep()
                conversation.take(await link.receive(), trio.current_time())
                if len(conversation.buffer):
                    self.items.ring()
                if conversation.next_due() < math.inf:
                    self._to_write.ring()
                if conversation.renewal.due_at < math.inf:
                    self._to_renew.ring()
        except LinkEnded as end:
            return end.ended
        except NotAFrame as error:
            return Ended(ABNORMAL, f"not a frame: {error}")

    async def _write(self, link: Link, welcome: WelcomeData) -> None:
        """Send what is due, at the pace that the server allows, until the link ends."""
        limits, conversation = welcome.limits, self._conversation
        now = trio.current_time()
        # A little below what is allowed: the way to the server may push frames closer together.
        bucket = TokenBucket(
            per_second=limits.commands_per_second * 0.95, burst=max(1, limits.command_burst - 1), now=now
        )
        sign_seconds = welcome.heartbeat_ms / 2000
        sign_due = now + sign_seconds
        try:
            while not self._stopping:
                now = trio.current_time()
                frame = conversation.next_frame(now)
                if frame is None and now >= sign_due:
                    # An application that holds up the reading also holds up the answers to the server's pings.
                    frame = PING if not conversation.wants_frames else None
                    sign_due = now + sign_seconds
                if frame is None:
                    await self._to_write.sleep(until=min(conversation.next_due(), sign_due))
                    continue
                await _take_turn(bucket)
                await link.send(frame)
                sign_due = trio.current_time() + sign_seconds
            await link.close(seconds=self._settings.close_seconds)
        except LinkEnded as end:
            # The reader comes upon the end by itself, once it has read what arrived before.
            logger.debug("writing ended code=%s reason=%s", end.ended.code, end.ended.reason)

    async def _keep_renewed(self) -> None:
        """Get a fresh token whenever the present one is about to run out, and have it handed over."""
        renewal = self._conversation.renewal
        while True:
            await self._to_renew.sleep(until=renewal.due_at)
            now = trio.current_time()
            if now < renewal.due_at:
                continue
            try:
                renewal.offer(await self._tokens.token(fresh=True))
            except OSError as error:
                logger.info("no fresh token cause=%s", error)
                renewal.put_off(now, jitter=self._jitter())
            except Refused as refused:
                # If it is for good, asking again when the connection is closed will say so to everybody.
                logger.info("no fresh token error=%s", refused.code)
                if refused.code not in RETRYABLE:
                    renewal.offer(None)
                else:
                    retry_after = refused.problem.retry_after or 0.0
                    renewal.put_off(now, jitter=self._jitter(), retry_after_seconds=retry_after)
            self._to_write.ring()

    def _end(self, error: ClientError) -> None:
        if self.failure is None:
            self.failure = error
        self._conversation.fail(self.failure)
        self.settled.set()
        self.items.ring()


async def _take_turn(bucket: TokenBucket) -> None:
    wait = bucket.take(trio.current_time())
    while wait:
        await trio.sleep(wait)
        wait = bucket.take(trio.current_time())


def _note_error(frame: Inbound) -> None:
    if frame.type == "error":
        problem = read_data(frame, Problem)
        logger.warning("hello was refused error=%s detail=%s", problem.code, problem.detail)

"""From an upgrade request to an open connection: the origin, the hello, who is calling, and the welcome."""

from __future__ import annotations

from contextlib import ExitStack
from math import ceil

import trio
from msgspec import Struct

from justchat.accounts.accounts import Accounts
from justchat.accounts.identity import Identity, Scope
from justchat.connections.connection import Connection
from justchat.connections.gate import Gate
from justchat.connections.services import Services
from justchat.connections.streams import Join
from justchat.door.frames import text_frame
from justchat.door.socket import Handshake, SocketClosed, WebSocket
from justchat.ids import new_id
from justchat.limiting.sockets import SocketPlace
from justchat.rooms.reading import standing_of
from justchat.wire import server_frames
from justchat.wire.close_codes import CloseCode
from justchat.wire.errors import STORAGE_UNAVAILABLE, ErrorCode, Refusal, encode_problem
from justchat.wire.frames import Hello, decode_frame, frame_id_of
from justchat.wire.server_frames import UserView, WelcomeData, WelcomeRoom
from justchat.wire.times import rfc3339
from storage.errors import StorageError
from storage.records import MemberRecord, RoomRecord, UserRecord

_NO_TOKEN_IN_QUERY = Refusal(
    ErrorCode.UNAUTHENTICATED, "a token in the address ends up in logs: send it in a header or in hello"
)
_NO_HELLO = Refusal(ErrorCode.UNAUTHENTICATED, "the first frame must be hello, with a token")


class Greeter:
    """Takes handshakes from the front door and runs the connections they become."""

    def __init__(self, services: Services, accounts: Accounts, *, gate: Gate) -> None:
        self._services = services
        self._accounts = accounts
        self._gate = gate

    async def serve(self, handshake: Handshake) -> None:
        """Serve one upgrade request to its end."""
        if "token" in handshake.query or "access_token" in handshake.query:
            await handshake.reject(400, encode_problem(_NO_TOKEN_IN_QUERY, status=400))
            return
        place = self._gate.knock(handshake)
        if isinstance(place, Refusal):
            wait = place.retry_after_seconds
            headers = [] if wait is None else [("retry-after", str(ceil(wait)))]
            await handshake.reject(place.status, encode_problem(place), headers)
            return
        try:
            await self._serve(handshake, place)
        finally:
            place.left()

    async def _serve(self, handshake: Handshake, place: SocketPlace) -> None:
        socket = await handshake.accept()
        self._services.index.arriving.add(socket)
        try:
            await self._converse(socket, _proof_of(handshake), place)
        except SocketClosed:
            pass
        finally:
            self._services.index.arriving.discard(socket)
        # A place is taken until the socket is gone: who does not answer a goodbye holds it open for a while.
        socket.close()
        await socket.wait_closed()

    async def _converse(self, socket: WebSocket, proof: _Proof, place: SocketPlace) -> None:
        connection = await self._admit(socket, proof)
        if connection is None:
            return
        place.arrived()
        # From here on only the connection is kept: not its hello, its user's record or the list of its rooms.
        try:
            await connection.run()
        finally:
            self._services.index.remove(connection)

    async def _admit(self, socket: WebSocket, proof: _Proof) -> Connection | None:
        """Say welcome to somebody who may come in; the connection is in the index then."""
        hello = await self._hello(socket)
        if hello is None:
            return None
        given = _Proof(hello.data.token or proof.token, hello.data.ticket or proof.ticket)
        identity = await self._authenticate(socket, given, hello.id)
        if identity is None:
            return None
        user = identity.user
        index = self._services.index
        if index.of_user(user.id) >= self._services.limits.sockets_per_user:
            socket.close(int(CloseCode.TOO_MANY_CONNECTIONS), "too many connections of this user")
            return None
        connection = Connection(socket, identity, self._services, subscribes_all=hello.data.subscribe == "all")
        # Indexed before its rooms are listed: a membership that begins meanwhile is in the list or announced, or both.
        index.add(connection)
        index.arriving.discard(socket)
        with ExitStack() as undo:
            undo.callback(index.remove, connection)
            try:
                self._welcome(connection, user, hello, await self._rooms_of(user))
            except StorageError:
                socket.close(int(CloseCode.OVERLOADED), "storage is unavailable")
                return None
            undo.pop_all()
        return connection

    async def _hello(self, socket: WebSocket) -> Hello | None:
        text = None
        with trio.move_on_after(self._services.limits.hello_seconds):
            text = await socket.receive()
        frame = None if text is None else decode_frame(text)
        if isinstance(frame, Hello):
            return frame
        refusal = frame if isinstance(frame, Refusal) else _NO_HELLO
        self._turn_away(socket, refusal, None if text is None else frame_id_of(text))
        return None

    async def _authenticate(self, socket: WebSocket, proof: _Proof, frame_id: str | None) -> Identity | None:
        identity = await self._recognised(proof)
        if isinstance(identity, Refusal):
            self._turn_away(socket, identity, frame_id)
            return None
        return identity

    async def _recognised(self, proof: _Proof) -> Identity | Refusal:
        try:
            if proof.ticket is not None:
                return await self._accounts.redeem(proof.ticket)
            if proof.token is not None:
                return await self._accounts.authenticate(proof.token)
        except StorageError:
            return STORAGE_UNAVAILABLE
        return _NO_HELLO

    def _turn_away(self, socket: WebSocket, refusal: Refusal, frame_id: str | None) -> None:
        socket.force(text_frame(server_frames.error(refusal, frame_id=frame_id)))
        code = CloseCode.UNAUTHENTICATED
        if refusal.code is ErrorCode.STORAGE_UNAVAILABLE:
            code = CloseCode.OVERLOADED
        socket.close(int(code), refusal.code.value)

    async def _rooms_of(self, user: UserRecord) -> list[WelcomeRoom]:
        found: list[tuple[RoomRecord, MemberRecord]] = []
        cursor: str | None = None
        while len(found) < self._services.limits.subscriptions:
            page = await self._services.directory.rooms_of(user.id, cursor=cursor, limit=100)
            found.extend(page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        del found[self._services.limits.subscriptions :]
        reads = await self._services.reading.of(user.id, [standing_of(room, member) for room, member in found])
        return [WelcomeRoom(room.id, room.epoch, room.applied_seq, reads[room.id].unread) for room, _ in found]

    def _welcome(self, connection: Connection, user: UserRecord, hello: Hello, rooms: list[WelcomeRoom]) -> None:
        data = WelcomeData(
            connection_id=new_id("c"),
            user=UserView(user.id, user.username, user.display_name),
            server_time=rfc3339(self._services.wall_ms()),
            heartbeat_ms=round(self._services.limits.heartbeat_seconds * 1000),
            limits=self._services.public_limits,
            rooms=tuple(rooms),
        )
        joins = [
            Join(room, after=position.seq, replay=True, epoch=position.epoch or None, resumed=True)
            for room, position in hello.data.resume.items()
        ]
        refusal = connection.identity.refusal(Scope.MESSAGES_READ, changes=False)
        if refusal is not None:
            joins = []
        elif hello.data.subscribe == "all":
            joins.extend(Join(room.id, own=True) for room in rooms if room.id not in hello.data.resume)
        connection.open(server_frames.welcome(data, frame_id=hello.id), joins)


class _Proof(Struct, frozen=True):
    """What somebody shows to come in; a ticket goes before a token."""

    token: str | None
    ticket: str | None

    def __repr__(self) -> str:
        return "_Proof()"


def _proof_of(handshake: Handshake) -> _Proof:
    scheme, _, token = handshake.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" and token.strip() else None
    return _Proof(bearer, handshake.query.get("ticket"))

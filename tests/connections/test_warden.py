"""The warden: what was ended, disabled or changed elsewhere takes effect on open connections within two seconds."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from msgspec.structs import replace

from justchat.accounts.identity import Identity, ServerRole
from justchat.connections import warden as warden_module
from justchat.connections.warden import Warden
from storage.account_records import CredentialRecord, SessionRecord
from storage.errors import StorageUnavailable
from storage.memory import MemorySessions, MemoryStore
from storage.records import UserRecord
from tests.connections.fake_socket import FakeSocket
from tests.connections.house import House, open_house, settle
from tests.rooms.world import OWNER, ROOM
from tests.support.signing_in import somebody

SOON = 2.0
FAR = 10**15


class Watched(MemorySessions):
    """Sessions in RAM that count the calls, and fail while they are `down`."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.down = False
        self.asked: list[int] = []
        self.credentials_asked = 0

    async def living(self, sessions: object) -> list[tuple[str, UserRecord]]:
        self.asked.append(len(sessions))  # type: ignore[arg-type]
        if self.down:
            raise StorageUnavailable("planted")
        return await super().living(sessions)  # type: ignore[arg-type]

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        self.credentials_asked += 1
        return await super().credential(kind, digest)


class Guarded:
    """A house with a warden, and users whose sessions and tokens are in its store."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.store = house.journal._store
        self.sessions = Watched(self.store)
        self.warden = Warden(house.index, self.sessions)

    def session(self, name: str, *, user: str = OWNER) -> FakeSocket:
        """Open a connection by a session."""
        self._put(user)
        key = name.encode().rjust(32, b"-")
        self.store.put_session(SessionRecord(name, user, key, key, 0, 0, FAR, FAR, "test", "192.0.2.1"))
        _, socket = self.house.connect(user, identity=Identity(self.store.users[user], session=name))
        return socket

    def token(self, name: str, *, user: str = OWNER) -> FakeSocket:
        """Open a connection by a personal token."""
        self._put(user)
        scopes = ("messages:read", "messages:write")
        self.store.put_credential(CredentialRecord(name, "token", user, name.encode(), "x", scopes, 0))
        identity = Identity(self.store.users[user], credential=name, scopes=frozenset(scopes))
        _, socket = self.house.connect(user, identity=identity)
        return socket

    def change(self, user: str = OWNER, **fields: object) -> None:
        """Change an account as another process would."""
        self.store.put_user(replace(self.store.users[user], **fields))

    def _put(self, user: str) -> None:
        if user not in self.store.users:
            self.store.put_user(somebody(user).user)


@asynccontextmanager
async def open_guarded() -> AsyncIterator[Guarded]:
    async with open_house() as house:
        guarded = Guarded(house)
        house.nursery.start_soon(guarded.warden.run)
        yield guarded


def code(socket: FakeSocket) -> int | None:
    return None if socket.closed_with is None else socket.closed_with[0]


async def test_a_session_that_was_ended_elsewhere_closes_what_is_open_by_it(autojump_clock: object) -> None:
    """4502 within two seconds, whenever it happens; the user's other devices and other users stay."""
    async with open_guarded() as guarded:
        first, second = guarded.session("s_1"), guarded.session("s_2")
        stranger = guarded.session("s_3", user="u_stranger")
        await trio.sleep(7.3)
        guarded.store.drop_session("s_1")
        await trio.sleep(SOON)
        assert (code(first), code(second), code(stranger)) == (4502, None, None)
        assert len(guarded.house.index) == 2


async def test_a_disabled_user_is_out_on_all_devices(autojump_clock: object) -> None:
    """By sessions and by personal tokens, though both are still there."""
    async with open_guarded() as guarded:
        sockets = [guarded.session("s_1"), guarded.session("s_2"), guarded.token("k_1")]
        stranger = guarded.session("s_3", user="u_stranger")
        await trio.sleep(3.1)
        guarded.change(disabled=True)
        await trio.sleep(SOON)
        assert [code(socket) for socket in (*sockets, stranger)] == [4502, 4502, 4502, None]


async def test_a_personal_token_that_was_revoked_elsewhere_closes_what_is_open_by_it(autojump_clock: object) -> None:
    """And nothing else of the user's."""
    async with open_guarded() as guarded:
        revoked, other, session = guarded.token("k_1"), guarded.token("k_2"), guarded.session("s_1")
        await trio.sleep(SOON)
        assert code(revoked) is None
        guarded.store.drop_credential("k_1")
        await trio.sleep(SOON)
        assert [code(socket) for socket in (revoked, other, session)] == [4502, None, None]


async def test_of_a_user_with_many_tokens_one_is_asked_about(autojump_clock: object) -> None:
    """However many they are, a look costs the same; which of them are good is in their list."""
    async with open_guarded() as guarded:
        sockets = [guarded.token(f"k_{number}") for number in range(20)]
        await trio.sleep(SOON)
        assert not any(socket.closed for socket in sockets)
        assert 1 <= guarded.sessions.credentials_asked <= 2
        await guarded.sessions.drop_credentials("token", OWNER, only="k_7")
        await trio.sleep(SOON)
        assert [number for number, socket in enumerate(sockets) if socket.closed] == [7]
        guarded.change(disabled=True)
        await trio.sleep(SOON)
        assert all(socket.closed for socket in sockets)


@pytest.mark.parametrize("by", ["session", "token"])
async def test_a_change_of_role_takes_effect_on_an_open_socket(autojump_clock: object, by: str) -> None:
    """A guest's commands are refused and its reading goes on; back again, it may write again."""
    async with open_guarded() as guarded:
        await guarded.house.create()
        socket = guarded.session("s_1") if by == "session" else guarded.token("k_1")
        socket.say("subscribe", room=ROOM, data={"history": 0})
        await settle()
        for number, (role, answer) in enumerate(((ServerRole.GUEST, "forbidden"), (ServerRole.USER, "ack"))):
            guarded.change(role=role.value)
            await trio.sleep(SOON)
            asked = socket.say("send", room=ROOM, data={"client_msg_id": f"{number}", "body": "x"})
            await settle()
            (found,) = socket.answers(asked)
            assert found["data"].get("code", found["type"]) == answer
            await guarded.house.post(f"to a {role}")
        assert socket.seqs(ROOM) == [2, 3, 4]
        assert code(socket) is None


async def test_a_store_that_is_down_closes_nobody(autojump_clock: object, caplog: pytest.LogCaptureFixture) -> None:
    """It is said in the log, and what happened meanwhile takes effect when the store is back."""
    async with open_guarded() as guarded:
        socket, other = guarded.session("s_1"), guarded.session("s_2")
        guarded.sessions.down = True
        guarded.store.drop_session("s_1")
        with caplog.at_level(logging.WARNING):
            await trio.sleep(30)
        assert "event=rights_not_checked cause=StorageUnavailable" in caplog.text
        assert not socket.closed
        guarded.sessions.down = False
        await trio.sleep(SOON)
        assert (code(socket), code(other)) == (4502, None)


async def test_more_sessions_than_one_look_takes_are_looked_at_in_turns(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many: each within two seconds. More: so many at a time all the same, and all in the end."""
    monkeypatch.setattr(warden_module, "SESSIONS_A_LOOK", 3)
    async with open_guarded() as guarded:
        for count in (6, 8):
            sockets = [guarded.session(f"s_{count}{number}", user=f"u_{number}") for number in range(count)]
            await trio.sleep(5.5)
            assert not any(socket.closed for socket in sockets)
            for number in range(count):
                guarded.store.drop_session(f"s_{count}{number}")
            await trio.sleep(SOON if count == 6 else 3.0)
            assert {code(socket) for socket in sockets} == {4502}
        assert max(guarded.sessions.asked) == 3


async def test_with_nobody_there_the_store_is_left_alone(autojump_clock: object) -> None:
    """Also when those who were there have left."""
    async with open_guarded() as guarded:
        await trio.sleep(5)
        assert guarded.sessions.asked == []
        socket = guarded.session("s_1")
        await trio.sleep(1.5)
        socket.leave()
        await trio.sleep(5)
        assert len(guarded.sessions.asked) in {1, 2}


async def test_somebody_can_be_looked_at_at_once(autojump_clock: object) -> None:
    """For whoever has just changed an account and wants it to take effect."""
    async with open_house() as house:
        guarded = Guarded(house)
        sockets = [guarded.session("s_1"), guarded.token("k_1")]
        stranger = guarded.session("s_2", user="u_stranger")
        guarded.change(disabled=True)
        guarded.change("u_stranger", disabled=True)
        await guarded.warden.mind(OWNER)
        assert [code(socket) for socket in (*sockets, stranger)] == [4502, 4502, None]
        guarded.sessions.down = True
        with pytest.raises(StorageUnavailable):
            await guarded.warden.mind("u_stranger")


async def test_who_has_gone_on_by_another_session_meanwhile_is_not_closed_for_the_former(
    autojump_clock: object,
) -> None:
    """The look was about a right that the connection does not need any more."""
    async with open_guarded() as guarded:
        socket = guarded.session("s_1")
        guarded.session("s_2")
        (connection, _) = guarded.house.index.connections_of(OWNER)
        guarded.store.drop_session("s_1")
        connection.identify(replace(connection.identity, session="s_2"))
        await trio.sleep(2 * SOON)
        assert code(socket) is None
        guarded.store.drop_session("s_2")
        await trio.sleep(SOON)
        assert code(socket) == 4502

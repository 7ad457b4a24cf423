"""Defects that chat servers before this one had, each of which must never come back here.

Eleven kinds of them, by number: rights that were asked for and given (1, 2), messages lost between history and live
events or in a full buffer (3, 4), one part that stops all others (5, 6), counters that drift (7), tokens that nobody
checked (8, 9), limits that nobody met (10), and callers who were whoever they said
they were (11). Other tests look closer at most of them; these are named after what went wrong.
"""

from __future__ import annotations

import json
import logging
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from websockets.exceptions import InvalidStatus

from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor
from tests.accounts.forging import forge, unsigned, with_claim
from tests.connections.house import CALM, open_house
from tests.features.test_forged_tokens import STRANGER
from tests.http.community import open_community
from tests.http.desk import PASSWORD, Desk, bearer
from tests.http.office import open_office
from tests.http.talk import Talk
from tests.rooms.world import ROOM
from tests.support.rest import register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

ROLES = ("guest", "member", "moderator", "admin", "owner")


@pytest.mark.real_clock
async def test_d01_nobody_gives_a_role_that_they_may_not_give() -> None:
    """Neither by adding somebody as an admin, nor by changing a role, of others or of one's own."""
    async with open_community() as town:
        room = await town.furnished()
        members = f"/rooms/{room}/members"
        for caller in ("guest", "member", "moderator", "muted", "banned", "gone", "stranger"):
            own = {"muted": "member"}.get(caller, caller)
            # A moderator may bring in members, which gives nothing that they do not have.
            may = {("moderator", "PUT", "stranger", "guest"), ("moderator", "PUT", "stranger", "member")}
            # To give somebody what they are already changes nothing.
            may |= {(caller, "PATCH", caller, own), (caller, "PATCH", "muted", "member")}
            for role in ROLES:
                for method, user in (("PUT", "stranger"), ("PATCH", "muted"), ("PATCH", caller)):
                    if (caller, method, user, role) not in may:
                        path = f"/api/v1{members}/{town.ids[user]}"
                        answer = await town.office.call(method, path, caller=caller, body={"role": role})
                        assert answer.status_code in {403, 404}, (caller, method, user, role)
        for user, method in (("stranger", "PUT"), ("member", "PATCH"), ("admin", "PATCH")):
            path = f"{members}/{town.ids[user]}"
            assert await town.refused("admin", method, path, {"role": "owner"}, status=403) == "forbidden"
        page = await town.call("owner", "GET", f"{members}?limit=100")
        roles = {member["user"]["username"]: member["role"] for member in page["items"]}
        assert roles == {**{role: role for role in ROLES}, "muted": "member"}


@pytest.mark.real_clock
async def test_d02_a_registration_asks_for_no_rights_and_the_password_is_kept_by_nobody() -> None:
    """`type` and `role` in the body are refused; the password is in no answer, no record and no log line."""
    async with open_office(api_docs="no", auth_rate=1e9, address_rate=1e9) as office:
        desk = Desk(office)
        for field, value in (("type", "admin"), ("role", "admin"), ("kind", "bot"), ("is_admin", True)):
            body = {"username": "eve", "password": PASSWORD, field: value}
            assert await desk.refused("POST", "/register", body=body) == (422, "validation_failed", [""])
        body = {"username": "ann", "password": PASSWORD}
        answers = [await desk.ask("POST", "/register", body=body), await desk.ask("POST", "/login", body=body)]
        token = (await answers[0].get_json())["access_token"]
        for path in ("/users/me", "/users?q=ann", "/auth/sessions"):
            answers.append(await office.call("GET", f"/api/v1{path}", headers=bearer(token)))
        assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200]
        shown = [await answer.get_data(as_text=True) for answer in answers]
        (stored,) = office.store.users.values()
        assert (stored.role, stored.password_hash[:4]) == ("user", "$2b$")
        assert not any(PASSWORD in text or stored.password_hash in text for text in shown)
        assert PASSWORD not in repr((office.store.users, office.store.facts, office.store.sessions))
        # There is no other way to make a user.
        assert (await office.problem("POST", "/api/v1/users", body=body))[0] == 405


@pytest.mark.real_clock
def test_d03_whoever_joins_in_the_middle_of_a_stream_misses_nothing(server: ServerProcess) -> None:
    """Snapshot and live events are one sequence without gap or repeat, for each of many who come while others post."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    stop = threading.Event()

    def post() -> None:
        poster = Talker.greeted(server.ws_url, ann.token)
        while not stop.is_set():
            assert poster.send(room, "x" * 200)["type"] == "ack"

    posters = [threading.Thread(target=post) for _ in range(2)]
    for poster in posters:
        poster.start()
    try:
        for turn in range(9):
            talker = Talker.greeted(server.ws_url, bob.token)
            data = talker.subscribe(room, history=(0, 5, 100)[turn % 3])["data"]
            seqs = [event["seq"] for event in data["events"]] or [data["head_seq"]]
            assert seqs[-1] == data["head_seq"]
            while len(talker.events(room)) < 25:
                talker.next()
            seqs += [event["seq"] for event in talker.events(room)]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            talker.close()
    finally:
        stop.set()
        for poster in posters:
            poster.join()


async def test_d04_a_full_buffer_is_no_hole(autojump_clock: object) -> None:
    """Who reads nothing for a while is told that they lag, and is then given every message, in order."""
    async with open_house(limits=CALM) as house:
        await house.create()
        _, socket = await house.subscribed(max_items=4)
        socket.hold()
        await house.post(*[f"m{number}" for number in range(50)])
        assert socket.peak_items <= 6
        socket.release()
        await trio.sleep(1)
        assert socket.seqs(ROOM) == list(range(2, 52))
        assert [kind for kind in socket.kinds(ROOM) if kind != "message.created"] == [
            *("subscribed", "lagging", "caught_up")
        ]
        assert not socket.closed


@pytest.mark.real_clock
async def test_d05_a_room_that_stands_still_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts to other rooms are answered meanwhile, and its own when it goes on."""
    gate, stalled = trio.Event(), ""
    append = RoomActor._append

    async def hesitant(actor: RoomActor, draft: Draft) -> None:
        if actor.room == stalled:
            await gate.wait()
        await append(actor, draft)

    monkeypatch.setattr(RoomActor, "_append", hesitant)
    async with open_office(api_docs="no", ask_seconds=60.0) as office:
        office.add_user("ann")

        async def post(room: str, name: str) -> int:
            body = {"client_msg_id": name, "body": name}
            answer = await office.call("POST", f"/api/v1/rooms/{room}/messages", caller="ann", body=body)
            return answer.status_code

        rooms = []
        for number in range(6):
            made = await office.call("POST", "/api/v1/rooms", caller="ann", body={"kind": "group", "name": f"{number}"})
            rooms.append((await made.get_json())["id"])
        stalled, *others = rooms
        late: list[int] = []

        async def post_late() -> None:
            late.append(await post(stalled, "late"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post_late)
            await trio.testing.wait_all_tasks_blocked()
            for turn in range(3):
                assert [await post(room, f"m{turn}") for room in others] == [201] * 5
            assert late == []
            gate.set()
        assert late == [201]
        assert sum(entry.client_msg_id == "late" for entry in office.store.entries[stalled]) == 1


def hang_up(tab: Talker) -> None:
    """Be gone without a word."""
    tab.socket.socket.close()


@pytest.mark.real_clock
def test_d06_a_second_tab_neither_ends_the_first_nor_takes_it_along(server: ServerProcess) -> None:
    """Both see everything; when one goes, with a word or without, the other stays."""
    ann = register(server)
    room = ann.room()
    for parting in (Talker.close, hang_up):
        first, second = (Talker.greeted(server.ws_url, ann.token) for _ in range(2))
        for tab in (first, second):
            tab.subscribe(room, history=0)
        ann.post(room, "to both")
        assert [tab.until("message.created")["data"]["body"] for tab in (first, second)] == ["to both"] * 2
        for leaving, staying in ((second, first), (first, Talker.greeted(server.ws_url, ann.token))):
            if staying is not first:
                staying.subscribe(room, history=0)
            parting(leaving)
            ann.post(room, "to one")
            assert staying.until("message.created")["data"]["body"] == "to one"
            assert staying.send(room, "from one")["type"] == "ack"


@pytest.mark.real_clock
async def test_d07_what_is_unread_does_not_drift() -> None:
    """Whatever races: posts, deletions and reads from many devices at once, each tried twice, and a crash amid it."""
    async with open_office(api_docs="no") as office:
        talk = await Talk.begin(office, "ann", "bob", "cat")
        # As many as anybody says to have read, who cannot have read what is not there yet.
        said = [await talk.say(f"m{number}") for number in range(20)]

        async def post(caller: str, number: int) -> None:
            body = {"client_msg_id": f"{caller}{number}", "body": "again"}
            for _ in range(2):
                await office.call("POST", f"/api/v1{talk.rooms}/messages", caller=caller, body=body)

        async def read(caller: str, seq: int) -> None:
            for _ in range(2):
                await office.call("PUT", f"/api/v1{talk.rooms}/read", caller=caller, body={"seq": seq})

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(post, "ann", number)
                nursery.start_soon(read, "bob", 1 + (number * 7) % 20)
                nursery.start_soon(read, "cat", 3)
                if number < 10:
                    path = f"/messages/{said[number]['id']}"
                    nursery.start_soon(partial(talk.do, "DELETE", path))
            await trio.testing.wait_all_tasks_blocked()
            office.system.rooms.crash(talk.room, RuntimeError("planted"))
        await post("ann", 99)
        events = (await talk.get(f"{talk.rooms}/events?limit=100"))["items"]
        posts = [event["seq"] for event in events if event["type"] == "message.created"]
        assert len(posts) == 41
        for caller in talk.names:
            (listed,) = (await talk.get("/users/me/rooms", caller=caller))["items"]
            me = (await talk.get(talk.rooms, caller=caller))["me"]
            assert me == listed["me"]
            assert me["unread"] == sum(seq > me["read_seq"] for seq in posts)
            assert me["read_seq"] == {"ann": posts[-1], "bob": 20, "cat": 3}[caller]


@pytest.mark.real_clock
def test_d08_a_token_that_nobody_has_signed_opens_nothing(server: ServerProcess) -> None:
    """A forged or unsigned one is refused over the socket as over REST, and none is taken from the address at all."""
    ann = register(server)
    room = ann.room()
    ann.post(room, "for members only")
    header, payload, _ = ann.token.split(".")
    claims = [with_claim("sub", ann.id), with_claim("sid", ann.session)]
    edit = lambda *parts: [each(*parts) for each in claims]  # noqa: E731
    for token in (forge(edit, STRANGER), forge(edit, STRANGER, sign=unsigned), f"{header}.{payload}."):
        for headers, data in ((bearer(token), {}), ({}, {"token": token})):
            talker = Talker(server.ws_url, headers=headers)
            talker.say("hello", data={**data, "subscribe": "all"})
            assert talker.closed() == 4501
            assert [frame["type"] for frame in talker.seen] == ["error"]
        answer = ann.http.get(f"/rooms/{room}/messages", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        with pytest.raises(InvalidStatus) as refused:
            Talker(f"{server.ws_url}?token={token}")
        assert refused.value.response.status_code == 400


@pytest.mark.real_clock
def test_d09_a_removed_member_gets_nothing_and_a_login_tells_nobody_who_is_there(server: ServerProcess) -> None:
    """Live or asked for; a token's algorithm is that of its key; unknown user and wrong password hear the same."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(server.ws_url, bob.token)
    talker.subscribe(room, history=0)
    ann.call("DELETE", f"/rooms/{room}/members/{bob.id}")
    for number in range(20):
        ann.post(room, f"among ourselves {number}")
    assert talker.until("unsubscribed")["data"]["reason"] == "removed"
    assert talker.until("error", frame_id=talker.say("fetch", room=room))["data"]["code"] == "not_a_member"
    assert talker.until("error", frame_id=talker.say("subscribe", room=room))["data"]["code"] == "not_a_member"
    assert [event["type"] for event in talker.events(room)] == ["member.removed"]
    bob.refused("GET", f"/rooms/{room}/messages", status=404)
    _, payload, signature = bob.token.split(".")
    for algorithm in ("HS256", "none"):
        header = json.loads(_decoded(bob.token.partition(".")[0])) | {"alg": algorithm}
        pinned = bob.http.get("/users/me", headers=bearer(f"{_encoded(header)}.{payload}.{signature}"))
        assert pinned.status_code == 401
    problems = []
    for username in (bob.username, "nobody.of.that.name"):
        problem = bob.call("POST", "/auth/login", {"username": username, "password": "supersecret"}, status=401)
        problem.pop("request_id")
        problems.append(problem)
    assert problems[0] == problems[1]


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.real_clock
async def test_d10_a_limit_counts_an_address_and_not_its_ports() -> None:
    """Another port, or a header that claims another address, is no new quota; of a burst exactly so many pass."""
    async with open_office(api_docs="no", address_rate=20.0) as office:
        client = office.app.test_client(use_cookies=False)
        statuses: list[int] = []

        async def call(port: int, address: str = "192.0.2.1", **headers: str) -> None:
            options: dict[str, Any] = {
                "headers": {name.replace("_", "-"): value for name, value in headers.items()},
                "scope_base": {"client": (address, port)},
            }
            answer = await client.post("/api/v1/auth/refresh", **options)
            statuses.append(answer.status_code)
            if answer.status_code == 429:
                assert int(answer.headers["Retry-After"]) >= 1

        async with trio.open_nursery() as nursery:
            for port in range(1000, 1040):
                nursery.start_soon(call, port)
        assert (statuses.count(401), statuses.count(429)) == (20, 20)
        statuses.clear()
        for claim in ("X_Forwarded_For", "X_Real_IP", "Forwarded"):
            await call(2000, **{claim: "198.51.100.7" if claim != "Forwarded" else "for=198.51.100.7"})
        assert statuses == [429] * 3
        await call(1000, "192.0.2.2")
        assert statuses[-1] == 401


@pytest.mark.real_clock
async def test_d11_who_calls_is_who_the_token_says_and_nobody_while_that_cannot_be_known(
    server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """A name in a payload counts for nothing; with the store away nobody gets in; and no token is in the log."""
    await trio.to_thread.run_sync(_claim_to_be_somebody_else, server)
    caplog.set_level(logging.DEBUG)
    async with open_office(api_docs="no") as office:
        desk = Desk(office)
        ann = await desk.register()
        gone = await desk.login()
        await desk.get("POST", "/logout", headers=gone.bearer, status=204)
        assert await desk.is_in(ann)
        office.switch.down = True
        for person in (ann, gone):
            for path in ("/users/me", "/rooms", "/users/me/rooms"):
                refusal = await office.problem("GET", f"/api/v1{path}", headers=person.bearer)
                assert refusal == (503, "storage_unavailable")
        office.switch.down = False
        assert [await desk.is_in(person) for person in (ann, gone)] == [True, False]
        shown = caplog.text
        for secret in (ann.access, gone.access, ann.refresh, gone.refresh, PASSWORD):
            assert not any(part in shown for part in secret.split("."))


def _claim_to_be_somebody_else(server: ServerProcess) -> None:
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(server.ws_url, bob.token)
    data: dict[str, Any] = {"client_msg_id": "1", "body": "x"}
    for field in ("author", "user", "username", "actor", "sender"):
        refused = talker.say("send", room=room, data={**data, field: ann.id})
        assert talker.until("ack", "error", frame_id=refused)["data"]["code"] == "validation_failed"
        ann.refused("POST", f"/rooms/{room}/messages", {**data, field: bob.id}, status=422)
    assert talker.send(room, "mine")["type"] == "ack"
    (message,) = ann.call("GET", f"/rooms/{room}/messages")["items"]
    assert message["author"] == bob.id
    # Nobody at all is heard before they have said who they are.
    nobody = Talker(server.ws_url)
    nobody.say("send", room=room, data=data)
    assert nobody.closed() == 4501

"""Users as everybody may see them: found by name and by id, in full, and when they are not there any more."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from justchat.accounts.names import fold_name, username_problems
from justchat.connections.index import Indexed
from storage.records import UserRecord
from tests.http.office import Office, open_office
from tests.http.people import Crowd, open_crowd

pytestmark = pytest.mark.real_clock

SECRETS = {"email", "email_verified", "password_hash", "name_key", "disabled", "rev", "state"}


def put(office: Office, name: str, **fields: Any) -> UserRecord:
    fields = {"email": None, "password_hash": "", "role": "user", "created_at": 0, **fields}
    user = UserRecord(f"u_{len(office.store.users):032x}", name, fold_name(name), name, **fields)
    office.store.put_user(user)
    return user


async def found(office: Office, q: str, *, caller: str = "ann", more: str = "") -> list[str]:
    answer = await office.call("GET", f"/api/v1/users?q={quote(q)}{more}", caller=caller)
    assert answer.status_code == 200
    return [user["username"] for user in (await answer.get_json())["items"]]


async def test_names_are_found_by_their_beginning_in_any_case_and_alphabet() -> None:
    """S0-08: by prefix, folded as names are; disabled and deleted people are not found."""
    async with open_office(api_docs="no") as office:
        office.add_user("ann")
        for name in ("Björn", "björk", "ÉMILE", "Ιωάννης", "bob", "straße"):
            put(office, name)
        put(office, "bjarne", disabled=True)
        put(office, "bjaaa", disabled=True, state="leaving")
        assert await found(office, "BJÖ") == ["björk", "Björn"]
        assert await found(office, "é") == ["ÉMILE"]
        assert await found(office, "ιω") == ["Ιωάννης"]
        assert await found(office, "STRASSE") == ["straße"]
        assert await found(office, "bja") == []
        assert await found(office, "jö") == []


async def test_at_most_twenty_are_found_and_nothing_private_of_them_is_told() -> None:
    """What is asked for at once is bounded; nobody's e-mail address is in any answer about others."""
    async with open_office(api_docs="no") as office:
        office.add_user("ann")
        for number in range(30):
            put(office, f"user{number:02d}", email=f"user{number}@example.org")
        assert await found(office, "user") == [f"user{number:02d}" for number in range(20)]
        assert await found(office, "user", more="&limit=3") == ["user00", "user01", "user02"]
        answer = await office.call("GET", "/api/v1/users?q=user", caller="ann")
        assert b"example.org" not in await answer.get_data(as_text=False)
        assert await office.problem("GET", "/api/v1/users?q=u&limit=21", caller="ann") == (422, "validation_failed")


async def test_a_search_goes_on_by_cursor_and_finds_everybody_once() -> None:
    """S4-10: pages in the order of names, by a cursor and not an offset, so that newcomers neither hide nor repeat."""
    async with open_office(api_docs="no") as office:
        office.add_user("ann")
        for number in range(30):
            put(office, f"User{number:02d}")
        seen: list[str] = []
        cursor = ""
        while True:
            answer = await office.call("GET", f"/api/v1/users?q=uSer&limit=7{cursor}", caller="ann")
            page = await answer.get_json()
            seen += [user["username"] for user in page["items"]]
            if len(seen) == 7:
                put(office, "user-before")
                put(office, "user99")
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={quote(page['next_cursor'])}"
        assert seen == [*(f"User{number:02d}" for number in range(30)), "user99"]
        assert await found(office, "user", more="&limit=3&cursor=user97") == ["user99"]
        assert await found(office, "user", more="&cursor=zzz") == []


async def test_the_search_finds_exactly_whose_folded_names_begin_so() -> None:
    """Held against the definition, for many crowds of names that may be registered."""
    chance = random.Random(8)
    async with open_office(api_docs="no") as office:
        office.add_user("zzz")
        for _ in range(60):
            names = {_text(chance, 3, 6) for _ in range(12)}
            keys = {fold_name(name): name for name in names if not username_problems(name)}
            users = [put(office, name) for name in keys.values()]
            prefix = _text(chance, 1, 3)
            shown = [fold_name(name) for name in await found(office, prefix, caller="zzz")]
            assert shown == sorted(key for key in keys if key.startswith(fold_name(prefix)))[:20]
            for user in users:
                office.store.put_user(replace(user, name_key=f"~{user.id}", disabled=True))


def _text(chance: random.Random, low: int, high: int) -> str:
    return "".join(chance.choices("abAB.1éß", k=chance.randint(low, high)))


async def test_users_by_id_are_those_that_one_may_see() -> None:
    """A hundred at once; unknown and disabled ones are left out, a deleted one stands there without a name."""
    async with open_crowd() as crowd:
        crowd.disable("muted")
        crowd.alter("gone", disabled=True, state="gone", avatar=None)
        ids = [crowd.ids[name] for name in ("member", "muted", "gone")]
        users = (await crowd.call("owner", "GET", f"/users?ids={','.join(ids)},u_none"))["items"]
        assert {user["id"]: user for user in users} == {
            ids[0]: {"id": ids[0], "username": "member", "display_name": "Member"},
            ids[2]: {"id": ids[2], "username": "", "display_name": "Deleted user", "deleted": True},
        }
        many = ",".join(f"u_{number}" for number in range(100))
        assert await crowd.call("owner", "GET", f"/users?ids={many}") == {"items": [], "next_cursor": None}
        assert await crowd.pointers("owner", "GET", f"/users?ids={many},u_100", None) == ["/ids"]
        assert await crowd.pointers("owner", "GET", "/users?ids=u_1&q=a", None) == [""]
        assert await crowd.pointers("owner", "GET", "/users", None) == ["/q"]


async def test_a_user_in_full_is_what_they_say_about_themselves() -> None:
    """S0-07: names, words, picture, role, and when they were there; no secret field, also not of oneself."""
    async with open_crowd() as crowd:
        crowd.alter("member", bio="I read.", role="bot", email="m@example.org", last_seen_at=1_700_000_000_000)
        user = crowd.ids["member"]
        for caller in ("stranger", "member"):
            shown = await crowd.call(caller, "GET", f"/users/{user}")
            created_at = shown.pop("created_at")
            assert created_at.endswith("Z")
            assert shown == {
                "id": user,
                "username": "member",
                "display_name": "Member",
                "bio": "I read.",
                "avatar_url": None,
                "role": "bot",
                "online": False,
                "last_seen_at": "2023-11-14T22:13:20.000Z",
                "deleted": False,
            }
        me = await crowd.call("member", "GET", "/users/me")
        assert me["email"] == "m@example.org"
        assert not (SECRETS - {"email", "email_verified"}) & me.keys()
        answer = await crowd.office.call("GET", "/api/v1/users/me")
        assert answer.status_code == 401


@pytest.mark.parametrize("user", ["u_none", "me.", "u_" + "0" * 32, "%00", "x" * 300])
async def test_nobody_is_found_under_what_is_no_id(user: str) -> None:
    """404, whatever it is."""
    async with open_crowd() as crowd:
        assert await crowd.refused("owner", "GET", f"/users/{user}", status=404) == "not_found"


async def test_who_is_disabled_is_not_there_and_who_was_deleted_is_only_an_id() -> None:
    """A name that was freed may be somebody else's by now, so nothing of the former owner is told."""
    async with open_crowd() as crowd:
        crowd.disable("muted")
        assert await crowd.refused("owner", "GET", f"/users/{crowd.ids['muted']}", status=404) == "not_found"
        crowd.alter("gone", disabled=True, state="erasing", bio="secret", last_seen_at=1, role="admin")
        shown = await crowd.call("owner", "GET", f"/users/{crowd.ids['gone']}")
        assert shown["deleted"] is True
        assert (shown["username"], shown["display_name"], shown["bio"], shown["role"]) == ("", "Deleted user", "", "")
        assert shown["last_seen_at"] is None


async def test_whether_somebody_is_online_is_told_to_all_but_whom_they_block() -> None:
    """S0-39: an open socket is being online; a block hides that and when it was."""
    async with open_crowd() as crowd:
        member = crowd.ids["member"]
        crowd.alter("member", last_seen_at=5)
        crowd.office.system.index.add(_socket_of(crowd, "member"))
        shown = await crowd.call("stranger", "GET", f"/users/{member}")
        assert (shown["online"], shown["last_seen_at"]) == (True, "1970-01-01T00:00:00.005Z")
        await crowd.call("member", "PUT", f"/users/me/blocks/{crowd.ids['stranger']}", status=204)
        shown = await crowd.call("stranger", "GET", f"/users/{member}")
        assert (shown["online"], shown["last_seen_at"]) == (False, None)
        shown = await crowd.call("owner", "GET", f"/users/{member}")
        assert shown["online"] is True
        await crowd.call("stranger", "PUT", f"/users/me/blocks/{member}", status=204)
        await crowd.call("member", "DELETE", f"/users/me/blocks/{crowd.ids['stranger']}", status=204)
        assert (await crowd.call("stranger", "GET", f"/users/{member}"))["online"] is True


def _socket_of(crowd: Crowd, name: str) -> Indexed:
    user = crowd.record(name)
    return cast(
        "Indexed", SimpleNamespace(user_id=user.id, address="127.0.0.1", identity=SimpleNamespace(origin="s_1"))
    )


async def test_without_storage_a_user_is_503_and_not_nobody() -> None:
    """Nobody is told that somebody does not exist because the store did not answer."""
    async with open_crowd() as crowd:
        crowd.office.switch.spared = frozenset({"session"})
        crowd.office.switch.down = True
        code = await crowd.refused("owner", "GET", f"/users/{crowd.ids['member']}", status=503)
        assert code == "storage_unavailable"

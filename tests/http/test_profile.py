"""One's own account: changed by its owner and by nobody else, field by field, and ended."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from tests.http.people import PASSWORD, open_crowd

pytestmark = pytest.mark.real_clock


async def test_a_patch_changes_what_it_names_and_null_takes_away() -> None:
    """S3-35: absent fields stay; without a display name the username is shown again."""
    async with open_crowd() as crowd:
        me = await crowd.call("member", "PATCH", "/users/me", {"display_name": "  Mémo ", "bio": "Line\r\nline "})
        assert (me["display_name"], me["bio"]) == ("Mémo", "Line\nline")
        assert await crowd.call("member", "GET", "/users/me") == me
        me = await crowd.call("member", "PATCH", "/users/me", {"bio": None})
        assert (me["display_name"], me["bio"]) == ("Mémo", "")
        me = await crowd.call("member", "PATCH", "/users/me", {"display_name": None})
        assert me["display_name"] == "member"
        rev = crowd.record("member").rev
        assert await crowd.call("member", "PATCH", "/users/me", {}) == me
        assert await crowd.call("member", "PATCH", "/users/me", {"bio": None}) == me
        assert crowd.record("member").rev == rev, "nothing to change, nothing written"


async def test_a_patch_may_be_sent_as_a_merge_patch_and_not_as_anything() -> None:
    """`application/merge-patch+json` is its type (RFC 7396); other types are 415."""
    async with open_crowd() as crowd:
        token = crowd.office._tokens["member"]
        for media_type, status in (("application/merge-patch+json", 200), ("text/plain", 415)):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
            answer = await crowd.office._client.patch("/api/v1/users/me", headers=headers, data=b'{"bio": "x"}')
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"bio": "x" * 501}, "/bio"),
        ({"bio": "x" * 4000}, "/bio"),
        ({"bio": "bell\a"}, "/bio"),
        ({"bio": "left\u202eright"}, "/bio"),
        ({"display_name": ""}, "/display_name"),
        ({"display_name": "x" * 65}, "/display_name"),
        ({"username": "ab"}, "/username"),
        ({"username": "two words"}, "/username"),
        ({"username": "everyone"}, "/username"),
        ({"username": "раypal"}, "/username"),
        ({"username": None}, "/username"),
        ({"email": "no address"}, "/email"),
        ({"email": "a@b.org"}, "/password"),
        ({"email": 5}, "/email"),
        ({"role": "admin"}, ""),
        ({"id": "u_1"}, ""),
        ({"disabled": False}, ""),
        ({"email_verified": True}, ""),
    ],
)
async def test_what_is_not_valid_is_named_and_changes_nothing(patch: dict[str, Any], pointer: str) -> None:
    """Each field has its rules; nobody gives themselves a role or a verified address."""
    async with open_crowd() as crowd:
        before = crowd.record("member")
        assert pointer in await crowd.pointers("member", "PATCH", "/users/me", patch)
        assert crowd.record("member") == before


async def test_all_that_is_wrong_is_named_at_once() -> None:
    """S2-23: a form can mark every field."""
    async with open_crowd() as crowd:
        patch = {"username": "a", "display_name": "", "bio": "\a", "email": "x"}
        found = await crowd.pointers("member", "PATCH", "/users/me", patch)
        assert {"/username", "/display_name", "/bio", "/email", "/password"} == set(found)


async def test_a_new_username_is_unique_like_the_first_one() -> None:
    """Folded alike is the same name; whoever never chose a display name is shown by the new name."""
    async with open_crowd() as crowd:
        await crowd.register("Carol")
        for taken in ("Member", "MEMBER", "ｍember"):
            assert await crowd.refused("Carol", "PATCH", "/users/me", {"username": taken}, status=409) == (
                "username_taken"
            )
        me = await crowd.call("Carol", "PATCH", "/users/me", {"username": "CAROL"})
        assert (me["username"], me["display_name"]) == ("CAROL", "CAROL")
        me = await crowd.call("Carol", "PATCH", "/users/me", {"username": "dave"})
        assert me["username"] == "dave"
        assert (await crowd.call("member", "GET", "/users?q=dav"))["items"][0]["id"] == crowd.ids["Carol"]
        assert (await crowd.call("member", "GET", "/users?q=carol"))["items"] == []
        login = {"username": "DAVE", "password": PASSWORD}
        assert (await crowd.office.call("POST", "/api/v1/auth/login", body=login)).status_code == 200


async def test_of_many_who_want_one_name_at_once_one_gets_it() -> None:
    """Nine people at the same moment: one 200, eight 409, and the name is one person's."""
    async with open_crowd() as crowd:
        statuses: list[int] = []

        async def want(name: str) -> None:
            body = {"username": "the.name"}
            answer = await crowd.office.call("PATCH", "/api/v1/users/me", caller=name, body=body)
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for name in list(crowd.ids):
                nursery.start_soon(want, name)
        assert sorted(statuses) == [200] + [409] * 8
        assert sum(user.name_key == "the.name" for user in crowd.office.store.users.values()) == 1


async def test_changes_of_different_fields_at_once_are_all_made() -> None:
    """Who comes second reads again: no change undoes another, whoever made it."""
    async with open_crowd() as crowd:
        patches: list[dict[str, Any]] = [{"bio": "words"}, {"display_name": "Shown"}, {"username": "renamed"}]

        async def change(patch: dict[str, Any]) -> None:
            await crowd.call("member", "PATCH", "/users/me", patch)

        async with trio.open_nursery() as nursery:
            for patch in patches:
                nursery.start_soon(change, patch)
        user = crowd.record("member")
        assert (user.bio, user.display_name, user.username) == ("words", "Shown", "renamed")
        assert user.rev == 4


async def test_another_email_address_takes_the_password_and_is_not_verified() -> None:
    """Whoever finds a phone unlocked cannot take the account over by its address."""
    async with open_crowd() as crowd:
        await crowd.register("carol", email="carol@example.org")
        await crowd.register("other", email="other@example.org")
        crowd.alter("carol", email_verified=True)
        same = await crowd.call("carol", "PATCH", "/users/me", {"email": "CAROL@example.org"})
        assert same["email_verified"] is True, "the same address, which needs no password"
        new = {"email": "New@example.org"}
        assert await crowd.pointers("carol", "PATCH", "/users/me", new) == ["/password"]
        wrong = {**new, "password": "not the one"}
        assert await crowd.refused("carol", "PATCH", "/users/me", wrong, status=403) == "forbidden"
        taken = {"email": "OTHER@example.org", "password": PASSWORD}
        assert await crowd.refused("carol", "PATCH", "/users/me", taken, status=409) == "email_taken"
        assert crowd.record("carol").email == "carol@example.org"
        me = await crowd.call("carol", "PATCH", "/users/me", {**new, "password": PASSWORD})
        assert (me["email"], me["email_verified"]) == ("new@example.org", False)
        assert await crowd.pointers("carol", "PATCH", "/users/me", {"email": None}) == ["/password"]
        me = await crowd.call("carol", "PATCH", "/users/me", {"email": None, "password": PASSWORD})
        assert me["email"] is None


async def test_passwords_cannot_be_guessed_by_changing_the_address() -> None:
    """Guesses are counted like failed logins: after so many, the right one has to wait, too."""
    async with open_crowd(login_failures=3) as crowd:
        await crowd.register("carol")
        for _ in range(3):
            body = {"email": "a@example.org", "password": "a wrong guess"}
            assert await crowd.refused("carol", "PATCH", "/users/me", body, status=403) == "forbidden"
        body = {"email": "a@example.org", "password": PASSWORD}
        assert await crowd.refused("carol", "PATCH", "/users/me", body, status=429) == "rate_limited"
        assert crowd.record("carol").email is None


async def test_an_account_is_ended_by_its_owner_with_the_password() -> None:
    """At once nobody is in by it, its name is free, and others see that there was somebody."""
    async with open_crowd() as crowd:
        user = await crowd.register("carol", email="carol@example.org")
        wrong = {"password": "not the one"}
        assert await crowd.refused("carol", "DELETE", "/users/me", wrong, status=403) == "forbidden"
        assert await crowd.pointers("carol", "DELETE", "/users/me", {"password": PASSWORD, "all": 1}) == [""]
        assert (await crowd.call("carol", "GET", "/users/me"))["id"] == user
        await crowd.call("carol", "DELETE", "/users/me", {"password": PASSWORD}, status=204)
        assert await crowd.refused("carol", "GET", "/users/me", status=401) == "unauthenticated"
        shown = await crowd.call("member", "GET", f"/users/{user}")
        assert (shown["deleted"], shown["username"]) == (True, "")
        assert (await crowd.call("member", "GET", "/users?q=carol"))["items"] == []
        again = await crowd.register("carol", email="carol@example.org")
        assert again != user


@pytest.mark.parametrize(("erase", "state"), [(False, "leaving"), (True, "erasing")])
async def test_whether_what_was_said_goes_too_is_up_to_the_owner(erase: bool, state: str) -> None:
    """The account remembers which of the two was asked for until it is done."""
    async with open_crowd() as crowd:
        await crowd.register("carol")
        await crowd.call("carol", "DELETE", "/users/me", {"password": PASSWORD, "erase": erase}, status=204)
        assert crowd.record("carol").state in {state, "gone"}


async def test_an_administrator_hands_over_before_leaving() -> None:
    """The last one must not vanish by mistake: another one has to take the role away first."""
    async with open_crowd() as crowd:
        await crowd.register("root")
        crowd.make_admin("root")
        assert await crowd.refused("root", "DELETE", "/users/me", {"password": PASSWORD}, status=409) == "conflict"
        assert crowd.record("root").state == "active"


async def test_a_change_that_meets_a_disabled_account_is_refused() -> None:
    """Disabled between the token's check and the write: the write is decided on the account as it is."""
    async with open_crowd() as crowd:
        statuses: list[int] = []

        async def change() -> None:
            answer = await crowd.office.call("PATCH", "/api/v1/users/me", caller="member", body={"bio": "late"})
            statuses.append(answer.status_code)

        original = crowd.office.system.storage.directory.change_user

        async def disabled_first(user: Any) -> None:
            if crowd.record("member").rev == 1:
                crowd.alter("member", disabled=True)
            await original(user)

        crowd.office.system.storage.directory.change_user = disabled_first  # type: ignore[method-assign]
        await change()
        assert statuses == [403]
        assert crowd.record("member").bio == ""


async def test_no_secret_is_in_any_answer_about_an_account() -> None:
    """Not the password, not its hash, not the folded name."""
    async with open_crowd() as crowd:
        await crowd.register("carol", email="carol@example.org")
        secret = crowd.record("carol").password_hash
        for caller, method, path, body in (
            ("carol", "GET", "/users/me", None),
            ("carol", "PATCH", "/users/me", {"bio": "x"}),
            ("member", "GET", f"/users/{crowd.ids['carol']}", None),
        ):
            text = json.dumps(await crowd.call(caller, method, path, body))
            assert secret not in text
            assert PASSWORD not in text
            assert "password" not in text


async def test_without_mail_addresses_are_not_verified() -> None:
    """A server that sends no mail says so, to ask and to confirm."""
    async with open_crowd() as crowd:
        path = "/users/me/email/verification"
        assert await crowd.refused("member", "POST", path, status=404) == "not_found"
        assert await crowd.refused("member", "POST", f"{path}/confirm", {"code": "1"}, status=404) == "not_found"

"""What a change of a profile makes of an account, for any change and any account, and how it meets other changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from justchat.accounts.appearance import avatar_url, is_present, is_shown, user_view
from justchat.accounts.changing import change_account
from justchat.accounts.names import fold_email, fold_name
from justchat.accounts.profile_rules import (
    BIO_MAX_CHARACTERS,
    ProfileChange,
    changed_profile,
    changes_email,
    profile_problems,
)
from justchat.wire.errors import ErrorCode, Refusal
from storage.memory import MemoryDirectory, MemoryStore
from storage.records import UserRecord

ANN = UserRecord("u_ann", "ann", "ann", "Ann", "ann@example.org", "hash", "user", 1, email_verified=True, bio="hi")

NAMES = st.sampled_from(["ann", "Ann", "bob", "Björn", "x", "ann.", "every one", "раypal", "A1_b"])
TEXTS = st.one_of(st.none(), st.sampled_from(["", "  ", "words", "Ångström", "two\nlines", "bell\a"]), st.text())
EMAILS = st.one_of(st.none(), st.sampled_from(["ann@example.org", "ANN@example.org", "b@c.de", "none"]))


def maybe(values: st.SearchStrategy[str | None]) -> st.SearchStrategy[str | UnsetType | None]:
    return st.one_of(st.just(UNSET), values)


CHANGES = st.builds(
    ProfileChange,
    username=st.one_of(st.just(UNSET), NAMES),
    display_name=maybe(TEXTS),
    bio=maybe(TEXTS),
    email=maybe(EMAILS),
)


@given(CHANGES)
def test_a_valid_change_gives_an_account_that_is_valid_and_changes_nothing_else(change: ProfileChange) -> None:
    """Names are folded, addresses verified only where they stay, and id, role, password and state are never touched."""
    if profile_problems(change):
        return
    user = changed_profile(ANN, change)
    assert isinstance(user, UserRecord)
    assert user.name_key == fold_name(user.username)
    assert user.display_name
    assert len(user.bio) <= BIO_MAX_CHARACTERS
    assert user.email is None or user.email == fold_email(user.email)
    assert user.email_verified == (user.email == ANN.email)
    assert changes_email(ANN, change) == (user.email != ANN.email)
    fields = {"username", "name_key", "display_name", "bio", "email", "email_verified"}
    assert replace(user, **{name: getattr(ANN, name) for name in fields}) == ANN


@given(CHANGES)
def test_a_change_made_twice_is_made_once(change: ProfileChange) -> None:
    """A repeat of a request finds nothing left to change."""
    if profile_problems(change):
        return
    once = changed_profile(ANN, change)
    assert isinstance(once, UserRecord)
    assert changed_profile(once, change) == once
    assert not changes_email(once, change)


@given(CHANGES)
def test_what_is_valid_now_is_valid_as_it_is_stored(change: ProfileChange) -> None:
    """What an account holds can be sent back just as it was answered."""
    if profile_problems(change):
        return
    user = changed_profile(ANN, change)
    assert isinstance(user, UserRecord)
    assert profile_problems(ProfileChange(user.username, user.display_name, user.bio, user.email)) == []


@pytest.mark.parametrize(
    ("shown", "username", "expected"),
    [("ann", "bob", "bob"), ("Ann", "bob", "Ann"), ("ann", "ANN", "ANN")],
)
def test_a_name_that_was_never_chosen_follows_the_username(shown: str, username: str, expected: str) -> None:
    """Only a display name of one's own stays when the username changes."""
    user = changed_profile(replace(ANN, display_name=shown), ProfileChange(username=username))
    assert isinstance(user, UserRecord)
    assert user.display_name == expected


@pytest.mark.parametrize("length", [BIO_MAX_CHARACTERS, BIO_MAX_CHARACTERS + 1])
def test_the_limit_of_words_is_exact_and_counts_what_is_stored(length: int) -> None:
    """Blanks around and decomposed letters do not count."""
    decomposed = "e\u0301" * length
    problems = profile_problems(ProfileChange(bio=f"  {decomposed}  "))
    assert [problem.pointer for problem in problems] == ([] if length == BIO_MAX_CHARACTERS else ["/bio"])


def test_a_disabled_account_is_not_changed() -> None:
    """Also not by a request that was let in just before."""
    found = changed_profile(replace(ANN, disabled=True), ProfileChange(bio="x"))
    assert isinstance(found, Refusal)
    assert found.code is ErrorCode.FORBIDDEN


async def test_a_change_is_decided_on_the_account_as_it_is_and_given_up_in_the_end() -> None:
    """Every lost race reads again; against somebody who never stops, the answer is a refusal and not for ever."""
    store = MemoryStore()
    store.put_user(ANN)
    directory = MemoryDirectory(store)
    seen: list[int] = []

    def change(user: UserRecord) -> UserRecord:
        seen.append(user.rev)
        if len(seen) <= losses:
            # Somebody else is faster, between our look and our write.
            store.put_user(replace(store.users[ANN.id], rev=store.users[ANN.id].rev + 1, role="bot"))
        return replace(user, bio=f"changed {losses}")

    losses = 3
    changed = await change_account(directory, ANN, change)
    assert isinstance(changed, UserRecord)
    assert seen == [1, 2, 3, 4]
    assert (changed.bio, changed.role, changed.rev) == ("changed 3", "bot", 5)
    assert store.users[ANN.id] == changed
    losses, before = 10**6, store.users[ANN.id].rev
    refusal = await change_account(directory, changed, change)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.CONFLICT
    assert store.users[ANN.id].rev < before + 20


async def test_an_account_that_is_gone_meanwhile_is_not_found() -> None:
    """Nothing is written for who is not there."""
    refusal = await change_account(MemoryDirectory(MemoryStore()), ANN, lambda user: replace(user, bio="x"))
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("state", ["leaving", "erasing", "gone"])
def test_of_a_deleted_account_only_the_id_is_shown(state: str) -> None:
    """From the first moment on; it is shown because what it said may still be there."""
    user = replace(ANN, state=state, disabled=True, avatar="a_1")
    view = user_view(user)
    assert (view.id, view.username, view.display_name, view.deleted) == (ANN.id, "", "Deleted user", True)
    assert view.avatar_url is None
    assert avatar_url(user) is None
    assert (is_shown(user), is_present(user)) == (True, False)


def test_a_disabled_account_is_not_shown() -> None:
    """Whoever is disabled is as if they were not there, until they are enabled again."""
    assert (is_shown(ANN), is_present(ANN), is_present(None)) == (True, True, False)
    assert (is_shown(replace(ANN, disabled=True)), is_present(replace(ANN, disabled=True))) == (False, False)

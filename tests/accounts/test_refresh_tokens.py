"""Refresh tokens: read as they were written and in no other way, and each with one successor for each nonce."""

from __future__ import annotations

import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from justchat.accounts.refresh_tokens import (
    RefreshToken,
    fingerprint,
    fresh_nonce,
    fresh_token,
    parse_token,
    successor,
)

secrets = st.binary(min_size=32, max_size=32)
tokens = st.builds(RefreshToken, secrets, secrets)
characters = st.sampled_from(string.printable + "\u00e4\u212a\uff21\ud800")


@given(tokens)
def test_a_token_is_read_as_it_was_written(token: RefreshToken) -> None:
    """Text and value are inverse; the text needs no escaping in a cookie, a header or an address."""
    assert parse_token(token.text) == token
    assert set(token.text) <= set(string.ascii_letters + string.digits + "-_.")


@given(st.text(characters, max_size=100) | st.text(st.sampled_from(string.ascii_letters + "-_."), max_size=100))
@example("." * 87)
@example("." + "A" * 86)
@example("A" * 43 + "." + "A" * 42 + "=")
@example("A" * 43 + "." + "A" * 42 + "\n")
@example("A" * 87)
@example("A" * 42 + "+." + "A" * 43)
@example("A" * 42 + "/." + "A" * 43)
def test_any_other_text_is_no_token(text: str) -> None:
    """What is read could have been written, to the last character: there are no two ways to write one token."""
    token = parse_token(text)
    assert token is None or token.text == text


@given(tokens, st.integers(min_value=0, max_value=86), characters)
def test_a_token_with_another_character_is_another_one_or_none(token: RefreshToken, at: int, other: str) -> None:
    """Nothing in it is ignored."""
    changed = token.text[:at] + other + token.text[at + 1 :]
    assume(changed != token.text)
    assert parse_token(changed) != token


@given(tokens, st.sampled_from([42, 86]))
def test_the_bits_that_base64_leaves_over_are_not_ignored(token: RefreshToken, at: int) -> None:
    """The last character of each half has two that decoding drops: of four characters one is right."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    read = [parse_token(token.text[:at] + other + token.text[at + 1 :]) for other in alphabet]
    assert read.count(token) == 1
    assert sum(each is not None for each in read) == 16


@given(tokens, st.integers(min_value=0, max_value=86), st.text(characters, min_size=1, max_size=3))
def test_a_token_with_more_or_fewer_characters_is_none(token: RefreshToken, at: int, more: str) -> None:
    """Nothing around it or within it is skipped."""
    assert parse_token(token.text[:at] + token.text[at + 1 :]) is None
    assert parse_token(token.text[:at] + more + token.text[at:]) is None


@given(tokens, secrets, secrets)
def test_a_token_has_one_successor_for_each_nonce(token: RefreshToken, nonce: bytes, other: bytes) -> None:
    """The same one each time, of the same family; another one for another nonce or of another token."""
    assume(nonce != other)
    after = successor(token, nonce)
    assert after == successor(token, nonce)
    assert (after.family, len(after.secret)) == (token.family, 32)
    assert len({token.secret, after.secret, successor(token, other).secret, successor(after, nonce).secret}) == 4


@given(tokens)
def test_what_is_stored_is_neither_the_token_nor_leads_to_its_successor(token: RefreshToken) -> None:
    """Whoever has fingerprint and nonce, as they stand in the database, does not have the secret that is needed."""
    nonce = fresh_nonce()
    stored = fingerprint(token.secret)
    assert stored != token.secret
    assert successor(RefreshToken(token.family, stored), nonce) != successor(token, nonce)


def test_fresh_tokens_and_nonces_are_all_different() -> None:
    """No two share a family, a secret or a nonce."""
    made = [fresh_token() for _ in range(50)]
    assert len({part for token in made for part in (token.family, token.secret)}) == 100
    assert len({fresh_nonce() for _ in range(50)}) == 50


def test_a_token_is_not_in_its_repr() -> None:
    """What is logged by accident says nothing."""
    token = fresh_token()
    assert repr(token) == "RefreshToken()"

"""The keys of a site: what a rotation makes of them, and that what is written is read as it was, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts.key_set import (
    KEYS_MAX_BYTES,
    RETIRED_MAX,
    KeptKey,
    KeySet,
    RetiredKey,
    fresh_keys,
    parse_keys,
    rotated,
    write_keys,
)
from justchat.accounts.signing_key import SigningKeyUnusable, fresh_signing_key, signing_key_from
from tests.accounts.forging import ALGORITHMS, NOW, key_of

TEXT = "0123456789abcdef" * 4
GOOD_SECONDS = 600
MIXED = KeySet(
    KeptKey(key_of("EdDSA"), NOW),
    KeptKey(key_of("RS256")),
    (RetiredKey(key_of("HS256").retired(), NOW + 5, NOW), RetiredKey(fresh_signing_key("RS256").retired(), NOW)),
)


def rotate(keys: KeySet, *, at: float) -> KeySet:
    """Rotate with keys of the default algorithm."""
    return rotated(keys, fresh_signing_key, now=at, retired_seconds=GOOD_SECONDS)


def test_the_next_key_signs_after_a_rotation() -> None:
    """The next becomes current, a fresh one next, and the current retires."""
    before = fresh_keys(fresh_signing_key, now=NOW)
    after = rotate(before, at=NOW + 10.7)
    assert after.current == before.next
    assert after.next is not None
    assert after.next.made_at == NOW + 10
    assert after.next.key not in {before.current.key, before.next.key if before.next else None}
    assert after.retired == (RetiredKey(before.current.key.retired(), NOW + 10, NOW),)


def test_a_lone_key_is_followed_by_two_fresh_ones() -> None:
    """A site with a key of the old form gets both at once."""
    lone = parse_keys(TEXT.encode())
    assert lone == KeySet(KeptKey(signing_key_from(TEXT)))
    after = rotate(lone, at=NOW)
    assert after.next is not None
    assert len({after.current.key, after.next.key, lone.current.key}) == 3
    assert (after.current.key.algorithm, after.next.key.algorithm) == ("EdDSA", "EdDSA")
    assert after.retired == (RetiredKey(lone.current.key.retired(), NOW),)


def test_a_key_is_dropped_by_the_first_rotation_after_its_last_token() -> None:
    """Not a second before."""
    once = rotate(fresh_keys(fresh_signing_key, now=NOW), at=NOW)
    assert rotate(once, at=NOW + GOOD_SECONDS - 1).retired[1:] == once.retired
    assert len(rotate(once, at=NOW + GOOD_SECONDS).retired) == 1


def test_a_clock_that_was_ahead_keeps_no_key_for_good() -> None:
    """The time of a retirement is never later than the next rotation."""
    ahead = rotate(fresh_keys(fresh_signing_key, now=NOW), at=NOW + 10**8)
    again = rotate(ahead, at=NOW)
    assert [old.retired_at for old in again.retired] == [NOW, NOW]
    assert len(rotate(again, at=NOW + GOOD_SECONDS).retired) == 1


def test_there_is_a_bound_on_retired_keys() -> None:
    """Nobody can rotate a file into something that cannot be read; a moment later it goes on."""
    keys = fresh_keys(fresh_signing_key, now=NOW)
    for _ in range(RETIRED_MAX):
        keys = rotate(keys, at=NOW)
    with pytest.raises(SigningKeyUnusable, match="16 retired keys may have good tokens yet"):
        rotate(keys, at=NOW)
    assert len(rotate(keys, at=NOW + GOOD_SECONDS).retired) == 1


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(ALGORITHMS)), max_size=6))
def test_what_is_written_is_read_as_it_was(steps: list[tuple[int, str]]) -> None:
    """After any rotations; and no private half of a retired key is written."""
    keys, now = KeySet(KeptKey(key_of("EdDSA"), NOW)), NOW
    for pause_seconds, algorithm in steps:
        now += pause_seconds
        made = fresh_signing_key("HS256" if algorithm == "HS256" else "EdDSA")
        keys = rotated(keys, lambda made=made: made, now=now, retired_seconds=GOOD_SECONDS)
        keys = KeySet(KeptKey(fresh_signing_key()), keys.next, keys.retired)
        assert parse_keys(write_keys(keys)) == keys
    stored = json.loads(write_keys(keys))["keys"]
    assert all("PRIVATE" not in one["key"] for one in stored if one["state"] == "retired")


def test_all_kinds_of_keys_are_kept() -> None:
    """Each kind in each state; times that nobody knows stay unknown."""
    assert parse_keys(write_keys(MIXED)) == MIXED
    assert parse_keys(b" \n" + write_keys(MIXED)) == MIXED
    largest = KeySet(MIXED.current, MIXED.next, (RetiredKey(key_of("RS256").retired(), NOW),) * RETIRED_MAX)
    assert len(write_keys(largest)) < KEYS_MAX_BYTES


def test_more_than_can_be_read_is_not_written() -> None:
    """Secrets have no length, a file has."""
    with pytest.raises(SigningKeyUnusable, match="larger than"):
        write_keys(KeySet(KeptKey(signing_key_from("x" * KEYS_MAX_BYTES))))


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_a_lone_private_key_is_read(algorithm: str) -> None:
    """As other tools make it."""
    key = key_of("EdDSA" if algorithm == "EdDSA" else "RS256")
    assert parse_keys(key.text.encode()) == KeySet(KeptKey(key))


Stored = dict[str, object]


def edited(edit: Callable[[Stored, list[Stored]], object]) -> bytes:
    """The text of MIXED, after `edit` has changed the whole or its keys."""
    whole = json.loads(write_keys(MIXED))
    edit(whole, whole["keys"])
    return json.dumps(whole).encode()


def one(state: str) -> Stored:
    """One more key, as it is stored."""
    key = fresh_signing_key("HS256")
    return {"state": state, "kid": key.kid, "algorithm": "HS256", "key": key.text}


WHOLE = write_keys(MIXED)
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "a short text": b"short",
    "no text": b"\xff" * 64,
    "what a crash may leave": b"\0" * 64,
    "a long text": b"x" * 5000,
    "far too much": b"{" + b" " * KEYS_MAX_BYTES,
    "no keys": b"{}" + b" " * 64,
    "deeper than anything": b'{"a":' * 5000,
    "a public key": key_of("EdDSA").retired().text.encode(),
    "another version": edited(lambda whole, keys: whole.update(justchat_signing_keys=2)),
    "no version": edited(lambda whole, keys: whole.pop("justchat_signing_keys")),
    "something more": edited(lambda whole, keys: whole.update(x=1)),
    "a key with more": edited(lambda whole, keys: keys[0].update(x=1)),
    "no list": edited(lambda whole, keys: whole.update(keys={})),
    "no current key": edited(lambda whole, keys: keys.pop(0)),
    "two current keys": edited(lambda whole, keys: keys[1].update(state="current")),
    "two next keys": edited(lambda whole, keys: keys.append(one("next"))),
    "a key twice": edited(lambda whole, keys: keys.append(keys[2])),
    "another state": edited(lambda whole, keys: keys[0].update(state="lost")),
    "another name": edited(lambda whole, keys: keys[0].update(kid="x")),
    "another name of a retired key": edited(lambda whole, keys: keys[2].update(kid="x")),
    "another algorithm": edited(lambda whole, keys: keys[0].update(algorithm="HS256")),
    "an unknown algorithm": edited(lambda whole, keys: keys[0].update(algorithm="none")),
    "another key": edited(lambda whole, keys: keys[0].update(key=fresh_signing_key().text)),
    "a public key to sign with": edited(lambda whole, keys: keys[0].update(key=key_of("EdDSA").retired().text)),
    "retired at no time": edited(lambda whole, keys: keys[2].pop("retired_at")),
    "retired in another age": edited(lambda whole, keys: keys[2].update(retired_at=10**18)),
    "made at a text": edited(lambda whole, keys: keys[0].update(made_at="now")),
    "the first few bytes": WHOLE[:40],
    "the first half": WHOLE[: len(WHOLE) // 2],
    "all but the end": WHOLE[:-3],
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_whole_is_refused(raw: bytes) -> None:
    """Above all it is never taken for a secret; and the reason quotes nothing of it."""
    with pytest.raises(SigningKeyUnusable) as refused:
        parse_keys(raw)
    assert str(refused.value).isprintable()
    assert "PRIVATE" not in str(refused.value)


@given(st.binary(max_size=60) | st.integers(1, len(WHOLE) - 3).map(lambda length: WHOLE[:length]))
def test_any_bytes_are_keys_or_refused(raw: bytes) -> None:
    """No bytes crash the reader, and a beginning of a file is not a file."""
    try:
        keys = parse_keys(raw)
    except SigningKeyUnusable:
        return
    assert keys.current.key.text == raw.decode().strip()
    assert not raw.startswith(b"{")

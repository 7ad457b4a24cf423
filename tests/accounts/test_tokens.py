"""Access tokens: what is accepted, for how long, and what others are told about the keys."""

from __future__ import annotations

import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts.key_ring import LOOK_SECONDS, KeyRing
from justchat.accounts.key_set import KeptKey, KeySet, fresh_keys, rotated
from justchat.accounts.signing_key import Algorithm, fresh_signing_key
from justchat.accounts.tokens import (
    AUDIENCE,
    LEEWAY_SECONDS,
    TOKEN_MAX_CHARACTERS,
    Claims,
    TokenProblem,
    Tokens,
    retired_seconds,
)
from justchat.ids import is_id
from tests.accounts.forging import ALGORITHMS, LIFE, NOW, SESSION, USER, Clock, forge, key_of, leave, tokens, with_claim

REFUSED = TokenProblem.UNAUTHENTICATED
CLAIMS = ("iss", "aud", "sub", "sid", "exp", "iat", "jti")
BEFORE = KeySet(KeptKey(fresh_signing_key()), KeptKey(fresh_signing_key()))


def after(keys: KeySet = BEFORE, *, at: float = NOW) -> KeySet:
    """The keys after a rotation."""
    return rotated(keys, fresh_signing_key, now=at, retired_seconds=retired_seconds(LIFE))


def ring(keys: KeySet) -> KeyRing:
    """A ring in which retired keys verify for as long as their tokens live."""
    return KeyRing(keys, retired_seconds=retired_seconds(LIFE))


def kids(published: dict[str, list[dict[str, str]]]) -> list[str]:
    """The names of the published keys."""
    return [key["kid"] for key in published["keys"]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_issued_token_is_accepted_and_says_who(algorithm: Algorithm) -> None:
    """All claims are there and no others, the life is the configured one, and the header says no more than it must."""
    key = key_of(algorithm)
    ours = tokens(key)
    token, expires_in_seconds = ours.issue(USER, SESSION)
    assert expires_in_seconds == LIFE
    claims = ours.verify(token)
    assert isinstance(claims, Claims)
    assert is_id("t", claims.jti)
    assert claims == Claims("justchat", AUDIENCE, USER, SESSION, NOW + LIFE, NOW, claims.jti)
    assert sorted(json.loads(jwt.PyJWS().decode(token, key.verifying, [algorithm]))) == sorted(CLAIMS)
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}
    assert ours.issue(USER, SESSION)[0] != token


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_forged_token_without_a_flaw_would_be_accepted(algorithm: Algorithm) -> None:
    """The refusals in these tests are for the flaw, not for the way the tests make tokens."""
    assert isinstance(tokens(key_of(algorithm)).verify(forge(leave, key_of(algorithm))), Claims)


def test_the_longest_token_of_ours_is_not_too_long() -> None:
    """The longest issuer that a setting allows, in the longest characters, under the key with the longest signature."""
    ours = tokens(key_of("RS256"), issuer="\U0001f680" * 200)
    token, _ = ours.issue(USER, SESSION)
    # 4096 bits take twice as much room as the 2048 of this key.
    assert len(token) + 342 <= TOKEN_MAX_CHARACTERS
    assert isinstance(ours.verify(token), Claims)


def test_a_token_expires_with_a_little_leeway_and_says_so() -> None:
    """Expired is told apart from invalid, so that a client knows to refresh."""
    clock = Clock()
    ours = tokens(key_of("EdDSA"), clock=clock)
    token, _ = ours.issue(USER, SESSION)
    clock.now = NOW + LIFE + LEEWAY_SECONDS - 0.5
    assert isinstance(ours.verify(token), Claims)
    clock.now = NOW + LIFE + LEEWAY_SECONDS
    assert ours.verify(token) is TokenProblem.TOKEN_EXPIRED


def test_clocks_may_differ_a_little() -> None:
    """A token from a moment ahead is accepted within the leeway, and not beyond."""
    ours = tokens(key_of("EdDSA"))
    ahead = forge(with_claim("iat", NOW + LEEWAY_SECONDS), key_of("EdDSA"))
    assert isinstance(ours.verify(ahead), Claims)
    assert ours.verify(forge(with_claim("iat", NOW + LEEWAY_SECONDS + 1), key_of("EdDSA"))) is REFUSED


def test_a_token_of_the_former_key_is_good_until_it_has_run_out() -> None:
    """Nobody is logged out by a rotation, and what the former key signed last lives as long as any other token."""
    clock = Clock()
    former = tokens(ring(BEFORE), clock=clock)
    # A running server may not have looked yet.
    clock.now = NOW + LOOK_SECONDS
    token, _ = former.issue(USER, SESSION)
    clock.now = NOW + LOOK_SECONDS + LIFE + LEEWAY_SECONDS - 1
    ours = tokens(ring(after(at=NOW)), clock=clock)
    assert isinstance(ours.verify(token), Claims)
    assert jwt.get_unverified_header(ours.issue(USER, SESSION)[0])["kid"] == BEFORE.next.key.kid
    clock.now += 1
    assert ours.verify(token) is TokenProblem.TOKEN_EXPIRED
    assert tokens(BEFORE.next.key).verify(token) is REFUSED


def test_a_retired_key_signs_nothing_that_outlives_its_tokens() -> None:
    """Whoever has got hold of a former key can make any token with it, and gets nobody in once its time has passed."""
    clock = Clock()
    ours = tokens(ring(after()), clock=clock)
    for life_seconds, problem in ((10**6, REFUSED), (LIFE, TokenProblem.TOKEN_EXPIRED)):
        stolen = forge(with_claim("exp", NOW + life_seconds), BEFORE.current.key)
        clock.now = NOW + retired_seconds(LIFE) - 0.5
        assert life_seconds == LIFE or isinstance(ours.verify(stolen), Claims)
        clock.now += 0.5
        assert ours.verify(stolen) is problem


def test_the_next_key_is_published_before_it_signs() -> None:
    """Whoever verifies elsewhere has known a key for a whole period when its first token comes."""
    clock = Clock()
    published = tokens(ring(BEFORE), clock=clock).jwks()
    assert kids(published) == [BEFORE.current.key.kid, BEFORE.next.key.kid]
    following = after(at=NOW + 100)
    ours = tokens(ring(following), clock=clock)
    assert jwt.get_unverified_header(ours.issue(USER, SESSION)[0])["kid"] in kids(published)
    assert kids(ours.jwks()) == [BEFORE.next.key.kid, following.next.key.kid, BEFORE.current.key.kid]
    clock.now = NOW + 100 + retired_seconds(LIFE)
    assert kids(ours.jwks()) == [BEFORE.next.key.kid, following.next.key.kid]


def test_a_token_of_the_next_key_is_good_already() -> None:
    """Of two processes that share the keys one may see a rotation before the other."""
    token, _ = tokens(ring(after())).issue(USER, SESSION)
    assert isinstance(tokens(ring(BEFORE)).verify(token), Claims)


@pytest.mark.parametrize(("algorithm", "members"), [("EdDSA", {"crv", "x"}), ("RS256", {"n", "e"})])
def test_others_can_check_tokens_by_what_is_published(algorithm: Algorithm, members: set[str]) -> None:
    """The published key is enough for another library, and has no private part."""
    ours = tokens(key_of(algorithm))
    (published,) = ours.jwks()["keys"]
    assert published.keys() == {"kty", "kid", "alg", "use", *members}
    assert (published["kid"], published["alg"], published["use"]) == (key_of(algorithm).kid, algorithm, "sig")
    token, _ = ours.issue(USER, SESSION)
    claims = jwt.decode(
        token, jwt.PyJWK(published), [algorithm], audience=AUDIENCE, options={"verify_exp": False, "verify_iat": False}
    )
    assert claims["sub"] == USER


def test_nothing_is_published_of_a_secret() -> None:
    """Neither of a current key nor of a next or retired one."""
    secret = key_of("HS256")
    keys = KeySet(KeptKey(secret), KeptKey(fresh_signing_key("HS256")))
    assert tokens(ring(keys)).jwks() == {"keys": []}
    following = rotated(keys, fresh_signing_key, now=NOW, retired_seconds=retired_seconds(LIFE))
    published = tokens(ring(following)).jwks()
    assert kids(published) == [following.next.key.kid]
    assert secret.text not in json.dumps(published)


def test_two_services_with_one_key_do_not_share_users() -> None:
    """A token of another issuer is refused, even with our key on it."""
    token, _ = tokens(key_of("HS256"), issuer="other").issue(USER, SESSION)
    assert tokens(key_of("HS256")).verify(token) is REFUSED


@given(st.lists(st.tuples(st.integers(0, 2 * LIFE), st.booleans()), max_size=12))
def test_no_rotation_ends_a_token_early(steps: list[tuple[int, bool]]) -> None:
    """After any series of pauses, rotations and tokens, each token is good for exactly as long as it says."""
    clock = Clock()
    keys = fresh_keys(fresh_signing_key, now=NOW)
    issued: list[tuple[str, float]] = []
    for pause_seconds, is_rotation in steps:
        clock.now += pause_seconds
        if is_rotation:
            keys = after(keys, at=clock.now)
        ours: Tokens = tokens(ring(keys), clock=clock)
        issued.append((ours.issue(USER, SESSION)[0], clock.now + LIFE + LEEWAY_SECONDS))
        for token, until in issued:
            assert isinstance(ours.verify(token), Claims) == (clock.now < until)

"""Access tokens: what is accepted, and that nothing else is, however it is made."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts.signing_key import SigningKey, fresh_signing_key, signing_key_from
from justchat.accounts.tokens import AUDIENCE, LEEWAY_SECONDS, TOKEN_TYPE, Claims, TokenProblem, Tokens
from justchat.ids import is_id, new_id

KEY = signing_key_from("0123456789abcdef" * 4)
USER = new_id("u")
NOW = 1_700_000_000
Edit = Callable[[dict[str, object], dict[str, object]], None]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def tokens(*keys: SigningKey, clock: Callable[[], float] | None = None, issuer: str = "justchat") -> Tokens:
    """Tokens of our key, with a clock at NOW."""
    return Tokens(keys or [KEY], issuer=issuer, access_seconds=600, clock=clock or Clock())


def forge(edit: Edit, *, key: bytes | str = KEY.signing, algorithm: str = "HS256") -> str:
    """A token like ours, signed with PyJWT directly, after `edit` has changed its claims and headers."""
    claims: dict[str, object] = {
        "iss": "justchat", "aud": AUDIENCE, "sub": USER, "exp": NOW + 600, "iat": NOW, "jti": "t_1",
    }  # fmt: skip
    headers: dict[str, object] = {"typ": TOKEN_TYPE, "kid": KEY.kid}
    edit(claims, headers)
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm, headers)


def leave(claims: dict[str, object], headers: dict[str, object]) -> None:
    """Change nothing."""


def with_claim(name: str, value: object) -> Edit:
    """Set one claim."""
    return lambda claims, headers: claims.update({name: value})


def without_claim(name: str) -> Edit:
    """Drop one claim."""
    return lambda claims, headers: claims.__delitem__(name)


def with_header(name: str, value: object) -> Edit:
    """Set one header."""
    return lambda claims, headers: headers.update({name: value})


def test_an_issued_token_is_accepted_and_says_who() -> None:
    """All claims are there, and the life is the configured one."""
    ours = tokens()
    token, expires_in_seconds = ours.issue(USER)
    assert expires_in_seconds == 600
    claims = ours.verify(token)
    assert isinstance(claims, Claims)
    assert (claims.sub, claims.iss, claims.aud, claims.iat, claims.exp) == (
        USER, "justchat", AUDIENCE, NOW, NOW + 600,
    )  # fmt: skip
    assert is_id("t", claims.jti)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}
    assert ours.issue(USER)[0] != token


def test_a_forged_token_without_a_flaw_would_be_accepted() -> None:
    """The rejections below are for the flaw, not for the way the test makes tokens."""
    assert isinstance(tokens().verify(forge(leave)), Claims)


def test_a_token_expires_with_a_little_leeway_and_says_so() -> None:
    """Expired is told apart from invalid, so that a client knows to refresh."""
    clock = Clock()
    ours = tokens(clock=clock)
    token, _ = ours.issue(USER)
    clock.now = NOW + 600 + LEEWAY_SECONDS - 0.5
    assert isinstance(ours.verify(token), Claims)
    clock.now = NOW + 600 + LEEWAY_SECONDS
    assert ours.verify(token) is TokenProblem.TOKEN_EXPIRED


@pytest.mark.parametrize(
    "edit",
    [
        *[without_claim(name) for name in ("iss", "aud", "sub", "exp", "iat", "jti")],
        *[with_claim(name, None) for name in ("iss", "aud", "sub", "exp", "iat", "jti")],
        with_claim("iss", "somebody"),
        with_claim("iss", ["justchat"]),
        with_claim("aud", "justchat:refresh"),
        with_claim("aud", [AUDIENCE]),
        with_claim("sub", 7),
        with_claim("sub", "ann"),
        with_claim("sub", new_id("r")),
        with_claim("exp", str(NOW + 600)),
        with_claim("exp", float("inf")),
        with_claim("exp", float("nan")),
        with_claim("exp", 10**30),
        with_claim("exp", -1),
        with_claim("exp", True),
        with_claim("iat", NOW + LEEWAY_SECONDS + 1),
        with_claim("jti", ""),
        with_header("typ", "JWT"),
        with_header("typ", "rt+jwt"),
        with_header("typ", ["at+jwt"]),
        with_header("kid", "unknown"),
        with_header("kid", ""),
        with_header("crit", ["x"]),
        lambda claims, headers: headers.pop("kid"),
        lambda claims, headers: headers.pop("typ"),
    ],
)
def test_a_signed_token_with_one_flaw_is_refused(edit: Edit) -> None:
    """Every claim is required with its exact type, and the headers are ours."""
    assert tokens().verify(forge(edit)) is TokenProblem.UNAUTHENTICATED


def test_another_key_another_algorithm_or_none_is_refused() -> None:
    """The key table decides on key and algorithm; what the token proposes does not matter."""
    other = fresh_signing_key()
    assert tokens().verify(forge(leave, key=other.signing)) is TokenProblem.UNAUTHENTICATED
    assert tokens().verify(forge(with_header("kid", other.kid), key=other.signing)) is TokenProblem.UNAUTHENTICATED
    assert tokens().verify(forge(leave, algorithm="HS384")) is TokenProblem.UNAUTHENTICATED
    assert tokens().verify(forge(leave, key="", algorithm="none")) is TokenProblem.UNAUTHENTICATED
    embedded = with_header("jwk", {"kty": "oct", "k": base64.urlsafe_b64encode(other.signing).decode()})
    assert tokens().verify(forge(embedded, key=other.signing)) is TokenProblem.UNAUTHENTICATED


def test_no_part_of_a_token_can_be_changed() -> None:
    """Every character of it is covered: by the signature, or by being the signature."""
    ours = tokens()
    token, _ = ours.issue(USER)
    for place in range(len(token)):
        changed = "B" if token[place] != "B" else "C"
        assert ours.verify(token[:place] + changed + token[place + 1 :]) is TokenProblem.UNAUTHENTICATED


def test_a_token_of_another_issuer_with_the_same_key_is_refused() -> None:
    """Two services that share a key by mistake do not share users."""
    token, _ = tokens(issuer="other").issue(USER)
    assert tokens().verify(token) is TokenProblem.UNAUTHENTICATED


def test_an_old_key_verifies_until_it_is_taken_away() -> None:
    """Keys can be changed without logging anybody out: the first signs, all verify."""
    old, new = KEY, fresh_signing_key()
    token, _ = tokens(old).issue(USER)
    both = tokens(new, old)
    assert isinstance(both.verify(token), Claims)
    assert jwt.get_unverified_header(both.issue(USER)[0])["kid"] == new.kid
    assert tokens(new).verify(token) is TokenProblem.UNAUTHENTICATED


def b64(value: object) -> str:
    """A value as a segment of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "\x00",
        "é" * 10,
        "\ud800",
        "=" * 100,
        "a" * 1_000_000,
        f"{b64([])}.{b64({})}.AAAA",
        f"{b64(None)}.{b64({})}.AAAA",
        f"{b64({'alg': ['HS256'], 'kid': KEY.kid})}.{b64({})}.AAAA",
        f"{b64({'alg': 'HS256', 'kid': [1]})}.{b64({})}.AAAA",
        f"{b64({'alg': 'HS256', 'kid': {}})}.{b64({})}.AAAA",
        f"{b64({'kid': KEY.kid})}.{b64({})}.AAAA",
        f"{b64({'alg': 'HS256', 'kid': KEY.kid, 'b64': False, 'crit': ['b64']})}..AAAA",
        f"{b64(b'[' * 1200)}.{b64({})}.AAAA",
        f"{b64(b'1' * 1400)}.{b64({})}.AAAA",
        f"{b64(bytes([255]))}.{b64({})}.AAAA",
    ],
)
def test_garbage_is_refused_and_never_crashes(token: str) -> None:
    """Tokens come from strangers."""
    assert tokens().verify(token) is TokenProblem.UNAUTHENTICATED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku"]), JSON, max_size=4)
CLAIMS = st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "iat", "jti"]), JSON, max_size=6)


@given(HEADERS, CLAIMS, st.binary(max_size=40))
def test_any_unsigned_structure_is_refused(headers: dict[str, object], claims: object, signature: bytes) -> None:
    """Shaped like a token, signed by nobody."""
    for head in (headers, headers | {"alg": "HS256", "kid": KEY.kid, "typ": TOKEN_TYPE}):
        token = f"{b64(head)}.{b64(claims)}.{b64(signature)}"
        assert tokens().verify(token) is TokenProblem.UNAUTHENTICATED


@given(CLAIMS, st.integers(0, 2**40))
def test_any_signed_claims_are_accepted_only_if_they_are_ours_and_current(claims: dict[str, object], now: int) -> None:
    """Even with our own key on it, a payload that is not exactly right gets nobody in, and nothing crashes."""
    verified = tokens(clock=lambda: now).verify(forge(lambda into, headers: into.update(claims)))
    if isinstance(verified, Claims):
        assert verified.iat - LEEWAY_SECONDS <= now < verified.exp + LEEWAY_SECONDS
        assert (verified.iss, verified.aud) == ("justchat", AUDIENCE)

"""Attacks on access tokens, as RFC 8725 and the history of JWT libraries have them: none gets anybody in."""

from __future__ import annotations

import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st

from justchat.accounts.signing_key import Algorithm, SigningKey, fresh_signing_key
from justchat.accounts.tokens import (
    AUDIENCE,
    LEEWAY_SECONDS,
    TOKEN_MAX_CHARACTERS,
    TOKEN_TYPE,
    Claims,
    TokenProblem,
)
from justchat.ids import new_id
from tests.accounts.forging import (
    ALGORITHMS,
    LIFE,
    NOW,
    SESSION,
    USER,
    Edit,
    b64,
    forge,
    key_of,
    leave,
    mac_with,
    signed_by,
    tokens,
    unsigned,
    with_claim,
    with_header,
    without_claim,
    without_header,
)

REFUSED = TokenProblem.UNAUTHENTICATED
CLAIMS = ("iss", "aud", "sub", "sid", "exp", "iat", "jti")
STRANGER = fresh_signing_key()
NESTED = b'{"a":' * 300
WRONG_TYPES = (None, True, [], {}, 1.5, ["justchat"])

FLAWS: dict[str, Edit] = {
    **{f"no {name}": without_claim(name) for name in CLAIMS},
    **{f"{name} {value!r}": with_claim(name, value) for name in CLAIMS for value in WRONG_TYPES},
    **{f"{name} 7": with_claim(name, 7) for name in ("iss", "aud", "sub", "sid", "jti")},
    **{f"{name} text": with_claim(name, str(NOW)) for name in ("exp", "iat")},
    **{f"{name} {value}": with_claim(name, value) for name in ("exp", "iat") for value in (-1, 10**30, float(NOW))},
    **{f"exp {value}": with_claim("exp", float(value)) for value in ("inf", "nan")},
    "another issuer": with_claim("iss", "somebody"),
    "an issuer in another case": with_claim("iss", "JustChat"),
    "a refresh token's audience": with_claim("aud", "justchat:refresh"),
    "audiences": with_claim("aud", [AUDIENCE]),
    "a name for an id": with_claim("sub", "ann"),
    "a room for a user": with_claim("sub", new_id("r")),
    "a user for a session": with_claim("sid", new_id("u")),
    "from the future": with_claim("iat", NOW + LEEWAY_SECONDS + 1),
    "no name of its own": with_claim("jti", ""),
    **{f"typ {value!r}": with_header("typ", value) for value in ("JWT", "rt+jwt", "AT+JWT", "", None, ["at+jwt"])},
    **{f"no {name}": without_header(name) for name in ("alg", "typ", "kid")},
    **{
        f"foreign kid {place}": with_header("kid", value)
        for place, value in enumerate((
            "", "unknown", STRANGER.kid, "../../../../dev/null", "/etc/passwd", "file:///dev/null", "' OR '1'='1",
            "x' UNION SELECT 'secret' --", "$(id)", "\x00", None, 1, [], {}, ["x"], "a" * 500,
        ))
    },
    "something critical": with_header("crit", ["x"]),
    "nothing critical": with_header("crit", []),
    "a critical header that is there": lambda claims, headers: headers.update(crit=["exp"], exp=NOW + 10**6),
    "a payload that is not encoded": lambda claims, headers: headers.update(b64=False, crit=["b64"]),
    "compressed": with_header("zip", "DEF"),
    "a payload of another type": with_header("cty", "JWT"),
}  # fmt: skip


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("edit", FLAWS.values(), ids=FLAWS.keys())
def test_one_flaw_is_enough_even_with_our_own_signature(algorithm: Algorithm, edit: Edit) -> None:
    """Every claim is required with its exact type, and the headers are ours."""
    assert tokens(key_of(algorithm)).verify(forge(edit, key_of(algorithm))) is REFUSED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_expired_token_is_refused(algorithm: Algorithm) -> None:
    """It says that it has expired, and only if it was good once."""
    old = with_claim("exp", NOW - LEEWAY_SECONDS)
    ours = tokens(key_of(algorithm))
    assert ours.verify(forge(old, key_of(algorithm))) is TokenProblem.TOKEN_EXPIRED
    assert ours.verify(forge(old, key_of(algorithm), sign=unsigned)) is REFUSED
    assert ours.verify(forge(old, key_of(algorithm), sign=mac_with(b"guessed"))) is REFUSED


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", "none ", "\u0000none", "", None, False, ["none"]])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_signature_is_none_however_that_is_spelt(algorithm: Algorithm, none: object) -> None:
    """Without signature, with an empty or a wrong one, under the name of our key or of none."""
    key = key_of(algorithm)
    ours = tokens(key)
    for sign in (unsigned, signed_by(key), mac_with(b"")):
        assert ours.verify(forge(with_header("alg", none), key, sign=sign)) is REFUSED
    without_kid: Edit = lambda claims, headers: (headers.update(alg=none), headers.pop("kid"))  # noqa: E731
    assert ours.verify(forge(without_kid, key, sign=unsigned)) is REFUSED
    assert ours.verify(forge(leave, key, sign=unsigned)) is REFUSED


def public_forms(key: SigningKey) -> list[bytes]:
    """Everything that a server might mistake for a secret and a stranger can know of a key."""
    assert not isinstance(key.verifying, bytes)
    pem = key.verifying.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = key.verifying.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(key.jwk()).encode()
    raw = key.verifying.public_bytes_raw() if key.algorithm == "EdDSA" else der[24:]
    return [pem, pem.strip(), pem.replace(b"\n", b"\r\n"), der, jwk, raw, key.kid.encode(), b""]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
@pytest.mark.parametrize("claimed", ["HS256", "HS384", "HS512", "hs256"])
def test_a_public_key_is_no_secret(algorithm: Algorithm, claimed: str) -> None:
    """Key confusion: the server would check an HMAC with what it has published."""
    key = key_of(algorithm)
    for secret in public_forms(key):
        assert tokens(key).verify(forge(with_header("alg", claimed), key, sign=mac_with(secret))) is REFUSED
        assert tokens(key).verify(forge(leave, key, sign=mac_with(secret))) is REFUSED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ["EdDSA", "RS256", "HS256", "RS384", "RS512", "PS256", "ES256", "HS512", "Ed25519"])
def test_a_key_has_one_algorithm_whatever_the_header_says(algorithm: Algorithm, other: str) -> None:
    """Even the right signature under another algorithm's name is refused, and so is the algorithm of another key."""
    key = key_of(algorithm)
    if other != algorithm:
        assert tokens(key).verify(forge(with_header("alg", other), key)) is REFUSED
    for stranger in (fresh_signing_key("EdDSA"), fresh_signing_key("HS256")):
        forged = forge(with_header("alg", stranger.algorithm), key, sign=signed_by(stranger))
        assert tokens(key).verify(forged) is REFUSED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_key_is_refused_under_its_own_name_and_under_ours(algorithm: Algorithm) -> None:
    """What counts is the key that we have under that name."""
    ours, stranger = tokens(key_of(algorithm)), fresh_signing_key(algorithm)
    assert ours.verify(forge(leave, stranger)) is REFUSED
    assert ours.verify(forge(leave, key_of(algorithm), sign=signed_by(stranger))) is REFUSED


def test_a_secret_that_names_our_public_key_is_another_key() -> None:
    """A stranger's HS256 key gets nowhere under the kid of an asymmetric one, nor the other way round."""
    for name, signer in ((key_of("EdDSA"), key_of("HS256")), (key_of("HS256"), key_of("EdDSA"))):
        renamed = SigningKey(name.kid, signer.algorithm, signer.verifying, signer.text, signer.signing)
        assert tokens(name).verify(forge(leave, renamed)) is REFUSED


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "keys", "key"])
@pytest.mark.parametrize("kid", ["ours", "theirs", "none"])
def test_a_token_brings_no_key_along(header: str, kid: str) -> None:
    """A key in the header, or an address to get one from, is not heeded, whoever the token says has signed it."""
    key = key_of("EdDSA")
    jwk = STRANGER.jwk()
    values = {"jwk": jwk, "keys": [jwk], "x5c": [b64(public_forms(STRANGER)[3])], "key": STRANGER.text}

    def embed(claims: dict[str, object], headers: dict[str, object]) -> None:
        headers[header] = values.get(header, "http://127.0.0.1:1/keys.json")
        headers["kid"] = {"ours": key.kid, "theirs": STRANGER.kid}.get(kid)
        if kid == "none":
            del headers["kid"]

    assert tokens(key).verify(forge(embed, key, sign=signed_by(STRANGER))) is REFUSED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_parts_of_two_good_tokens_make_no_third(algorithm: Algorithm) -> None:
    """Payload, header and signature belong together."""
    ours = tokens(key_of(algorithm))
    first, second = (ours.issue(new_id("u"), SESSION)[0].split(".") for _ in range(2))
    assert ours.verify(".".join((first[0], second[1], first[2]))) is REFUSED
    assert ours.verify(".".join((first[0], first[1], second[2]))) is REFUSED
    promoted = json.loads(jwt.utils.base64url_decode(first[1])) | {"sub": USER}
    assert ours.verify(".".join((first[0], b64(promoted), first[2]))) is REFUSED


def issued(algorithm: Algorithm) -> str:
    """A good token."""
    return tokens(key_of(algorithm)).issue(USER, SESSION)[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_character_of_a_token_can_be_changed(algorithm: Algorithm) -> None:
    """Every character is covered, also the last of a signature, some of whose bits mean nothing."""
    ours, token = tokens(key_of(algorithm)), issued(algorithm)
    for place, character in enumerate(token):
        near = chr(ord(character) ^ 1)
        for changed in (near, "A" if character != "A" else "B", "", character * 2):
            assert ours.verify(token[:place] + changed + token[place + 1 :]) is REFUSED, (place, changed)
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert last == token[-1] or ours.verify(token[:-1] + last) is REFUSED


@pytest.mark.parametrize("extra", ["=", "==", "===", " ", "\n", "\r\n", "\t", ".", "..", "A", "AAAA", "\x00", "!", "é"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_can_be_added_to_a_token(algorithm: Algorithm, extra: str) -> None:
    """Decoders that skip what they do not know would accept many spellings of one token."""
    ours, token = tokens(key_of(algorithm)), issued(algorithm)
    head, payload, signature = token.split(".")
    for changed in (
        extra + token,
        token + extra,
        f"{head}{extra}.{payload}.{signature}",
        f"{head}.{payload}{extra}.{signature}",
        f"{head}.{payload}.{extra}{signature}",
        f"{head}.{payload}.{signature[:9]}{extra}{signature[9:]}",
    ):
        assert ours.verify(changed) is REFUSED, changed


EDITS = st.tuples(st.integers(0, 2000), st.integers(0, 4), st.text(max_size=4) | st.sampled_from([".", "=", "-", "_"]))


@given(st.sampled_from(ALGORITHMS), st.lists(EDITS, min_size=1, max_size=3))
def test_any_mutation_of_a_good_token_is_refused(algorithm: Algorithm, edits: list[tuple[int, int, str]]) -> None:
    """Cut out and put in anything, anywhere, up to three times."""
    token = mutated = issued(algorithm)
    for place, length, text in edits:
        place %= len(mutated) + 1
        mutated = mutated[:place] + text + mutated[place + length :]
    assume(mutated != token)
    assert tokens(key_of(algorithm)).verify(mutated) is REFUSED


@given(st.sampled_from(ALGORITHMS), st.permutations([0, 1, 2]), st.sampled_from([str.lower, str.upper, str.swapcase]))
def test_parts_in_another_order_or_case_are_refused(
    algorithm: Algorithm, order: list[int], change: Callable[[str], str]
) -> None:
    """A token is the three parts in their order, letter by letter."""
    token = issued(algorithm)
    parts = token.split(".")
    assert order == [0, 1, 2] or tokens(key_of(algorithm)).verify(".".join(parts[at] for at in order)) is REFUSED
    for at in range(3):
        changed = [change(part) if place == at else part for place, part in enumerate(parts)]
        assert tokens(key_of(algorithm)).verify(".".join(changed)) is REFUSED


def test_too_long_a_token_is_refused_unread() -> None:
    """The bound is exact; a good signature over a long payload does not help."""
    key = key_of("HS256")
    ours = tokens(key)
    for length, accepted in ((TOKEN_MAX_CHARACTERS, True), (TOKEN_MAX_CHARACTERS + 1, False)):
        sizes = {len(token): token for token in (forge(with_claim("jti", "t" * n), key) for n in range(1900, 2100))}
        nearest = sizes.get(length) or sizes[length + 1]
        assert isinstance(ours.verify(nearest), Claims) == (len(nearest) <= TOKEN_MAX_CHARACTERS) == accepted
    assert ours.verify("a" * 1_000_000) is REFUSED


@pytest.mark.parametrize("key", [key_of(algorithm) for algorithm in ALGORITHMS], ids=ALGORITHMS)
@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "a.b", "a.b.c.d", "\x00", "é" * 10, "\ud800", "=" * 100, ".AAAA.", "..AAAA",
        "A.A.A", "{}.{}.{}", "null", "Bearer x.y.z",
        *(f"{b64(head)}.{b64({})}.AAAA" for head in ([], None, 1, "x", {}, b"", b"\xff", b"[" * 1200, b"1" * 1400)),
        *(f"{b64({'alg': alg, 'kid': 'k', 'typ': TOKEN_TYPE})}.{b64({})}.AAAA" for alg in (["HS256"], {}, None, 0)),
        f"{b64(NESTED)}.{b64({})}.AAAA",
    ],
)  # fmt: skip
def test_garbage_is_refused_and_never_crashes(key: SigningKey, token: str) -> None:
    """Tokens come from strangers."""
    assert tokens(key).verify(token) is REFUSED


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"\xff", b"[" * 1000, b"{" * 100, b'{"exp":' + b"9" * 900])
def test_a_signed_payload_that_is_no_claims_is_refused(payload: bytes) -> None:
    """Also what is signed is read with care: others may sign with the same secret."""
    key = key_of("HS256")
    head = b64({"alg": "HS256", "kid": key.kid, "typ": TOKEN_TYPE})
    message = f"{head}.{b64(payload)}"
    assert tokens(key).verify(f"{message}.{b64(signed_by(key)(message.encode()))}") is REFUSED
    deep = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}"
    message = f"{head}.{b64(deep)}"
    assert tokens(key).verify(f"{message}.{b64(signed_by(key)(message.encode()))}") is REFUSED


def test_of_two_claims_with_one_name_only_one_counts() -> None:
    """Whatever a token says twice, what has been checked is what is given."""
    key = key_of("HS256")
    good = json.dumps(json.loads(jwt.utils.base64url_decode(forge(leave, key).split(".")[1])))
    other = new_id("u")
    twice = f'{good[:-1]}, "sub": "{other}"}}'
    message = f"{b64({'alg': 'HS256', 'kid': key.kid, 'typ': TOKEN_TYPE})}.{b64(twice.encode())}"
    verified = tokens(key).verify(f"{message}.{b64(signed_by(key)(message.encode()))}")
    assert isinstance(verified, Claims)
    assert verified.sub == other


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
SOME_HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku", "jwk"]), JSON, max_size=4)
SOME_CLAIMS = st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "scope"]), JSON, max_size=6)


@given(st.sampled_from(ALGORITHMS), SOME_HEADERS, SOME_CLAIMS, st.binary(max_size=70))
def test_anything_in_the_shape_of_a_token_is_refused(
    algorithm: Algorithm, headers: dict[str, object], claims: object, signature: bytes
) -> None:
    """Signed by nobody, with any header or the right one."""
    key = key_of(algorithm)
    for head in (headers, headers | {"alg": algorithm, "kid": key.kid, "typ": TOKEN_TYPE}):
        assert tokens(key).verify(f"{b64(head)}.{b64(claims)}.{b64(signature)}") is REFUSED


@given(SOME_CLAIMS, st.integers(0, 2**40))
def test_any_signed_claims_are_accepted_only_if_they_are_ours_and_current(claims: dict[str, object], now: int) -> None:
    """Even with our own key on it, a payload that is not exactly right gets nobody in, and nothing crashes."""
    key = key_of("HS256")
    verified = tokens(key, clock=lambda: now).verify(forge(lambda into, headers: into.update(claims), key))
    if isinstance(verified, Claims):
        assert verified.iat - LEEWAY_SECONDS <= now < verified.exp + LEEWAY_SECONDS
        assert (verified.iss, verified.aud, verified.sub, verified.sid) == ("justchat", AUDIENCE, USER, SESSION)
        assert verified.exp <= NOW + LIFE or claims["exp"] == verified.exp

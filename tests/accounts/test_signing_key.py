"""Signing keys: what makes one, what it is called, what is shown of it, and what is refused as one."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.utils import base64url_decode

from justchat.accounts.signing_key import (
    KEY_MIN_BYTES,
    Algorithm,
    SigningKeyUnusable,
    fresh_signing_key,
    signing_key_from,
    thumbprint,
    verifying_key_from,
)
from tests.accounts.forging import ALGORITHMS, key_of

TEXT = "0123456789abcdef" * 4
Private = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey


def pem(key: Private, *, form: PrivateFormat = PrivateFormat.PKCS8, password: str = "") -> str:
    """A private key as people keep it."""
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, lock).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_read_from_its_text_is_the_same_key(algorithm: Algorithm) -> None:
    """Kept and read again it signs with the same algorithm under the same name; line ends do not matter."""
    key = key_of(algorithm)
    assert key.algorithm == algorithm
    for text in (key.text, f"\n{key.text}\n", key.text.replace("\n", "\r\n")):
        again = signing_key_from(text)
        assert (again.kid, again.algorithm, again) == (key.kid, algorithm, key)
    assert fresh_signing_key(algorithm).kid != key.kid


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_a_key_may_be_written_on_one_line(algorithm: Algorithm) -> None:
    r"""Where a variable has no lines, \n stands for their ends."""
    key = key_of(algorithm)
    assert signing_key_from(key.text.replace("\n", "\\n")) == key


def test_a_key_of_rsa_may_be_kept_the_old_way() -> None:
    """As many tools write it: `BEGIN RSA PRIVATE KEY`."""
    key = key_of("RS256").signing
    assert isinstance(key, rsa.RSAPrivateKey)
    assert signing_key_from(pem(key, form=PrivateFormat.TraditionalOpenSSL)) == key_of("RS256")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_retired_key_keeps_its_name_and_not_its_private_half(algorithm: Algorithm) -> None:
    """What is only to verify can be kept without what signs; a secret is both."""
    key = key_of(algorithm)
    retired = key.retired()
    assert (retired.kid, retired.algorithm) == (key.kid, algorithm)
    assert ("PRIVATE" in retired.text) is False
    assert (retired.text == key.text) == (algorithm == "HS256")
    assert verifying_key_from(retired.text) == retired
    assert retired != key


def test_the_name_of_a_public_key_is_its_thumbprint() -> None:
    """The examples of RFC 7638 and of RFC 8037."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    members = {"kty": "RSA", "n": modulus, "e": "AQAB"}
    assert thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    seed = base64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    key = signing_key_from(pem(ed25519.Ed25519PrivateKey.from_private_bytes(seed)))
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.jwk() == {
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": key.kid, "alg": "EdDSA", "use": "sig",
    }  # fmt: skip


def test_a_text_keeps_the_name_that_it_always_had() -> None:
    """Tokens made before there were other kinds of keys stay good."""
    key = signing_key_from(TEXT)
    assert (key.kid, key.algorithm, key.signing) == ("83aa6666ec5731b6", "HS256", TEXT.encode())
    assert key.jwk() is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_shown_is_its_name(algorithm: Algorithm) -> None:
    """Neither a log nor a traceback shows more."""
    key = key_of(algorithm)
    assert repr(key) == f"SigningKey(kid={key.kid!r}, algorithm={algorithm!r})"
    assert str(key) == repr(key)
    assert repr(key.retired()) == f"VerifyingKey(kid={key.kid!r}, algorithm={algorithm!r})"


def public_pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    """A public key as people keep it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_rsa(bits: int) -> str:
    """A public key of any size, which nobody has the other half of."""
    return public_pem(rsa.RSAPublicNumbers(65537, 2**bits - 1).public_key())


UNSEEN = "one private key without a password"
NO_KEYS: dict[str, tuple[str, str]] = {
    "too short": ("x" * (KEY_MIN_BYTES - 1), "at least 32 bytes"),
    "nothing": ("", "at least 32 bytes"),
    "space": (" " * 100, "at least 32 bytes"),
    "no text": ("\0" * 100, "is text"),
    "no characters": ("\ud800" * 100, "no secret"),
    "an SSH key": (f"ssh-ed25519 {'A' * 68} me@example", "no secret"),
    "an old SSH key": (f"ssh-rsa {'A' * 68} me@example", "no secret"),
    "a JWK": ('{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}', "no secret"),
    "a public key": (key_of("EdDSA").retired().text, UNSEEN),
    "a public key of RSA": (key_of("RS256").retired().text, UNSEEN),
    "a certificate": ("-----BEGIN CERTIFICATE-----\nMIIBszCCARwCCQ==\n-----END CERTIFICATE-----", UNSEEN),
    "only the first line": ("-----BEGIN PRIVATE KEY-----", UNSEEN),
    "not the last line": (key_of("EdDSA").text[:-20], UNSEEN),
    "NULs within": (key_of("EdDSA").text.replace("M", "\0"), UNSEEN),
    "locked": (pem(ed25519.Ed25519PrivateKey.generate(), password="hunter2"), UNSEEN),
    "for ECDSA": (pem(ec.generate_private_key(ec.SECP256R1())), "Ed25519 or RSA"),
    "for encryption": (pem(x25519.X25519PrivateKey.generate()), "Ed25519 or RSA"),
    "too small": (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "2048 to 4096 bits"),
}


@pytest.mark.parametrize(("text", "says"), NO_KEYS.values(), ids=NO_KEYS.keys())
def test_what_is_no_good_key_is_refused(text: str, says: str) -> None:
    """Too short, known to everybody, for something else, locked, broken or weak; the reason quotes nothing of it."""
    with pytest.raises(SigningKeyUnusable, match=says) as refused:
        signing_key_from(text)
    assert str(refused.value).isprintable()
    assert len(text.strip()) < KEY_MIN_BYTES or text[:12] not in str(refused.value)


NO_VERIFYING_KEYS = {
    "private": key_of("EdDSA").text,
    "for ECDSA": public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
    "too small": public_rsa(2047),
    "too large": public_rsa(4097),
    "only the first line": "-----BEGIN PUBLIC KEY-----",
    "too short": "short",
}


@pytest.mark.parametrize("text", NO_VERIFYING_KEYS.values(), ids=NO_VERIFYING_KEYS.keys())
def test_what_is_no_good_key_verifies_nothing(text: str) -> None:
    """A retired key is as strict about what it is."""
    with pytest.raises(SigningKeyUnusable):
        verifying_key_from(text)


def test_keys_of_rsa_have_a_range_of_sizes() -> None:
    """From what is safe to what a token has room for."""
    assert [verifying_key_from(public_rsa(bits)).algorithm for bits in (2048, 3072, 4096)] == ["RS256"] * 3


def test_keys_made_here_are_random_and_long_enough() -> None:
    """48 random bytes in text, 2048 bits, and a curve that has one size."""
    assert len({fresh_signing_key("HS256").text for _ in range(20)}) == 20
    assert len(fresh_signing_key("HS256").text) == 64
    made = key_of("RS256").signing
    assert isinstance(made, rsa.RSAPrivateKey)
    assert (made.key_size, made.public_key().public_numbers().e) == (2048, 65537)

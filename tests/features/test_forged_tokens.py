"""Forged tokens over REST and over WebSockets: each attack of RFC 8725 is 401 there and 4501 here.

The tokens are made with the server's own key and a session that is there: but for the one thing that each of them has
wrong, they would be accepted, which is shown first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_ring import KeyRing
from justchat.accounts.signing_key import Algorithm, SigningKey, fresh_signing_key
from justchat.accounts.tokens import AUDIENCE
from justchat.ids import new_id
from tests.accounts.forging import (
    ALGORITHMS,
    Edit,
    Signer,
    b64,
    forge,
    leave,
    mac_with,
    signed_by,
    unsigned,
    with_claim,
    with_header,
    without_claim,
    without_header,
)
from tests.http.desk import Desk, bearer
from tests.http.office import open_office
from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock
STRANGER = fresh_signing_key()
LIFE = 600


class Good(Struct, frozen=True):
    """What a flawless token needs: the server's key, and a user with a session."""

    key: SigningKey
    user: str
    session: str

    def forged(self, edit: Edit, *, sign: Signer | None = None) -> str:
        """Make a token that is flawless now, but for what `edit` does to it and for who signs it."""
        now = int(time.time())

        def both(claims: dict[str, object], headers: dict[str, object]) -> None:
            claims.update(sub=self.user, sid=self.session, iat=now, exp=now + LIFE, jti=new_id("t"))
            edit(claims, headers)

        return forge(both, self.key, sign=sign)


Attack = Callable[[Good], str]


def flawed(edit: Edit) -> Attack:
    """Make an attack of something that is wrong under our own signature."""
    return lambda good: good.forged(edit)


def by_public_key(form: Callable[[SigningKey], bytes]) -> Attack:
    """Make an attack by a MAC whose secret is what everybody can know of the key."""
    return lambda good: good.forged(with_header("alg", "HS256"), sign=mac_with(form(good.key)))


def pem(key: SigningKey) -> bytes:
    return key.text.encode() if isinstance(key.verifying, bytes) else _public(key, Encoding.PEM)


def der(key: SigningKey) -> bytes:
    return b"x" if isinstance(key.verifying, bytes) else _public(key, Encoding.DER)


def _public(key: SigningKey, encoding: Encoding) -> bytes:
    assert not isinstance(key.verifying, bytes)
    return key.verifying.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def tampered(good: Good, *, part: int) -> str:
    """Change one character of a good token's header, payload or signature."""
    parts = good.forged(leave).split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)


def promoted(good: Good) -> str:
    """Put another user into a good token and keep its signature."""
    header, _, signature = good.forged(leave).split(".")
    _, claims, _ = good.forged(with_claim("sub", new_id("u"))).split(".")
    return f"{header}.{claims}.{signature}"


def with_its_own_key(good: Good) -> str:
    """Have a stranger sign, and bring the stranger's public key along."""
    return good.forged(with_header("jwk", STRANGER.jwk()), sign=signed_by(STRANGER))


ATTACKS: dict[str, Attack] = {
    **{
        f"alg {none}": lambda good, none=none: good.forged(with_header("alg", none), sign=unsigned)  # type: ignore[misc]
        for none in ("none", "None", "NONE", "")
    },
    "no signature under our algorithm": lambda good: good.forged(leave, sign=unsigned),
    "the public key in PEM as a secret": by_public_key(lambda key: pem(key) if key.algorithm != "HS256" else b""),
    "the public key in DER as a secret": by_public_key(der),
    "the published key as a secret": by_public_key(lambda key: json.dumps(key.jwk()).encode()),
    "the name of the key as a secret": by_public_key(lambda key: key.kid.encode()),
    "the algorithm of another key": flawed(with_header("alg", "ES256")),
    "another audience": flawed(with_claim("aud", "justchat:refresh")),
    "many audiences": flawed(with_claim("aud", [AUDIENCE, "other"])),
    "another issuer": flawed(with_claim("iss", "somebody")),
    "another typ": flawed(with_header("typ", "JWT")),
    "a refresh token's typ": flawed(with_header("typ", "rt+jwt")),
    "from the future": flawed(lambda claims, headers: claims.update(iat=int(time.time()) + 3600)),
    "never ending": flawed(with_claim("exp", 1e308)),
    "tampered header": lambda good: tampered(good, part=0),
    "tampered payload": lambda good: tampered(good, part=1),
    "tampered signature": lambda good: tampered(good, part=2),
    "another user under our signature": promoted,
    "a foreign key of its own name": flawed(with_header("kid", STRANGER.kid)),
    "a foreign key under our name": lambda good: good.forged(leave, sign=signed_by(STRANGER)),
    "a key that it brings along": with_its_own_key,
    "a key from elsewhere": flawed(with_header("jku", "http://127.0.0.1:1/jwks.json")),
    "a file for a key": flawed(with_header("kid", "../../../../dev/null")),
    "something critical": flawed(with_header("crit", ["exp"])),
    **{f"no {name}": flawed(without_claim(name)) for name in ("iss", "aud", "sub", "sid", "exp", "iat", "jti")},
    **{f"no {name} header": flawed(without_header(name)) for name in ("alg", "typ", "kid")},
    "a session that never was": flawed(with_claim("sid", new_id("s"))),
    "a session of somebody else": flawed(with_claim("sub", new_id("u"))),
    "five parts": lambda good: f"{good.forged(leave)}.{b64({})}.{b64({})}",
    "JSON instead": lambda good: '{"alg":"none"}',
}
EXPIRED = flawed(lambda claims, headers: claims.update(iat=int(time.time()) - LIFE, exp=int(time.time()) - 11))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_no_forged_token_is_taken_over_rest(algorithm: Algorithm) -> None:
    """401 `unauthenticated` for all of them, whatever kind of key signs; an expired one is told to be that."""
    async with open_office(api_docs="no", signing_algorithm=algorithm, address_rate=1e9, auth_rate=1e9) as office:
        ann = await Desk(office).register()
        key = office.system.accounts.sessions._tokens._ring.signing(now=time.time())
        assert key.algorithm == algorithm
        good = Good(key, ann.id, ann.session)
        answer = await office.call("GET", "/api/v1/users/me", headers=bearer(good.forged(leave)))
        assert (answer.status_code, (await answer.get_json())["id"]) == (200, ann.id)
        for name, attack in ATTACKS.items():
            refusal = await office.problem("GET", "/api/v1/users/me", headers=bearer(attack(good)))
            assert refusal == (401, "unauthenticated"), name
        refusal = await office.problem("GET", "/api/v1/users/me", headers=bearer(EXPIRED(good)))
        assert refusal == (401, "token_expired")


class Target(Struct, frozen=True):
    """A server with a user, and what flawless tokens of theirs need."""

    server: ServerProcess
    ann: Caller
    good: Good


@pytest.fixture
def target(server: ServerProcess) -> Target:
    ann = register(server)
    key = KeyRing.following(KeyFile(server._folder / "signing.key"), retired_seconds=0).signing(now=time.time())
    return Target(server, ann, Good(key, ann.id, ann.session))


def refused(target: Target, token: str, *, in_header: bool) -> tuple[str, int]:
    """Say hello with a token; give the code of the error and the close code."""
    if in_header:
        talker = Talker(target.server.ws_url, headers=bearer(token))
        talker.say("hello")
    else:
        talker = Talker(target.server.ws_url)
        talker.say("hello", data={"token": token})
    code = talker.closed()
    (frame,) = talker.seen
    return frame["data"]["code"], code


def test_no_forged_token_is_taken_by_a_server(target: Target) -> None:
    """4501 over the WebSocket, in hello as in the header, and 401 over REST; a flawless one gets in by all three."""
    good = target.good
    for headers, data in ((bearer(good.forged(leave)), {}), ({}, {"token": good.forged(leave)})):
        talker = Talker(target.server.ws_url, headers=headers)
        talker.say("hello", data=data)
        assert talker.until("welcome")["data"]["user"]["id"] == target.ann.id
        talker.close()
    for name, attack in ATTACKS.items():
        for in_header in (False, True):
            assert refused(target, attack(good), in_header=in_header) == ("unauthenticated", 4501), name
        answer = target.ann.http.get("/users/me", headers=bearer(attack(good)))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), name
    assert refused(target, EXPIRED(good), in_header=False) == ("token_expired", 4501)
    assert target.ann.http.get("/users/me", headers=bearer(EXPIRED(good))).status_code == 401


def test_an_open_socket_does_not_go_on_by_a_forged_token(target: Target) -> None:
    """`refresh` is refused, and the socket stays what it was."""
    talker = Talker.greeted(target.server.ws_url, target.ann.token)
    for name, attack in ATTACKS.items():
        frame = talker.until("error", frame_id=talker.say("refresh", data={"token": attack(target.good)}))
        assert frame["data"]["code"] == "unauthenticated", name
    flawless = talker.say("refresh", data={"token": target.good.forged(leave)})
    assert 500_000 < talker.until("refreshed", frame_id=flawless)["data"]["expires_in_ms"] <= LIFE * 1000
    talker.close()

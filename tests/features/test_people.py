"""One's own account over REST."""

from __future__ import annotations

import httpx
import pytest

from tests.support.rest import PASSWORD, register
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock


def test_ones_own_account_is_shown_without_a_secret_and_to_nobody_else(server: ServerProcess) -> None:
    """200 for whoever has a token, with nothing that could be used to sign in; 401 without one."""
    ann = register(server)
    response = ann.http.get("/users/me")
    me = response.json()
    assert (response.status_code, me["id"], me["username"]) == (200, ann.id, ann.username)
    words = ("password", "hash", "secret", "token", "salt", "digest")
    assert [name for name in me if any(word in name for word in words)] == []
    assert not any(secret in response.text for secret in (PASSWORD, ann.token, "$2a$", "$2b$"))
    for headers in (
        {},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Bearer none"},
        {"Authorization": ann.token},
    ):
        refused = httpx.get(f"{server.url}/api/v1/users/me", headers=headers, trust_env=False)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")

"""How connections end decides whether the client comes back: the whole table."""

from __future__ import annotations

import pytest

from justchat.client.ending import Ended
from justchat.client.errors import ClosedByServer, UpgradeRefused
from justchat.wire.close_codes import CloseCode
from justchat.wire.server_frames import GoodbyeData

TOKEN = {CloseCode.TOKEN_EXPIRED, CloseCode.UNAUTHENTICATED, CloseCode.SESSION_REVOKED}


@pytest.mark.parametrize("code", [code for code in CloseCode if code not in TOKEN])
def test_every_close_code_either_invites_back_or_is_final(code: CloseCode) -> None:
    """4500 and above, and what says that the client itself is wrong, are final; the rest is not."""
    wrong = {
        CloseCode.PROTOCOL_ERROR,
        CloseCode.BINARY_REFUSED,
        CloseCode.NOT_UTF8,
        CloseCode.POLICY,
        CloseCode.TOO_BIG,
    }
    assert Ended(code, "").final == (code >= 4500 or code in wrong)
    assert not Ended(code, "").about_the_token


def test_a_connection_without_a_close_code_is_only_lost() -> None:
    """No code at all (1005) and no close frame at all (1006) are what networks and proxies do."""
    assert not Ended(1005, "").final
    assert not Ended(1006, "").final


@pytest.mark.parametrize("code", sorted(TOKEN))
def test_a_refused_token_is_final_only_if_there_is_no_other(code: CloseCode) -> None:
    """It is not the end by itself; the line asks for a fresh one. An ended session is like that: some log in again."""
    ended = Ended(code, "token_expired")
    assert (ended.about_the_token, ended.final) == (True, False)


@pytest.mark.parametrize(
    ("status", "final"),
    [(400, True), (403, True), (404, True), (408, False), (425, False), (429, False), (500, False), (503, False)],
)
def test_http_statuses_that_say_never_are_final(status: int, final: bool) -> None:
    """A redirect or an error of a proxy passes; being forbidden does not."""
    assert Ended(1006, "", status=status).final == final
    assert Ended(1006, "", status=302).final is False


def test_the_error_says_what_happened() -> None:
    """HTTP refusals and close codes are told apart by type."""
    closed, refused = Ended(4502, "revoked").error(), Ended(1006, "no", status=403).error()
    assert isinstance(closed, ClosedByServer)
    assert (closed.code, closed.reason) == (4502, "revoked")
    assert isinstance(refused, UpgradeRefused)
    assert (refused.status, str(refused)) == (403, "the server refused the connection with HTTP 403: no")


def test_goodbye_comes_before_retry_after() -> None:
    """Both are the server's wish; the last word on an open connection is goodbye."""
    ended = Ended(1012, "", retry_after_seconds=9.0)
    assert ended.hint_seconds(None) == 9.0
    assert ended.hint_seconds(GoodbyeData("restart", 1500)) == 1.5
    assert Ended(1006, "").hint_seconds(None) is None

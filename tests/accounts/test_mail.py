"""Mail: handed in at a real server, encrypted where anybody could listen, and never waited for too long."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from justchat.accounts.mail import Mailer, MailUnsent
from justchat.config.mail_url import MailServer, is_mail_url, parse_mail_url
from tests.support.mail_server import PASSWORD, USER, certified, running_mail_server

pytestmark = pytest.mark.real_clock

SENDER = "chat@example.org"


def mailer(url: str, **options: object) -> Mailer:
    return Mailer(parse_mail_url(url), sender=SENDER, **options)  # type: ignore[arg-type]


async def test_a_mail_arrives_as_it_was_written() -> None:
    """Sender, receiver, subject and text, in any alphabet; marked as nothing that is answered."""
    with running_mail_server() as server:
        text = "Grüße, 世界\nline\n.dot\n"
        await mailer(f"smtp://127.0.0.1:{server.port}").send("ann@example.org", subject="Hé", text=text)
        mail = await server.mail()
        assert (mail["From"], mail["To"]) == (SENDER, "ann@example.org")
        assert (mail["Auto-Submitted"], mail["Message-ID"].endswith("@example.org>")) == ("auto-generated", True)
        payload = mail.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert payload.decode().splitlines() == text.splitlines()


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_a_login_is_made_on_an_encrypted_line(scheme: str, tmp_path: Path) -> None:
    """From the start, or by STARTTLS where it is offered; user and password are percent-decoded."""
    server_side, client_side = certified(tmp_path, "127.0.0.1")
    tls = {"tls" if scheme == "smtps" else "starttls": server_side}
    with running_mail_server(**tls, login=True) as server:
        url = f"{scheme}://{USER}:p%40ss%2Fword@127.0.0.1:{server.port}"
        await mailer(url, context=client_side).send("ann@example.org", subject="x", text="y")
        assert (await server.mail())["Subject"] == "x"
        assert server.was_encrypted == [True]
        assert server.logins == [(USER.encode(), PASSWORD.encode())]


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_a_server_whose_certificate_is_not_trusted_is_told_nothing(scheme: str, tmp_path: Path) -> None:
    """Somebody in the middle gets neither the password nor the mail."""
    server_side, _ = certified(tmp_path, "127.0.0.1")
    tls = {"tls" if scheme == "smtps" else "starttls": server_side}
    with running_mail_server(**tls, login=True) as server:
        with pytest.raises(MailUnsent):
            await mailer(f"{scheme}://a:b@127.0.0.1:{server.port}").send("ann@example.org", subject="x", text="y")
        assert server.logins == []
        assert server.empty


async def test_only_this_machine_is_spoken_to_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a server without STARTTLS gets no mail, whether it cannot or somebody took the offer away."""
    with running_mail_server() as server:
        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *more, **named: real("127.0.0.1", *more, **named))
        with pytest.raises(MailUnsent):
            await mailer(f"smtp://mail.example.org:{server.port}").send("ann@example.org", subject="x", text="y")
        assert server.empty


@pytest.mark.parametrize("refusal", ["550 no such mailbox", "451 try later"])
async def test_what_the_server_refuses_is_unsent(refusal: str, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is told, and the log has neither the address nor the text nor the password."""
    caplog.set_level(logging.DEBUG, "justchat")
    with running_mail_server() as server:
        server.refuse = refusal
        with pytest.raises(MailUnsent):
            await mailer(f"smtp://u:secretpw@127.0.0.1:{server.port}").send("ann@example.org", subject="x", text="123")
        assert "event=mail_unsent" in caplog.text
        assert not [word for word in ("ann@example.org", "secretpw", "123") if word in caplog.text]


@pytest.fixture
def silent() -> Iterator[int]:
    """Listen on a port, and say nothing to whoever comes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


async def test_a_server_that_says_nothing_is_not_waited_for(silent: int) -> None:
    """The deadline holds for the whole, and the line before it is bounded."""
    slow = mailer(f"smtp://127.0.0.1:{silent}", deadline_seconds=0.3)
    reasons: list[str] = []

    async def send() -> None:
        with pytest.raises(MailUnsent) as unsent:
            await slow.send("ann@example.org", subject="x", text="y")
        reasons.append(str(unsent.value))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(send)
    assert reasons.count("too many mails wait already") >= 8
    assert any("TooSlowError" in reason or "timeout" in reason.lower() for reason in reasons)


async def test_nobody_listening_is_unsent() -> None:
    """A refused connection is no crash."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MailUnsent):
        await mailer(f"smtp://127.0.0.1:{port}").send("ann@example.org", subject="x", text="y")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", MailServer("mail.example.org", 587, False, None, None)),
        ("smtps://u:p%3Aw@[::1]:1465", MailServer("::1", 1465, True, "u", "p:w")),
        ("smtps://mail.example.org", MailServer("mail.example.org", 465, True, None, None)),
    ],
)
def test_an_address_of_a_mail_server_is_read(url: str, expected: MailServer) -> None:
    """With the usual ports, and without showing the password."""
    assert parse_mail_url(url) == expected
    assert "p:w" not in repr(parse_mail_url(url))


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "mail.example.org", "smtp://host:port"])
def test_what_is_no_address_of_a_mail_server_is_refused(url: str) -> None:
    """So that a mistake shows at the start and not with the first mail."""
    with pytest.raises(ValueError, match=r"smtp|port"):
        parse_mail_url(url)
    assert not is_mail_url(url)
    assert is_mail_url("smtps://u:p@host:465")

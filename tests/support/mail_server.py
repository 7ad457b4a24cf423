"""A real mail server on this machine: it takes what is handed in, and keeps it for the test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import trio
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "chat", "p@ss/word"
PATIENCE_SECONDS = 30.0


class MailServer:
    """Takes mail; `refuse` is what it says instead, `logins` who has said who they are."""

    def __init__(self, *, implicit_tls: bool) -> None:
        self._implicit_tls = implicit_tls
        self.refuse: str | None = None
        self.logins: list[tuple[bytes, bytes]] = []
        self.was_encrypted: list[bool] = []
        self._taken: SimpleQueue[Message] = SimpleQueue()
        self.port = 0

    async def mail(self) -> Message:
        """Wait for the next mail."""
        with trio.fail_after(PATIENCE_SECONDS):
            return await trio.to_thread.run_sync(self._taken.get, abandon_on_cancel=True)

    @property
    def empty(self) -> bool:
        """Whether there is no mail that the test has not had."""
        return self._taken.empty()

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse is not None:
            return self.refuse
        self.was_encrypted.append(self._implicit_tls or session.ssl is not None)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content)
        assert envelope.rcpt_tos == [mail["To"]]
        self._taken.put(mail)
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


@contextmanager
def running_mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[MailServer]:
    """Run one, on a loop and a thread of its own: encrypted from the start with `tls`, or from STARTTLS on."""
    server, ready = MailServer(implicit_tls=tls is not None), Event()
    # By its name: where the tests run on Trio, asking for a new one gives none.
    loop = asyncio.SelectorEventLoop()

    def make() -> SMTP:
        options: dict[str, Any] = {"authenticator": server.authenticate} if login else {}
        # The library does not see an encryption that it has not begun itself.
        return SMTP(server, hostname="mail", tls_context=starttls, auth_require_tls=tls is None, loop=loop, **options)

    async def listen() -> None:
        listener = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
        server.port = listener.sockets[0].getsockname()[1]
        stop.append(asyncio.Event())
        ready.set()
        await stop[0].wait()
        listener.close()

    stop: list[asyncio.Event] = []
    thread = Thread(target=lambda: _run(loop, listen()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop[0].set)
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def _run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, None]) -> None:
    """Run a loop to the end of `main`, and then to the end of what is still open."""

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # Transports are closed a turn later.
        await asyncio.sleep(0)

    try:
        loop.run_until_complete(main)
        loop.run_until_complete(end())
    finally:
        loop.close()


def certified(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a host: the server's side, and that of a client that trusts it and no other."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())

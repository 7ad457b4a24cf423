"""Mail, handed in to the server that the configuration names: one short text at a time.

The library blocks, so a thread does it, within a deadline. The connection is encrypted, by `smtps://` or by STARTTLS,
before anything is said; only a server on this very machine may do without.
"""

from __future__ import annotations

import logging
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from smtplib import SMTP, SMTP_SSL, SMTPException

import trio

from justchat.config.mail_url import MailServer

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 10.0
_AT_ONCE = 2
_WAITING_MAX = 20
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class MailUnsent(Exception):
    """The mail was not handed in, or nobody knows."""


class Mailer:
    """Hands mail in at one server. `context` is how its certificate is checked."""

    def __init__(
        self,
        server: MailServer,
        *,
        sender: str,
        context: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._context = context or ssl.create_default_context()
        self._deadline_seconds = deadline_seconds
        self._limiter = trio.CapacityLimiter(_AT_ONCE)
        self._inside = 0

    async def send(self, to: str, *, subject: str, text: str) -> None:
        """Hand a mail in. Raises MailUnsent."""
        # No await between the check and the count.
        if self._inside >= _AT_ONCE + _WAITING_MAX:
            raise MailUnsent("too many mails wait already")
        message = self._message(to, subject, text)
        self._inside += 1
        try:
            with trio.fail_after(self._deadline_seconds):
                # The thread ends by itself soon after: each step of it has the same deadline.
                await trio.to_thread.run_sync(self._hand_in, message, limiter=self._limiter, abandon_on_cancel=True)
        except (OSError, SMTPException, trio.TooSlowError) as error:
            logger.warning("event=mail_unsent server=%r error=%s", self._server, type(error).__name__)
            raise MailUnsent(f"the mail server did not take it ({type(error).__name__})") from error
        finally:
            self._inside -= 1

    def _message(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message

    def _hand_in(self, message: EmailMessage) -> None:
        with self._connect() as connection:
            if not self._server.encrypted:
                self._start_tls(connection)
            if self._server.user is not None and self._server.password is not None:
                connection.login(self._server.user, self._server.password)
            connection.send_message(message)

    def _connect(self) -> SMTP:
        server, seconds = self._server, self._deadline_seconds
        if server.encrypted:
            return SMTP_SSL(server.host, server.port, timeout=seconds, context=self._context)
        return SMTP(server.host, server.port, timeout=seconds)

    def _start_tls(self, connection: SMTP) -> None:
        connection.ehlo()
        if connection.has_extn("starttls") or self._server.host not in _LOOPBACK:
            # Raises where the server cannot: a password is not sent in the clear, and neither is a code.
            connection.starttls(context=self._context)

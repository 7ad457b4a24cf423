"""Where mail is handed in, as a setting names it. Pure."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from msgspec import Struct

_PORT = 587
_ENCRYPTED_PORT = 465


class MailServer(Struct, frozen=True):
    """A server that takes mail, and as whom it is spoken to; its `repr` shows no password."""

    host: str
    port: int
    encrypted: bool
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host!r}, {self.port})"


def parse_mail_url(url: str) -> MailServer:
    """Read `smtp://user:password@host:587` or `smtps://…`. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("not smtp://host or smtps://host")
    encrypted = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=parts.port or (_ENCRYPTED_PORT if encrypted else _PORT),
        encrypted=encrypted,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def is_mail_url(url: str) -> bool:
    """Tell whether a URL names a mail server."""
    try:
        parse_mail_url(url)
    except ValueError:
        return False
    return not any(character.isspace() for character in url)

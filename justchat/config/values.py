"""One raw value of one setting: turned into its type, or rejected with the reason. Pure.

Text comes from flags and the environment; typed values come from the TOML file and must have the right type already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Network, ip_network
from unicodedata import category

from msgspec import Struct

from justchat.config.catalogue import Setting, Value, plain
from justchat.config.mail_url import is_mail_url
from storage.url import without_password

SIGNING_KEY_MIN_BYTES = 32
OPERATOR_TOKEN_MIN_BYTES = 16

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_DATABASE = re.compile(r"sqlite:///[^?#]*[^/?#]|memory://|postgres(ql)?://\S+")
_JOURNAL = re.compile(r"mongodb(\+srv)?://\S+")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_DEFAULT_PORTS = {("http", ":80"), ("https", ":443")}
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_HOST = re.compile(r"[A-Za-z0-9.:%_-]+")
_PRIVATE_KEY = re.compile(r"-----BEGIN (RSA )?PRIVATE KEY-----.+-----END (RSA )?PRIVATE KEY-----", re.DOTALL)
_SHOWN = 60


class Rejected(Struct, frozen=True):
    """Why a raw value is not a value of its setting; secrets are not quoted."""

    detail: str


class _TextRule(Struct, frozen=True):
    accepted: str
    holds: Callable[[str], bool]
    has_lines: bool = False


def _is_signing_key(text: str) -> bool:
    # Whether a key in PEM is good is found out by whoever can read it; that it is no secret is clear here.
    is_kind = "-----BEGIN" not in text or _PRIVATE_KEY.search(text) is not None
    return is_kind and len(text.encode()) >= SIGNING_KEY_MIN_BYTES


_TEXT_RULES: dict[str, _TextRule] = {
    "host": _TextRule("an IP address or a host name", lambda text: _HOST.fullmatch(text) is not None),
    "database": _TextRule(
        "sqlite:///relative/path, sqlite:////absolute/path, postgres://user:password@host/name or memory://",
        lambda text: _DATABASE.fullmatch(text) is not None,
    ),
    "journal": _TextRule(
        "mongodb://user:password@host/name",
        lambda text: _JOURNAL.fullmatch(text) is not None,
    ),
    "signing_key_file": _TextRule("a path", bool),
    "signing_key": _TextRule(
        f"a private key in PEM without a password, or text of at least {SIGNING_KEY_MIN_BYTES} bytes",
        _is_signing_key,
        has_lines=True,
    ),
    "operator_token": _TextRule(
        f"ASCII text without spaces of at least {OPERATOR_TOKEN_MIN_BYTES} bytes",
        lambda text: text.isascii() and " " not in text and len(text) >= OPERATOR_TOKEN_MIN_BYTES,
    ),
    "smtp_url": _TextRule("smtp://user:password@host:587", is_mail_url),
    "mail_from": _TextRule("an e-mail address", lambda text: _ADDRESS.fullmatch(text) is not None),
    "token_issuer": _TextRule("text of 1 to 200 characters", lambda text: 1 <= len(text) <= 200),
}


def accepted(setting: Setting) -> str:
    """Say in words what values a setting accepts."""
    if setting.choices:
        return "one of " + ", ".join(setting.choices)
    if setting.low is not None and setting.high is not None:
        noun = "an integer" if setting.kind == "integer" else "a number"
        unit = f" {setting.unit}" if setting.unit else ""
        return f"{noun} from {plain(setting.low)} to {plain(setting.high)}{unit}"
    if setting.kind == "list":
        return _LISTS[setting.name].accepted
    return _TEXT_RULES[setting.name].accepted


def parse_text(setting: Setting, text: str) -> Value | Rejected:
    """Read a value given as text (a flag, an environment variable); lists are separated by commas."""
    if setting.kind == "text":
        return _checked(setting, text)
    trimmed = text.strip()
    if setting.kind == "list":
        return _checked(setting, [part.strip() for part in trimmed.split(",") if part.strip()])
    if setting.kind == "integer" and _INTEGER.fullmatch(trimmed):
        return _checked(setting, int(trimmed))
    if setting.kind == "number" and _NUMBER.fullmatch(trimmed):
        return _checked(setting, float(trimmed))
    if setting.kind == "choice":
        by_lower = {choice.lower(): choice for choice in setting.choices}
        return _checked(setting, by_lower.get(trimmed.lower(), trimmed))
    return _reject(setting, text)


def parse_typed(setting: Setting, value: object) -> Value | Rejected:
    """Check a value that already has a type (from a TOML file)."""
    if setting.kind == "number" and type(value) is int:
        # Compared as an integer first: TOML integers may be larger than any float.
        return _checked(setting, float(value)) if abs(value) < 2**53 else _reject(setting, value)
    return _checked(setting, value)


def _checked(setting: Setting, value: object) -> Value | Rejected:
    checked: Value = None
    match setting.kind:
        case "integer" | "number":
            checked = _number_in_range(setting, value)
        case "list":
            checked = _list_of(setting, value)
        case "choice":
            checked = value if isinstance(value, str) and value in setting.choices else None
        case "text":
            rule = _TEXT_RULES[setting.name]
            is_text = isinstance(value, str) and _printable(_on_one_line(value) if rule.has_lines else value)
            checked = value if isinstance(value, str) and is_text and rule.holds(value) else None
    return _reject(setting, value) if checked is None else checked


def _number_in_range(setting: Setting, value: object) -> int | float | None:
    wanted = int if setting.kind == "integer" else float
    # `type` and not `isinstance`: a bool is an int, and `port = true` is a mistake. NaN fails the comparison.
    if type(value) is wanted and setting.low is not None and setting.high is not None:
        return value if setting.low <= value <= setting.high else None
    return None


def _list_of(setting: Setting, value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    found = [_LISTS[setting.name].normal(part) if isinstance(part, str) else None for part in value]
    return None if None in found else tuple(part for part in found if part is not None)


def _origin(text: str) -> str | None:
    """Normalise an origin to what a browser sends: lower case, without the scheme's default port."""
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" + ("" if port is None or (scheme, port) in _DEFAULT_PORTS else port)


def _network(text: str) -> str | None:
    """Normalise an address or a network: an address is a network of one, and IPv4 within IPv6 is IPv4."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return str(network if mapped is None or network.prefixlen < 96 else f"{mapped}/{network.prefixlen - 96}")


class _ListRule(Struct, frozen=True):
    accepted: str
    normal: Callable[[str], str | None]


_LISTS: dict[str, _ListRule] = {
    "allowed_origins": _ListRule("origins such as https://chat.example.org, or *", _origin),
    "trusted_proxies": _ListRule("addresses or networks such as 10.0.0.0/8", _network),
}


def _printable(text: str) -> bool:
    return not any(category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def _on_one_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", " ")


def _reject(setting: Setting, value: object) -> Rejected:
    if setting.secret:
        return Rejected(f"accepted is {accepted(setting)}")
    shown = ascii(without_password(value) if isinstance(value, str) else value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return Rejected(f"{shown} is not {accepted(setting)}")

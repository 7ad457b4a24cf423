"""One raw value of one setting: turned into its type, or rejected with the reason. Pure.

Text comes from flags and the environment; typed values come from the TOML file and must have the right type already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import category

from msgspec import Struct

from justchat.config.catalogue import Setting, Value, plain
from storage.url import without_password

SIGNING_KEY_MIN_BYTES = 32
OPERATOR_TOKEN_MIN_BYTES = 16

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_DATABASE = re.compile(r"sqlite:///[^?#]*[^/?#]|memory://|postgres(ql)?://\S+")
_JOURNAL = re.compile(r"mongodb(\+srv)?://\S+")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_DEFAULT_PORTS = {("http", ":80"), ("https", ":443")}
_HOST = re.compile(r"[A-Za-z0-9.:%_-]+")
_SHOWN = 60


class Rejected(Struct, frozen=True):
    """Why a raw value is not a value of its setting; secrets are not quoted."""

    detail: str


class _TextRule(Struct, frozen=True):
    accepted: str
    holds: Callable[[str], bool]


def _long_enough(minimum: int) -> Callable[[str], bool]:
    return lambda text: len(text.encode()) >= minimum


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
    "signing_key": _TextRule(f"text of at least {SIGNING_KEY_MIN_BYTES} bytes", _long_enough(SIGNING_KEY_MIN_BYTES)),
    "operator_token": _TextRule(
        f"ASCII text without spaces of at least {OPERATOR_TOKEN_MIN_BYTES} bytes",
        lambda text: text.isascii() and " " not in text and len(text) >= OPERATOR_TOKEN_MIN_BYTES,
    ),
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
        return "origins such as https://chat.example.org, or *"
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
        return _checked(setting, trimmed.lower())
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
            checked = _origins(value)
        case "choice":
            checked = value if isinstance(value, str) and value in setting.choices else None
        case "text":
            checked = value if isinstance(value, str) and _printable(value) else None
            if checked is not None and not _TEXT_RULES[setting.name].holds(checked):
                checked = None
    return _reject(setting, value) if checked is None else checked


def _number_in_range(setting: Setting, value: object) -> int | float | None:
    wanted = int if setting.kind == "integer" else float
    # `type` and not `isinstance`: a bool is an int, and `port = true` is a mistake. NaN fails the comparison.
    if type(value) is wanted and setting.low is not None and setting.high is not None:
        return value if setting.low <= value <= setting.high else None
    return None


def _origins(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    found = [_origin(part) for part in value]
    return None if None in found else tuple(part for part in found if part is not None)


def _origin(text: object) -> str | None:
    """Normalise an origin to what a browser sends: lower case, without the scheme's default port."""
    if not isinstance(text, str):
        return None
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" + ("" if port is None or (scheme, port) in _DEFAULT_PORTS else port)


def _printable(text: str) -> bool:
    return not any(category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def _reject(setting: Setting, value: object) -> Rejected:
    if setting.secret:
        return Rejected(f"accepted is {accepted(setting)}")
    shown = ascii(without_password(value) if isinstance(value, str) else value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return Rejected(f"{shown} is not {accepted(setting)}")

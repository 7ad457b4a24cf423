"""The settings as data, derived once from the annotations of `Config`.

Flags, environment variables, checks and the reference all read this one table, so they cannot disagree.
"""

from __future__ import annotations

from difflib import get_close_matches
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from justchat.config.settings import SECRET_SETTINGS, Config

Kind = Literal["integer", "number", "text", "list", "choice"]
Value = int | float | str | tuple[str, ...] | None

ENVIRONMENT_PREFIX = "JUSTCHAT_"
# Variables with our prefix that are not settings: the config file's own, and what the project's test tools read.
OTHER_VARIABLES = frozenset(
    {
        "JUSTCHAT_CONFIG",
        "JUSTCHAT_CHROMIUM",
        "JUSTCHAT_REQUIRE_ALL",
        "JUSTCHAT_POSTGRES_BIN",
        "JUSTCHAT_MONGO_URL",
        "JUSTCHAT_MONGO_BIN",
        "JUSTCHAT_CACHE",
    }
)

_NAME_SHOWN = 64


class Setting(Struct, frozen=True):
    """One setting as the outside sees it. `low` and `high` are inclusive; `choices` is empty except for a choice."""

    name: str
    kind: Kind
    default: Value
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown."""
        return self.name in SECRET_SETTINGS

    @property
    def flag(self) -> str:
        """The command-line flag, as in `--outbox-items`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable, as in `JUSTCHAT_OUTBOX_ITEMS`."""
        return f"{ENVIRONMENT_PREFIX}{self.name.upper()}"


def plain(value: Value) -> str:
    """Write a value the way a person would type it."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def nearest(name: str, known: list[str]) -> str:
    """The known name that looks most like `name`."""
    return get_close_matches(name[:_NAME_SHOWN], known, n=1, cutoff=0.0)[0]


def _kind(annotation: object) -> tuple[Kind, tuple[str, ...]]:
    """Kind and choices of an annotation that may be optional."""
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if get_origin(annotation) is tuple:
        return "list", ()
    inner = [part for part in get_args(annotation) if part is not NoneType] or [annotation]
    kinds: dict[object, Kind] = {int: "integer", float: "number", str: "text"}
    return kinds[inner[0]], ()


def _derive() -> tuple[Setting, ...]:
    hints = get_type_hints(Config, include_extras=True)
    found = []
    for field in fields(Config):
        annotation, meta = get_args(hints[field.name])
        kind, choices = _kind(annotation)
        found.append(
            Setting(
                name=field.name,
                kind=kind,
                default=field.default,
                help=meta.description or "",
                unit=(meta.extra or {}).get("unit", ""),
                low=meta.ge,
                high=meta.le,
                choices=choices,
            )
        )
    return tuple(found)


SETTINGS: tuple[Setting, ...] = _derive()
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}

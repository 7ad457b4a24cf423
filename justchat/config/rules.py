"""What settings must hold together, and what each profile changes or refuses. Pure.

A profile's overrides lie above the defaults and below everything that is set explicitly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from justchat.config.catalogue import Value
from justchat.config.settings import Config
from storage.url import UnknownStorage, parse_url

# The smallest envelope of a `send` frame around its body, and a little more.
_ENVELOPE_BYTES = 384
_BCRYPT_COST_MIN_PRODUCTION = 12

PROFILE_OVERRIDES: Mapping[str, Mapping[str, Value]] = {
    "loadtest": {
        "command_rate": 1_000_000.0,
        "command_burst": 1_000_000,
        "login_failures": 10_000,
        "sockets_per_user": 100_000,
        "sockets_per_address": 1_000_000,
        "arriving_per_address": 1_000_000,
        "address_rate": 1e9,
        "read_rate": 1e9,
        "write_rate": 1e9,
        "search_rate": 1e9,
        "session_rate": 1e9,
        "auth_rate": 1e9,
        "user_command_rate": 1e9,
        "room_rate": 1e9,
        "access_token_seconds": 86_400,
    }
}


class Facts(Struct, frozen=True):
    """What rules look at. `explicit`: the settings that some source gave; `key_file_mode`: None without a key file."""

    config: Config
    explicit: frozenset[str]
    key_file_mode: int | None


class Rule(Struct, frozen=True):
    """One rule over `keys`; `broken` gives the detail of the problem, which is reported under the first key."""

    keys: tuple[str, ...]
    broken: Callable[[Facts], str | None]


def _page(facts: Facts) -> str | None:
    config = facts.config
    if config.history_page_default <= config.history_page_max:
        return None
    return f"{config.history_page_default} is more than history_page_max = {config.history_page_max}"


def _batch(facts: Facts) -> str | None:
    config = facts.config
    if config.room_batch <= config.room_inbox:
        return None
    return f"{config.room_batch} is more than room_inbox = {config.room_inbox} can ever hold"


def _body_in_frame(facts: Facts) -> str | None:
    config = facts.config
    if config.body_max_characters + _ENVELOPE_BYTES <= config.frame_max_bytes:
        return None
    return f"{config.body_max_characters} characters do not fit into frame_max_bytes = {config.frame_max_bytes}"


def _body_in_request(facts: Facts) -> str | None:
    config = facts.config
    if config.body_max_characters + _ENVELOPE_BYTES <= config.request_max_bytes:
        return None
    return f"{config.body_max_characters} characters do not fit into request_max_bytes = {config.request_max_bytes}"


def _one_key(facts: Facts) -> str | None:
    if {"signing_key", "signing_key_file"} <= facts.explicit:
        return "is set together with signing_key_file; keep one of them"
    return None


def _kept_key(facts: Facts) -> str | None:
    if facts.config.signing_key is not None:
        return None
    path = signing_key_path(facts.config)
    if path is None:
        return "production needs a signing key that outlives the process; set it"
    if facts.key_file_mode is None:
        return f"production does not make its own signing key; create {path} with mode 0600, or set signing_key"
    if facts.key_file_mode & 0o077:
        return f"{path} has mode {facts.key_file_mode:04o}; chmod it to 0600"
    return None


def _strong_hashes(facts: Facts) -> str | None:
    if facts.config.bcrypt_cost >= _BCRYPT_COST_MIN_PRODUCTION:
        return None
    return f"{facts.config.bcrypt_cost} is too weak for production; use {_BCRYPT_COST_MIN_PRODUCTION} or more"


def _named_origins(facts: Facts) -> str | None:
    if "*" not in facts.config.allowed_origins:
        return None
    return "production does not allow every origin; name them instead of *"


def _chosen_database(facts: Facts) -> str | None:
    if "database" in facts.explicit:
        return None
    return "production does not guess where the data is kept; set it, even to the default"


def _stores_that_go_together(facts: Facts) -> str | None:
    try:
        parse_url(facts.config.database, journal=facts.config.journal)
    except UnknownStorage as error:
        return str(error)
    return None


ALWAYS: tuple[Rule, ...] = (
    Rule(("history_page_default", "history_page_max"), _page),
    Rule(("room_batch", "room_inbox"), _batch),
    Rule(("body_max_characters", "frame_max_bytes"), _body_in_frame),
    Rule(("body_max_characters", "request_max_bytes"), _body_in_request),
    Rule(("signing_key", "signing_key_file"), _one_key),
    Rule(("journal", "database"), _stores_that_go_together),
)

IN_PRODUCTION: tuple[Rule, ...] = (
    Rule(("signing_key_file", "signing_key", "database"), _kept_key),
    Rule(("bcrypt_cost",), _strong_hashes),
    Rule(("allowed_origins",), _named_origins),
    Rule(("database",), _chosen_database),
)


def sqlite_path(database: str) -> str | None:
    """Path of the SQLite file of a `database` setting; None where it is not SQLite."""
    prefix = "sqlite:///"
    return database.removeprefix(prefix) if database.startswith(prefix) else None


def signing_key_path(config: Config) -> str | None:
    """Path of the signing key file; None when there is no such setting and nothing to outlive the process."""
    if config.signing_key_file is not None:
        return config.signing_key_file
    database = sqlite_path(config.database)
    if database is None:
        return None if config.database.startswith("memory:") else "data/signing.key"
    folder, slash, _ = database.rpartition("/")
    return f"{folder}{slash}signing.key"

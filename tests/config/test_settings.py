"""The settings themselves: all documented, all in range, the promised defaults, no secrets in a repr."""

from __future__ import annotations

import subprocess
import sys

import pytest

from justchat.config import Config, connection_limit, open_files_allowed
from justchat.config.catalogue import BY_NAME, SETTINGS, Setting, nearest
from justchat.config.values import Rejected, accepted, parse_typed

PROMISED = {
    "host": "127.0.0.1",
    "port": 8000,
    "database": "sqlite:///data/justchat.db",
    "access_token_seconds": 600,
    "allowed_origins": (),
    "bcrypt_cost": 12,
    "login_failures": 10,
    "login_window_seconds": 600,
    "body_max_characters": 4000,
    "frame_max_bytes": 16_384,
    "request_max_bytes": 65_536,
    "history_page_default": 50,
    "history_page_max": 100,
    "outbox_items": 512,
    "outbox_bytes": 1_048_576,
    "room_inbox": 1024,
    "room_batch": 256,
    "room_idle_seconds": 600,
    "rooms_active_max": 20_000,
    "subscriptions_max": 500,
    "sockets_per_user": 10,
    "command_rate": 10,
    "command_burst": 20,
    "heartbeat_seconds": 25,
    "pong_seconds": 10,
    "hello_seconds": 5,
    "stall_seconds": 60,
    "drain_seconds": 8,
    "head_seconds": 5,
    "body_read_seconds": 15,
    "send_seconds": 10,
    "keep_alive_seconds": 5,
    "max_connections": 0,
    "ask_seconds": 5,
    "restart_intensity": 5,
    "restart_period_seconds": 30,
    "probe_seconds": 30,
    "storage_deadline_seconds": 5,
    "catch_up_page": 300,
    "ring_entries": 1024,
}


@pytest.mark.parametrize("name", PROMISED)
def test_the_default_is_the_promised_one(name: str) -> None:
    """The limits that the protocol's documents promise are what a server without configuration uses."""
    assert getattr(Config(), name) == PROMISED[name]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_and_its_default_is_acceptable(setting: Setting) -> None:
    """A setting without help, or with a default that its own range refuses, does not get in."""
    assert setting.help.endswith((".", ".)"))
    assert accepted(setting)
    if setting.kind in {"integer", "number"}:
        assert setting.low is not None
        assert setting.high is not None
    if setting.default is not None:
        given = list(setting.default) if isinstance(setting.default, tuple) else setting.default
        assert not isinstance(parse_typed(setting, given), Rejected)


def test_durations_and_sizes_carry_their_unit_in_the_name() -> None:
    """`…_seconds` is in seconds and `…_bytes` in bytes, and nothing else is."""
    for unit in ("seconds", "bytes"):
        named = {name for name in BY_NAME if name.endswith(f"_{unit}")}
        assert named == {setting.name for setting in SETTINGS if setting.unit == unit}


def test_a_config_does_not_print_its_secrets() -> None:
    """A traceback or a log line that shows a Config shows no key and no token."""
    config = Config(signing_key="k" * 40, operator_token="t" * 20)
    assert "kkkk" not in repr(config)
    assert "tttt" not in f"{config}"
    assert "port=8000" in repr(config)


def test_the_nearest_name_is_found_for_any_stranger() -> None:
    """A typo gets the name that was meant; pure noise still gets some name."""
    assert nearest("outbox_item", list(BY_NAME)) == "outbox_items"
    assert nearest("\ud800" * 5000, list(BY_NAME)) in BY_NAME


def test_the_connection_limit_is_four_fifths_of_the_open_files_unless_set() -> None:
    """0 means: as many as the operating system lets us open, less a reserve."""
    assert connection_limit(Config(), open_files=1024) == 819
    assert connection_limit(Config(), open_files=0) == 1
    assert connection_limit(Config(max_connections=7), open_files=1024) == 7
    assert open_files_allowed() > 0


def test_configuration_needs_no_trio() -> None:
    """Checking a configuration starts no event loop machinery: the package is part of the pure core."""
    code = "import sys, justchat.config, justchat.cli; sys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Raw values: what each kind of setting accepts as text and as a typed value, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.config.catalogue import BY_NAME, SETTINGS, Setting, Value, plain
from justchat.config.values import Rejected, parse_text, parse_typed

PEM = f"-----BEGIN PRIVATE KEY-----\n{'M' * 64}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "8080", 8080),
        ("port", " 0 ", 0),
        ("heartbeat_seconds", "25", 25.0),
        ("heartbeat_seconds", "1.5", 1.5),
        ("profile", "Production", "production"),
        ("host", "::1", "::1"),
        ("database", "sqlite:////srv/chat.db", "sqlite:////srv/chat.db"),
        ("database", "memory://", "memory://"),
        ("allowed_origins", "", ()),
        ("allowed_origins", "https://a.example, http://B.example:8080/,", None),
        (
            "allowed_origins",
            "https://a.example, http://B.example:8080,",
            ("https://a.example", "http://b.example:8080"),
        ),
        ("allowed_origins", "https://a.example:443,http://[::1]:80", ("https://a.example", "http://[::1]")),
        ("allowed_origins", "*", ("*",)),
        ("port", "65536", None),
        ("port", "-1", None),
        ("port", "8_000", None),
        ("port", "8000.0", None),
        ("port", "٨", None),
        ("port", "9" * 5000, None),
        ("port", "tcp://10.0.0.1:80", None),
        ("heartbeat_seconds", "nan", None),
        ("heartbeat_seconds", "inf", None),
        ("heartbeat_seconds", "1e2", None),
        ("heartbeat_seconds", "0", None),
        ("heartbeat_seconds", "0.9", None),
        ("pong_seconds", "0.9", None),
        ("pong_seconds", "1", 1.0),
        ("stall_seconds", "0.9", None),
        ("profile", "prod", None),
        ("host", "", None),
        ("host", "a b", None),
        ("database", "sqlite://data.db", None),
        ("database", "sqlite:///", None),
        ("database", "sqlite:///data/", None),
        ("database", "sqlite:///a\x00b", None),
        ("database", "oracle://", None),
        ("signing_key", "x" * 31, None),
        ("signing_key", "é" * 16, "é" * 16),
        ("signing_key", PEM, PEM),
        ("signing_key", PEM.replace("\n", "\r\n"), PEM.replace("\n", "\r\n")),
        ("signing_key", PEM.replace("\n", "\\n"), PEM.replace("\n", "\\n")),
        ("signing_key", PEM.replace("PRIVATE", "RSA PRIVATE"), PEM.replace("PRIVATE", "RSA PRIVATE")),
        ("signing_key", PEM.replace("PRIVATE", "PUBLIC"), None),
        ("signing_key", PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"), None),
        ("signing_key", PEM.replace("PRIVATE", "EC PRIVATE"), None),
        ("signing_key", PEM[:50], None),
        ("signing_key", PEM.replace("M", "\0"), None),
        ("signing_key_file", "a\nb", None),
        ("operator_token", "with a space in the middle", None),
        ("operator_token", "\udcff" * 20, None),
        ("allowed_origins", "https://*.example.org", None),
        ("allowed_origins", "https://a.example/path", None),
        ("allowed_origins", "null", None),
        ("allowed_origins", "a.example", None),
        ("trusted_proxies", "10.1.2.3/8, fd00::1", ("10.0.0.0/8", "fd00::1/128")),
        ("trusted_proxies", "::ffff:10.1.2.3, ::ffff:10.0.0.0/104", ("10.1.2.3/32", "10.0.0.0/8")),
        ("trusted_proxies", "::/0", ("::/0",)),
        ("trusted_proxies", "proxy.example", None),
    ],
)
def test_text_is_read_or_rejected(name: str, text: str, value: Value) -> None:
    """One row per way to write a value; None stands for a rejection."""
    read = parse_text(BY_NAME[name], text)
    if value is None:
        assert isinstance(read, Rejected)
    else:
        assert read == value


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("port", 80, True),
        ("port", "80", False),
        ("port", True, False),
        ("port", 80.0, False),
        ("port", [80], False),
        ("port", 10**400, False),
        ("heartbeat_seconds", 1, True),
        ("heartbeat_seconds", 1.5, True),
        ("heartbeat_seconds", True, False),
        ("heartbeat_seconds", 10**400, False),
        ("heartbeat_seconds", float("nan"), False),
        ("heartbeat_seconds", float("inf"), False),
        ("allowed_origins", ["https://a.example"], True),
        ("allowed_origins", [], True),
        ("allowed_origins", "https://a.example", False),
        ("allowed_origins", [1], False),
        ("profile", "loadtest", True),
        ("profile", 1, False),
        ("host", 1, False),
    ],
)
def test_a_typed_value_must_have_the_right_type(name: str, value: object, good: bool) -> None:
    """A TOML file has types of its own: a quoted number is a mistake and is said to be one."""
    assert isinstance(parse_typed(BY_NAME[name], value), Rejected) is not good


def test_a_rejection_names_the_accepted_range_and_quotes_no_secret() -> None:
    """The message says what to write instead; what was written is shown, unless it is a secret."""
    rejected = parse_text(BY_NAME["outbox_items"], "9000000")
    assert isinstance(rejected, Rejected)
    assert rejected.detail == "9000000 is not an integer from 8 to 65536 frames"
    secret = parse_text(BY_NAME["signing_key"], "hunter2")
    assert isinstance(secret, Rejected)
    assert "hunter2" not in secret.detail
    assert "32 bytes" in secret.detail
    public = parse_text(BY_NAME["signing_key"], PEM.replace("PRIVATE", "PUBLIC"))
    assert public == Rejected("accepted is a private key in PEM without a password, or text of at least 32 bytes")
    long = parse_text(BY_NAME["host"], "!" * 10_000)
    assert isinstance(long, Rejected)
    assert len(long.detail) < 200


@given(st.sampled_from(SETTINGS), st.text() | st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{0,30})?", fullmatch=True))
def test_any_text_gives_a_value_of_the_right_type_or_a_rejection(setting: Setting, text: str) -> None:
    """No text crashes the parser, and what it accepts reads back as itself."""
    value = parse_text(setting, text)
    if isinstance(value, Rejected):
        assert value.detail.isprintable()
    else:
        assert parse_text(setting, plain(value)) == value
        if isinstance(value, int | float):
            assert setting.low is not None
            assert setting.high is not None
            assert setting.low <= value <= setting.high


TOML_VALUES = st.recursive(
    st.integers() | st.floats() | st.booleans() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(SETTINGS), TOML_VALUES)
def test_any_typed_value_gives_a_value_or_a_rejection(setting: Setting, value: object) -> None:
    """The same for whatever TOML can express."""
    parse_typed(setting, value)

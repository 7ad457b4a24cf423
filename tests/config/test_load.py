"""Loading: which source wins, that strangers are named, that everything wrong is said at once, and the profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.config import Config, Problem, load_config
from justchat.config.catalogue import SETTINGS, Setting
from justchat.config.files import CONFIG_FILE_MAX_BYTES, DiskFiles
from justchat.config.load import Effective, load_effective
from justchat.config.reference import listing
from justchat.config.sources import from_flags
from tests.config.files import FakeFiles

KEY = "0123456789abcdef" * 4


def load(*argv: str, file: str | None = None, key_mode: int | None = None, **environ: str) -> Config | list[Problem]:
    """Load from flags, a file's text and variables; `key_mode` puts a key file beside the default database."""
    contents = {"chat.toml": file.encode()} if file is not None else {}
    modes = {}
    if key_mode is not None:
        contents["data/signing.key"], modes["data/signing.key"] = KEY.encode(), key_mode
    config = ("--config", "chat.toml") if file is not None else ()
    return load_config([*config, *argv], environ, files=FakeFiles(contents, modes))


def good(loaded: Config | list[Problem]) -> Config:
    """The configuration, where one is expected."""
    assert isinstance(loaded, Config), [str(problem) for problem in loaded]
    return loaded


def bad(loaded: Config | list[Problem]) -> list[str]:
    """The problems as lines, where some are expected."""
    assert isinstance(loaded, list)
    assert loaded
    return [str(problem) for problem in loaded]


def test_nothing_given_means_the_defaults() -> None:
    """The server starts without any configuration."""
    assert good(load()) == Config()


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_the_strongest_source_wins(flag: bool, ours: bool, platform: bool, file: bool) -> None:
    """Flag over JUSTCHAT_PORT over PORT over file over default, for every subset of them."""
    argv = ["--port", "1"] if flag else []
    environ = {"JUSTCHAT_CONFIG": "f"} | ({"JUSTCHAT_PORT": "2"} if ours else {}) | ({"PORT": "3"} if platform else {})
    loaded = load_config(argv, environ, files=FakeFiles({"f": b"port = 4" if file else b""}))
    assert good(loaded).port == (1 if flag else 2 if ours else 3 if platform else 4 if file else 8000)


SOME_VALUE = {
    "profile": "loadtest",
    "host": "::1",
    "database": "sqlite:////srv/chat.db",
    "journal": "mongodb://h/chat",
    "migrate": "no",
    "api_docs": "no",
    "page": "no",
    "lobby": "no",
    "log_level": "debug",
    "log_format": "json",
    "signing_key_file": "key",
    "signing_key": KEY,
    "signing_algorithm": "RS256",
    "token_issuer": "me",
    "allowed_origins": "https://a.example",
    "operator_token": "abcdefghijklmnopqrst",
    "registration": "invite",
    "registration_role": "guest",
    "cookie_secure": "no",
    "trusted_proxies": "10.0.0.0/8",
    "smtp_url": "smtp://mail.example",
    "mail_from": "chat@mail.example",
}


def some_value(setting: Setting) -> str:
    """A valid value that is not the default, as text."""
    if setting.name in SOME_VALUE:
        return SOME_VALUE[setting.name]
    moved = {"history_page_max": 60, "room_batch": 200, "body_max_characters": 3000}
    if setting.name in moved:
        return str(moved[setting.name])
    assert isinstance(setting.default, int | float)
    assert setting.high is not None
    return str(int(setting.default) + 1 if setting.default < setting.high else int(setting.default) - 1)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_can_be_given_by_flag_variable_and_file(setting: Setting) -> None:
    """All sources lead to the same value, and a secret is refused as a flag."""
    text = some_value(setting)
    # A journal of its own needs the rest elsewhere, which is as good as any value for the database itself.
    rest = {} if setting.name == "database" else {"JUSTCHAT_DATABASE": "postgres://h/db"}
    by_variable = getattr(good(load_config([], rest | {setting.variable: text}, files=FakeFiles())), setting.name)
    assert by_variable != setting.default
    written = f'"{text}"' if setting.kind in {"text", "choice"} else f'["{text}"]' if setting.kind == "list" else text
    assert getattr(good(load(file=f"{setting.name} = {written}", **rest)), setting.name) == by_variable
    by_flag = load(setting.flag, text, **rest)
    if setting.secret:
        assert bad(by_flag) == [
            f"{setting.flag} (command line): a secret is not taken from the command line; use {setting.variable}"
        ]
    else:
        assert getattr(good(by_flag), setting.name) == by_variable


@pytest.mark.parametrize(
    ("argv", "variable", "file", "stranger", "meant"),
    [
        (["--outbox-item", "5"], "", "", "--outbox-item", "--outbox-items"),
        (["--outbox_items=5"], "", "", "--outbox_items", "--outbox-items"),
        (["--confg=x"], "", "", "--confg", "--config"),
        ([], "JUSTCHAT_OUTBOX_ITEM", "", "JUSTCHAT_OUTBOX_ITEM", "JUSTCHAT_OUTBOX_ITEMS"),
        ([], "JUSTCHAT_CONFG", "", "JUSTCHAT_CONFG", "JUSTCHAT_CONFIG"),
        ([], "", "outbox-items = 5", "outbox-items", "outbox_items"),
        ([], "", "[rooms]\nactive = 5", "rooms", "room_rate"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(
    argv: list[str], variable: str, file: str, stranger: str, meant: str
) -> None:
    """A typo never silently means the default."""
    environ = {"JUSTCHAT_CONFIG": "f"} | ({variable: "5"} if variable else {})
    (line,) = bad(load_config(argv, environ, files=FakeFiles({"f": file.encode()})))
    assert line.startswith(f"{stranger} (")
    assert line.endswith(f"; the nearest is {meant}")


def test_a_bad_value_names_the_key_the_source_and_the_range() -> None:
    """Three sources, three wordings of the source."""
    accepts = "is not an integer from 0 to 65535"
    assert bad(load("--port", "x")) == [f"port (flag --port): 'x' {accepts}"]
    assert bad(load(JUSTCHAT_PORT="x")) == [f"port (environment JUSTCHAT_PORT): 'x' {accepts}"]
    assert bad(load(PORT="x")) == [f"port (environment PORT): 'x' {accepts}"]
    assert bad(load(file="port = 'x'")) == [f"port (file chat.toml): 'x' {accepts}"]


def test_all_problems_are_reported_together() -> None:
    """One start shows everything: bad values, strangers, a flag without value, broken rules, in every source."""
    lines = bad(
        load(
            "--port", "x", "--nonsense", "5", "stray", "--host",
            file="bcrypt_cost = 99\nhistory_page_default = 90\nhistory_page_max = 80",
            JUSTCHAT_NONSENSE="1", JUSTCHAT_LOG_LEVEL="loud",
        )
    )  # fmt: skip
    heads = [line.split(" (")[0] for line in lines]
    assert sorted(heads) == sorted(
        ["port", "--nonsense", "stray", "host", "bcrypt_cost", "history_page_default", "JUSTCHAT_NONSENSE", "log_level"]
    )


def test_a_rejected_value_does_not_break_rules_a_second_time() -> None:
    """A value that could not be read is reported once, not also as a clash with its default."""
    assert len(bad(load("--history-page-max", "x", "--history-page-default", "1000"))) == 1


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files and platforms hand over empty variables for what was not set."""
    assert good(load(JUSTCHAT_PORT="", JUSTCHAT_SIGNING_KEY="", JUSTCHAT_CONFIG="")) == Config()


def test_variables_of_other_tools_are_left_alone() -> None:
    """Only variables with our prefix are ours, and those of the test tools are no settings."""
    assert (
        good(load(JUSTCHAT_CHROMIUM="/usr/bin/chromium", JUSTCHAT_REQUIRE_ALL="1", PATH="/bin", JUSTCHATX="1"))
        == Config()
    )


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"port = ", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        (b"x = " + b"[" * 20_000, "is not valid TOML"),
        (b"port = 1\nport = 2", "is not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_problem(raw: bytes | None, says: str) -> None:
    """The file named by flag or variable must exist and be TOML."""
    files = FakeFiles({"chat.toml": raw} if raw is not None else {})
    (by_flag,) = bad(load_config(["--config", "chat.toml"], {}, files=files))
    assert says in by_flag
    (by_variable,) = bad(load_config([], {"JUSTCHAT_CONFIG": "chat.toml"}, files=files))
    assert by_variable == by_flag


def test_the_flag_names_the_file_before_the_variable_does() -> None:
    """One file is read, the one of the stronger source."""
    files = FakeFiles({"a": b"port = 1", "b": b"port = 2"})
    assert good(load_config(["--config", "a"], {"JUSTCHAT_CONFIG": "b"}, files=files)).port == 1
    assert len(bad(load_config(["--config"], {}, files=files))) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["--history-page-default", "60", "--history-page-max", "50"],
        ["--room-batch", "20", "--room-inbox", "10"],
        ["--body-max-characters", "16300"],
        ["--body-max-characters", "4000", "--request-max-bytes", "4096"],
    ],
)
def test_settings_that_contradict_each_other_are_refused(argv: list[str]) -> None:
    """Each value is in range, the combination makes no sense."""
    assert len(bad(load(*argv))) == 1


def test_a_signing_key_in_pem_keeps_its_lines() -> None:
    """From a variable and from a file it is what was written."""
    text = f"-----BEGIN PRIVATE KEY-----\n{'M' * 64}\n-----END PRIVATE KEY-----"
    assert good(load(JUSTCHAT_SIGNING_KEY=text)).signing_key == text
    assert good(load(file=f'signing_key = """{text}"""')).signing_key == text
    (line,) = bad(load(JUSTCHAT_SIGNING_KEY=text.replace("PRIVATE", "PUBLIC")))
    assert line.endswith("accepted is a private key in PEM without a password, or text of at least 32 bytes")


def test_two_signing_keys_are_one_too_many() -> None:
    """It would be unclear which one signs."""
    (line,) = bad(load("--signing-key-file", "k", JUSTCHAT_SIGNING_KEY=KEY))
    assert line.startswith("signing_key (environment JUSTCHAT_SIGNING_KEY)")


def test_the_loadtest_profile_lifts_the_rate_limits_below_explicit_settings() -> None:
    """Its overrides are configuration like any other, and weaker than what is asked for."""
    config = good(load("--profile", "loadtest", file="command_rate = 7"))
    assert config.command_rate == 7
    assert config.command_burst == 1_000_000
    assert config.login_failures == 10_000
    assert config.bcrypt_cost == 12
    assert good(load()).command_burst == 20


def test_production_starts_when_it_is_safe() -> None:
    """A kept key and a chosen database are enough; the default path may be chosen explicitly."""
    database = "sqlite:///data/justchat.db"
    assert good(load("--profile", "production", "--database", database, key_mode=0o600)).profile == "production"
    assert good(load("--profile", "production", "--database", database, key_mode=0o400))
    assert good(load("--profile", "production", "--database", "sqlite:////x.db", JUSTCHAT_SIGNING_KEY=KEY))


def test_production_refuses_everything_unsafe_at_once() -> None:
    """One line for each of the four."""
    lines = bad(load("--profile", "production", "--bcrypt-cost", "11", JUSTCHAT_ALLOWED_ORIGINS="*"))
    assert [line.split(" (")[0] for line in lines] == ["signing_key_file", "bcrypt_cost", "allowed_origins", "database"]
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o610])
def test_production_refuses_a_key_that_others_can_read(mode: int) -> None:
    """The file's mode is named, and what to do."""
    (line,) = bad(load("--profile", "production", "--database", "sqlite:///data/justchat.db", key_mode=mode))
    assert line.endswith(f"data/signing.key has mode {mode:04o}; chmod it to 0600")


def test_production_in_memory_needs_a_given_key() -> None:
    """There is no file to put a key beside."""
    (line,) = bad(load("--profile", "production", "--database", "memory://"))
    assert line.startswith("signing_key_file (default)")


def test_development_allows_what_production_refuses() -> None:
    """The refusals are the profile's, not the settings'."""
    assert good(load("--bcrypt-cost", "4", "--allowed-origins", "*")).allowed_origins == ("*",)


WORDS = st.sampled_from(
    ["--port", "--config", "--host=", "--", "-", "-5", "5", "--signing-key", "--port=1", "--profile", "production", "x"]
)
NAMES = st.sampled_from(["PORT", "JUSTCHAT_PORT", "JUSTCHAT_", "JUSTCHAT_PROFILE", "JUSTCHAT_SIGNING_KEY", "HOME"])


@given(
    st.lists(WORDS | st.text(max_size=8), max_size=6),
    st.dictionaries(NAMES | st.text(max_size=8), st.text(max_size=8), max_size=4),
    st.binary(max_size=40) | st.sampled_from([b"port = 1", b"profile = 'production'", b"x.y = 1"]),
)
def test_any_input_gives_a_configuration_or_printable_problems(
    argv: list[str], environ: dict[str, str], raw: bytes
) -> None:
    """No command line, environment or file crashes the start or prints control characters."""
    loaded = load_config(argv, {"JUSTCHAT_CONFIG": "chat.toml", **environ}, files=FakeFiles({"chat.toml": raw}))
    if isinstance(loaded, list):
        assert loaded
        for problem in loaded:
            assert problem.key
            assert str(problem).isprintable()
            assert len(str(problem)) < 1000


def test_the_disk_is_read_with_a_bound(tmp_path: Path) -> None:
    """The real file system answers what the fake one does, and a huge file is not read whole."""
    files = DiskFiles()
    small, huge = tmp_path / "small", tmp_path / "huge"
    small.write_bytes(b"port = 1")
    small.chmod(0o640)
    with huge.open("wb") as file:
        file.truncate(CONFIG_FILE_MAX_BYTES + 1)
    assert files.read(str(small)) == b"port = 1"
    assert files.mode(str(small)) == 0o640
    assert files.mode(str(tmp_path)) is None
    assert files.mode(str(tmp_path / "none")) is None
    assert files.mode("a\x00b") is None
    with pytest.raises(OSError, match="larger than"):
        files.read(str(huge))


def test_a_password_in_a_url_is_never_printed() -> None:
    """Neither where the effective settings are listed nor where a wrong one is complained about."""
    url = "postgres://u:secret@h/db"
    loaded = load_effective(
        from_flags(["--database", url]), {"JUSTCHAT_JOURNAL": "mongodb://u:secret@h/x"}, files=FakeFiles()
    )
    assert isinstance(loaded, Effective)
    assert loaded.config.database == url
    text = listing(loaded)
    assert "database = postgres://u:***@h/db" in text
    assert "secret" not in text
    for wrong in ("mysql://u:secret@h/db", "postgres://u:secret@h/d b", "postgres:/u:secret@h"):
        (line,) = bad(load("--database", wrong))
        assert "secret" not in line


def test_a_journal_of_its_own_needs_postgres_for_the_rest() -> None:
    """What does not go together is refused before anything is opened."""
    (line,) = bad(load("--journal", "mongodb://h/x"))
    assert "needs postgres://" in line
    assert good(load("--journal", "mongodb://h/x", "--database", "postgres://h/x")).journal == "mongodb://h/x"

"""The signing key's file: made once and whole, private, and refused when it is not."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from justchat.accounts.factory import signing_key_of
from justchat.accounts.signing_key import (
    SigningKeyUnusable,
    fresh_signing_key,
    load_or_create_signing_key,
    load_signing_key,
    signing_key_from,
)
from justchat.config import Config

TEXT = "0123456789abcdef" * 4


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    """The second start reads what the first made: mode 0600, in a folder for the owner only, and no draft stays."""
    path = tmp_path / "data" / "signing.key"
    made = load_or_create_signing_key(path)
    assert load_or_create_signing_key(path) == made
    assert load_signing_key(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_generous_umask_does_not_open_the_file(tmp_path: Path) -> None:
    """The mode is asked for when the file is made, not repaired after."""
    before = os.umask(0)
    try:
        load_or_create_signing_key(tmp_path / "signing.key")
    finally:
        os.umask(before)
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    """Whoever is first wins, nobody reads half a key, and no draft is left."""
    path = tmp_path / "signing.key"
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(load_or_create_signing_key, [path] * 16))
    assert len(set(keys)) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """It may have been copied already; the message says what to do."""
    path = tmp_path / "signing.key"
    path.write_text(TEXT)
    path.chmod(mode)
    with pytest.raises(SigningKeyUnusable, match="chmod it to 0600"):
        load_or_create_signing_key(path)


@pytest.mark.parametrize("content", [b"", b"short", b" " * 100, b"\xff" * 64, b"x" * 5000])
def test_a_file_without_a_key_is_refused_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    """An unreadable key is for a person to look at: replacing it would log everybody out."""
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SigningKeyUnusable):
        load_or_create_signing_key(path)
    assert path.read_bytes() == content


def test_a_missing_or_impossible_path_is_said(tmp_path: Path) -> None:
    """Loading alone never makes a key; a folder is no key; a file is no folder."""
    with pytest.raises(SigningKeyUnusable, match="No such file"):
        load_signing_key(tmp_path / "none")
    with pytest.raises(SigningKeyUnusable):
        load_signing_key(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SigningKeyUnusable, match="cannot create"):
        load_or_create_signing_key(tmp_path / "file" / "signing.key")


def test_the_same_text_is_the_same_key_and_its_id_does_not_show_it() -> None:
    """A key moved from its file to a variable keeps all tokens good."""
    key = signing_key_from(TEXT)
    assert signing_key_from(TEXT + "\n") == key
    assert fresh_signing_key().kid != key.kid
    assert len(key.kid) == 16
    assert TEXT not in repr(key)
    with pytest.raises(SigningKeyUnusable, match="at least 32"):
        signing_key_from("x" * 31)


def test_the_configuration_says_where_the_key_is(tmp_path: Path) -> None:
    """Given as text, as a file, beside the database, or for this process only; production makes none."""
    database = f"sqlite:///{tmp_path}/chat.db"
    assert signing_key_of(Config(signing_key=TEXT)) == signing_key_from(TEXT)
    beside = signing_key_of(Config(database=database))
    assert load_signing_key(tmp_path / "signing.key") == beside
    named = signing_key_of(Config(database=database, signing_key_file=str(tmp_path / "other.key")))
    assert named != beside
    assert signing_key_of(Config(database="memory://")) != signing_key_of(Config(database="memory://"))
    production = Config(profile="production", database=database, signing_key_file=str(tmp_path / "none.key"))
    with pytest.raises(SigningKeyUnusable):
        signing_key_of(production)
    assert not (tmp_path / "none.key").exists()

"""The keys of a running server: they follow their file by themselves, and a bad file does not take them away."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from justchat.accounts.factory import make_key_ring
from justchat.accounts.key_file import KeyFile, Stamp
from justchat.accounts.key_ring import LOOK_SECONDS, KeyRing
from justchat.accounts.key_set import KeySet, RetiredKey, fresh_keys, rotated
from justchat.accounts.signing_key import SigningKeyUnusable, fresh_signing_key, signing_key_from
from justchat.config import Config
from tests.accounts.forging import NOW, key_of

TEXT = "0123456789abcdef" * 4
GOOD_SECONDS = 600.0


class CountingFile(KeyFile):
    """Counts how often it is looked at and read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.looks = 0
        self.reads = 0
        self.failures = 0

    def stamp(self) -> Stamp | None:
        """Look, and count that."""
        self.looks += 1
        return super().stamp()

    def read(self) -> tuple[KeySet, Stamp]:
        """Read, and count that."""
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise SigningKeyUnusable("too many open files")
        return super().read()


@pytest.fixture
def file(tmp_path: Path) -> CountingFile:
    """A file with keys."""
    file = CountingFile(tmp_path / "signing.key")
    file.create(lambda: fresh_keys(fresh_signing_key, now=NOW))
    return file


@pytest.fixture
def ring(file: CountingFile) -> KeyRing:
    """A ring that follows the file and has looked at it."""
    ring = KeyRing.following(file, retired_seconds=GOOD_SECONDS)
    ring.signing(now=NOW)
    file.looks = file.reads = 0
    return ring


def rotate(file: KeyFile, *, at: float = NOW) -> KeySet:
    """Rotate the keys in the file, as another process does."""
    return file.change(lambda keys: rotated(keys, fresh_signing_key, now=at, retired_seconds=GOOD_SECONDS))


def test_a_rotation_is_taken_up_at_the_next_look(file: CountingFile, ring: KeyRing) -> None:
    """The next key signs, the new one is published, the former verifies for its time."""
    former = ring.signing(now=NOW)
    keys = rotate(file)
    assert keys.next is not None
    now = NOW + LOOK_SECONDS
    assert ring.signing(now=now) == keys.current.key
    assert ring.published(now=now) == [keys.current.key, keys.next.key, former.retired()]
    found = ring.find(former.kid, now=now)
    assert found is not None
    assert found.is_good(NOW + GOOD_SECONDS - 1)
    assert not found.is_good(NOW + GOOD_SECONDS)
    assert ring.published(now=NOW + GOOD_SECONDS) == [keys.current.key, keys.next.key]


@pytest.mark.parametrize("how", ["signing", "published", "find", "find unknown"])
def test_every_use_looks_but_once_a_second(file: CountingFile, ring: KeyRing, how: str) -> None:
    """A look costs little, and strangers who name unknown keys cannot make it much; an unchanged file is not read."""
    kid = ring.signing(now=NOW).kid if how == "find" else "unknown"
    for step in range(100):
        now = NOW + LOOK_SECONDS + step / 100 * LOOK_SECONDS
        _ = ring.find(kid, now=now) if "find" in how else getattr(ring, how)(now=now)
    assert (file.looks, file.reads) == (1, 0)


def test_a_key_that_is_not_known_yet_is_found_when_there_is_one(file: CountingFile, ring: KeyRing) -> None:
    """A token of another process that was quicker is good a second later, at the latest."""
    keys = rotate(file)
    assert keys.next is not None
    assert ring.find(keys.next.key.kid, now=NOW) is None
    found = ring.find(keys.next.key.kid, now=NOW + LOOK_SECONDS)
    assert found is not None
    assert found.key == keys.next.key
    assert ring.find("unknown", now=NOW + 10) is None


def test_a_clock_that_is_set_back_does_not_stop_the_looking(file: CountingFile, ring: KeyRing) -> None:
    """It is the distance in time that counts."""
    keys = rotate(file)
    assert ring.signing(now=NOW - 10**6) == keys.current.key


def test_a_ring_without_file_never_changes() -> None:
    """A key from a setting is what it is."""
    ring = KeyRing.of(key_of("EdDSA"))
    assert ring.signing(now=NOW) == ring.signing(now=NOW + 10**6) == key_of("EdDSA")
    assert ring.published(now=NOW) == [key_of("EdDSA")]
    assert ring.find("unknown", now=NOW) is None


@pytest.mark.parametrize("damage", ["removed", "cut off", "empty", "readable by others", "a folder"])
def test_a_bad_file_is_reported_once_and_the_keys_stay(
    file: CountingFile, ring: KeyRing, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is logged out by a slip of the hand; when it is mended, the keys are followed again."""
    path = tmp_path / "signing.key"
    whole, former = path.read_bytes(), ring.signing(now=NOW)
    match damage:
        case "removed":
            path.unlink()
        case "cut off":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "readable by others":
            path.chmod(0o644)
        case "a folder":
            path.unlink()
            path.mkdir()
    with caplog.at_level(logging.INFO):
        for second in range(1, 6):
            assert ring.signing(now=NOW + second * LOOK_SECONDS) == former
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith("event=signing_keys_refused cause=")
    assert "PRIVATE" not in line.getMessage()
    assert file.looks == 5

    if damage == "a folder":
        path.rmdir()
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(whole)
    keys = rotate(file)
    assert ring.signing(now=NOW + 100) == keys.current.key
    assert former.kid == keys.retired[0].key.kid


def test_a_file_that_could_not_be_read_at_first_is_read_again(
    file: CountingFile, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    """The fault was not the file's, so nobody will touch it again: each fault is told once, each time it comes."""
    for turn in range(2):
        keys, file.failures = rotate(file), 3
        for second in range(1, 5):
            found = ring.find(keys.current.key.kid, now=NOW + 10 * turn + second)
            signing = ring.signing(now=NOW + 10 * turn + second)
        assert found is not None
        assert signing == keys.current.key
    assert [line.levelname for line in caplog.records] == ["ERROR"] * 2


def test_a_change_is_logged_by_the_name_of_the_key(
    file: CountingFile, ring: KeyRing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for a rotation, none for a file that is only touched."""
    os.utime(tmp_path / "signing.key", (NOW, NOW))
    with caplog.at_level(logging.INFO):
        ring.signing(now=NOW + 10)
    assert (caplog.messages, file.reads) == ([], 1)
    keys = rotate(file)
    with caplog.at_level(logging.INFO):
        ring.signing(now=NOW + 20)
    assert caplog.messages == [f"event=signing_keys_changed current={keys.current.key.kid}"]


def test_a_file_that_cannot_be_used_at_the_start_is_refused(tmp_path: Path) -> None:
    """There are no former keys to go on with."""
    with pytest.raises(SigningKeyUnusable, match="No such file"):
        KeyRing.following(KeyFile(tmp_path / "none"), retired_seconds=GOOD_SECONDS)


def test_the_configuration_says_where_the_keys_are(tmp_path: Path) -> None:
    """Given as text, as a file, beside the database, or for this process only; production makes none."""
    database = f"sqlite:///{tmp_path}/chat.db"
    assert make_key_ring(Config(signing_key=TEXT)).signing(now=NOW) == signing_key_from(TEXT)
    assert make_key_ring(Config(signing_key=key_of("RS256").text)).signing(now=NOW) == key_of("RS256")
    with pytest.raises(SigningKeyUnusable, match="at least 32 bytes"):
        make_key_ring(Config(signing_key="short"))
    beside = make_key_ring(Config(database=database)).signing(now=NOW)
    assert KeyFile(tmp_path / "signing.key").read()[0].current.key == beside
    named = make_key_ring(Config(database=database, signing_key_file=str(tmp_path / "other.key")))
    assert named.signing(now=NOW) != beside
    in_memory = Config(database="memory://")
    assert make_key_ring(in_memory).signing(now=NOW) != make_key_ring(in_memory).signing(now=NOW)
    production = Config(profile="production", database=database, signing_key_file=str(tmp_path / "none.key"))
    with pytest.raises(SigningKeyUnusable, match="No such file"):
        make_key_ring(production)
    assert {path.name for path in tmp_path.iterdir()} == {"signing.key", "other.key"}


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256", "HS256"])
def test_the_configuration_says_what_kind_of_keys_are_made(tmp_path: Path, algorithm: str) -> None:
    """In a file, with the one that will sign next, and in memory."""
    given = {"signing_algorithm": algorithm}
    ring = make_key_ring(Config(**given, database=f"sqlite:///{tmp_path}/chat.db"))
    assert [key.algorithm for key in ring.published(now=NOW)] == [algorithm] * 2
    assert make_key_ring(Config(**given, database="memory://")).signing(now=NOW).algorithm == algorithm


def test_a_retired_key_verifies_for_as_long_as_the_tokens_live_that_are_configured(tmp_path: Path) -> None:
    """The life of tokens, the leeway of clocks, and the second until a server looks."""
    path = tmp_path / "signing.key"
    ring = make_key_ring(Config(signing_key_file=str(path), access_token_seconds=100))
    former = ring.signing(now=NOW)
    keys = rotate(KeyFile(path))
    assert keys.retired == (RetiredKey(former.retired(), NOW, keys.retired[0].made_at),)
    found = ring.find(former.kid, now=NOW + 10)
    assert found is not None
    assert found.good_until == NOW + 111

"""The file of the signing keys: made once and whole, private, changed by one at a time, and refused when it is not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from justchat.accounts import key_file
from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_set import KeySet, fresh_keys, rotated
from justchat.accounts.signing_key import SigningKeyUnusable, fresh_signing_key, signing_key_from

pytestmark = pytest.mark.real_clock

TEXT = "0123456789abcdef" * 4


def make() -> KeySet:
    """Keys of a new site."""
    return fresh_keys(fresh_signing_key, now=0)


def rotate(keys: KeySet) -> KeySet:
    """Rotate, and keep every key that ever was."""
    return rotated(keys, fresh_signing_key, now=0, retired_seconds=1)


def open_or_create(path: Path) -> KeySet:
    """What a server does when it starts."""
    file = KeyFile(path)
    file.create(make)
    return file.read()[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with keys."""
    found = tmp_path / "signing.key"
    KeyFile(found).create(make)
    return found


def test_keys_are_made_once_and_found_again(tmp_path: Path) -> None:
    """The second start reads what the first made: mode 0600, in a folder for the owner only, and no draft stays."""
    path = tmp_path / "data" / "signing.key"
    made = open_or_create(path)
    assert made.next is not None
    assert open_or_create(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_generous_umask_does_not_open_the_file(tmp_path: Path) -> None:
    """The mode is asked for when the file is made, not repaired after."""
    path = tmp_path / "signing.key"
    before = os.umask(0)
    try:
        open_or_create(path)
        assert path.stat().st_mode & 0o777 == 0o600
        KeyFile(path).change(rotate)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_start_together_agree_on_their_keys(tmp_path: Path) -> None:
    """Whoever is first wins, nobody reads half a file, and no draft is left."""
    path = tmp_path / "signing.key"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(open_or_create, [path] * 16))
    assert len({keys.current.key for keys in found}) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_keys_that_others_can_read_are_refused(path: Path, mode: int) -> None:
    """They may have been copied already; the message says what to do, and nothing is changed."""
    path.chmod(mode)
    for attempt in (open_or_create, lambda path: KeyFile(path).change(rotate)):
        with pytest.raises(SigningKeyUnusable, match="chmod it to 0600"):
            attempt(path)
    assert path.stat().st_mode & 0o777 == mode
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"short", b" " * 100, b"\xff" * 64, b"x" * 5000, b'{"keys": [' + b" " * 99])
def test_a_file_without_keys_is_refused_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    """An unreadable key is for a person to look at: replacing it would log everybody out."""
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    path.chmod(0o600)
    for attempt in (open_or_create, lambda path: KeyFile(path).change(rotate)):
        with pytest.raises(SigningKeyUnusable, match="holds no signing keys: "):
            attempt(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_or_impossible_path_is_said(tmp_path: Path) -> None:
    """Reading alone never makes keys; a folder or a pipe is no file, and nobody waits for one."""
    for attempt in (KeyFile.read, lambda file: file.change(rotate)):
        with pytest.raises(SigningKeyUnusable, match="No such file"):
            attempt(KeyFile(tmp_path / "none"))
        with pytest.raises(SigningKeyUnusable, match="are not a file"):
            attempt(KeyFile(tmp_path))
    assert KeyFile(tmp_path / "none").stamp() is None
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SigningKeyUnusable, match="are not a file"):
        open_or_create(tmp_path / "pipe")
    with pytest.raises(SigningKeyUnusable, match="cannot create"):
        KeyFile(tmp_path / "pipe" / "signing.key").create(make)


def test_a_file_of_the_old_form_is_read_and_renewed_by_the_first_change(tmp_path: Path) -> None:
    """An existing site goes on with its key, and has the new form from the first rotation on."""
    path = tmp_path / "signing.key"
    path.write_text(f"{TEXT}\n")
    path.chmod(0o600)
    former = open_or_create(path)
    assert (former.current.key, former.next) == (signing_key_from(TEXT), None)
    assert path.read_text() == f"{TEXT}\n"
    changed = KeyFile(path).change(rotate)
    assert open_or_create(path) == changed
    assert changed.retired[0].key == former.current.key.retired()


def test_a_change_replaces_the_file_as_a_whole(path: Path) -> None:
    """Who has it open still reads the former keys; the stamp tells that there are others."""
    file = KeyFile(path)
    before, stamp = file.read()
    assert file.stamp() == stamp
    with path.open("rb") as opened:
        after = file.change(rotate)
        assert opened.read() != path.read_bytes()
    assert file.read()[0] == after != before
    assert file.stamp() != stamp
    assert list(path.parent.iterdir()) == [path]


def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    """The file is as it was, nothing is left beside it, and the next one may change it."""
    before = path.read_bytes()

    def fail(keys: KeySet) -> KeySet:
        raise SigningKeyUnusable("not today")

    with pytest.raises(SigningKeyUnusable, match="not today"):
        KeyFile(path).change(fail)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    KeyFile(path).change(rotate)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_the_former_keys(path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full or broken: the error is named, the file is as it was, and no draft with secrets stays."""
    before = path.read_bytes()

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fail)
    with pytest.raises(SigningKeyUnusable, match=r"cannot change the signing keys .*: No space left on device"):
        KeyFile(path).change(rotate)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_new_file_is_on_the_disk_before_it_has_the_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its contents are synced, then it is renamed, then its folder is synced."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        sync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    KeyFile(path).change(rotate)
    assert steps == ["file", "rename", "folder"]


def test_changes_at_the_same_time_come_one_after_the_other(path: Path) -> None:
    """Sixteen at once: each builds on the one before, and no key gets lost."""
    first = KeyFile(path).read()[0]
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda _: KeyFile(path).change(rotate), range(16)))
    last = KeyFile(path).read()[0]
    assert len(last.retired) == 16
    assert len({keys.current.key for keys in results}) == 16
    assert first.current.key.kid == last.retired[-1].key.kid
    assert {keys.current.key.kid for keys in results} - {old.key.kid for old in last.retired} == {last.current.key.kid}
    assert list(path.parent.iterdir()) == [path]


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Lock the file as somebody who does not let go."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def test_a_change_does_not_wait_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who never lets go of the file is named as the cause; reading does not mind."""
    monkeypatch.setattr(key_file, "_LOCK_SECONDS", 0.05)
    before = path.read_bytes()
    with held(path):
        with pytest.raises(SigningKeyUnusable, match="being changed by another process"):
            KeyFile(path).change(rotate)
        KeyFile(path).read()
    assert path.read_bytes() == before


def test_a_lock_on_a_file_that_was_replaced_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened the former file, and gets it only when it is replaced, changes the new one, with what is in it."""
    other = path.with_name("other")
    put = open_or_create(other)
    lock, locked = key_file._lock, []

    def lock_too_late(descriptor: int) -> bool:
        if not locked:
            other.rename(path)
        locked.append(os.fstat(descriptor).st_ino)
        return lock(descriptor)

    monkeypatch.setattr(key_file, "_lock", lock_too_late)
    changed = KeyFile(path).change(rotate)
    assert len(set(locked)) == len(locked) == 2
    assert changed.retired[0].key.kid == put.current.key.kid
    assert KeyFile(path).read()[0] == changed


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    """The file is replaced where it is."""
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real.key", tmp_path / "signing.key"
    KeyFile(real).create(make)
    link.symlink_to(real)
    changed = KeyFile(link).change(rotate)
    assert link.is_symlink()
    assert KeyFile(real).read()[0] == changed
    assert list(real.parent.iterdir()) == [real]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_keys_changed_by_root_still_belong_to_the_servers_user(path: Path) -> None:
    """Otherwise the server could not read them any more."""
    os.chown(path, 12345, 23456)
    KeyFile(path).change(rotate)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 23456, 0o600)


def test_what_a_killed_change_left_is_taken_away(path: Path) -> None:
    """A draft has secrets in it. A young one may be at work, and other files are none of ours."""
    names = {".signing.key.0123456789abcdef": 3600, ".signing.key.fedcba9876543210": 0, ".signing.key.bak": 3600}
    for name, age_seconds in names.items():
        path.with_name(name).write_text("x")
        moment = time.time() - age_seconds
        os.utime(path.with_name(name), (moment, moment))
    KeyFile(path).change(rotate)
    left = {found.name for found in path.parent.iterdir()}
    assert left == {"signing.key", ".signing.key.fedcba9876543210", ".signing.key.bak"}


ROTATE_FOR_EVER = """
import sys
from pathlib import Path
from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_set import rotated
from justchat.accounts.signing_key import fresh_signing_key
print("ready", flush=True)
while True:
    KeyFile(Path(sys.argv[1])).change(lambda keys: rotated(keys, fresh_signing_key, now=0, retired_seconds=0))
"""


def test_a_killed_change_leaves_whole_keys_and_no_lock(path: Path) -> None:
    """Whatever moment it is killed at, the next one goes on from there."""
    process = subprocess.Popen([sys.executable, "-c", ROTATE_FOR_EVER, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        seen: set[str] = set()
        until = time.monotonic() + 60
        while len(seen) < 20 and time.monotonic() < until:
            seen.add(KeyFile(path).read()[0].current.key.kid)
        assert len(seen) == 20
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    before = KeyFile(path).read()[0]
    assert before.next is not None
    assert KeyFile(path).change(rotate).current == before.next

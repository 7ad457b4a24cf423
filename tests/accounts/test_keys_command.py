"""`justchat keys`: exit codes, one line for every error, no secret anywhere, and servers that go on meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from justchat.accounts.factory import make_key_ring
from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_ring import LOOK_SECONDS
from justchat.accounts.tokens import LEEWAY_SECONDS, Claims, TokenProblem, Tokens
from justchat.cli import main
from justchat.config import Config
from tests.accounts.forging import LIFE, SESSION, USER, key_of

pytestmark = pytest.mark.real_clock

TEXT = "0123456789abcdef" * 4
ROW = re.compile(r"(\S+) +(EdDSA|RS256|HS256) +(current|next|retired) +(-|\S+Z) +(-|\S+Z)")


class Command:
    """Runs `justchat keys`, and gives code, output and errors."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *argv: str, **environ: str) -> tuple[int, list[str], list[str]]:
        code = main(["keys", *argv], environ)
        out, err = self._captured.readouterr()
        return code, out.splitlines(), err.splitlines()

    def rows(self, *argv: str, **environ: str) -> list[tuple[str, ...]]:
        """Run one that succeeds, and give the rows: kid, algorithm, state, when made, until when it verifies."""
        code, out, err = self(*argv, **environ)
        assert (code, err) == (0, []), (code, err)
        assert out[0].split() == ["kid", "algorithm", "state", "made", "at", "verifies", "until"]
        found = [ROW.fullmatch(line) for line in out[1:]]
        assert None not in found, out
        return [match.groups() for match in found if match is not None]

    def refused(self, code: int, *argv: str, **environ: str) -> str:
        """Run one that prints nothing but one line of error; return that line."""
        found, out, err = self(*argv, **environ)
        assert (found, out, len(err)) == (code, [], 1), (found, out, err)
        assert err[0].startswith("justchat: ")
        return err[0].removeprefix("justchat: ")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run commands."""
    return Command(capsys)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a key of the old form."""
    path = tmp_path / "signing.key"
    path.touch(mode=0o600)
    path.write_text(TEXT)
    return path


def test_keys_are_listed_and_rotated(path: Path, run: Command) -> None:
    """From a key of the old form on: the next signs, a fresh one is next, the former retires."""
    file = f"--signing-key-file={path}"
    (lone,) = run.rows("list", file)
    assert lone[1:] == ("HS256", "current", "-", "-")
    assert path.read_text() == TEXT
    first = run.rows("rotate", file)
    assert [row[1:3] for row in first] == [("EdDSA", "current"), ("EdDSA", "next"), ("HS256", "retired")]
    assert first[2][0] == lone[0]
    second = run.rows("rotate", file)
    assert [row[2] for row in second] == ["current", "next", "retired", "retired"]
    assert [second[0][0], second[2][0], second[3][0]] == [first[1][0], first[0][0], lone[0]]
    assert run.rows("list", file) == second
    assert list(path.parent.iterdir()) == [path]


def test_the_algorithm_of_the_new_key_can_be_chosen(path: Path, run: Command) -> None:
    """By the flag of this command, or as for the server; the next key is announced before it signs."""
    file = f"--signing-key-file={path}"
    run.rows("rotate", file)
    assert [row[1] for row in run.rows("rotate", file, "--algorithm", "RS256")][:2] == ["EdDSA", "RS256"]
    assert [row[1] for row in run.rows("rotate", file, "--algorithm=hs256")][:2] == ["RS256", "HS256"]
    chosen = run.rows("rotate", file, JUSTCHAT_SIGNING_ALGORITHM="RS256")
    assert [row[1] for row in chosen][:2] == ["HS256", "RS256"]
    assert "is not one of EdDSA, RS256, HS256" in run.refused(2, "rotate", file, "--algorithm", "none")
    assert "needs a value" in run.refused(2, "rotate", file, "--algorithm")
    assert run.rows("list", file) == chosen


def test_no_secret_is_ever_printed(path: Path, run: Command) -> None:
    """Neither a text nor a private key, whatever the command says."""
    secrets = {TEXT, key_of("EdDSA").text, key_of("EdDSA").text.splitlines()[1]}
    said = [str(run("list", JUSTCHAT_SIGNING_KEY=TEXT)), str(run("list", JUSTCHAT_SIGNING_KEY=key_of("EdDSA").text))]
    for command in (["list"], ["rotate"], ["rotate", "--algorithm=HS256"], ["rotate"], ["list"]):
        said.append(str(run(*command, f"--signing-key-file={path}")))
        secrets |= {kept.key.text for kept in KeyFile(path).read()[0].retired}
        secrets |= {KeyFile(path).read()[0].current.key.text}
    path.write_text(path.read_text()[:-200])
    said.append(run.refused(1, "list", f"--signing-key-file={path}"))
    assert not [secret for secret in secrets for text in said if secret.strip() in text]


def test_keys_are_found_as_the_server_finds_them(tmp_path: Path, path: Path, run: Command) -> None:
    """By flag, variable and file, and beside the database; a setting that nobody knows is an error here too."""
    rows = run.rows("list", f"--database=sqlite:///{tmp_path}/chat.db")
    (tmp_path / "chat.toml").write_text(f'signing_key_file = "{path}"\nbcrypt_cost = 10\n')
    assert run.rows("list", f"--config={tmp_path}/chat.toml") == rows
    assert run.rows("list", JUSTCHAT_CONFIG=f"{tmp_path}/chat.toml") == rows
    assert run.rows("list", JUSTCHAT_SIGNING_KEY_FILE=str(path)) == rows
    safe = ("--profile=production", "--database=sqlite:////x.db", f"--signing-key-file={path}")
    assert run.rows("list", *safe) == rows
    assert "not a known variable" in run.refused(2, "list", JUSTCHAT_SIGNING_KEYFILE=str(path))
    assert "not a known flag" in run.refused(2, "list", "--signing-key-fil=x")
    assert "is not expected here" in run.refused(2, "rotate", "all", f"--signing-key-file={path}")


def test_a_key_from_a_setting_is_listed_and_cannot_be_rotated(run: Command) -> None:
    """It is changed where it is set."""
    assert run.rows("list", JUSTCHAT_SIGNING_KEY=key_of("RS256").text) == [
        (key_of("RS256").kid, "RS256", "current", "-", "-")
    ]
    assert "only a file of keys can be rotated" in run.refused(2, "rotate", JUSTCHAT_SIGNING_KEY=TEXT)


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, path: Path, run: Command) -> None:
    """1 for a file that is missing or unusable, 2 for a configuration without one; nothing is made or changed."""
    for action in ("list", "rotate"):
        assert "No such file" in run.refused(1, action, f"--signing-key-file={tmp_path}/none")
        assert "in memory keeps no signing keys" in run.refused(2, action, "--database=memory://")
        path.chmod(0o644)
        assert "chmod it to 0600" in run.refused(1, action, f"--signing-key-file={path}")
        path.chmod(0o600)
        path.write_text("short")
        assert "holds no signing keys" in run.refused(1, action, f"--signing-key-file={path}")
    assert list(tmp_path.iterdir()) == [path]
    public = key_of("EdDSA").retired().text
    assert "private key" in run.refused(2, "list", JUSTCHAT_SIGNING_KEY=public)
    broken = key_of("EdDSA").text.replace("M", "N", 1)
    assert "private key" in run.refused(1, "list", JUSTCHAT_SIGNING_KEY=broken)


@pytest.mark.parametrize(("argv", "code"), [([], 2), (["burn"], 2), (["--help"], 0), (["rotate", "--help"], 0)])
def test_usage_ends_with_the_usual_codes(argv: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for what was asked for, 2 for what makes no command."""
    with pytest.raises(SystemExit) as ended:
        main(["keys", *argv], {})
    assert ended.value.code == code
    assert ("--algorithm" in capsys.readouterr().out) == ("rotate" in argv)


def test_an_interrupted_rotation_says_so(path: Path, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt key at any moment gives its code and one line, and leaves the keys as they were."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    assert run.refused(130, "rotate", f"--signing-key-file={path}") == "interrupted"
    assert path.read_text() == TEXT
    assert list(path.parent.iterdir()) == [path]


def started(path: Path, *, algorithm: str = "EdDSA") -> subprocess.Popen[str]:
    """Start a rotation in a process of its own."""
    command = [sys.executable, "-m", "justchat", "keys", "rotate", f"--signing-key-file={path}"]
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, f"--algorithm={algorithm}"], stdout=pipe, stderr=pipe, text=True)


def rotate_elsewhere(path: Path, *, algorithm: str = "EdDSA") -> None:
    """Rotate in a process of its own, and wait for its end."""
    process = started(path, algorithm=algorithm)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


class Site:
    """What a running server does with tokens, on a clock of our own that starts at the real time."""

    def __init__(self, path: Path) -> None:
        config = Config(signing_key_file=str(path), access_token_seconds=LIFE)
        self.now = float(KeyFile(path).read()[1].modified_ns // 10**9)
        self.tokens = Tokens(make_key_ring(config), issuer="me", access_seconds=LIFE, clock=lambda: self.now)

    def issue(self) -> str:
        """Make a token."""
        return self.tokens.issue(USER, SESSION)[0]

    def kids(self) -> list[str]:
        """The names of the published keys."""
        return [key["kid"] for key in self.tokens.jwks()["keys"]]


def kid(token: str) -> str:
    """The name of the key that made a token."""
    return str(jwt.get_unverified_header(token)["kid"])


def test_a_running_server_takes_up_what_another_process_rotates(tmp_path: Path) -> None:
    """No restart: the announced key signs a second later, and each former key for as long as there are tokens."""
    path = tmp_path / "signing.key"
    make_key_ring(Config(signing_key_file=str(path)))
    site = Site(path)
    first = site.issue()
    current, following = site.kids()
    assert kid(first) == current

    rotate_elsewhere(path)
    retired_at = KeyFile(path).read()[0].retired[0].retired_at
    site.now += LOOK_SECONDS
    second = site.issue()
    assert kid(second) == following
    assert [site.kids()[0], site.kids()[2]] == [following, current]
    assert all(isinstance(site.tokens.verify(token), Claims) for token in (first, second))

    site.now = retired_at + LIFE + LEEWAY_SECONDS + LOOK_SECONDS
    assert site.tokens.verify(first) is TokenProblem.TOKEN_EXPIRED
    assert current not in site.kids()


def test_an_existing_site_with_a_secret_gets_public_keys_without_anybody_noticing(path: Path) -> None:
    """Tokens of the old key stay good over the rotation, and nothing of the secret is published."""
    site = Site(path)
    old = site.issue()
    assert site.kids() == []
    rotate_elsewhere(path, algorithm="RS256")
    site.now += LOOK_SECONDS
    new = site.issue()
    assert (jwt.get_unverified_header(old)["alg"], jwt.get_unverified_header(new)["alg"]) == ("HS256", "RS256")
    assert all(isinstance(site.tokens.verify(token), Claims) for token in (old, new))
    assert kid(new) in site.kids()
    assert kid(old) not in site.kids()


def test_rotations_by_several_processes_at_once_lose_no_key(path: Path) -> None:
    """Each comes after another: there are as many retired keys as rotations, and one chain of successors."""
    before = KeyFile(path).read()[0]
    processes = [started(path) for _ in range(4)]
    ends = [(process.communicate(timeout=30), process.returncode) for process in processes]
    assert [code for _, code in ends] == [0] * 4
    signed_last = {out.splitlines()[1].split()[0] for (out, _), _ in ends}
    after = KeyFile(path).read()[0]
    assert len(after.retired) == 4
    assert after.retired[-1].key.kid == before.current.key.kid
    assert signed_last == {after.current.key.kid, *(old.key.kid for old in after.retired[:-1])}
    assert list(path.parent.iterdir()) == [path]

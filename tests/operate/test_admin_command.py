"""`justchat admin`: the first administrator, also beside a running server, and never a password on a command line."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from justchat.accounts.identity import ServerRole
from justchat.cli import main
from justchat.cli.flags import ROLES
from storage.open import open_storage
from storage.records import UserRecord
from tests.storage.contract.backends import ram_folder
from tests.support.rest import Caller, close_all, register
from tests.support.server import running_server

pytestmark = pytest.mark.real_clock

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give logging back as it was: a command sets it up for its process."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def store() -> Iterator[str]:
    """Name a store that is not there yet."""
    with ram_folder() as folder:
        yield f"sqlite:///{folder}/chat.db"


class Admin:
    """Runs `justchat admin` on a store, with a password on stdin."""

    def __init__(self, store: str, captured: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._store = store
        self._captured = captured
        self._patch = patch

    def __call__(self, *argv: str, password: str = PASSWORD) -> tuple[int, str, str]:
        self._patch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
        code = main(["admin", *argv, f"--database={self._store}"], {"JUSTCHAT_BCRYPT_COST": "4"})
        out, err = self._captured.readouterr()
        return code, out, err


@pytest.fixture
def admin(store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Run the command."""
    return Admin(store, capsys, monkeypatch)


def accounts(store: str) -> dict[str, UserRecord]:
    """Read all accounts, by username."""

    async def read() -> list[UserRecord]:
        async with open_storage(store) as site:
            return await site.directory.all_users(limit=100)

    return {user.username: user for user in trio.run(read)}


def deeds(store: str) -> list[str]:
    """Read what the log says of the console, the latest first."""

    async def read() -> list[bytes]:
        async with open_storage(store) as site:
            page = await site.directory.items("audit", cursor=None, limit=100, newest=True)
            return [item.doc for item in page.items]

    return [doc.decode() for doc in trio.run(read)]


def test_the_first_administrator_is_made_before_anything_else(admin: Admin, store: str) -> None:
    """In a store that is made for it; the password comes from stdin and is in no output."""
    code, out, err = admin("create", "--username", "Root", "--email", "Root@example.org")
    assert (code, err) == (0, "")
    assert "Root" in out
    user = accounts(store)["Root"]
    assert (user.role, user.email, user.name_key) == ("admin", "root@example.org", "root")
    assert user.password_hash.startswith("$2b$04$")
    assert PASSWORD not in out


def test_making_the_same_administrator_again_changes_nothing(admin: Admin, store: str) -> None:
    """Whoever sets a machine up by a script may run it twice; the password stays what it was."""
    admin("create", "--username", "root")
    before = accounts(store)
    code, out, err = admin("create", "--username", "ROOT", password="another good one")
    assert (code, err) == (0, "")
    assert "already" in out
    assert accounts(store) == before


def test_an_account_that_is_there_is_promoted_only_if_that_is_said(admin: Admin, store: str) -> None:
    """A taken name is no administrator by accident."""
    admin("create", "--username", "root")
    admin("role", "root", "user")
    code, out, err = admin("create", "--username", "root")
    assert (code, out) == (1, "")
    assert "--promote" in err
    assert accounts(store)["root"].role == "user"
    code, out, err = admin("create", "--username", "root", "--promote", password="")
    assert (code, err) == (0, "")
    assert accounts(store)["root"].role == "admin"
    code, out, err = admin("create", "--username", "nobody", "--promote")
    assert (code, out) == (1, "")
    assert "nobody" in err


@pytest.mark.parametrize(
    ("username", "email", "password", "named"),
    [
        ("ab", None, PASSWORD, "username"),
        ("root", "no address", PASSWORD, "email"),
        ("root", None, "short", "password"),
        ("root", None, "", "password"),
        ("root", None, "x" * 73, "password"),
        ("password", None, "password", "password"),
    ],
)
def test_an_administrator_has_to_keep_to_the_rules(
    admin: Admin, store: str, username: str, email: str | None, password: str, named: str
) -> None:
    """One line says what is wrong, and nobody is made."""
    flags = ["create", "--username", username, *(["--email", email] if email else [])]
    code, out, err = admin(*flags, password=password)
    assert (code, out) == (1, "")
    assert err.startswith(f"justchat: {named}: ")
    assert err.count("\n") == 1
    assert accounts(store) == {}


def test_accounts_are_disabled_enabled_and_given_roles(admin: Admin, store: str) -> None:
    """By name or id, each as often as one likes; each deed is in the log, by the console."""
    admin("create", "--username", "root")
    user = accounts(store)["root"].id
    for argv, field, value in (
        (("disable", "ROOT"), "disabled", True),
        (("enable", user), "disabled", False),
        (("role", "root", "bot"), "role", "bot"),
    ):
        for _ in range(2):
            code, out, err = admin(*argv)
            assert (code, err) == (0, "")
            assert "root" in out
            assert getattr(accounts(store)["root"], field) == value
    log = deeds(store)
    assert len(log) == 4
    assert all('"actor":"console"' in line and PASSWORD not in line for line in log)
    assert [line.split('"')[3] for line in log] == [
        "user.role_changed",
        "user.enabled",
        "user.disabled",
        "user.created",
    ]


def test_who_is_not_there_is_not_changed(admin: Admin) -> None:
    """One line and a code for scripts."""
    for argv in (("disable", "nobody"), ("enable", "u_none"), ("role", "nobody", "user")):
        code, out, err = admin(*argv)
        assert (code, out) == (1, "")
        assert err.startswith("justchat: there is no account")


def test_memory_has_nobody_to_administrate(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever forgot to name the database is told so instead of being thanked."""
    assert main(["admin", "disable", "root", "--database=memory://"], {}) == 2
    assert "memory" in capsys.readouterr().err


def test_a_password_is_never_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no such flag."""
    with pytest.raises(SystemExit):
        main(["admin", "create", "--username", "root", "--password", "x"], {})
    assert "--password" in capsys.readouterr().err


def test_roles_are_those_that_accounts_can_have() -> None:
    """The command knows every role."""
    with pytest.raises(SystemExit):
        main(["admin", "role", "root", "emperor"], {})
    assert set(ROLES) == set(ServerRole)


def test_an_administrator_is_made_beside_a_running_server(tmp_path: Path) -> None:
    """Also on SQLite: the server lets them in at once, and puts out whom the console disables."""
    with running_server(tmp_path, profile="loadtest") as server:
        command = [sys.executable, "-m", "justchat", "admin"]
        database = f"--database=sqlite:///{tmp_path}/chat.db"

        def run(*argv: str) -> None:
            done = subprocess.run(
                [*command, *argv, database],
                input=f"{PASSWORD}\n",
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")

        try:
            member = register(server)
            run("create", "--username", "root")
            login = {"username": "root", "password": PASSWORD}
            signed_in = member.call("POST", "/auth/login", login)
            root = Caller(server.url, "root", token=signed_in["access_token"], user=signed_in["user"]["id"])
            assert root.call("GET", f"/admin/users/{member.id}")["username"] == member.username
            run("disable", member.username)
            assert member.refused("GET", "/users/me", status=401) == "unauthenticated"
            assert [item["actor"] for item in root.call("GET", "/admin/audit-log")["items"]] == ["console"] * 2
        finally:
            close_all()

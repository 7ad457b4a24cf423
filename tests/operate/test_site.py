"""What a store is called, and that looking for a site makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from justchat.operate.refusals import NoSite
from justchat.operate.site import databases, open_site, site_name
from storage.errors import StorageInUse
from storage.migrate import migrate_down, migrate_up
from storage.migrations import MigrationRefused
from storage.open import open_storage
from storage.url import UnknownStorage

pytestmark = pytest.mark.real_clock


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_one_file_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative and absolute paths, detours and links all come to the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(tmp_path / "chat.db")
    urls = ("sqlite:///chat.db", f"sqlite:///{tmp_path}/chat.db", "sqlite:///x/../chat.db", "sqlite:///link.db")
    assert {site_name(url) for url in urls} == {f"sqlite:///{tmp_path}/chat.db"}
    assert site_name("sqlite:///other.db") != site_name(urls[0])


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgres://u:secret@host/db", "postgres://host/db"),
        ("postgresql://other@HOST/db?sslmode=require&password=secret", "postgres://host/db"),
        ("postgresql://host:5433/db", "postgres://host:5433/db"),
        ("postgres:///db?host=/run/pg&port=1&user=u", "postgres:///db host=/run/pg port=1"),
        ("memory:", "memory:"),
    ],
)
def test_a_server_is_named_by_where_it_is_and_without_secrets(url: str, name: str) -> None:
    """A changed password or option does not make another store of it."""
    assert site_name(url) == name


def test_a_store_of_two_databases_is_named_by_both() -> None:
    """So that a source and a target that share one of them are noticed."""
    url, journal = "postgres://u:secret@host/db", "mongodb://u:secret@a:1,b:2/chat?replicaSet=x"
    assert site_name(url, journal=journal) == "postgres://host/db with its journal in mongodb://a:1,b:2/chat"
    assert set(databases(url)) < set(databases(url, journal=journal))


@pytest.mark.parametrize("url", ["postgres://u:se/cret@host/db", "postgres://u:se#cret@host/db", "postgres://[::1/db"])
def test_a_url_that_would_show_its_password_is_refused(url: str) -> None:
    """A password that is not percent-encoded ends up in the wrong part of the URL."""
    with pytest.raises(UnknownStorage) as refused:
        site_name(url)
    assert "cret" not in str(refused.value)


async def test_looking_for_a_site_makes_none(tmp_path: Path) -> None:
    """No file, no folder, no lock."""
    with pytest.raises(NoSite, match="no site in"):
        async with open_site(f"sqlite:///{tmp_path}/deep/chat.db"):
            pass
    assert names(tmp_path) == []


async def test_an_outdated_site_is_refused_and_not_migrated(tmp_path: Path) -> None:
    """An operator who looks does not change the schema in passing."""
    url = f"sqlite:///{tmp_path}/chat.db"
    await migrate_up(url)
    await migrate_down(url, to=2)
    with pytest.raises(MigrationRefused, match="migrate the database first"):
        async with open_site(url):
            pass


async def test_a_site_may_be_looked_at_together_or_held_alone(tmp_path: Path) -> None:
    """A check runs beside a server; a repair and a copy do not."""
    url = f"sqlite:///{tmp_path}/chat.db"
    async with open_storage(url), open_site(url) as site:
        assert await site.journal.rooms(limit=1) == []
        with pytest.raises(StorageInUse):
            async with open_site(url, exclusive=True):
                pass

"""Which MongoDB URLs are taken."""

from __future__ import annotations

import pytest

from storage.mongo import mongo_settings
from storage.url import UnknownStorage


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("mongodb://localhost", "justchat"),
        ("mongodb://localhost/", "justchat"),
        ("mongodb://localhost:27017/chat", "chat"),
        ("mongodb://u:p%2Fw@a:1,b:2,c/chat?replicaSet=rs0&authSource=admin", "chat"),
        ("mongodb+srv://u:pw@cluster.example.org/chat?retryWrites=true&w=majority", "chat"),
        ("mongodb://localhost/chat?W=Majority&journal=TRUE&readPreference=primary&readConcernLevel=majority", "chat"),
    ],
)
def test_the_path_names_the_database(url: str, database: str) -> None:
    """The URL itself is passed on as it is."""
    settings = mongo_settings(url)
    assert (settings.uri, settings.database) == (url, database)


@pytest.mark.parametrize(
    "option",
    [
        "w=0",
        "w=1",
        "w=2",
        "W=0",
        "j=false",
        "journal=false",
        "journal=0",
        "readPreference=secondary",
        "readpreference=nearest",
        "readConcernLevel=local",
        "w=majority&w=1",
        "w=",
    ],
)
def test_a_url_that_weakens_the_journal_is_refused(option: str) -> None:
    """An acknowledged message must survive the loss of a server: no setting may quietly say otherwise."""
    with pytest.raises(UnknownStorage, match="would weaken the journal") as caught:
        mongo_settings(f"mongodb://u:secret@localhost/chat?replicaSet=rs0&{option}")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost", "mongodb://", "mongodb:///chat", "postgres://localhost/x"])
def test_what_is_no_mongodb_url_is_refused(url: str) -> None:
    """The message says what one looks like."""
    with pytest.raises(UnknownStorage, match="mongodb://host:port/database"):
        mongo_settings(url)


def test_settings_show_no_password() -> None:
    """They end up in logs."""
    settings = mongo_settings("mongodb://user:secret@localhost/chat")
    assert "secret" not in f"{settings!r} {settings!s} {settings}"
    assert "chat" in repr(settings)

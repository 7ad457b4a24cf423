"""The README of the package: its example runs, and prints what it says."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import actors

README = Path(actors.__file__).with_name("README.md")


@pytest.fixture(autouse=True)
def _logging_is_enabled_again() -> Iterator[None]:
    """The example silences the log, which must not outlast it."""
    yield
    logging.disable(logging.NOTSET)


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def test_the_example_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    """There is one example, complete, and one block with its output."""
    (example,) = blocks("python")
    (printed,) = blocks("text")
    exec(compile(example, str(README), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == printed


def test_the_readme_names_every_option_of_the_restart_policy() -> None:
    """And its defaults: the table cannot fall behind the code."""
    text = README.read_text(encoding="utf-8")
    policy = actors.RestartPolicy()
    for name in actors.RestartPolicy.__struct_fields__:
        (row,) = [line for line in text.splitlines() if line.startswith("|") and f"{name}`" in line]
        default = getattr(policy, name)
        assert ("no" if default is False else f"{default:g}") in row.split("|")[2], name


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    """What the package lists can be imported from it and says what it is."""
    for name in actors.__all__:
        public = getattr(actors, name)
        assert name == "ChildState" or public.__doc__, name

"""The feature table tells the truth: each row that is `done` names a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ((?:S\d-[\d/]+)|N\d+) \| (.+) \| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """Read the table's rows: id, feature, state."""
    return ROW.findall((ROOT / "docs" / "FEATURES.md").read_text())


@cache
def functions_of(path: str) -> frozenset[str]:
    """Name the functions in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_row_is_done_with_a_test_that_exists_or_not_yet() -> None:
    """No third state, no test that was renamed away, and every row of the list is there once."""
    found = rows()
    assert len({row for row, _, _ in found}) == len(found) == 182
    for row, _, state in found:
        if state == "not yet":
            continue
        match = re.fullmatch(r"done \(`(tests/[\w/]+\.py)::(\w+)`\)", state)
        assert match is not None, (row, state)
        assert match[2] in functions_of(match[1]), (row, state)


def test_the_licence_is_there() -> None:
    """S0-35: the text in the tree and its name in the package's metadata."""
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()

"""House rules that a reader feels and a linter does not see: sizes, stray prints, and paths that work on one machine.

Sizes hold for the packages, the tests and the bench. Text is looked at in every file that goes into the repository.
Each rule is tried on a planted offender, so that none of them is silent because it looks in the wrong place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, Module, SourceTree

PACKAGES = ("justchat", "storage", "actors")
CODE = SourceTree.read(ROOT, *PACKAGES)
ALL = SourceTree.read(ROOT, *PACKAGES, "tests", "bench")

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# What is never committed: version control's own, environments, caches, build results.
NOT_OURS = {
    ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "node_modules",
    "build", "dist", "data", "results", ".cache",
}  # fmt: skip

# Spelled in pieces, so that this file does not break the rule it checks.
REGISTRIES = (
    "pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com", "yarnpkg" + ".com",
    "proxy" + ".golang" + ".org", "crates" + ".io", "rubygems" + ".org", "maven" + ".org", "docker" + ".io",
    "ghcr" + ".io", "quay" + ".io", "conda" + ".anaconda.org", "index-" + "url", "find-" + "links", "artifact" + "ory",
)  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w./$~}-])(?:/(?:root|work|home|Users)/\w|[A-Za-z]:\\Users\\)")


def text_files(root: Path) -> Iterator[Path]:
    """Give every file that would be committed and can be read as text."""
    for path in sorted(root.iterdir()):
        if path.name in NOT_OURS or path.name.endswith(".egg-info") or path.is_symlink():
            continue
        if path.is_dir():
            yield from text_files(path)
        elif b"\0" not in path.read_bytes()[:8192]:
            yield path


def stray_words(root: Path) -> list[str]:
    """Find registry hosts and one machine's paths, as `file:line: word`."""
    hosts = re.compile("|".join(re.escape(host) for host in REGISTRIES), re.IGNORECASE)
    return [
        f"{path.relative_to(root)}:{number}: {found.group()}"
        for path in text_files(root)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for found in (hosts.search(line), MACHINE_PATH.search(line))
        if found
    ]


def long_files(tree: SourceTree) -> list[str]:
    lines = {module.name: len(module.text.splitlines()) for module in tree.modules.values()}
    return [f"{name}: {count} lines" for name, count in lines.items() if count > MAX_FILE_LINES]


def long_functions(tree: SourceTree) -> list[str]:
    return [
        f"{module.name}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module in tree.modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        if node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]


def prints(module: Module) -> list[int]:
    if "print" not in module.text:  # parsing a thousand files takes a while
        return []
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def bare_excepts(module: Module) -> list[int]:
    if re.search(r"except\s*:", module.text) is None:
        return []
    return [node.lineno for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler) and node.type is None]


def plant(root: Path, name: str, text: str) -> SourceTree:
    path = root / "actors" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return SourceTree.read(root, "actors")


def test_the_rules_look_at_the_whole_project() -> None:
    """All three packages and the tests are among what is judged."""
    assert {*PACKAGES, "tests.architecture.test_house_rules"} <= ALL.modules.keys()
    assert {ROOT / "pyproject.toml", Path(__file__)} <= set(text_files(ROOT))


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    """No Python file of the packages, the tests or the bench has more than 400 lines."""
    assert long_files(ALL) == []


def test_no_function_is_longer_than_a_screen() -> None:
    """No function of the packages has more than 60 lines, docstring included."""
    assert long_functions(CODE) == []


@pytest.mark.parametrize("too_long", [0, 1])
def test_one_line_too_many_is_seen(tmp_path: Path, too_long: int) -> None:
    """The limits are exact, for files and for functions of classes."""
    tree = plant(tmp_path, "file", "x = 1\n" * (MAX_FILE_LINES + too_long))
    assert len(long_files(tree)) == too_long
    body = "        x = 1\n" * (MAX_FUNCTION_LINES - 1 + too_long)
    tree = plant(tmp_path, "function", f"class A:\n    async def f(self):\n{body}")
    assert len(long_functions(tree)) == too_long


def test_nothing_but_a_command_prints() -> None:
    """What a server has to say goes to its log."""
    assert {module.name: prints(module) for module in CODE.modules.values() if prints(module)} == {}


def test_no_except_is_bare() -> None:
    """A bare except swallows cancellation and the interrupt key."""
    assert {module.name: bare_excepts(module) for module in ALL.modules.values() if bare_excepts(module)} == {}


def test_a_print_and_a_bare_except_are_seen(tmp_path: Path) -> None:
    """Both are found inside functions; a method of that name and a named exception are no offence."""
    text = "def f(page):\n page.print()\n try:\n  print()\n except OSError:\n  pass\n except:\n  pass\n"
    module = plant(tmp_path, "noisy", text).modules["actors.noisy"]
    assert prints(module) == [4]
    assert bare_excepts(module) == [7]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    """The repository works the same wherever it is checked out."""
    assert stray_words(ROOT) == []


def test_a_registry_and_a_machine_path_are_seen(tmp_path: Path) -> None:
    """Hosts are found in any case; paths are told from routes, relative paths and variables."""
    home = "/" + "home"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text(
        f"see https://PyPI{'.org'}/x\ncd {home}/me/chat\nGET /users/home/x, ./work/x, $ROOT{home}/x, a/home/b\n",
        encoding="utf-8",
    )
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.cfg").write_text(f"home = {home}/me\n", encoding="utf-8")
    assert stray_words(tmp_path) == [f"docs/guide.md:1: PyPI{'.org'}", f"docs/guide.md:2: {home}/m"]

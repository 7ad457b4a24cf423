"""The project's source as data: modules, what each one imports, and what lies in its syntax tree.

Everything is read with `ast`, nothing is imported, so a module that cannot be imported here is judged all the same. A
tree is read from any folder, which is how the tests of the rules plant offenders and prove that they are seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is its dotted name; a package's `__init__.py` has the package's name."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        """The file's source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text, filename=str(self.path))

    @property
    def package(self) -> str:
        """The dotted name of the package that the file lies in."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def imports(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every import statement, also those inside functions: the module, and the names taken from it."""
        return tuple(self._imports())

    def imported_roots(self) -> frozenset[str]:
        """Name the top-level packages that the file imports."""
        return frozenset(name.partition(".")[0] for name, _ in self.imports)

    def _imports(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, ()
            elif isinstance(node, ast.ImportFrom):
                yield self._absolute(node), tuple(alias.name for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self.package.split(".")
        return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


@dataclass(frozen=True)
class SourceTree:
    """The modules below some top-level packages, by dotted name."""

    modules: Mapping[str, Module]

    @classmethod
    def read(cls, root: Path, *packages: str) -> SourceTree:
        """Read the packages that lie in `root`; one that is not there (yet) has no modules."""
        modules: dict[str, Module] = {}
        for package in packages:
            for path in sorted((root / package).rglob("*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                modules[name] = Module(name, path)
        return cls(modules)

    def below(self, prefix: str) -> list[Module]:
        """Give the module of this name and all below it."""
        return [module for name, module in self.modules.items() if name == prefix or name.startswith(f"{prefix}.")]

    def uses(self, name: str) -> frozenset[str]:
        """Name the modules of this tree that a module imports by its own statements.

        `from package import thing` uses the module `package.thing` where there is one, else the package's own
        `__init__`. Importing `package.thing` also runs `package/__init__.py`; that is not counted here.
        """
        used: set[str] = set()
        for target, names in self.modules[name].imports:
            submodules = {f"{target}.{taken}" for taken in names} & self.modules.keys()
            used |= submodules
            if target in self.modules and (not names or len(submodules) < len(names)):
                used.add(target)
        return frozenset(used)

    def reach(self, name: str) -> dict[str, tuple[str, ...]]:
        """Give every module that `name` uses, directly or not, with the chain of imports that leads there."""
        chains: dict[str, tuple[str, ...]] = {name: (name,)}
        waiting = [name]
        while waiting:
            here = waiting.pop()
            for used in sorted(self.uses(here) - chains.keys()):
                chains[used] = (*chains[here], used)
                waiting.append(used)
        return chains

    def cycles(self) -> list[tuple[str, ...]]:
        """Give one cycle for every set of modules that reach each other; none is expected."""
        found: dict[frozenset[str], tuple[str, ...]] = {}
        reach = {name: self.reach(name) for name in self.modules}
        for name in self.modules:
            for used in sorted(self.uses(name)):
                back = reach[used].get(name)
                if back is not None:
                    found.setdefault(frozenset(back), (name, *back))
        return list(found.values())

"""The shape of the house: who may import whom, and what the pure core may not touch.

Read from the source with `ast`, so a forbidden import is seen also inside a function or behind `TYPE_CHECKING`. Each
rule is tried on planted offenders first: a rule that cannot fail proves nothing.

The pure core is judged by the import statements of module files, followed from file to file. What Python runs besides
(`import actors.restart` also runs `actors/__init__.py`, which re-exports things that need Trio) is not counted: it is
not a dependency of the module's own, and the file would work just as well lifted out. Naming a package itself, as in
`from actors import Inbox`, is such a dependency, so a pure module has to name the module that it needs.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, SourceTree

PACKAGES = ("justchat", "storage", "actors")
TREE = SourceTree.read(ROOT, *PACKAGES)

# package -> what it may not import. Imports point from the product to the memory to the runtime.
DIRECTION = {
    "actors": {"storage", "justchat", "tests", "bench"},
    "storage": {"justchat", "tests", "bench"},
    "justchat": {"tests", "bench"},
}

# library -> the only packages that may import it. `justchat.client` is the SDK, which speaks WebSocket from outside.
KEPT_IN = {
    "quart": ("justchat.http",),
    "quart_trio": ("justchat.http",),
    "hypercorn": ("justchat.door",),
    "trio_websocket": ("justchat.door", "justchat.client"),
}

# The two event loops meet in one module of storage; asyncio itself only where a driver runs on the other loop.
SEAM_LIBRARY = "trio_asyncio"
ON_THE_OTHER_LOOP = ("storage.asyncio_seam", "storage.postgres.*", "storage.mongo.*")

PURE = (
    "justchat.wire",
    "justchat.wire.*",
    "justchat.rooms.permissions",
    "justchat.rooms.commands",
    "justchat.rooms.state",
    "justchat.rooms.decide",
    "justchat.rooms.project",
    "justchat.rooms.draft",
    "justchat.rooms.fold",
    "justchat.config",
    "justchat.config.*",
    "justchat.ids",
    "justchat.accounts.identity",
    "justchat.accounts.key_set",
    "justchat.accounts.names",
    "justchat.accounts.refresh_tokens",
    "justchat.accounts.throttle",
    "justchat.connections.rate",
    "justchat.connections.standing",
    "justchat.limiting",
    "justchat.limiting.*",
    "justchat.client.address",
    "justchat.client.backoff",
    "justchat.client.buffer",
    "justchat.client.commands",
    "justchat.client.conversation",
    "justchat.client.ending",
    "justchat.client.errors",
    "justchat.client.following",
    "justchat.client.inbound",
    "justchat.client.items",
    "justchat.client.outbound",
    "justchat.client.settings",
    "justchat.client.statistics",
    "justchat.client.track",
    "justchat.client.tokens",
    "actors.restart",
    "storage.records",
)
# Trio, and what brings it along or would stand in for it.
NOT_PURE = {
    "trio", "trio_asyncio", "trio_websocket", "quart", "quart_trio", "hypercorn",
    "asyncio", "anyio", "socket", "select", "threading", "multiprocessing", "subprocess", "sqlite3",
}  # fmt: skip
# Time and chance are handed in to the rules, so that a command decided again is decided alike.
RULES = [pattern for pattern in PURE if pattern.startswith(("justchat.wire.", "justchat.rooms."))]
CHANCE = {"time", "random", "secrets", "uuid", "uuid_utils", "os"}


def against_the_direction(tree: SourceTree) -> list[str]:
    return [
        f"{module.name} imports {root}"
        for package, forbidden in DIRECTION.items()
        for module in tree.below(package)
        for root in sorted(module.imported_roots() & forbidden)
    ]


def out_of_place(tree: SourceTree) -> list[str]:
    return [
        f"{module.name} imports {library}"
        for library, homes in KEPT_IN.items()
        for module in tree.modules.values()
        if library in module.imported_roots()
        and not any(module.name == home or module.name.startswith(f"{home}.") for home in homes)
    ]


def seams(tree: SourceTree) -> list[str]:
    return [name for name, module in tree.modules.items() if SEAM_LIBRARY in module.imported_roots()]


def on_the_wrong_loop(tree: SourceTree) -> list[str]:
    return [
        name
        for name, module in tree.modules.items()
        if "asyncio" in module.imported_roots() and not any(fnmatchcase(name, pattern) for pattern in ON_THE_OTHER_LOOP)
    ]


def pure_modules(tree: SourceTree) -> list[str]:
    return [name for name in tree.modules if any(fnmatchcase(name, pattern) for pattern in PURE)]


def impurities(tree: SourceTree, name: str) -> list[str]:
    return [
        f"{' > '.join(chain)} > {root}"
        for used, chain in tree.reach(name).items()
        for root in sorted(tree.modules[used].imported_roots() & NOT_PURE)
    ]


def plant(root: Path, **files: str) -> SourceTree:
    """Write modules (`a__b` stands for a/b.py, with the `__init__.py` files it needs) and read them as a tree."""
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(root).parents:
            if folder.parts:
                (root / folder / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    return SourceTree.read(root, *PACKAGES)


def test_imports_point_from_the_product_to_the_memory_to_the_runtime() -> None:
    """No module of a lower package knows of a higher one, and none of the three knows the tests or the bench."""
    assert against_the_direction(TREE) == []


def test_an_import_against_the_direction_is_seen_wherever_it_hides(tmp_path: Path) -> None:
    """The rule sees plain, function-level and type-checking imports, and looks at every file of a package."""
    tree = plant(
        tmp_path,
        actors__inbox="def take():\n    from storage.records import Entry\n    return Entry\n",
        actors__deep__child="import justchat.ids\n",
        storage__records="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from justchat.ids import new_id\n",
        justchat__ids="import actors.inbox\nimport storage.records\n",
    )
    assert against_the_direction(tree) == [
        "actors.deep.child imports justchat",
        "actors.inbox imports storage",
        "storage.records imports justchat",
    ]


def test_each_server_library_is_imported_only_in_its_place() -> None:
    """Quart stays in the REST package, Hypercorn and trio-websocket in the front door (and the client SDK)."""
    assert out_of_place(TREE) == []


def test_a_server_library_out_of_place_is_seen(tmp_path: Path) -> None:
    """A package whose name only begins like an allowed one is not that package."""
    tree = plant(
        tmp_path,
        justchat__http__app="import quart_trio\n",
        justchat__httpish="from quart import request\n",
        justchat__door__server="import hypercorn.config, trio_websocket\n",
        justchat__client__socket="import trio_websocket\n",
        justchat__rooms__room="from hypercorn.config import Config\n",
        storage__bus="import trio_websocket\n",
    )
    assert out_of_place(tree) == [
        "justchat.httpish imports quart",
        "justchat.rooms.room imports hypercorn",
        "storage.bus imports trio_websocket",
    ]


def test_asyncio_is_met_in_one_module_and_that_lies_in_storage() -> None:
    """There is one seam between the event loops, and asyncio only behind it."""
    assert seams(TREE) == ["storage.asyncio_seam"]
    assert on_the_wrong_loop(TREE) == []


def test_a_second_seam_would_be_seen(tmp_path: Path) -> None:
    """Both libraries of the seam count, wherever they are imported."""
    tree = plant(tmp_path, storage__seam="import trio_asyncio\n", justchat__cli="import asyncio\n")
    assert seams(tree) == ["storage.seam"]
    assert on_the_wrong_loop(tree) == ["justchat.cli"]


@pytest.mark.parametrize(
    "name", [name for name in PURE if not name.endswith("*") and name.rpartition(".")[0] in TREE.modules]
)
def test_every_module_of_the_pure_core_is_where_this_test_looks_for_it(name: str) -> None:
    """A renamed module must not fall out of the rule unseen."""
    assert name in TREE.modules


@pytest.mark.parametrize("name", pure_modules(TREE))
def test_the_pure_core_imports_no_trio_not_even_at_third_hand(name: str) -> None:
    """Rules, protocol, settings and policies run without an event loop, a thread or a socket."""
    assert impurities(TREE, name) == []


def test_trio_is_seen_behind_any_number_of_imports(tmp_path: Path) -> None:
    """The whole chain counts, and a package named by itself counts as its `__init__.py`; one passed by does not."""
    tree = plant(
        tmp_path,
        justchat__ids="from justchat.config import load\n",
        justchat__config__load="from storage import ports\n",
        storage__ports="import trio\n",
        justchat__wire__times="from actors import Inbox\n",
        justchat__wire__errors="from actors.restart import Restart\n",
        actors__restart="class Restart: ...\n",
    )
    (tmp_path / "actors" / "__init__.py").write_text("import trio\nclass Inbox: ...\n", encoding="utf-8")
    assert impurities(tree, "justchat.ids") == ["justchat.ids > justchat.config.load > storage.ports > trio"]
    assert impurities(tree, "justchat.wire.times") == ["justchat.wire.times > actors > trio"]
    assert impurities(tree, "justchat.wire.errors") == []


@pytest.mark.parametrize(
    "name", [name for name in pure_modules(TREE) if any(fnmatchcase(name, pattern) for pattern in RULES)]
)
def test_the_rules_read_no_clock_and_throw_no_dice(name: str) -> None:
    """A command decided again after a crash is decided alike: time and identifiers come in from outside."""
    assert TREE.modules[name].imported_roots() & CHANCE == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    """Every module can be understood, and loaded, after those it uses."""
    assert TREE.cycles() == []


def test_a_circle_is_seen_also_through_a_package_and_inside_a_function(tmp_path: Path) -> None:
    """A circle of three, one through a package's `__init__.py`, and one put off into a function are all found."""
    tree = plant(
        tmp_path,
        actors__a="from actors.b import x\n",
        actors__b="from actors import c\n",
        actors__c="def late():\n    import actors.a\n",
        storage__one__two="from storage.one import three\n",
        justchat__lone="import justchat.other\n",
        justchat__other="",
    )
    (tmp_path / "storage" / "one" / "__init__.py").write_text("from storage.one.two import x\n", encoding="utf-8")
    assert sorted(sorted(set(cycle)) for cycle in tree.cycles()) == [
        ["actors.a", "actors.b", "actors.c"],
        ["storage.one", "storage.one.two"],
    ]

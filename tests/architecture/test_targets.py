"""The Makefile's targets: a newcomer reads of each in the README, and CI runs those that prove something."""

from __future__ import annotations

import re

from tests.architecture.source_tree import ROOT

# What changes the tree, never ends by itself, or takes hours.
NOT_IN_CI = {"run", "soak", "bench", "format", "lock", "clean"}


def test_every_target_is_documented_and_what_proves_something_is_run_by_ci() -> None:
    """S2-19: `make run` and the bench are run by tests of their own, in the same CI."""
    declared = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    targets = set(declared[1].split())
    readme = (ROOT / "README.md").read_text()
    assert [target for target in sorted(targets) if re.search(rf"\bmake {target}\b", readme) is None] == []
    run = set(re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert run == targets - NOT_IN_CI

"""Where a fault test's luck comes from: one seed, printed, and replaceable to repeat a run or to look further."""

from __future__ import annotations

import os

_DEFAULT = 20_240_229
VARIABLE = "FAULT_SEED"


def seed_of(test: str) -> int:
    """Give the seed of a run and print it with the test's name; FAULT_SEED=<number> overrides it."""
    seed = int(os.environ.get(VARIABLE, _DEFAULT))
    print(f"\n{test}: {VARIABLE}={seed}")
    return seed

"""The configuration as the commands load it, and how they say what is wrong with it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

from justchat.config.files import DiskFiles
from justchat.config.load import Effective, load_effective
from justchat.config.sources import Problem, from_parsed_flags


def load(namespace: Namespace, extra: Sequence[str], environ: Mapping[str, str]) -> Effective | list[Problem]:
    """Load from the flags that were parsed, the environment and the file."""
    return load_effective(from_parsed_flags(vars(namespace), extra), environ, files=DiskFiles())


def report(problems: Sequence[object]) -> None:
    """Print one line for each problem."""
    for problem in problems:
        sys.stderr.write(f"justchat: {problem}\n")

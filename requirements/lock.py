"""Make the lock files from pyproject.toml with pip-compile: exact versions and hashes, no registry's name."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLAGS = [
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
]
BUILD = ["hatchling>=1.27", "editables>=0.5"]


def compile_lock(name: str, wanted: list[str], title: str, *, within: Path | None = None) -> Path:
    """Write one lock; `within` is another whose versions it must share."""
    target = ROOT / "requirements" / f"{name}.lock"
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, f"{name}.in"), Path(folder, f"{name}.lock")
        source.write_text("\n".join(wanted) + "\n")
        constraint = [] if within is None else ["--constraint", str(within)]
        command = [sys.executable, "-m", "piptools", "compile", *FLAGS, *constraint, "-o", str(output), str(source)]
        subprocess.run(command, check=True)  # noqa: S603 - our own words
        # Options that pip-compile carries over say where this machine gets its packages; that is nobody's business.
        pins = [line for line in output.read_text().splitlines() if line and not line.startswith("--")]
        target.write_text("\n".join([f"# {title} Made by 'make lock' from pyproject.toml.", *pins, ""]))
    return target


def main() -> None:
    """Make both locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = [*project["project"]["dependencies"], *BUILD]
    groups = project["dependency-groups"]
    lock = compile_lock("run", run, "The exact set that the server runs with, and what builds it.")
    tools = [*run, *groups["dev"], *groups["bench"]]
    compile_lock("dev", tools, "Everything for tests, linters and the bench.", within=lock)


if __name__ == "__main__":
    main()

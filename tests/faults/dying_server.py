"""`python -m tests.faults.dying_server serve --flags`: the product's own server, which can be told where to die.

It looks for a file named `die` beside its database at every fault point of every room; if the file names the point, the
process kills itself there and then, and takes the order with it into the grave.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from justchat.app import Hooks, run
from justchat.config.load import load_config
from storage.url import SqliteUrl, parse_url

ORDER = "die"


class Doom:
    """The order to die, and the fault hook that obeys it."""

    def __init__(self, order: Path) -> None:
        self._order = order

    def reach(self, point: str, room: str) -> None:
        """Die here if that is wanted."""
        try:
            wanted = self._order.read_text()
        except FileNotFoundError:
            return
        if wanted == point:
            self._order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def give_order(folder: Path, point: str) -> None:
    """Tell the server whose database lies in `folder` to die at this fault point."""
    aside = folder / f"{ORDER}.new"
    aside.write_text(point)
    aside.rename(folder / ORDER)


def main() -> int:
    """Run the server until its time has come; the answer is the exit code of one that was left in peace."""
    command, *flags = sys.argv[1:]
    config = load_config(flags, os.environ)
    if command != "serve" or isinstance(config, list):
        print(f"cannot run: {command} {config}", file=sys.stderr)
        return 2
    url = parse_url(config.database)
    assert isinstance(url, SqliteUrl), "only a server with a file to come back to may die"
    return run(config, hooks=Hooks(fault=Doom(Path(url.path).parent / ORDER).reach))


if __name__ == "__main__":
    sys.exit(main())

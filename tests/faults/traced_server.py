"""`python -m tests.faults.traced_server serve --traced=MODULE --trace=FILE --flags`: another server under strace.

Strace runs as a grandchild, so that the process keeps its number: to kill it is to kill the server. The trace is whole
as soon as its last line tells the end of that process.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser

SYSCALLS = "fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg"
_LONGEST_STRING = 1_048_576


def strace(trace: str) -> list[str]:
    """Give the command that traces what follows it into this file: every thread, with paths and all of every string."""
    command = ["strace", "-D", "-f", "--seccomp-bpf", "-yy", "-ttt"]
    return [*command, "-s", str(_LONGEST_STRING), "-e", f"trace={SYSCALLS}", "-o", trace]


def main() -> None:
    """Become the traced server."""
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--traced", required=True)
    parser.add_argument("--trace", required=True)
    ours, flags = parser.parse_known_args(sys.argv[1:])
    server = [sys.executable, "-m", ours.traced, ours.command, *flags]
    os.execvp("strace", [*strace(ours.trace), *server])


if __name__ == "__main__":
    main()

"""Run the `justchat` command as `python -m justchat`."""

from __future__ import annotations

import sys

from justchat.cli import main

if __name__ == "__main__":
    sys.exit(main())

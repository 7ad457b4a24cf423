"""The `justchat` command: `serve`, `config`, `keys`, `admin`, `migrate`, `storage`, `copy`, `--version`."""

from __future__ import annotations

from justchat.cli.command import main

__all__ = ["main"]

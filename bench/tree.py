"""Where the project's own files are, so that the processes the bench starts find the same code."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

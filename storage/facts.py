"""The names of the facts that a directory keeps about its site."""

from __future__ import annotations

NAMES_FOLDED = "names_folded"
"""By which rule the names of all accounts were folded last; whoever knows another one folds them again."""

COPYING = "copying"
"""Set while a site is being copied into this store; the value says from where. Nobody may serve it until it is gone."""

"""Configuration: every setting documented once, read from flags, environment and file, and checked together.

Imports no Trio. `load_config` gives a `Config` or the list of everything that is wrong.
"""

from __future__ import annotations

from justchat.config.limits import connection_limit, open_files_allowed
from justchat.config.load import Effective, load_config, load_effective
from justchat.config.rules import signing_key_path, sqlite_path
from justchat.config.settings import Config
from justchat.config.sources import Problem

__all__ = [
    "Config",
    "Effective",
    "Problem",
    "connection_limit",
    "load_config",
    "load_effective",
    "open_files_allowed",
    "signing_key_path",
    "sqlite_path",
]

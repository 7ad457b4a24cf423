"""`justchat keys`: the keys that sign access tokens, beside a running server, which takes up by itself what changes."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path

from msgspec import Struct

from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_set import KeptKey, KeySet, RetiredKey, rotated
from justchat.accounts.signing_key import SigningKeyUnusable, fresh_signing_key, signing_key_from
from justchat.accounts.tokens import retired_seconds
from justchat.cli.codes import FAILED, INTERRUPTED, OK, USAGE
from justchat.cli.configuration import report
from justchat.config import Config, signing_key_path
from justchat.wire.times import rfc3339

_HEADINGS = ("kid", "algorithm", "state", "made at", "verifies until")
_NEVER = "-"


class _Nothing(Struct, frozen=True):
    """Why there are no keys that this command could do anything with."""

    detail: str


def run_keys(namespace: Namespace, config: Config) -> int:
    """List the keys, after rotating them if asked for; the answer is the exit code."""
    seconds = retired_seconds(config.access_token_seconds)
    try:
        keys = _rotated(config, seconds) if namespace.action == "rotate" else _kept(config)
    except SigningKeyUnusable as error:
        report([error])
        return FAILED
    except KeyboardInterrupt:
        report(["interrupted"])
        return INTERRUPTED
    if isinstance(keys, _Nothing):
        report([keys.detail])
        return USAGE
    _print(keys, seconds)
    return OK


def _rotated(config: Config, seconds: float) -> KeySet | _Nothing:
    if config.signing_key is not None:
        return _Nothing("the signing key is given by the setting signing_key: only a file of keys can be rotated")
    file = _file(config)
    if isinstance(file, _Nothing):
        return file
    make = partial(fresh_signing_key, config.signing_algorithm)
    return file.change(lambda keys: rotated(keys, make, now=time.time(), retired_seconds=seconds))


def _kept(config: Config) -> KeySet | _Nothing:
    if config.signing_key is not None:
        return KeySet(KeptKey(signing_key_from(config.signing_key)))
    file = _file(config)
    return file if isinstance(file, _Nothing) else file.read()[0]


def _file(config: Config) -> KeyFile | _Nothing:
    path = signing_key_path(config)
    if path is None:
        return _Nothing("a server with its database in memory keeps no signing keys; set signing_key_file")
    return KeyFile(Path(path))


def _print(keys: KeySet, seconds: float) -> None:
    rows = [_HEADINGS, _row(keys.current, "current")]
    rows += [_row(keys.next, "next")] if keys.next is not None else []
    rows += [_retired_row(old, seconds) for old in keys.retired]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{'  '.join(cells).rstrip()}\n")


def _row(kept: KeptKey, state: str) -> tuple[str, str, str, str, str]:
    return kept.key.kid, kept.key.algorithm, state, _time(kept.made_at), _NEVER


def _retired_row(old: RetiredKey, seconds: float) -> tuple[str, str, str, str, str]:
    return old.key.kid, old.key.algorithm, "retired", _time(old.made_at), _time(int(old.retired_at + seconds))


def _time(seconds: int | None) -> str:
    return _NEVER if seconds is None else rfc3339(seconds * 1000)

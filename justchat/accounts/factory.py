"""Put the accounts together from a configuration: the one place that knows which parts they are made of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from justchat.accounts.accounts import Accounts
from justchat.accounts.passwords import Passwords
from justchat.accounts.signing_key import (
    SigningKey,
    fresh_signing_key,
    load_or_create_signing_key,
    load_signing_key,
    signing_key_from,
)
from justchat.accounts.throttle import Throttle
from justchat.accounts.tokens import Tokens
from justchat.config import Config, signing_key_path
from storage.ports import Directory


def make_accounts(config: Config, directory: Directory, *, clock: Callable[[], float] = time.time) -> Accounts:
    """Make the accounts over a directory. `clock` gives Unix seconds. Raises SigningKeyUnusable."""
    tokens = Tokens(
        [signing_key_of(config)],
        issuer=config.token_issuer,
        access_seconds=config.access_token_seconds,
        clock=clock,
    )
    return Accounts(
        directory,
        passwords=Passwords(cost=config.bcrypt_cost, threads=os.cpu_count() or 1),
        tokens=tokens,
        throttle=Throttle(failures=config.login_failures, window_seconds=config.login_window_seconds),
        clock=clock,
    )


def signing_key_of(config: Config) -> SigningKey:
    """The key that the configuration names; made on first use, except in production. Raises SigningKeyUnusable."""
    if config.signing_key is not None:
        return signing_key_from(config.signing_key)
    path = signing_key_path(config)
    if path is None:
        # Nothing else outlives the process either.
        return fresh_signing_key()
    if config.profile == "production":
        return load_signing_key(Path(path))
    return load_or_create_signing_key(Path(path))

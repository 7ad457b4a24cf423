"""Put the accounts together from a configuration: the one place that knows which parts they are made of."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from justchat.accounts.accounts import Accounts, RegistrationPolicy
from justchat.accounts.identity import ServerRole
from justchat.accounts.invitations import Invitations
from justchat.accounts.key_file import KeyFile
from justchat.accounts.key_ring import KeyRing
from justchat.accounts.key_set import fresh_keys
from justchat.accounts.leaving import Leaving
from justchat.accounts.passwords import Passwords
from justchat.accounts.personal_tokens import PersonalTokens
from justchat.accounts.sessions import SessionLimits, Sessions
from justchat.accounts.signing_key import fresh_signing_key, signing_key_from
from justchat.accounts.throttle import Throttle
from justchat.accounts.tickets import Tickets
from justchat.accounts.tokens import Tokens, retired_seconds
from justchat.config import Config, signing_key_path
from storage import account_ports
from storage.ports import Directory


async def _nobody_minds(_user: str) -> None:
    pass


def make_accounts(
    config: Config,
    directory: Directory,
    sessions: account_ports.Sessions,
    relations: account_ports.Relations,
    *,
    ended: Callable[[Sequence[str]], None] = lambda _: None,
    changed: Callable[[str], Awaitable[None]] = _nobody_minds,
    departed: Callable[[str], None] = lambda _: None,
    seen: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> Accounts:
    """Make the accounts over their ports. Raises SigningKeyUnusable.

    `ended` is told the ids of sessions and personal tokens that are over, to close what is open by them; `changed`
    whose account has become another, `departed` whose rooms are to be left, and `seen` who is there. `clock` gives Unix
    seconds.
    """
    tokens = Tokens(
        make_key_ring(config),
        issuer=config.token_issuer,
        access_seconds=config.access_token_seconds,
        clock=clock,
    )
    limits = SessionLimits(
        idle_seconds=config.session_idle_seconds,
        max_seconds=config.session_max_seconds,
        per_user=config.sessions_per_user,
    )
    ours = Sessions(sessions, tokens=tokens, limits=limits, clock=clock, ended=ended, seen=seen)
    personal = PersonalTokens(sessions, clock=clock, ended=ended)
    return Accounts(
        directory,
        sessions=ours,
        personal=personal,
        leaving=Leaving(directory, relations, sessions=ours, personal=personal, departed=departed),
        changed=changed,
        departed=departed,
        tickets=Tickets(seconds=config.ticket_seconds, clock=clock),
        invitations=Invitations(sessions, clock=clock),
        passwords=Passwords(cost=config.bcrypt_cost, threads=os.cpu_count() or 1),
        throttle=Throttle(failures=config.login_failures, window_seconds=config.login_window_seconds),
        policy=RegistrationPolicy(config.registration, ServerRole(config.registration_role)),
        clock=clock,
    )


def make_key_ring(config: Config) -> KeyRing:
    """Take the keys that the configuration names; made on first use, but in production. Raises SigningKeyUnusable."""
    if config.signing_key is not None:
        return KeyRing.of(signing_key_from(config.signing_key))
    path = signing_key_path(config)
    make = partial(fresh_signing_key, config.signing_algorithm)
    if path is None:
        # Nothing else outlives the process either.
        return KeyRing.of(make())
    file = KeyFile(Path(path))
    if config.profile != "production":
        file.create(lambda: fresh_keys(make, now=time.time()))
    return KeyRing.following(file, retired_seconds=retired_seconds(config.access_token_seconds))

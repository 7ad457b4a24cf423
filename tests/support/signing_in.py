"""Users who are signed in, made without a password: for tests that are about something else."""

from __future__ import annotations

import secrets
import time

from justchat.accounts.accounts import Accounts
from justchat.accounts.identity import Identity, ServerRole
from justchat.ids import new_id
from storage.account_records import SessionRecord
from storage.memory import MemoryStore
from storage.records import UserRecord


def sign_in(accounts: Accounts, store: MemoryStore, user: UserRecord) -> str:
    """Put a user and a session of theirs into a store, and give an access token."""
    store.put_user(user)
    now = int(time.time() * 1000)
    end = now + 86_400_000
    session = SessionRecord(
        new_id("s"), user.id, secrets.token_bytes(32), secrets.token_bytes(32), now, now, end, end, "test", "127.0.0.1"
    )
    store.put_session(session)
    token, _ = accounts.sessions._tokens.issue(user.id, session.id)
    return token


def somebody(user: str, *, role: ServerRole = ServerRole.USER, session: str = "s_1") -> Identity:
    """Make the identity of a user that needs no store."""
    return Identity(UserRecord(user, user, user, "Somebody", None, "", role.value, 0), session=session)

"""`justchat admin`: accounts from the console, also while a server is running.

A password is asked for, or read from the first line of what is piped in; never taken from the command line, which every
user of the machine can read.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial
from getpass import getpass

from justchat.accounts.identity import ServerRole
from justchat.cli.codes import FAILED, INTERRUPTED, OK, USAGE
from justchat.cli.configuration import report
from justchat.cli.running import run_operation
from justchat.config import Config
from justchat.log import set_up_logging
from justchat.operate.people import AccountRefused, People
from justchat.operate.site import PATIENT, databases
from storage.open import open_storage
from storage.records import UserRecord


def run_admin(namespace: Namespace, config: Config) -> int:
    """Do what is asked for; the answer is the exit code."""
    if "memory:" in databases(config.database, journal=config.journal):
        report(["memory: is gone when its process ends: set the database of the server"])
        return USAGE
    set_up_logging(config)
    try:
        work = _work(namespace)
    except (KeyboardInterrupt, EOFError):
        report(["interrupted"])
        return INTERRUPTED
    except AccountRefused as refused:
        report([refused])
        return FAILED
    return run_operation(partial(_open, config, work))


def _work(namespace: Namespace) -> Callable[[People], Awaitable[int]]:
    """Say what is to be done; the password is asked for before anything is opened."""
    match namespace.action:
        case "create":
            password = None if namespace.promote else _ask_password()
            return partial(_create, username=namespace.username, email=namespace.email, password=password)
        case "role":
            return partial(_role, name=namespace.user, role=ServerRole(namespace.role))
        case _:
            return partial(_set_disabled, name=namespace.user, disabled=namespace.action == "disable")


async def _open(config: Config, work: Callable[[People], Awaitable[int]]) -> int:
    migrate = config.migrate == "yes"
    async with open_storage(config.database, journal=config.journal, migrate=migrate, limits=PATIENT) as site:
        people = People(site, bcrypt_cost=config.bcrypt_cost)
        await people.make_sure()
        return await work(people)


async def _create(people: People, *, username: str, email: str | None, password: str | None) -> int:
    """Make an administrator with this password; without one, of an account that is there."""
    there = await people.named(username)
    if there is not None:
        return await _promote(people, there, promote=password is None)
    if password is None:
        raise AccountRefused(f"there is no account {username!a}")
    made = await people.create_admin(username, email=email, password=password)
    return _say(f"made the administrator {made.username} ({made.id})")


async def _promote(people: People, user: UserRecord, *, promote: bool) -> int:
    if user.role == ServerRole.ADMIN:
        return _say(f"{user.username} ({user.id}) is an administrator already; nothing was changed")
    if not promote:
        report([f"there is an account {user.username!a} already: take another name, or make it one with --promote"])
        return FAILED
    await people.set_role(user, ServerRole.ADMIN)
    return _say(f"{user.username} ({user.id}) is an administrator now")


async def _role(people: People, *, name: str, role: ServerRole) -> int:
    user = await _found(people, name)
    if user.role == role:
        return _say(f"{user.username} ({user.id}) has this role already")
    await people.set_role(user, role)
    return _say(f"{user.username} ({user.id}) was {user.role} and is {role} now")


async def _set_disabled(people: People, *, name: str, disabled: bool) -> int:
    user = await _found(people, name)
    word = "disabled" if disabled else "enabled"
    if user.disabled == disabled:
        return _say(f"{user.username} ({user.id}) is {word} already")
    await people.set_disabled(user, disabled=disabled)
    return _say(f"{user.username} ({user.id}) is {word} now")


async def _found(people: People, name: str) -> UserRecord:
    user = await people.named(name)
    if user is None:
        raise AccountRefused(f"there is no account {name!a}")
    return user


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise AccountRefused("the two are not the same")
    return password


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return OK

"""What a route is, as one value: how it is reached, what it takes and answers, and who does the work.

Routes are registered from these values, and the OpenAPI document is made of the same ones, so that the two cannot
disagree about which routes there are or which types they speak.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import wraps
from typing import Generic, TypeVar

import trio
from msgspec import Struct
from quart import Blueprint, Response, request

from justchat.accounts.accounts import Accounts
from justchat.accounts.identity import Identity, Scope, ServerRole
from justchat.http.answers import Handler, Refused, handled
from justchat.http.caller import for_operator, identified
from justchat.limiting.policy import RateClass
from justchat.wire.errors import ErrorCode, Refusal

T = TypeVar("T")

_LOOKING = frozenset({"GET", "HEAD"})
_OF_ACCOUNT = ("/auth/", "/admin/", "/users/me/avatar", "/users/me/contacts", "/users/me/blocks", "/users/me/email")
# A body that comes within this is as good as there when its sender is let in.
_SOON_SECONDS = 0.5
# Words of an address that say that it is about what people say.
_MESSAGES = frozenset({"messages", "events", "pins", "reports", "scheduled", "read", "receipts", "typing", "mentions"})


class Caller(StrEnum):
    """Who may call.

    A handler for users and administrators takes the user as its first argument, one for sessions the whole identity; to
    the latter two a personal token is not enough.
    """

    ANYBODY = "anybody"
    USER = "user"
    SESSION = "session"
    ADMIN = "admin"
    OPERATOR = "operator"


class Query(Struct, frozen=True):
    """One parameter of the query string. `form` is its type, with msgspec's constraints."""

    name: str
    form: object
    detail: str


class PageOf(Struct, Generic[T], frozen=True):
    """One page of a listing; `next_cursor` is null on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Operation(Struct, frozen=True):
    """One route.

    `path` is as Quart writes it, such as `/rooms/<room>`. `body` and `answer` are the types of the JSON in and out, or,
    where they are no JSON, `takes` and `gives` the media types; no answer means 204. `statuses` are the answers that
    mean success, the usual one first. `refusals` are those that belong to this route; what any route may answer (no
    token, storage, overload, bugs) need not be named, nor what follows from its address, query and body. `rate` is what
    a call counts as, where that does not follow.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    caller: Caller = Caller.USER
    body: object = None
    body_is_optional: bool = False
    answer: object = None
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)
    query: tuple[Query, ...] = ()
    refusals: tuple[ErrorCode, ...] = ()
    rate: RateClass | None = None

    @property
    def changes(self) -> bool:
        """Tell whether it does more than look."""
        return self.method not in _LOOKING

    @property
    def for_guests(self) -> bool:
        """Tell whether guests may call it: what only looks, and what is about their own session."""
        return not self.changes or self.path.startswith("/auth/")

    @property
    def scope(self) -> Scope:
        """Name the scope that a personal token needs for it."""
        if self.path.startswith(_OF_ACCOUNT) or self.path == "/users/me":
            return Scope.ACCOUNT
        if _MESSAGES.intersection(self.path.split("/")):
            return Scope.MESSAGES_WRITE if self.changes else Scope.MESSAGES_READ
        return Scope.ROOMS_WRITE if self.changes else Scope.ROOMS_READ


class OperationBlueprint(Blueprint):
    """Routes that remember the operations they were made of, by endpoint."""

    def __init__(self, name: str) -> None:
        super().__init__(name, __name__)
        self.operations: dict[str, Operation] = {}


def blueprint_of(
    name: str, operations: Iterable[Operation], *, accounts: Accounts, operator_token: str | None = None
) -> OperationBlueprint:
    """Register operations, each behind the guard for its caller."""
    routes = OperationBlueprint(name)
    for operation in operations:
        endpoint = f"{operation.method.lower()} {operation.path}".replace(".", "_")
        match operation.caller:
            case Caller.ANYBODY:
                guarded = handled(operation.handler)
            case Caller.OPERATOR:
                guarded = for_operator(operator_token)(operation.handler)
            case _:
                guarded = for_identity(accounts, operation)
        routes.add_url_rule(operation.path, endpoint, guarded, methods=[operation.method])
        routes.operations[endpoint] = operation
    return routes


def for_identity(accounts: Accounts, operation: Operation) -> Handler:
    """Make an endpoint that lets in who may call the operation, and tells its handler who it is."""

    @wraps(operation.handler)
    async def endpoint(**path: str) -> Response:
        identity = await _let_in(accounts, operation)
        if operation.body is not None and await _waited_for_body():
            # Who was let in at the head may have been put out, or be no more, by the end of the body.
            identity = await _let_in(accounts, operation)
        return await operation.handler(identity if operation.caller is Caller.SESSION else identity.user, **path)

    return handled(endpoint)


async def _let_in(accounts: Accounts, operation: Operation) -> Identity:
    identity = await identified(accounts)
    refusal = _refusal(operation, identity)
    if refusal:
        raise Refused(refusal)
    return identity


async def _waited_for_body() -> bool:
    """Take the whole body in, and tell whether that took its time."""
    begun = trio.current_time()
    await request.get_data()
    return trio.current_time() - begun > _SOON_SECONDS


_NEEDS_SESSION = Refusal(ErrorCode.FORBIDDEN, "this takes a session: a personal token is not enough")
_NEEDS_ADMIN = Refusal(ErrorCode.FORBIDDEN, "this is for administrators of the server")


def _refusal(operation: Operation, identity: Identity) -> Refusal | None:
    if operation.caller is not Caller.USER and identity.session is None:
        return _NEEDS_SESSION
    if operation.caller is Caller.ADMIN and identity.user.role != ServerRole.ADMIN:
        return _NEEDS_ADMIN
    return identity.refusal(operation.scope, changes=not operation.for_guests)

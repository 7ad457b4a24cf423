"""What a route is, as one value: how it is reached, what it takes and answers, and who does the work.

Routes are registered from these values, and the OpenAPI document is made of the same ones, so that the two cannot
disagree about which routes there are or which types they speak.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct
from quart import Blueprint

from justchat.accounts.accounts import Accounts
from justchat.http.answers import Handler, handled
from justchat.http.caller import for_caller, for_operator
from justchat.wire.errors import ErrorCode

T = TypeVar("T")


class Caller(StrEnum):
    """Who may call. A handler for users takes the authenticated user as its first argument."""

    ANYBODY = "anybody"
    USER = "user"
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

    `path` is as Quart writes it, such as `/rooms/<room>`. `body` and `answer` are the types of the JSON in and out; no
    `answer` means 204. `statuses` are the answers that mean success, the usual one first. `refusals` are those that
    belong to this route; what any route may answer (no token, storage, overload, bugs) need not be named.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    caller: Caller = Caller.USER
    body: object = None
    body_is_optional: bool = False
    answer: object = None
    statuses: tuple[int, ...] = (200,)
    query: tuple[Query, ...] = ()
    refusals: tuple[ErrorCode, ...] = ()


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
    guards = {
        Caller.ANYBODY: handled,
        Caller.USER: for_caller(accounts),
        Caller.OPERATOR: for_operator(operator_token),
    }
    for operation in operations:
        endpoint = f"{operation.method.lower()} {operation.path}".replace(".", "_")
        guarded = guards[operation.caller](operation.handler)
        routes.add_url_rule(operation.path, endpoint, guarded, methods=[operation.method])
        routes.operations[endpoint] = operation
    return routes

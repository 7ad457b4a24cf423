"""The border of the app: every request crosses it on the way in, every answer on the way out.

On the way in it is worked out where the caller is and whether its page may call, and what can be counted before it is
known who calls is counted. On the way out the answer gets its headers. Outside of the API nothing is counted and
nothing shared: pages, health and documents are for everybody.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from quart import Quart, Response, g, request
from quart.globals import request_ctx

from justchat.config import Config
from justchat.http.answers import Refused, problem_answer
from justchat.http.caller_address import caller_address, caller_scheme, note_caller
from justchat.http.cors import note_standpoint, refuse_origin, share
from justchat.http.operation import Caller, Operation, OperationBlueprint
from justchat.http.pacing import Toll, toll
from justchat.http.security_headers import protect
from justchat.limiting.addresses import Proxies
from justchat.limiting.origins import Origins
from justchat.limiting.policy import RateClass, request_quotas


class Border:
    """What all requests have in common."""

    def __init__(self, config: Config, operations: Mapping[str, Operation], *, api_prefix: str) -> None:
        """Guard the operations, given by endpoint, below this prefix."""
        self._operations = operations
        self._api_prefix = api_prefix
        self._proxies = Proxies(config.trusted_proxies)
        self._origins = Origins(config.allowed_origins)
        self.quotas = request_quotas(config)

    async def enter(self) -> Response | None:
        """Let a request in (None), or answer it."""
        note_caller(self._proxies)
        if not self._is_api():
            return None
        note_standpoint(self._origins)
        operation = None if request.method == "OPTIONS" else self._operations.get(request.endpoint or "")
        paid = g.toll = Toll(self.quotas, rate_class_of(operation, request.args), address=caller_address())
        refusal = refuse_origin(_allowed_methods)
        if refusal is not None:
            return refusal
        try:
            paid.take_first(anybody=operation is None or operation.caller is Caller.ANYBODY)
        except Refused as refused:
            return problem_answer(refused.refusal)
        return None

    async def leave(self, response: Response) -> Response:
        """Give an answer its headers."""
        paid = toll()
        if paid is not None:
            paid.tell(response)
            share(response)
        protect(response, over_tls=g.get("caller_address") is not None and caller_scheme() == "https")
        return response

    def _is_api(self) -> bool:
        return request.path == self._api_prefix or request.path.startswith(f"{self._api_prefix}/")


def operations_of(app: Quart) -> dict[str, Operation]:
    """Give an app's operations by the name that a request's endpoint has."""
    return {
        f"{name}.{endpoint}": operation
        for name, routes in app.blueprints.items()
        if isinstance(routes, OperationBlueprint)
        for endpoint, operation in routes.operations.items()
    }


def rate_class_of(operation: Operation | None, query: Container[str]) -> RateClass:
    """Tell what a request for this operation counts as, with these names in its query."""
    if operation is None:
        return RateClass.READ
    if operation.rate is not None:
        return operation.rate
    if operation.changes:
        proves = operation.caller is Caller.ANYBODY and operation.path.startswith("/auth/")
        return RateClass.AUTH if proves else RateClass.WRITE
    return RateClass.SEARCH if _searches(operation, query) else RateClass.READ


def _searches(operation: Operation, query: Container[str]) -> bool:
    if operation.path.startswith("/search/"):
        return True
    return "q" in query and any(parameter.name == "q" for parameter in operation.query)


def _allowed_methods() -> list[str]:
    adapter = request_ctx.url_adapter
    return [] if adapter is None else list(adapter.allowed_methods())

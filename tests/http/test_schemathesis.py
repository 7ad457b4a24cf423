"""The document against a real server: requests made from its schemas, good ones and bad ones, and answers held to it.

Schemathesis makes the requests; where an address names something, it is mostly something that is there. The schemas are
the strict ones, so an answer with a field that nobody documented fails as well. Nothing is random: the same requests
are made in every run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.http.documents import Document, strict
from tests.http.surroundings import Surroundings, furnish
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = 8
EXAMPLES_IN_SOAK = 300
# What takes things away comes last.
ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def document(server: ServerProcess) -> Document:
    found: Document = httpx.get(f"{server.url}/openapi.json", timeout=30, trust_env=False).json()
    return found


@pytest.fixture(scope="module")
def surroundings(server: ServerProcess) -> Surroundings:
    return furnish(server)


@pytest.fixture(scope="module", autouse=True)
def _never_a_crash(server: ServerProcess) -> Iterator[None]:
    yield
    assert "request_crashed" not in server.log
    assert "Traceback" not in server.log


def operations(document: Document) -> list[APIOperation]:
    """Give all operations, the destructive ones last."""
    schema = schemathesis.openapi.from_dict(strict(document))
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) == sum(len(methods) for methods in document["paths"].values())
    return sorted(found, key=lambda one: (ORDER.index(one.method.upper()), -one.path.count("/"), one.path))


def try_out(operation: APIOperation, server: ServerProcess, known: Surroundings, examples: int) -> Counter[int]:
    """Call one operation with what its schemas allow and what they do not; give how often each status was answered."""
    statuses: Counter[int] = Counter()
    named = {parameter.name for parameter in operation.query}
    # Whoever logs out is out for the rest of it.
    token = known.spare_token if "/auth/logout" in operation.path else known.token
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    cases = modes.flatmap(lambda mode: operation.as_strategy(generation_mode=mode))

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, data=st.data())
    def calls(case: Case, data: st.DataObject) -> None:
        place(case, known, data)
        response = case.call(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        # Unknown parameters are ignored; an address may be too long as a whole, or ask for what is not there yet.
        lenient = response.status_code in {412, 431} or not (case.query or {}).keys() <= named
        case.validate_response(response, checks=CHECKS, excluded_checks=[negative_data_rejection] if lenient else [])
        statuses[response.status_code] += 1

    calls()
    return statuses


def place(case: Case, known: Surroundings, data: st.DataObject) -> None:
    """Let most addresses name what is there, and nobody wait for what will not happen."""
    parameters: dict[str, Any] = dict(case.path_parameters or {})
    for name in sorted(parameters.keys() & known.named.keys()):
        if data.draw(st.integers(0, 7)):
            parameters[name] = data.draw(st.sampled_from(known.named[name]))
    case.path_parameters = parameters
    query: dict[str, Any] = dict(case.query or {})
    if str(query.get("min_seq", "")).isdigit() and int(query["min_seq"]) < 2**53:
        query["min_seq"] = min(int(query["min_seq"]), 3)
    case.query = query


def check(wanted: Sequence[APIOperation], server: ServerProcess, known: Surroundings, examples: int) -> None:
    """Call operations, complain of all that do not keep to the document, and see that enough was carried out."""
    problems: list[str] = []
    never: list[str] = []
    for operation in wanted:
        try:
            statuses = try_out(operation, server, known, examples)
        except FailureGroup as failures:
            problems.append(f"{operation.label}: {failures}")
            continue
        if not any(status < 300 for status in statuses):
            never.append(operation.label)
    assert problems == [], "\n".join(problems)
    # Some need a better guess than a few, such as a name that is allowed; if it were most, nothing would be tried.
    assert len(never) < 0.7 * len(wanted), never


@pytest.mark.parametrize("method", ORDER)
def test_answers_keep_to_the_document(
    document: Document, server: ServerProcess, surroundings: Surroundings, method: str
) -> None:
    """No 5xx; status, media type, headers and body as documented; what the schemas forbid is refused."""
    wanted = [operation for operation in operations(document) if operation.method.upper() == method]
    check(wanted, server, surroundings, EXAMPLES)


@pytest.mark.soak
def test_answers_keep_to_the_document_for_long(
    document: Document, server: ServerProcess, surroundings: Surroundings
) -> None:
    """The same with tens of thousands of requests."""
    check(operations(document), server, surroundings, EXAMPLES_IN_SOAK)


def test_what_no_operation_does_is_not_allowed(
    document: Document, server: ServerProcess, surroundings: Surroundings
) -> None:
    """Every other method on every documented address is 405, which names the ones there are."""
    documented = {path: {method.upper() for method in methods} for path, methods in document["paths"].items()}
    shapes = {path: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in documented}
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as http:
        for path, methods in documented.items():
            # `/users/me` is also an address of `/users/{user}`.
            allowed = methods.union(*(documented[other] for other, shape in shapes.items() if shape.fullmatch(path)))
            for method in {*ORDER, "TRACE", "FOO"} - allowed:
                answer = http.request(method, path.format_map(surroundings.address))
                assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), (method, path)
                assert allowed <= set(answer.headers["allow"].split(", ")), (method, path)

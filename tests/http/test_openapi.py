"""`/openapi.json`: valid, complete, made of the routes themselves, and true of every event that is stored."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from quart import Quart, Response

from justchat.accounts.accounts import Accounts
from justchat.http.answers import no_content
from justchat.http.openapi import openapi_document, published_operations
from justchat.http.operation import Operation, blueprint_of
from justchat.wire.errors import ErrorCode
from tests.http.documents import Document, Schemas, references, resolve
from tests.http.office import Office, open_office

# What is for people or describes the API, and is no part of it.
NO_OPERATIONS = {
    "/",
    "/assets/{name}",
    "/docs",
    "/docs/assets/{name}",
    "/openapi.json",
    "/asyncapi.json",
}


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as office:
        yield office


async def document_of(office: Office) -> Document:
    answer = await office.call("GET", "/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    found: Document = json.loads(await answer.get_data())
    return found


def routes_of(app: Quart) -> set[tuple[str, str]]:
    """Give method and path of everything that the app would answer."""
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def documented(document: Document) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


async def test_the_document_names_every_route_and_no_other(office: Office) -> None:
    """Routes that are not declared as operations are the few pages named here; any other would be missed by readers."""
    routes = routes_of(office.app)
    document = await document_of(office)
    assert documented(document) == {(method, path) for method, path in routes if path not in NO_OPERATIONS}
    assert {path for _, path in routes} >= NO_OPERATIONS


async def test_a_route_that_is_no_operation_is_noticed(office: Office) -> None:
    """Proof that the test above can fail."""

    async def secret() -> Response:
        return no_content()

    before = documented(await document_of(office))
    office.app._got_first_request = False
    office.app.add_url_rule("/secret/<thing>", "secret", secret, methods=["PUT"])
    assert ("PUT", "/secret/{thing}") in routes_of(office.app) - before


async def test_the_document_is_valid_openapi(office: Office) -> None:
    """OpenAPI 3.1 as its own schema has it, with every reference leading somewhere."""
    document = await document_of(office)
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    for reference in references(document):
        resolve(document, reference)


async def test_an_invalid_document_is_noticed(office: Office) -> None:
    """Proof that the test above can fail: an unknown place for a parameter, and a reference to nothing."""
    document = await document_of(office)
    document["paths"] = {"/version": document["paths"]["/version"]}
    operation = document["paths"]["/version"]["get"]
    operation["parameters"] = [{"name": "x", "in": "nowhere", "schema": {}}]
    assert [*OpenAPIV31SpecValidator(document).iter_errors()]
    with pytest.raises(LookupError):
        resolve(document, "#/components/schemas/Nothing")


async def test_every_operation_can_be_told_from_the_others(office: Office) -> None:
    """Operation ids are unique; every operation has a summary, a tag that is listed, and says who may call."""
    document = await document_of(office)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations:
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        assert "security" in operation
        assert [parameter["name"] for parameter in operation["parameters"] if not parameter["description"]] == []
    assert document["servers"] == [{"url": "/"}]


def codes(document: Document, operation: Any, status: int) -> set[str]:
    response: Any = operation["responses"][str(status)]
    if "$ref" in response:
        response = resolve(document, response["$ref"])
    schema = response["content"]["application/problem+json"]["schema"]
    assert schema["allOf"][0] == {"$ref": "#/components/schemas/Problem"}
    assert schema["allOf"][1]["properties"]["status"] == {"const": status}
    return set(schema["allOf"][1]["properties"]["code"]["enum"])


async def test_each_refusal_stands_under_its_status(office: Office) -> None:
    """A route's own codes, and those that come from having a body, a caller, parameters."""
    document = await document_of(office)
    paths = document["paths"]
    register = paths["/api/v1/auth/register"]["post"]
    assert codes(document, register, 409) == {"username_taken", "email_taken"}
    assert (codes(document, register, 413), codes(document, register, 415)) == (
        {"payload_too_large"},
        {"unsupported_media"},
    )
    assert (register["security"], "401" in register["responses"]) == ([], False)
    user = paths["/api/v1/users/{user}"]["get"]
    assert (codes(document, user, 401), codes(document, user, 404)) == (
        {"unauthenticated", "token_expired"},
        {"not_found"},
    )
    assert (user["security"], "requestBody" in user) == ([{"bearer": []}], False)
    assert codes(document, paths["/health/actors"]["get"], 403) == {"forbidden"}
    ready = paths["/health/ready"]["get"]["responses"]
    assert set(ready["503"]["content"]) == {"application/json", "application/problem+json"}


async def test_reads_as_of_a_seq_are_documented_where_there_are_any(office: Office) -> None:
    """What reads of a room, and of what is in it, may wait for `min_seq`, says so, and that it may be refused."""
    document = await document_of(office)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names = {parameter["name"] for parameter in operation["parameters"]}
            is_read = method == "get" and path.startswith(("/api/v1/rooms/{room}", "/api/v1/messages/{message}"))
            assert ("min_seq" in names) is is_read, path
            if is_read:
                assert codes(document, operation, 412) == {"seq_unavailable"}, path


async def test_the_headers_of_answers_and_requests_are_in_the_document(office: Office) -> None:
    """Each under the statuses that have it; what tests of routes are answered is held against these very headers."""
    document = await document_of(office)

    def headers(method: str, path: str, status: int) -> set[str]:
        response: Any = document["paths"][f"/api/v1{path}"][method]["responses"][str(status)]
        found = resolve(document, response["$ref"]) if "$ref" in response else response
        return set(found["headers"])  # type: ignore[index]

    always = {"X-Request-Id", "RateLimit", "RateLimit-Policy"}
    post = "/rooms/{room}/messages"
    for method, path, status, more in (
        ("post", post, 201, {"Location", "ETag"}),
        ("post", post, 200, {"ETag", "Idempotent-Replayed"}),
        ("get", "/rooms/{room}", 200, {"ETag"}),
        ("patch", "/rooms/{room}", 200, {"ETag"}),
        ("patch", "/messages/{message}", 200, {"ETag"}),
        ("get", post, 200, set()),
        ("get", post, 404, set()),
        ("post", post, 429, {"Retry-After"}),
        ("post", post, 503, {"Retry-After"}),
        ("get", "/rooms/{room}", 401, {"WWW-Authenticate"}),
    ):
        assert headers(method, path, status) == always | more, (method, path, status)
    for path, status in (("/auth/register", 201), ("/auth/login", 200), ("/auth/refresh", 200), ("/auth/logout", 204)):
        assert "Set-Cookie" in headers("post", path, status)
        assert "Set-Cookie" not in headers("post", path, 422)
    proven = {"/api/v1/auth/refresh", "/api/v1/auth/logout"}
    for path, methods in document["paths"].items():
        named = {parameter["name"] for operation in methods.values() for parameter in operation["parameters"]}
        assert ("X-CSRF-Token" in named) is (path in proven)
    conditional = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if any(parameter["name"] == "If-Match" for parameter in operation["parameters"])
    }
    assert conditional >= {("patch", "/api/v1/rooms/{room}"), ("patch", "/api/v1/messages/{message}")}
    for method, path in conditional:
        assert "412" in document["paths"][path][method]["responses"]


@pytest.mark.parametrize(("most", "usual"), [(100, 50), (20, 10)])
async def test_how_many_items_a_page_may_have_is_documented_and_kept(most: int, usual: int) -> None:
    """As it is configured: the bound of every `limit` in the document is the one above which it is refused."""
    async with open_office(history_page_max=most, history_page_default=usual) as office:
        office.add_user("ann")
        document = await document_of(office)
        limits = {
            path: parameter
            for path, methods in document["paths"].items()
            for parameter in methods.get("get", {}).get("parameters", ())
            if parameter["name"] == "limit" and "{room}" in path and not path.startswith("/health")
        }
        assert len(limits) >= 9
        for path, parameter in limits.items():
            assert (parameter["schema"]["minimum"], parameter["schema"]["maximum"]) == (1, most), path
        answers = [
            await office.call("GET", f"/api/v1/users/me/rooms?limit={n}", caller="ann") for n in (most, most + 1)
        ]
        assert [answer.status_code for answer in answers] == [200, 422]
        assert f"{usual} where" in limits["/api/v1/rooms/{room}/messages"]["description"]


async def test_what_a_type_demands_stands_in_its_schema(office: Office) -> None:
    """Bounds, required and unknown fields, parameters and generic pages: taken from the types that are decoded."""
    document = await document_of(office)
    schemas = Schemas(document)
    body = "/components/schemas/RegisterBody"
    good = {"username": "ann", "password": "correct horse"}
    assert schemas.problems(body, good) == []
    for bad in ({"username": "ann"}, {**good, "password": "x" * 1001}, {**good, "role": "admin"}):
        assert schemas.problems(body, bad) != []
    users = document["paths"]["/api/v1/users"]["get"]
    limits = {parameter["name"]: parameter["schema"] for parameter in users["parameters"]}
    assert (limits["limit"]["minimum"], limits["limit"]["maximum"]) == (1, 20)
    page = users["responses"]["200"]["content"]["application/json"]["schema"]
    assert resolve(document, page["$ref"])["properties"]["items"]["items"] == {  # type: ignore[index]
        "$ref": "#/components/schemas/UserView"
    }


async def test_answers_are_as_documented_to_the_last_field(office: Office) -> None:
    """Accounts and health: no field that is not in the schema, none missing; for strangers and for operators."""
    office.add_user("ann")
    document = await document_of(office)
    schemas = Schemas(document)
    for path, name in {
        "/api/v1/users/me": "OwnView",
        "/api/v1/users?q=a": "PageOf_UserView_",
        "/health": "AliveView",
        "/health/ready": "ReadyView",
        "/health/rooms": "RoomsView",
        "/health/actors": "ActorsView",
        "/version": "VersionView",
    }.items():
        answer = await office.call("GET", path, caller="ann")
        assert answer.status_code == 200, path
        value = json.loads(await answer.get_data())
        assert schemas.problems(f"/components/schemas/{name}", value) == [], path
        assert value.keys() == document["components"]["schemas"][name]["properties"].keys(), path


async def test_the_documents_can_be_switched_off() -> None:
    """With `api_docs` off there is neither a page nor a document; everything else is as before."""
    async with open_office(api_docs="no") as office:
        for path in ("/docs", "/docs/assets/start.js", "/openapi.json", "/asyncapi.json"):
            assert await office.problem("GET", path) == (404, "not_found")
        assert (await office.call("GET", "/")).status_code == 200


async def test_an_unchanged_document_is_not_sent_again(office: Office) -> None:
    """An ETag that holds, and headers that let a page do no more than it needs."""
    first = await office.call("GET", "/openapi.json")
    again = await office.call("GET", "/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, await again.get_data()) == (304, b"")
    page = await office.call("GET", "/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert await office.problem("GET", "/docs/assets/index.html") == (404, "not_found")


def test_an_operation_that_refuses_and_answers_with_one_status_says_both() -> None:
    """Both media types stand under the status, each with its schema."""

    async def handler() -> Response:
        return no_content()

    operation = Operation("GET", "/x", handler, "X", answer=int, statuses=(503,), refusals=(ErrorCode.DRAINING,))
    app = Quart("x")
    app.register_blueprint(blueprint_of("x", (operation,), accounts=_no_accounts()))
    document: Any = openapi_document(published_operations(app), version="1")
    assert set(document["paths"]["/x"]["get"]["responses"]["503"]["content"]) == {
        "application/json",
        "application/problem+json",
    }


def _no_accounts() -> Accounts:
    return Accounts.__new__(Accounts)

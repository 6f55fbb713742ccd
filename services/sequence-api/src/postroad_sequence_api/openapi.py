"""The API's description, OpenAPI 3.1, from the routes and the models that serve it."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from postroad_sequence_api.door import Route
from postroad_sequence_api.endpoints import Endpoint, read
from postroad_sequence_api.models.problems import ProblemView
from postroad_sequence_api.openapi_examples import example_of
from postroad_sequence_api.openapi_page import docs_page
from postroad_sequence_api.openapi_schemas import Refs, Schema, schema_of, schemas_of, tidied
from postroad_sequence_api.problem_codes import CODES
from postroad_sequence_api.webhooks.events import EVENTS, WebhookEvent

_ALL_TYPES: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_PROBLEM: Final = "application/problem+json"
_SPACES: Final = re.compile(r"\s+")
_HEADER: Final[Mapping[str, Schema]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Sent again with the same key within 24 hours, the request is done once and answered alike.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of what was read: 412 when somebody else has changed it meanwhile.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    },
}
_REFUSALS: Final[Mapping[int, str]] = {
    400: "The request cannot be read.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "There is no such thing in this tenant.",
    409: "Not as things stand.",
    412: "Changed meanwhile.",
    413: "The body is too large.",
    415: "Not a media type that is taken here.",
    422: "A field is not valid.",
    429: "Too many requests.",
    503: "A server behind this one does not answer; nothing is lost.",
}
_ANSWERED: Final[Mapping[str, Schema]] = {
    "RateLimit": {
        "description": 'What is left to the key, and in how many seconds it has all again: `"default";r=5999;t=1`.',
        "schema": {"type": "string", "pattern": '^"default";r=[0-9]+;t=[0-9]+$'},
    },
    "RateLimit-Policy": {
        "description": 'How many requests a key may make in how many seconds: `"default";q=6000;w=60`.',
        "schema": {"type": "string", "pattern": '^"default";q=[0-9]+;w=[0-9]+$'},
    },
    "ETag": {
        "description": "The revision, for If-Match.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    },
    "Location": {
        "description": "The path of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "true: the answer is that of the first request with this Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "When to try again, in seconds.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "How to say who calls.", "required": True, "schema": {"type": "string"}},
}
_ON_REFUSAL: Final[Mapping[int, str]] = {401: "WWW-Authenticate", 412: "ETag", 429: "Retry-After", 503: "Retry-After"}
_INTRODUCTION: Final = """\
Contacts, templates and sequences go in; enrollments, messages and events come out.

Keys: send `Authorization: Bearer pr_...`. A key has a role and, if it was given some, scopes.

Errors are problem documents (RFC 9457): `code` is for programs, `detail` for people; `field` and `errors` name what is
at fault. What is no HTTP request at all is refused in plain text.

Lists come in pages: ask for the next one with `after` set to the answer's `next`, until that is null.

Repeating: GET, PUT, PATCH and DELETE may be sent again as they are. A POST with an `Idempotency-Key` is done once.

Editing: what can be edited has a `revision` and answers it as `ETag`; send it as `If-Match`, and no change is lost.

Limits: `RateLimit` says what is left to the key; 429 says in `Retry-After` how long to wait.
"""


def describe(routes: Sequence[Route]) -> Schema:
    """The whole document."""
    endpoints = [(route, read(route.handler, route.path)) for route in routes]
    used = [model for route, endpoint in endpoints for model in _models(route, endpoint)]
    posted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(event, "serialization") for event in EVENTS.values()]
    refs, components = schemas_of([(ProblemView, "validation"), *used, *posted])
    paths: dict[str, Schema] = {}
    links = _links(endpoints)
    for route, endpoint in endpoints:
        described = _operation(route, endpoint, refs, components, links.get(endpoint.name, {}))
        paths.setdefault(route.path, {})[route.method.lower()] = described
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Postroad",
            "version": version("postroad-sequence-api"),
            "summary": "Email sequences that never send twice, never forget, and can say why.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": noun} for noun in dict.fromkeys(endpoint.noun for _, endpoint in endpoints)],
        "paths": paths,
        "webhooks": {type_: {"post": _webhook(event, refs)} for type_, event in EVENTS.items()},
        "components": {
            "schemas": components,
            "headers": dict(_ANSWERED),
            "responses": {str(status): _refusal(status, refs) for status in _REFUSALS},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A tenant's API key."},
                "operator": {"type": "http", "scheme": "bearer", "description": "The operator's token."},
            },
        },
    }
    return tidied(document)


def add_description(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve the document at /openapi.json and a page for people at /docs."""
    caching = {"Cache-Control": "public, max-age=300"}
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}

    @cache
    def document() -> Schema:
        """Made when it is first asked for: a process need not wait for it to serve."""
        return describe(routes)

    @cache
    def body() -> bytes:
        return orjson.dumps(document())

    @cache
    def page() -> str:
        return docs_page(document())

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=body(), content_type="application/json", headers=caching)

    async def docs(_request: web.Request) -> web.Response:
        return web.Response(text=page(), content_type="text/html", headers=caching | policy)

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/docs", docs)


def _models(route: Route, endpoint: Endpoint) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    if endpoint.body is not None:
        yield endpoint.body, "validation"
    if endpoint.query is not None:
        yield endpoint.query, "validation"
    if endpoint.answer is not None:
        yield endpoint.answer, "serialization"
    if route.streams is not None:
        yield route.streams, "serialization"


def _operation(route: Route, endpoint: Endpoint, refs: Refs, components: Schema, links: Schema) -> Schema:
    summary, _, more = (inspect.getdoc(route.handler) or "").partition("\n")
    described: Schema = {
        "operationId": endpoint.name,
        "tags": [endpoint.noun],
        "summary": summary.rstrip("."),
        "security": [{"operator": []}] if route.access == "operator" else [{"key": []}],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, refs, components), *_headers(route)],
        "responses": _responses(route, endpoint, refs, components, links),
    }
    if more.strip():
        described["description"] = _SPACES.sub(" ", more).strip()
    if route.access != "operator":
        described["x-role"], described["x-scope"] = route.access.name, route.scope
    if endpoint.body is not None:
        schema = refs(endpoint.body, "validation")
        content = {"schema": schema, "example": example_of(schema, components)}
        described["requestBody"] = {"required": not endpoint.body_optional, "content": {_ALL_TYPES: content}}
    elif route.takes is not None:
        described["requestBody"] = {"required": True, "content": {route.takes: {"schema": {"type": "string"}}}}
    return described


def _path_parameters(endpoint: Endpoint) -> Iterator[Schema]:
    kinds: Mapping[str, Schema] = {
        "UUID": {"type": "string", "format": "uuid"},
        "int": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
        "str": {"type": "string", "minLength": 1},
    }
    for name, kind in endpoint.path.items():
        schema = kinds[kind.__name__] | ({"format": "email"} if name == "email" else {})
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(endpoint: Endpoint, refs: Refs, components: Schema) -> Iterator[Schema]:
    if endpoint.query is None:
        return
    schema = schema_of(refs(endpoint.query, "validation"), components)
    for name, described in schema.get("properties", {}).items():
        # Null is said by leaving the parameter out.
        options = [one for one in described.get("anyOf", ()) if one != {"type": "null"}]
        plain = {key: value for key, value in described.items() if key not in {"anyOf", "default", "title"}}
        if described.get("default") is not None:
            plain["default"] = described["default"]
        if options:
            plain |= options[0] if len(options) == 1 else {"anyOf": options}
        text = plain.pop("description", None)
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": plain}
        yield parameter | ({"description": text} if text else {})


def _headers(route: Route) -> Iterator[Schema]:
    if route.method == "POST":
        yield _HEADER["Idempotency-Key"]
    if route.edits:
        yield _HEADER["If-Match"]


def _responses(route: Route, endpoint: Endpoint, refs: Refs, components: Schema, links: Schema) -> Schema:
    if endpoint.answer is not None:
        schema = refs(endpoint.answer, "serialization")
        content: Schema = {_ALL_TYPES: {"schema": schema, "example": example_of(schema, components)}}
    else:
        # Of events OpenAPI 3.1 can say no more than that there are some; what each is has its place from 3.2 on.
        item = {"x-item-schema": refs(route.streams, "serialization")} if route.streams is not None else {}
        schemas: Schema = {_EVENTS: {}}
        content = {media: {"schema": schemas.get(media, {"type": "string"}), **item} for media in route.gives}
    status = route.status if endpoint.answer is not None or endpoint.streams else HTTPStatus.NO_CONTENT
    done: Schema = {"description": "Done.", "headers": _header_refs(_answered(route, endpoint))}
    if content:
        done["content"] = content
    if links:
        done["links"] = links
    refused = {str(code): {"$ref": f"#/components/responses/{code}"} for code in _refusals(route, endpoint)}
    made = {str(int(HTTPStatus.CREATED)): {**done, "description": "Made anew."}} if route.upserts else {}
    return {str(int(status)): done, **made, **refused}


def _webhook(event: type[WebhookEvent], refs: Refs) -> Schema:
    """What is posted to a subscription, and what its receiver is to answer."""
    return {
        "summary": (event.__doc__ or "").partition(".")[0],
        "tags": ["webhook-subscriptions"],
        "requestBody": {"required": True, "content": {_ALL_TYPES: {"schema": refs(event, "serialization")}}},
        "responses": {"2XX": {"description": "It arrived. Any other answer is a failure, and the event comes again."}},
    }


def _answered(route: Route, endpoint: Endpoint) -> Iterator[str]:
    """The headers of an answer."""
    fields = set(_fields(endpoint.answer))
    if "revision" in fields:
        yield "ETag"
    if route.status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED} and "id" in fields:
        yield "Location"
    if route.method == "POST":
        yield "Idempotent-Replayed"
    if route.access != "operator":
        yield from ("RateLimit", "RateLimit-Policy")


def _header_refs(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusals(route: Route, endpoint: Endpoint) -> Iterator[int]:
    """The statuses with which a request may be refused."""
    takes_body = endpoint.body is not None or route.takes is not None
    applies = {
        403: route.access != "operator",
        404: bool(endpoint.path) or takes_body,
        409: route.method != "GET" or bool(route.gives),
        412: route.edits,
        413: takes_body,
        415: takes_body,
        429: route.access != "operator",
    }
    yield from (status for status in _REFUSALS if applies.get(status, True))


def _refusal(status: int, refs: Refs) -> Schema:
    codes = "".join(f"\n- `{code}`: {said}" for code, said in CODES[status].items())
    described: Schema = {
        "description": f"{_REFUSALS[status]}\n{codes}",
        "content": {_PROBLEM: {"schema": refs(ProblemView, "validation"), "example": _problem_example(status)}},
    }
    if status in _ON_REFUSAL:
        described["headers"] = _header_refs([_ON_REFUSAL[status]])
    return described


def _problem_example(status: int) -> Schema:
    code = next(iter(CODES[status]))
    title = _REFUSALS[status].rstrip(".").partition(";")[0]
    return {"type": f"urn:postroad:problem:{code}", "title": title, "status": status, "code": code}


def _links(endpoints: Sequence[tuple[Route, Endpoint]]) -> dict[str, Schema]:
    """What one can do with what was made: each operation on {x_id} follows the one that answers an x with its id."""
    makers = {
        f"{route.makes or route.path}/{{": endpoint
        for route, endpoint in endpoints
        if route.method == "POST" and route.status in {201, 202} and "id" in _fields(endpoint.answer)
    }
    found: dict[str, Schema] = {}
    for route, endpoint in endpoints:
        for beginning, maker in makers.items():
            if route.path.startswith(beginning) and len(endpoint.path) == 1:
                (place,) = endpoint.path
                link = {"operationId": endpoint.name, "parameters": {place: "$response.body#/id"}}
                found.setdefault(maker.name, {})[endpoint.name] = link
    return found


def _fields(model: type[BaseModel] | None) -> Iterable[str]:
    return () if model is None else model.model_fields

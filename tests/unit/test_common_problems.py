"""Problem documents: what a client is told, and what it is not."""

import json
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, Field

from postroad_common.amqp.errors import BrokerUnavailableError, PublishError
from postroad_common.errors import DatabaseLostError
from postroad_common.problems import Problem, problem_middleware


class Order(BaseModel):
    """Input for this test."""

    count: int = Field(gt=0)
    lines: list[int]


async def answer_to(error: Exception) -> tuple[web.StreamResponse, dict[str, Any]]:
    """The response to a request whose handler raised the error, and its body."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    response = await problem_middleware(make_mocked_request("POST", "/orders"), handler)
    assert isinstance(response, web.Response)
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    body: dict[str, Any] = json.loads(response.body)
    assert body["status"] == response.status
    return response, body


async def test_a_problem_tells_its_code_title_detail_field_and_more() -> None:
    response, body = await answer_to(
        Problem(
            409, "in_use", "It is in use", "By two sequences.", field="id", headers={"X": "y"}, sequences=["a", "b"]
        )
    )

    assert response.headers["X"] == "y"
    assert body == {
        "type": "urn:postroad:problem:in_use",
        "title": "It is in use",
        "status": 409,
        "code": "in_use",
        "detail": "By two sequences.",
        "field": "id",
        "sequences": ["a", "b"],
    }


async def test_input_that_is_not_valid_names_each_field_and_quotes_no_value() -> None:
    with pytest.raises(ValueError, match="count") as invalid:
        Order.model_validate_json('{"count": 0, "lines": ["secret-value"]}')

    response, body = await answer_to(invalid.value)

    assert response.status == 422
    assert [error["field"] for error in body["errors"]] == ["count", "lines.0"]
    assert body["field"] == "count"
    assert "secret-value" not in json.dumps(body)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("starting up"),
        DatabaseLostError("gone"),
        ConnectionRefusedError(),
        TimeoutError(),
        PublishError("no confirm"),
        BrokerUnavailableError("away"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outage_is_told_as_one_that_may_be_tried_again(error: Exception) -> None:
    response, body = await answer_to(error)

    assert (response.status, body["code"]) == (503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0


async def test_an_unexpected_error_tells_nothing_of_itself() -> None:
    response, body = await answer_to(RuntimeError("password=hunter2"))

    assert (response.status, body["code"]) == (500, "internal_error")
    assert "hunter2" not in json.dumps(body)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (web.HTTPNotFound(), 404, "not_found"),
        (web.HTTPMethodNotAllowed("PUT", ["GET", "POST"]), 405, "method_not_allowed"),
        (web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), 413, "request_entity_too_large"),
    ],
)
async def test_what_the_http_library_refuses_is_a_problem_too(error: Exception, status: int, code: str) -> None:
    response, body = await answer_to(error)

    assert (response.status, body["code"]) == (status, code)
    assert response.headers.get("Allow") == ("GET,POST" if status == 405 else None)


async def test_a_redirect_is_no_problem() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere")

    with pytest.raises(web.HTTPFound):
        await problem_middleware(make_mocked_request("GET", "/"), handler)

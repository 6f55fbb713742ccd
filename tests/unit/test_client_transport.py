"""The client's transport: what is tried again, what never is, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import httpx
import pytest

from postroad import Client, PostroadError, ProblemError, UnexpectedAnswerError, UnreachableError
from postroad.transport import Patience

QUICK = Patience(tries=3, first_pause=0.001)
Step = httpx.Response | Exception


def client(steps: Sequence[Step], seen: list[httpx.Request]) -> Client:
    """A client whose network does these things in turn."""
    rest = list(steps)

    def network(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        step = rest.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return Client("http://api.example", "pr_key", patience=QUICK, transport=httpx.MockTransport(network))


def problem(status: int, code: str, **members: object) -> httpx.Response:
    return httpx.Response(status, json={"title": code, "code": code, "status": status, **members})


VERIFIED = httpx.Response(200, json={"ok": True, "rules": []})
ENROLLED = httpx.Response(200, json={"version": 1, "counts": {}, "results": []})


@pytest.mark.parametrize(
    "failure",
    [
        problem(503, "unavailable"),
        problem(429, "too_many"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
    ],
)
async def test_a_read_is_tried_again_after_any_passing_failure(failure: Step) -> None:
    seen: list[httpx.Request] = []
    async with client([failure, failure, VERIFIED], seen) as api:
        assert (await api.verify()).ok
    assert len(seen) == 3
    assert seen[0].url == "http://api.example/v1/verify"
    assert seen[0].headers["Authorization"] == "Bearer pr_key"


@pytest.mark.parametrize("failure", [problem(503, "unavailable"), httpx.ConnectError("refused")])
async def test_a_change_is_tried_again_when_it_was_certainly_not_acted_on(failure: Step) -> None:
    seen: list[httpx.Request] = []
    async with client([failure, httpx.Response(200, json={"replayed": 4})], seen) as api:
        assert await api.replay_parked("sender.due", limit=5) == 4
    assert len(seen) == 2


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("closed")])
async def test_a_change_that_may_have_been_acted_on_is_not_sent_again(failure: Step) -> None:
    seen: list[httpx.Request] = []
    async with client([failure, VERIFIED], seen) as api:
        with pytest.raises(UnreachableError, match="broke before the answer"):
            await api.replay_parked("sender.due", limit=5)
    assert len(seen) == 1


async def test_patience_ends_with_the_last_failure() -> None:
    seen: list[httpx.Request] = []
    async with client([httpx.ConnectError("refused")] * 3, seen) as api:
        with pytest.raises(UnreachableError, match=r"Nothing answers at http://api\.example/v1"):
            await api.verify()
    assert len(seen) == 3


async def test_a_refusal_is_final_and_names_the_field() -> None:
    seen: list[httpx.Request] = []
    refused = problem(422, "invalid", detail="from_email: is no address", field="from_email")
    async with client([refused], seen) as api:
        with pytest.raises(ProblemError, match=r"^from_email: is no address\.$") as caught:
            await api.create_sender(name="x")
    assert (caught.value.exit_code, caught.value.field, len(seen)) == (2, "from_email", 1)


Make = Callable[[], httpx.Response]


@pytest.mark.parametrize(
    ("answer", "kind", "words", "code"),
    [
        (lambda: problem(401, "unauthorized", detail="Send a key"), ProblemError, "Check POSTROAD_API_KEY", 3),
        (lambda: problem(403, "forbidden", detail="The role is viewer"), ProblemError, "Use a key with that role", 3),
        (lambda: problem(409, "taken", detail="Another has it", field="email"), ProblemError, "email: Another", 2),
        (lambda: problem(500, "internal_error", detail="It is logged."), ProblemError, "log says why", 4),
        (lambda: httpx.Response(502, text="<html>Bad gateway"), UnexpectedAnswerError, "is it Postroad's API", 4),
        (lambda: httpx.Response(200, text="<html>Hello"), UnexpectedAnswerError, "is it Postroad's API", 4),
        (
            lambda: problem(422, "invalid", errors=[{"field": "a", "message": "x"}, {"field": "b", "message": "y"}]),
            ProblemError,
            "a: x; b: y",
            2,
        ),
    ],
)
async def test_an_error_says_what_is_wrong_and_what_to_do(
    answer: Make, kind: type[PostroadError], words: str, code: int
) -> None:
    async with client([answer()], []) as api:
        with pytest.raises(kind, match=words.replace("?", r"\?")) as caught:
            await api.verify()
    assert caught.value.exit_code == code


async def test_a_list_is_read_to_its_end() -> None:
    def sender(number: int) -> dict[str, object]:
        fields = {"name": f"s{number}", "from_email": "a@b.example", "host": "h", "port": 25, "security": "none"}
        return {"id": f"00000000-0000-7000-8000-{number:012}", **fields}

    first = httpx.Response(200, json={"items": [sender(1), sender(2)], "next": "cursor"})
    second = httpx.Response(200, json={"items": [sender(3)], "next": None})
    seen: list[httpx.Request] = []
    async with client([first, second], seen) as api:
        assert [one.name for one in await api.senders()] == ["s1", "s2", "s3"]
    assert [request.url.params.get("after") for request in seen] == [None, "cursor"]

"""What both clients try again, what they never do, how they read lists and streams, and errors that say what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from postroad import (
    AsyncClient,
    ChangedMeanwhileError,
    Client,
    InputError,
    Patience,
    PostroadError,
    ProblemError,
    RateLimitedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from postroad.models import Contact, Job
from postroad.retries import retry_after
from tests.unit.both_clients import QUICK, Breaks, Network, Step, both, client, listed, problem, result, slept
from tests.unit.described import a

Kind = type[Client | AsyncClient]
VERIFIED = httpx.Response(200, json={"ok": True, "rules": []})
CONTACT = a("Contact", email="ada@example.com", revision=3)
JOB = a("Job", state="running")
FAILURES = [
    problem(503, "unavailable"),
    problem(429, "rate_limited"),
    problem(409, "in_progress"),
    httpx.Response(502, text="<html>Bad gateway"),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("closed"),
]


@both
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_a_read_is_tried_again_after_any_passing_failure(kind: Kind, failure: Step) -> None:
    network = Network([failure, failure, VERIFIED])
    async with client(kind, network) as api:
        assert (await result(api.verify())).ok
    assert [str(request.url) for request in network.seen] == ["http://api.example/v1/verify"] * 3
    assert network.headers("Authorization") == ["Bearer pr_key"] * 3


@both
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_a_post_is_sent_again_with_the_key_it_had(kind: Kind, failure: Step) -> None:
    network = Network([failure, failure, httpx.Response(201, json=CONTACT)])
    async with client(kind, network) as api:
        made = await result(api.contacts.create(email="ada@example.com"))
        again = await result(api.contacts.create(email="ada@example.com"))
    assert made == again == Contact.model_validate(CONTACT)
    first, second, third, other = network.headers("Idempotency-Key")
    assert first == second == third != other, "the same over its tries, another for another call"
    assert {request.content for request in network.seen} == {b'{"email":"ada@example.com"}'}


@both
async def test_a_key_of_ones_own_is_sent_as_it_is(kind: Kind) -> None:
    network = Network([httpx.ReadError("broke"), httpx.Response(201, json=CONTACT)])
    async with client(kind, network) as api:
        await result(api.contacts.create(email="ada@example.com", idempotency_key="crm-4711"))
    assert network.headers("Idempotency-Key") == ["crm-4711", "crm-4711"]


@both
async def test_retry_after_is_kept_and_pauses_grow_otherwise(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([problem(429, "rate_limited", {"Retry-After": "7"}), problem(503, "unavailable"), VERIFIED])
    with slept(monkeypatch) as pauses:
        async with client(kind, network, Patience(tries=3, first_pause=1)) as api:
            await result(api.verify())
    assert pauses[0] == 7
    assert 1 <= pauses[1] <= 2


@both
async def test_a_retry_after_beyond_patience_is_an_error_at_once(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([problem(429, "rate_limited", {"Retry-After": "61"})])
    with slept(monkeypatch) as pauses:
        async with client(kind, network) as api:
            with pytest.raises(RateLimitedError):
                await result(api.verify())
    assert (pauses, len(network.seen)) == ([], 1)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": "30"}, now) == 30
    assert retry_after({"Retry-After": "Sun, 22 Nov 2026 12:00:45 GMT"}, now) == 45
    assert retry_after({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, now) == 0
    assert [retry_after(headers, now) for headers in ({}, {"Retry-After": "soon"}, {"Retry-After": "-1"})] == [None] * 3


@both
async def test_patience_ends_with_the_last_failure(kind: Kind) -> None:
    network = Network([httpx.ConnectError("refused")])
    async with client(kind, network) as api:
        with pytest.raises(UnreachableError, match=r"Nothing answers at http://api\.example\."):
            await result(api.verify())
    assert len(network.seen) == QUICK.tries


@both
async def test_a_refusal_is_final_and_names_the_field(kind: Kind) -> None:
    members: dict[str, Any] = {"detail": "from_email: is no address", "field": "from_email"}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    network = Network([problem(422, "invalid", **members, instance=f"urn:postroad:trace:{trace}")])
    async with client(kind, network) as api:
        with pytest.raises(ProblemError, match=r"^from_email: is no address\.$") as caught:
            await result(api.senders.create(name="x", from_email="", host="h", port=25))
    refused = caught.value
    assert (refused.status, refused.code, refused.field, refused.trace_id) == (422, "invalid", "from_email", trace)
    assert (refused.exit_code, len(network.seen)) == (2, 1)


@both
async def test_an_edit_of_what_somebody_else_changed_says_which_revision_it_has(kind: Kind) -> None:
    network = Network([problem(412, "changed_meanwhile", revision=4)])
    async with client(kind, network) as api:
        with pytest.raises(ChangedMeanwhileError) as caught:
            await result(api.contacts.change(CONTACT["id"], first_name=None, if_match=3))
    assert caught.value.revision == 4
    assert network.headers("If-Match") == ['"3"']
    assert [json.loads(request.content) for request in network.seen] == [{"first_name": None}]


@both
@pytest.mark.parametrize("if_match", [3, None])
async def test_an_edit_whose_answer_was_lost_is_not_taken_for_somebody_elses(kind: Kind, if_match: int | None) -> None:
    refused = problem(412, "changed_meanwhile", revision=4)
    second = refused if if_match else httpx.Response(200, json=CONTACT)
    network = Network([problem(429, "rate_limited"), httpx.ReadError("broke"), second])
    async with client(kind, network) as api:
        if if_match:
            with pytest.raises(UnreachableError, match="broke before the answer"):
                await result(api.contacts.change(CONTACT["id"], company="Engines", if_match=if_match))
        else:
            await result(api.contacts.change(CONTACT["id"], company="Engines"))
    assert len(network.seen) == (2 if if_match else 3)


@both
async def test_an_edit_that_an_outage_may_have_cut_off_is_not_sent_again(kind: Kind) -> None:
    network = Network([problem(503, "unavailable"), problem(412, "changed_meanwhile", revision=4)])
    async with client(kind, network) as api:
        with pytest.raises(ProblemError) as outage:
            await result(api.contacts.change(CONTACT["id"], company="Engines", if_match=3))
    assert (outage.value.status, len(network.seen)) == (503, 1)


Make = Callable[[], httpx.Response]


@both
@pytest.mark.parametrize(
    ("answer", "kind_of_error", "words", "code"),
    [
        (lambda: problem(401, "unauthorized", detail="Send a key"), ProblemError, "Check POSTROAD_API_KEY", 3),
        (lambda: problem(403, "forbidden", detail="The role is viewer"), ProblemError, "Use a key with that role", 3),
        (lambda: problem(409, "taken", detail="Another has it", field="email"), ProblemError, "email: Another", 2),
        (lambda: problem(500, "internal_error", detail="It is logged."), ProblemError, "log says why", 4),
        (lambda: httpx.Response(502, text="<html>Bad gateway"), UnexpectedAnswerError, "is it Postroad's API", 4),
        (lambda: httpx.Response(302, headers={"Location": "/login"}), UnexpectedAnswerError, "answered 302", 4),
        (lambda: httpx.Response(200, text="<html>Hello"), UnexpectedAnswerError, "is it Postroad's API", 4),
        (lambda: httpx.Response(200, json={"ok": 3}), UnexpectedAnswerError, "not as described", 4),
        (
            lambda: problem(422, "invalid", errors=[{"field": "a", "message": "x"}, {"field": "b", "message": "y"}]),
            ProblemError,
            "a: x; b: y",
            2,
        ),
    ],
)
async def test_an_error_says_what_is_wrong_and_what_to_do(
    kind: Kind, answer: Make, kind_of_error: type[PostroadError], words: str, code: int
) -> None:
    async with client(kind, Network([answer()])) as api:
        with pytest.raises(kind_of_error, match=words) as caught:
            await result(api.verify())
    assert caught.value.exit_code == code


def page(*numbers: int, next_: str | None) -> httpx.Response:
    return httpx.Response(200, json={"items": [a("Sender", name=f"s{one}") for one in numbers], "next": next_})


@both
async def test_a_list_is_read_over_all_its_pages_each_when_it_is_needed(kind: Kind) -> None:
    network = Network([page(1, 2, next_="x"), page(3, next_="y"), page(4, next_=None)])
    async with client(kind, network) as api:
        senders = api.senders.list(limit=2)
        assert network.seen == [], "nothing is asked before the first is wanted"
        assert [one.name for one in await listed(senders)] == ["s1", "s2", "s3", "s4"]
        assert [request.url.params.get("after") for request in network.seen] == [None, "x", "y"]
        assert {request.url.params["limit"] for request in network.seen} == {"2"}


@both
async def test_a_list_has_pages_and_a_first_item(kind: Kind) -> None:
    network = Network([page(1, 2, next_="x"), page(next_=None), page(1, next_="z"), page(next_=None)])
    async with client(kind, network) as api:
        pages = await listed(api.senders.list().pages())
        assert [(len(one.items), one.next) for one in pages] == [(2, "x"), (0, None)]
        assert (await result(api.senders.list().first())).name == "s1"
        assert await result(api.senders.list().first()) is None
    assert len(network.seen) == 4


@both
async def test_what_a_newer_api_says_more_is_passed_over(kind: Kind) -> None:
    newer = {**CONTACT, "kind": "robot", "mood": {"today": "fine"}}
    async with client(kind, Network([httpx.Response(200, json=newer)])) as api:
        contact = await result(api.contacts.create(email="ada@example.com"))
    assert contact.kind == "robot"
    assert not hasattr(contact, "mood")


def event(number: int) -> bytes:
    return json.dumps(a("Event", cursor=str(number))).encode() + b"\n"


@both
async def test_an_export_that_breaks_off_goes_on_behind_the_last_whole_line(kind: Kind) -> None:
    whole = event(1) + event(2)
    network = Network(
        [
            lambda: httpx.Response(200, stream=Breaks(whole[:40], whole[40:] + event(3)[:50])),
            lambda: problem(503, "unavailable"),
            lambda: httpx.Response(200, stream=Breaks(event(3))),
            lambda: httpx.Response(200, content=event(4).rstrip(b"\n")),
        ]
    )
    async with client(kind, network) as api:
        assert [one.cursor for one in await listed(api.events.export())] == ["1", "2", "3", "4"]
    assert [request.url.params.get("after") for request in network.seen] == [None, "2", "2", "3"]
    assert set(network.headers("Accept")) == {"application/x-ndjson"}


@both
async def test_a_download_that_cannot_go_on_says_that_it_broke_off(kind: Kind) -> None:
    network = Network([lambda: httpx.Response(200, stream=Breaks(b"line,result\n"))])
    async with client(kind, network) as api:
        with pytest.raises(UnreachableError, match="broke off"):
            await listed(api.jobs.report_csv(JOB["id"]))
    assert len(network.seen) == 1


@both
async def test_a_job_is_followed_by_its_events_over_a_restart_of_the_api(kind: Kind) -> None:
    def said(name: str, **job: object) -> bytes:
        return b"id: 1\nevent: %s\nretry: 2000\ndata: %s\n\n" % (name.encode(), json.dumps(JOB | job).encode())

    first = b": nothing new\n\n" + said("progress", progress={"done": 1, "total": 2, "unit": "rows"})
    last = said("ended", state="completed", created_by=JOB["created_by"])
    network = Network(
        [
            lambda: httpx.Response(200, stream=httpx.ByteStream(first + last[:30])),
            lambda: httpx.Response(200, stream=Breaks(first)),
            lambda: httpx.Response(200, stream=Breaks(last)),
        ]
    )
    async with client(kind, network) as api:
        states = [job.state for job in await listed(_until_ended(api.jobs.events(JOB["id"])))]
    assert states == ["running", "running", "completed"]


def _until_ended(stream: Any) -> Any:
    """A stream up to the job's end: the connection breaks behind it."""
    if not hasattr(stream, "__anext__"):
        return _upto(stream)

    async def upto() -> Any:
        async with stream:
            async for job in stream:
                yield job
                if job.state == "completed":
                    return

    return upto()


def _upto(stream: Any) -> Any:
    with stream:
        for job in stream:
            yield job
            if job.state == "completed":
                return


@both
@pytest.mark.parametrize("how", ["bytes", "file", "function"])
async def test_a_file_is_sent_from_its_beginning_at_each_try(kind: Kind, how: str, tmp_path: Path) -> None:
    csv = b"email\nada@example.com\n"
    file = tmp_path / "people.csv"
    file.write_bytes(csv)

    async def awaited() -> Any:
        yield csv

    function = (lambda: iter([csv])) if kind is Client else awaited
    bodies: list[bytes] = []

    async def read(request: httpx.Request) -> httpx.Response:
        bodies.append(await request.aread())
        return next(answers)

    def read_now(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return next(answers)

    answers = iter([problem(503, "unavailable"), httpx.Response(202, json=JOB)])
    transport = httpx.MockTransport(read_now if kind is Client else read)
    api = kind("http://api.example", patience=QUICK, transport=transport)
    content: Any = {"bytes": csv, "file": file, "function": function}[how]
    job = await result(api.contacts.import_(content, columns={"E-Mail": "email", "Notes": None}))
    await result(api.close())
    assert isinstance(job, Job)
    assert bodies == [csv, csv]


@both
async def test_a_file_that_cannot_be_read_is_named(kind: Kind, tmp_path: Path) -> None:
    api = kind("http://api.example", transport=httpx.MockTransport(_reads))
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        await result(api.contacts.import_(tmp_path / "none.csv"))
    await result(api.close())


def _reads(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, content=request.read())


@both
async def test_what_names_another_path_is_refused_before_it_is_sent(kind: Kind) -> None:
    network = Network([httpx.Response(200, json=a("ContactUpserted"))])
    async with client(kind, network) as api:
        await result(api.contacts.put("../a b/ü?", email="ada@example.com"))
        for nothing in ("", ".", ".."):
            with pytest.raises(InputError):
                await result(api.contacts.put(nothing, email="ada@example.com"))
    assert [request.url.raw_path for request in network.seen] == [b"/v1/contacts/external/..%2Fa%20b%2F%C3%BC%3F"]


@both
async def test_waiting_for_a_job_ends_with_it_or_in_time(kind: Kind) -> None:
    ended = {**JOB, "state": "failed", "ended_at": JOB["created_at"]}
    network = Network([httpx.Response(200, json=JOB), httpx.Response(200, json=ended)])
    seen: list[str] = []
    async with client(kind, network) as api:
        job = Job.model_validate(JOB)
        assert (await result(api.wait_for_job(job, interval=0, on_change=lambda one: seen.append(one.state)))).ended_at
    assert seen == ["running", "failed"]
    async with client(kind, Network([httpx.Response(200, json=JOB)])) as api:
        with pytest.raises(TimeoutError, match="it is running"):
            await result(api.wait_for_job(JOB["id"], interval=0, timeout=0))


async def test_a_client_may_be_used_by_several_threads_and_tasks_at_once() -> None:
    network = Network([VERIFIED])
    with Client("http://api.example", transport=httpx.MockTransport(network)) as api:
        found = await asyncio.gather(*(asyncio.to_thread(api.verify) for _ in range(8)))
    assert all(one.ok for one in found)
    assert len(network.seen) == 8

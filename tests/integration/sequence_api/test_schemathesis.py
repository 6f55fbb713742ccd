"""The API is what its OpenAPI document says: schemathesis asks every operation, alone and along the document's links.

Sound and unsound requests are made from the document. Where test_walls has a case for an operation, the document's
examples become that tenant's real things, in the order of the table: without them most requests would end in 404.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.generation import GenerationMode

from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.process import Process
from postroad_stack.pytest_plugin import own_database
from postroad_stack.servers import Stack
from tests.size import FULL, SEED

from .house import OPERATOR_TOKEN, Tenant, running_api
from .test_walls import ADDRESSED, Home, furnish, whole_draft

REQUESTS, WALKS, DRAWN, COVERED = (40, 60, None, None) if FULL else (1, 3, 8, 3)
"""Drawn requests for an operation, walks along links, how many operations have requests drawn, and how many have each
bound of each field tried: all of them at full size. All are asked the document's examples; where there are none, or
none that is answered 2xx, requests are drawn in any case."""

Document = dict[str, Any]

METHODS: Final = ("get", "put", "patch", "post", "delete")
"""What ends a thing comes last."""
MAY_ANSWER: Final = ["2xx", "401", "403", "404", "409", "412", "422"]
"""To a request that fits its schema. 412: its If-Match is drawn. 422: rules between fields and lists of names (time
zones, templates) that no schema can hold; they stand in the fields' descriptions."""
BY_DESIGN: Final = {("POST /v1/contacts/batch", "negative_data_rejection")}
"""An item that does not fit is a result beside those of the others, not a refusal of all."""
BODIES: Final[Mapping[str, Callable[[Home], Document]]] = {
    "POST /v1/sequences": lambda home: {"name": "Schemathesis", **whole_draft(home)},
    "POST /v1/operator/restore/release": lambda _: {"nothing_lost": True},
}
"""Bodies that name things, where the path does not; test_walls has those of the others."""
CSV: Final = "email,first_name\nada@example.com,Ada\n"


@schemathesis.serializer("text/csv")
def as_csv(_context: Any, value: Any) -> bytes:
    return str(value).encode()


@pytest.fixture(scope="module")
def api_database(stack: Stack, template_database: Database) -> Iterator[Database]:
    """Of this module alone: what is asked here holds the whole database for a restore."""
    with own_database(stack, template_database) as database:
        yield database


@pytest.fixture(scope="module")
def api_process(
    api_database: Database, api_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    """An API that counts no requests."""
    log, unlimited = tmp_path_factory.mktemp("own-api") / "log", {"POSTROAD_SEQUENCE_API_RATE_LIMIT_PER_MINUTE": "0"}
    with running_api(api_database, api_vhost, log, **unlimited) as running:
        yield running


def operations(document: Document) -> dict[str, Document]:
    """Each operation by method and path."""
    return {
        f"{method.upper()} {path}": described
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    }


def seeded(document: Document, home: Home) -> Document:
    """The document with examples that are a tenant's real things, each path's reads first."""
    document["paths"] = {
        path: {method: methods[method] for method in METHODS if method in methods}
        for path, methods in sorted(document["paths"].items(), key=lambda item: _place(item[0]))
    }
    for name, described in operations(document).items():
        for body in described.get("requestBody", {}).get("content", {}).values():
            if body["schema"] == {"type": "string"}:
                body["example"] = CSV
                described["parameters"] = [_without_example(one) for one in described["parameters"]]
        if name in BODIES:
            described["requestBody"]["content"]["application/json"]["example"] = BODIES[name](home)
        case = ADDRESSED.get(_short(name))
        if case is None:
            continue
        values = case.by(home)
        for parameter in described["parameters"]:
            if parameter["in"] == "path":
                value = values["id" if parameter["name"].endswith("_id") else parameter["name"]]
                parameter["example"] = int(value) if parameter["schema"]["type"] == "integer" else value
        if case.json is not None:
            described["requestBody"]["content"]["application/json"]["example"] = case.json(home)
    return document


def _without_example(parameter: Document) -> Document:
    """The columns of an example are those of another file."""
    schema = {name: value for name, value in parameter["schema"].items() if name not in {"example", "examples"}}
    return {**parameter, "schema": schema}


def _short(name: str) -> str:
    return re.sub(r"{[a-z_]+_id}", "{id}", name)


def _place(path: str) -> int:
    if path == "/v1/operator/restore/release":
        return -2  # before the hold: one that is being reconciled is no false alarm any more
    order = [name.split()[1] for name in ADDRESSED]
    return order.index(_short(path)) if _short(path) in order else -1


def settings(home: Home, url: str, phases: set[str]) -> SchemathesisConfig:
    details: dict[str, Document] = {
        "examples": {"extra-data-sources": {"responses": False}, "operation-ordering": "none"},
        "coverage": {"operation-ordering": "none"},
        "fuzzing": {"generation": {"max-examples": REQUESTS}},
        "stateful": {"generation": {"max-examples": WALKS}},
    }
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": url,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "request-timeout": 60,
            "auth": {"openapi": {"key": {"bearer": home.tenant.key}, "operator": {"bearer": OPERATOR_TOKEN}}},
            "generation": {"database": "none", "no-shrink": True},
            "checks": {"positive_data_acceptance": {"expected-statuses": MAY_ANSWER}},
            "phases": {phase: {"enabled": phase in phases, **details[phase]} for phase in details},
        }
    )


@dataclass
class Findings:
    """What came of a run: how often each operation was asked and how often it did so, and what was wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def take(self, event: events.EngineEvent) -> None:
        match event:
            case events.NonFatalError() | events.FatalError():
                self.wrong[f"error: {getattr(event, 'label', '')}"] = str(
                    event.info if hasattr(event, "info") else event
                )
            case events.ScenarioFinished():
                for case_id, node in event.recorder.cases.items():
                    self._take_case(event, case_id, node.value.operation.label)
            case _:
                pass

    def _take_case(self, event: events.ScenarioFinished, case_id: str, label: str) -> None:
        interaction = event.recorder.interactions.get(case_id)
        if interaction is None or interaction.response is None:
            return
        response = interaction.response
        self.asked[label] += 1
        self.phases[event.phase.value] += 1
        self.done[label] += 200 <= response.status_code < 300
        for check in event.recorder.checks.get(case_id, ()):
            if (label, check.name) in BY_DESIGN:
                continue
            if check.status == Status.FAILURE and check.failure_info is not None:
                failure = check.failure_info.failure
                name = f"{label}: {check.name}, {response.status_code}"
                said = f"{failure.title}. {failure.message}\n{check.failure_info.code_sample}\n{response.text[:500]}"
                self.wrong.setdefault(name, said)

    def table(self, names: Mapping[str, Document]) -> str:
        lines = [f"{self.done[name]:6} of {self.asked[name]:6}  {name}" for name in sorted(names)]
        counts = ", ".join(f"{count} {phase}" for phase, count in self.phases.items())
        return "\n".join(["answered 2xx:", *lines, f"requests: {counts}"])


OTHERS: Final = (
    """
    INSERT INTO schedule.progress AS p (
        tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase, step_number, step_key,
        anchor_at, next_due_at, send_before, reason, started_at, unenrolled_at)
    SELECT tenant_id, enrollment_id, sequence_id, version, contact_id, sequence_id, 'unenrolled', 'ended', 1, 'step-1',
           now(), now(), now(), '[]', now(), now()
    FROM sequence.enrollments
    WHERE tenant_id = $1 AND intent = 'stop'
    ON CONFLICT (tenant_id, enrollment_id) DO UPDATE
        SET state = 'unenrolled', phase = 'ended', wake_at = NULL, paused_at = NULL, unenrolled_at = now()
        WHERE p.phase <> 'ended'
    """,
    """
    INSERT INTO delivery.erasures (tenant_id, contact_id, erased_at)
    SELECT tenant_id, contact_id, erased_at FROM sequence.erasures WHERE tenant_id = $1 ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO tracking.erasures (tenant_id, contact_id, erased_at)
    SELECT tenant_id, contact_id, erased_at FROM sequence.erasures WHERE tenant_id = $1 ON CONFLICT DO NOTHING
    """,
    """
    UPDATE sequence.jobs SET state = 'cancelled', ended_at = now()
    WHERE tenant_id = $1 AND state = 'running' AND cancel_requested_at IS NOT NULL
      AND lease_until > now() + interval '1 hour'
    """,
)
"""What services that do not run here would do, so that each job ends: stops are carried out and erasures confirmed; a
job that no worker has ends when that is asked for."""


async def play_others(tenant: Tenant) -> None:
    while True:
        for statement in OTHERS:
            await tenant.admin.execute(statement, tenant.tenant_id)
        await asyncio.sleep(0.2)


@pytest.mark.timeout(1800 if FULL else 300)
async def test_the_api_is_what_its_document_says(tenant: Tenant) -> None:
    home = await furnish(tenant)
    [own_key] = [one["id"] for one in (await tenant.call("GET", "/api-keys"))["items"] if one["role"] == "owner"]
    url = str(tenant.api.http.base_url)
    document = seeded((await tenant.api.http.get("/openapi.json")).json(), home)
    names, findings = operations(document), Findings()

    def as_sent(_context: Any, case: Any, _kwargs: Any) -> None:
        headers, sound = case.headers or {}, case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
        if sound and "Idempotency-Key" in headers:
            # Drawn keys repeat, and a key belongs to one request.
            headers["Idempotency-Key"] = str(new_id())
        if sound and re.fullmatch(r"[0-9]+", headers.get("If-Match", "")):
            # Drawn without the quotes of its pattern.
            headers["If-Match"] = f'"{headers["If-Match"]}"'
        if case.operation.label.startswith("DELETE /v1/api-keys/") and case.path_parameters["api_key_id"] == own_key:
            # Revoking the key of the run would end it.
            case.path_parameters["api_key_id"] = home.key_id

    def run(asked: list[str], *phases: str) -> None:
        schema = schemathesis.openapi.from_dict(document, config=settings(home, url, {*phases}))
        for event in from_schema(schema.include(name=asked)).execute():
            findings.take(event)

    def sample(count: int | None) -> list[str]:
        return random.Random(SEED).sample(sorted(names), count or len(names))

    async def ask(asked: list[str], *phases: str) -> None:
        await asyncio.to_thread(run, asked, *phases)

    schemathesis.hook("before_call")(as_sent)
    others = asyncio.create_task(play_others(tenant))
    try:
        await ask(sorted(names), "examples", "stateful")
        await ask(sorted({*sample(DRAWN), *(name for name in names if not findings.done[name])}), "fuzzing")
        await ask(sample(COVERED), "coverage")
    finally:
        schemathesis.hooks.unregister(as_sent)
        others.cancel()
        with suppress(asyncio.CancelledError):
            await others
    print(findings.table(names))
    assert not findings.wrong, "\n\n".join(f"{name}\n{said}" for name, said in findings.wrong.items())
    assert [name for name in names if not findings.done[name]] == []

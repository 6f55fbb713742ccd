"""One enrollment is one trace: from the API call to the tracked click, over four services and two queues."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from postroad_stack import Stack
from postroad_stack.eventually import eventually
from postroad_stack.services import running_services
from postroad_stack.smtp_server import running_smtp_server
from tests.acceptance.conftest import migrated_database
from tests.acceptance.world import QUICK, World, new_world, part
from tests.http import http_client

SERVICES = {"postroad-sequence-api", "postroad-scheduler", "postroad-sender", "postroad-tracker"}


@dataclass(frozen=True)
class Span:
    """What the proof needs of an exported span."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str


@dataclass
class OtlpReceiver:
    """A local collector that keeps the spans that it is posted (OTLP over HTTP, protobuf)."""

    spans: list[Span] = field(default_factory=list)
    port: int = 0

    async def receive(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        export = ExportTraceServiceRequest.FromString(await request.read())
        for resource in export.resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    Span(s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), names["service.name"], s.name)
                    for s in scope.spans
                ]
        return web.Response()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[OtlpReceiver]:
    """The collector on a free port of 127.0.0.1."""
    collector = OtlpReceiver()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.port = runner.addresses[0][1]
    yield collector
    await runner.cleanup()


@pytest_asyncio.fixture
async def traced(
    stack: Stack, vhost: str, receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A tenant on services that sample every trace."""
    settings = QUICK | {
        "POSTROAD_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
        "POSTROAD_TRACE_SAMPLE_RATIO": "1",
    }
    async with (
        migrated_database(stack.postgres.dsn) as database,
        running_smtp_server(store=True) as smtp,
        running_services(
            database=database, amqp_url=vhost, settings=settings, log_dir=tmp_path_factory.mktemp("trace")
        ) as services,
        new_world(services, smtp, database.admin_dsn, name="Traced") as world,
    ):
        yield world


async def test_one_enrollment_is_one_tree_of_spans_over_the_four_services(
    traced: World, receiver: OtlpReceiver
) -> None:
    contacts = await traced.add_contacts(["ada@trace.example"])
    sequence_id = await traced.add_sequence("trace", steps=1)
    await traced.enroll(sequence_id, list(contacts.values()))
    await traced.until_ended(sequence_id, timeout=30)
    mail = await eventually(lambda: next(iter(traced.smtp.accepted()), None), timeout=10)
    link = re.search(r'href="([^"]+/c/[^"]+)"', part(mail, "html"))
    assert link
    async with http_client() as recipient:
        assert (await recipient.get(link[1])).status_code == 302

    def click() -> Span | None:
        return next((s for s in receiver.spans if s.service == "postroad-tracker" and "click" in s.name), None)

    clicked = await eventually(click, timeout=30)
    await eventually(
        lambda: {s.service for s in receiver.spans if s.trace_id == clicked.trace_id} == SERVICES, timeout=30
    )
    tree = {s.span_id: s for s in receiver.spans if s.trace_id == clicked.trace_id}
    roots = [s for s in tree.values() if s.parent_id not in tree]
    print(render(tree, roots))
    assert [(root.service, root.parent_id) for root in roots] == [("postroad-sequence-api", "")]
    path = ancestors(tree, clicked)
    assert next(s.service for s in path if s.service != "postroad-tracker") == "postroad-sender"
    assert path[-1].service == "postroad-sequence-api"
    assert {s.service for s in path} == SERVICES, "the click descends from the API call through every service"


def ancestors(tree: dict[str, Span], span: Span) -> list[Span]:
    """The span and all above it, up to the root."""
    path = [span]
    while path[-1].parent_id in tree:
        path.append(tree[path[-1].parent_id])
    return path


def render(tree: dict[str, Span], level: list[Span], depth: int = 0) -> str:
    """The tree as indented lines."""
    return "".join(
        f"{'  ' * depth}{s.service}: {s.name}\n"
        + render(tree, [c for c in tree.values() if c.parent_id == s.span_id], depth + 1)
        for s in level
    )

"""What came back belongs to the trace of what was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from postroad_common.amqp import QUEUES, Broker, Consumer, Delivery
from postroad_common.contracts import ContactClickedV1, ContactComplainedV1, Message
from postroad_common.contracts.tokens import TokenKind
from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from tests.http import http_client

from .conftest import KEYS, Trackers
from .town import Town

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Receiver:
    """An OTLP/HTTP receiver that keeps spans."""

    port: int = 0
    spans: list[Span] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        batch = ExportTraceServiceRequest.FromString(await request.read())
        for resource in batch.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> Span | None:
        return next((span for span in self.spans if span.name == name), None)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    yield receiver
    await runner.cleanup()


async def test_click_and_complaint_carry_their_traces_to_the_scheduler(
    trackers: Trackers, database: Database, vhost: str
) -> None:
    heard: dict[type[Message], str | None] = {}

    async def hear(delivery: Delivery) -> None:
        heard[type(delivery.message)] = delivery.message.items[0].traceparent  # type: ignore[attr-defined] # signals have items

    async with receiving() as receiver:
        settings = {"POSTROAD_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}", "POSTROAD_TRACE_SAMPLE_RATIO": "1"}
        tracker = await asyncio.to_thread(trackers.start, database.dsn("postroad_tracker"), vhost, settings)
        admin = await asyncpg.connect(database.admin_dsn)
        async with (
            http_client(base_url=tracker.url, timeout=30) as http,
            await Broker.connect(vhost, name="listener") as broker,
            asyncio.TaskGroup() as group,
        ):
            consumer = Consumer(broker, QUEUES["scheduler.signals"], hear, prefetch=10, concurrency=1)
            group.create_task(consumer.run())
            town = Town(admin, http, KeyRing.parse(KEYS))
            mill = await town.tenant()
            mail = await town.mail(mill)
            click = town.token(TokenKind.CLICK, mail, url="https://shop.example/x", traceparent=SENT)
            await http.get(f"/c/{click}")
            complaint = mill.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)
            await town.post(mill.sendgrid_path, mill.sendgrid.request([complaint]))
            await eventually(lambda: {ContactClickedV1, ContactComplainedV1} <= heard.keys())
            await consumer.stop()
        await tracker.process.terminate()
        await admin.close()

        clicked = await eventually(lambda: receiver.named("tracker.click"))
        posted = await eventually(lambda: receiver.named("POST /webhooks/{esp}/{source_ref}"))
    assert f"00-{clicked.trace_id.hex()}-{clicked.parent_span_id.hex()}-01" == SENT
    assert heard[ContactClickedV1] == f"00-{clicked.trace_id.hex()}-{clicked.span_id.hex()}-01"
    assert heard[ContactComplainedV1] == f"00-{posted.trace_id.hex()}-{posted.span_id.hex()}-01"

"""A sampled enrollment is one trace: its taking up, each due step, each answer."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from postroad_common import telemetry

from .depot import Depot, SendersEnd, settled

TRACE, CALL = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{CALL}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.record("scheduler", SimpleSpanProcessor(exporter), ratio=0.0)
    yield exporter
    telemetry.shutdown()


async def test_a_sampled_enrollment_carries_its_trace_to_the_senders_and_back(
    depot: Depot, senders: SendersEnd, spans: InMemorySpanExporter
) -> None:
    sequence = await depot.sequence(await depot.tenant(), timedelta(0))
    (enrollment,) = await depot.running(sequence, traceparent=SAMPLED)
    await depot.running(sequence)
    await depot.tick(senders.broker)()
    items = {item.enrollment_id: item for item in await senders.take(2)}
    sent = items.pop(enrollment)
    assert [item.traceparent for item in items.values()] == [None], "the other one is not sampled"

    sending = f"00-{TRACE}-00000000000000aa-01"
    await depot.answer(sequence.tenant_id, settled(sent, "accepted", depot.start, traceparent=sending))

    found = {span.name: span for span in spans.get_finished_spans()}
    assert set(found) == {"take up enrollment", "step due", "settle step"}
    assert {f"{span.context.trace_id:032x}" for span in found.values() if span.context} == {TRACE}
    parents = {name: f"{span.parent.span_id:016x}" for name, span in found.items() if span.parent}
    assert parents == {"take up enrollment": CALL, "step due": CALL, "settle step": "00000000000000aa"}
    due = found["step due"].context
    assert due is not None
    assert sent.traceparent == f"00-{TRACE}-{due.span_id:016x}-01"

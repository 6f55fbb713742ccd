"""Traces: one tree over processes, by traceparent; nothing at all when not sampled."""

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind
from typing_extensions import override

from postroad_common import telemetry

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-2] + "00"


class Collected(SpanProcessor):
    """Keeps what has ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@pytest.fixture
def collected() -> Iterator[Collected]:
    """Every new trace is sampled."""
    processor = Collected()
    telemetry.record("test", processor, ratio=1.0)
    yield processor
    telemetry.shutdown()


def parent_id(span: ReadableSpan) -> str:
    return "" if span.parent is None else f"{span.parent.span_id:016x}"


def test_a_request_a_message_and_its_handling_are_one_tree(collected: Collected) -> None:
    with telemetry.root_span("POST /v1/things"):
        carried = telemetry.current_traceparent()
    assert carried is not None
    with telemetry.span("handle", parent=carried, kind=SpanKind.CONSUMER), telemetry.span("store"):
        pass

    request, store, handle = collected.spans
    assert {span.context.trace_id for span in collected.spans if span.context} == {request.context.trace_id}
    assert parent_id(handle) == carried.split("-")[2]
    assert handle.context is not None
    assert parent_id(store) == f"{handle.context.span_id:016x}"


def test_a_callers_sampled_trace_is_continued(collected: Collected) -> None:
    with telemetry.root_span("GET /", parent=SAMPLED):
        pass

    assert parent_id(collected.spans[0]) == "b7ad6b7169203331"


@pytest.mark.parametrize("parent", [UNSAMPLED, None, "rubbish", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_under_no_sampled_trace_there_is_no_span_and_nothing_to_carry(collected: Collected, parent: str | None) -> None:
    with telemetry.span("handle", parent=parent):
        assert telemetry.current_traceparent() is None

    assert collected.spans == []


def test_an_unsampled_request_stays_unsampled_all_the_way() -> None:
    processor = Collected()
    telemetry.record("test", processor, ratio=0.0)
    with telemetry.root_span("GET /"), telemetry.span("store"):
        assert telemetry.current_traceparent() is None
    telemetry.shutdown()

    assert processor.spans == []


def test_a_span_can_be_put_under_a_carried_trace_for_a_while(collected: Collected) -> None:
    with telemetry.under(SAMPLED):
        assert (telemetry.current_traceparent() or "")[:35] == SAMPLED[:35]
        with telemetry.span("item"):
            pass
    assert telemetry.current_traceparent() is None

    assert parent_id(collected.spans[0]) == "b7ad6b7169203331"


def test_a_span_that_is_not_sampled_costs_almost_nothing(collected: Collected) -> None:
    def microseconds_each() -> float:
        started = time.perf_counter()
        for _ in range(20_000):
            with telemetry.span("store"):
                pass
        return (time.perf_counter() - started) / 20_000 * 1e6

    assert min(microseconds_each() for _ in range(5)) < 5

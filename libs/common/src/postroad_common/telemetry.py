"""Traces, carried by W3C traceparent through HTTP, AMQP and rows; near free when a trace is not sampled."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer
from opentelemetry.util.types import AttributeValue

from postroad_common.settings import CommonSettings

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NOTHING: Final = nullcontext(trace.INVALID_SPAN)


class _State:
    """The provider of this process; none: every span is free."""

    provider: TracerProvider | None = None


def setup(name: str, settings: CommonSettings) -> None:
    """Record traces of this process and, when an endpoint is set, send them there in batches."""
    if settings.otlp_endpoint is None:
        return
    # A tenth of the time that a process takes to start, for what most installations do not use.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint.rstrip("/") + "/v1/traces", timeout=5)
    record(name, BatchSpanProcessor(exporter), ratio=settings.trace_sample_ratio)


def record(name: str, processor: SpanProcessor, *, ratio: float) -> None:
    """Give the spans of this process to a processor; a new trace is sampled by ratio, another keeps its answer."""
    _State.provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(ratio),
        resource=Resource.create({"service.name": f"postroad-{name}"}),
        shutdown_on_exit=False,
    )
    _State.provider.add_span_processor(processor)


def shutdown() -> None:
    """Send what is still held, for a few seconds at most."""
    if _State.provider is not None:
        _State.provider.force_flush(timeout_millis=3_000)
        _State.provider.shutdown()
        _State.provider = None


def tracer() -> Tracer:
    """The tracer of this process; one that records nothing before record()."""
    provider = _State.provider or trace.NoOpTracerProvider()
    return provider.get_tracer("postroad")


def current_traceparent() -> str | None:
    """The span in hand as a W3C traceparent; None when there is none or it is not sampled."""
    context = trace.get_current_span().get_span_context()
    if not context.trace_flags.sampled:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> AbstractContextManager[Span]:
    """A span under the given traceparent, or else under the span in hand; nothing when neither is sampled."""
    if _State.provider is None:
        return _NOTHING
    above = _remote(parent) if parent is not None else trace.get_current_span()
    if above is None or not above.get_span_context().trace_flags.sampled:
        return _NOTHING
    context = trace.set_span_in_context(above)
    return tracer().start_as_current_span(name, context=context, kind=kind, attributes=attributes)


def root_span(
    name: str, *, parent: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> AbstractContextManager[Span]:
    """A server span where a request enters: under the caller's traceparent, else a new trace, sampled by ratio."""
    if _State.provider is None:
        return _NOTHING
    above = _remote(parent) if parent else None
    context = trace.set_span_in_context(above or trace.INVALID_SPAN)
    return tracer().start_as_current_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes)


def _remote(traceparent: str) -> Span | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    trace_id, span_id, flags = (int(group, 16) for group in match.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return NonRecordingSpan(context) if context.is_valid else None


@contextmanager
def under(traceparent: str | None) -> Iterator[None]:
    """Make a traceparent the current span without a span of its own, as for the items of a batch."""
    above = _remote(traceparent) if traceparent and _State.provider is not None else None
    if above is None:
        yield
    else:
        with trace.use_span(above):
            yield

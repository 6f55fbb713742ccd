"""Spans of sampled items. A batch mixes traces, so each item names its own parent; the others cost nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from postroad_common.telemetry import current_traceparent, span


@contextmanager
def item_span(name: str, parent: str | None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[str | None]:
    """A span of one item, as a traceparent for what follows from it; None when the item is not sampled."""
    if parent is None:
        yield None
        return
    with span(name, parent=parent, kind=kind):
        yield current_traceparent() or parent

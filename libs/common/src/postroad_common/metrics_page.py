"""Writes docs/metrics.md from the metrics themselves: `python -m postroad_common.metrics_page module ...`."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

_HEAD: Final = """\
# Metrics

What `/metrics` of each service shows, in the text format of Prometheus, beside the usual `process_*` and `python_info`
of the process. Gauges over the database are counted by each replica over all tenants: join them by `max`, never by
`sum`. What to watch, and when to worry, is in [monitoring.md](monitoring.md). This page is generated from the code.
"""
_COLUMNS: Final = "| name | type | labels | meaning |\n|---|---|---|---|\n"
_SUFFIXES: Final = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True, slots=True)
class Exposed:
    """A metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def series(self) -> dict[str, tuple[str, ...]]:
        """Name of each series to its labels."""
        return {
            self.name + suffix: (*self.labels, "le") if suffix == "_bucket" else self.labels
            for suffix in _SUFFIXES[self.kind]
        }


def exposed(module: str) -> Iterator[Exposed]:
    """The metrics that a module makes, in its order."""
    for metric in vars(importlib.import_module(module)).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            yield Exposed(family.name, family.type, tuple(metric._labelnames), family.documentation)


def page(modules: Iterable[str]) -> str:
    """The whole page: a section for each module."""
    return "\n".join([_HEAD, *map(_section, modules)])


def _section(module: str) -> str:
    package = module.partition(".")[0].removeprefix("postroad_")
    title = "Every service" if package == "common" else f"{package.replace('_', '-')}"
    return f"## {title}\n\n{_COLUMNS}{''.join(map(_row, exposed(module)))}"


def _row(metric: Exposed) -> str:
    name = metric.name + ("_total" if metric.kind == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{name}` | {metric.kind} | {labels} | {' '.join(metric.meaning.split())} |\n"


def main(modules: Sequence[str]) -> None:
    """Print the page."""
    sys.stdout.write(page(modules))


if __name__ == "__main__":
    main(sys.argv[1:])

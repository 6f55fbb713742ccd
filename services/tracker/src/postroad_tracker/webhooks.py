"""Taking a webhook: prove, read, store, acknowledge what it stops."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final, assert_never
from uuid import UUID

import structlog

from postroad_common.problems import Problem
from postroad_common.telemetry import current_traceparent
from postroad_tracker import metrics
from postroad_tracker.clock import DatabaseClock
from postroad_tracker.consequences import STOPPING
from postroad_tracker.errors import UnreadableBodyError
from postroad_tracker.esp import ESPS
from postroad_tracker.esp.model import Esp, Genuine, Parsed, Refused, Rejected, Unauthenticated, WebhookRequest
from postroad_tracker.esp.reading import clean
from postroad_tracker.ingest import Ingest
from postroad_tracker.patience import within
from postroad_tracker.sources import Source, Sources
from postroad_tracker.stops import StopDesk
from postroad_tracker.submission import RawRequest, submission

_log = structlog.get_logger()

_WITHHELD: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-forwarded-for", "forwarded"})
_MAX_HEADER: Final = 2_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What the answer to a webhook says."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]
    ignored: int
    on_the_wire: tuple[UUID, ...]

    def to_json(self) -> Mapping[str, object]:
        """As JSON has it."""
        return {**asdict(self), "on_the_wire": [str(id_) for id_ in self.on_the_wire]}


class Webhooks:
    """Takes the webhooks of every ESP."""

    def __init__(
        self,
        sources: Sources,
        ingest: Ingest,
        desk: StopDesk,
        clock: DatabaseClock,
        *,
        patience: timedelta,
        wait: timedelta,
    ) -> None:
        self._sources = sources
        self._ingest = ingest
        self._desk = desk
        self._clock = clock
        self._patience = patience
        self._wait = wait

    async def source(self, esp_name: str, tenant_id: UUID, source_id: UUID) -> tuple[Esp, Source]:
        """The endpoint of a URL; raises Problem 404 for any that is not there, StoreUnavailableError."""
        esp = ESPS.get(esp_name)
        source = await within(self._patience, self._sources.find(tenant_id, source_id)) if esp else None
        if esp is None or source is None or source.esp != esp.name:
            raise Problem(404, "not_found", "There is no such webhook source")
        return esp, source

    async def take(self, esp: Esp, source: Source, request: WebhookRequest) -> Taken:
        """Returns once it is durable and what it stops is acknowledged. Raises Problem, StoreUnavailableError."""
        self._prove(esp, source, request)
        try:
            parsed = esp.parse(request.body)
        except UnreadableBodyError as error:
            metrics.REFUSED.labels("unreadable_body").inc()
            _log.warning("a genuine webhook cannot be read", esp=esp.name, error=str(error))
            raise Problem(400, "unreadable_body", "The body cannot be read", str(error)) from error
        metrics.REJECTED.labels(esp.name).inc(len(parsed.rejected))
        return await self._keep(esp, source, request, parsed)

    def _prove(self, esp: Esp, source: Source, request: WebhookRequest) -> None:
        verdict = esp.verify(request, source.secrets, self._clock.now())
        match verdict:
            case Genuine():
                return
            case Unauthenticated(challenge):
                metrics.REFUSED.labels("unauthenticated").inc()
                headers = {"WWW-Authenticate": challenge}
                raise Problem(401, "unauthenticated", "The request proves nothing", headers=headers)
            case Refused(code, detail):
                metrics.REFUSED.labels(code).inc()
                raise Problem(403, code, "The request is not genuine", detail)
            case _:
                assert_never(verdict)

    async def _keep(self, esp: Esp, source: Source, request: WebhookRequest, parsed: Parsed) -> Taken:
        if not parsed.events and not parsed.rejected:
            return Taken(0, 0, (), parsed.ignored, ())
        raw = RawRequest(_kept(request.headers), request.body, [asdict(one) for one in parsed.rejected])
        one = submission(
            source.tenant_id,
            esp.name,
            parsed.events,
            source_id=source.source_id,
            raw=raw,
            traceparent=current_traceparent(),
        )
        receipt = await self._ingest.store(one, within=self._patience)
        stopping = [event.key for event in parsed.events if event.type in STOPPING]
        listed = await self._acknowledge(source.tenant_id, stopping)
        return Taken(receipt.stored, receipt.duplicates, parsed.rejected, parsed.ignored, listed)

    async def _acknowledge(self, tenant_id: UUID, keys: Sequence[str]) -> tuple[UUID, ...]:
        if not keys:
            return ()
        acknowledging = self._desk.acknowledge_events(tenant_id, keys, self._wait)
        return await within(self._patience + self._wait, acknowledging)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: no credentials, and nobody's address."""
    return {clean(name): clean(value, _MAX_HEADER) for name, value in headers.items() if name.lower() not in _WITHHELD}

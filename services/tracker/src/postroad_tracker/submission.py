"""What one request brings to be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroad_common.ids import new_id
from postroad_tracker.events import NormalisedEvent


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A webhook as it came: the headers worth keeping, the body, and what of it could not be read."""

    headers: Mapping[str, str]
    body: bytes
    rejected: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What one request brings to be stored, for one tenant."""

    tenant_id: UUID
    source: str
    """pixel, click, unsubscribe, or the ESP's name."""
    events: tuple[NormalisedEvent, ...]
    event_ids: tuple[UUID, ...]
    source_id: UUID | None = None
    raw: RawRequest | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a commit made of a submission."""

    stored: int
    duplicates: int


def submission(
    tenant_id: UUID,
    source: str,
    events: Sequence[NormalisedEvent],
    *,
    source_id: UUID | None = None,
    raw: RawRequest | None = None,
    traceparent: str | None = None,
) -> Submission:
    """A submission whose events get new ids."""
    return Submission(
        tenant_id=tenant_id,
        source=source,
        events=tuple(events),
        event_ids=tuple(new_id() for _ in events),
        source_id=source_id,
        raw=raw,
        traceparent=traceparent,
    )

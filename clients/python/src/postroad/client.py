"""The API as typed methods. Lists are read to their end; names are looked up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

import httpx

from postroad import models as m
from postroad.errors import InputError
from postroad.transport import Patience, Transport

M = TypeVar("M", bound=m.Model)

PAGE = 200


class Client:
    """A tenant's API with its key, or the operator's endpoints with the operator's token.

    Methods raise PostroadError (see postroad.errors). 429, 503 and a refused connection are tried again with
    back-off; what may have been acted on is sent again only if it is the same twice.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = Transport(
            url.rstrip("/") + "/v1", token, timeout=timeout, patience=patience or Patience(), using=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.__aexit__(kind, error, trace)

    # Operator

    async def create_tenant(self, name: str, *, timezone: str = "UTC", postal_address: str = "") -> m.TenantMade:
        """Make a tenant and its first key."""
        body = {"name": name, "timezone": timezone, "postal_address": postal_address}
        return m.TenantMade.model_validate(await self._api.call("POST", "/tenants", json=body))

    async def parking(self, *, limit: int = 20) -> list[m.ParkedQueue]:
        """The parking of every queue with its oldest messages."""
        answer = await self._api.call("GET", "/operator/parking", params={"limit": limit})
        return [m.ParkedQueue.model_validate(item) for item in answer["items"]]

    async def replay_parked(self, queue: str, *, limit: int) -> int:
        """Give parked messages back to their queue, oldest first; returns how many went."""
        body = {"queue": queue, "limit": limit}
        return int((await self._api.call("POST", "/operator/parking/replay", json=body))["replayed"])

    async def restore_status(self) -> m.RestoreStatus:
        """Whether the database may send, and how far a restored one is reconciled."""
        return m.RestoreStatus.model_validate(await self._api.call("GET", "/operator/restore"))

    async def restore_hold(self, because: str) -> m.RestoreStatus:
        """Send nothing from now on."""
        return await self._restore("hold", {"because": because})

    async def restore_reconcile(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> m.RestoreStatus:
        """Record as unknown what may have been sent in the lost time, whose ends may be given."""
        ends = {"since": since, "until": until}
        return await self._restore(
            "reconcile", {name: end.isoformat() for name, end in ends.items() if end is not None}
        )

    async def restore_evidence(self, message_ids: Sequence[str]) -> m.EvidenceTaken:
        """Settle unknown messages by at most 5,000 Message-IDs that were seen."""
        body = {"message_ids": list(message_ids)}
        return m.EvidenceTaken.model_validate(await self._api.call("POST", "/operator/restore/evidence", json=body))

    async def restore_release(self, *, nothing_lost: bool = False) -> m.RestoreStatus:
        """Let the database send; ProblemError names the tenants whose rules do not hold."""
        return await self._restore("release", {"nothing_lost": nothing_lost})

    async def _restore(self, verb: str, body: Mapping[str, Any]) -> m.RestoreStatus:
        return m.RestoreStatus.model_validate(await self._api.call("POST", f"/operator/restore/{verb}", json=body))

    # Contacts

    async def import_contacts(
        self,
        csv: bytes | Callable[[], AsyncIterator[bytes]],
        *,
        columns: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> m.Job:
        """Insert or update contacts by external_id or email from a CSV with a header row: a job, see wait_for_job.

        csv: the file, or a function that reads it in parts from its beginning each time it is called. columns, where
        the header does not say it: {"E-Mail": "email", "Umsatz": {"attribute": "revenue"}, "Notes": None}.
        """
        wanted = {"delimiter": delimiter, "encoding": encoding, "dry_run": "true" if dry_run else None}
        params = {name: value for name, value in wanted.items() if value is not None}
        if columns is not None:
            params["columns"] = json.dumps(columns)
        answer = await self._api.call(
            "POST",
            "/contacts/import",
            body=_parts_of(csv) if isinstance(csv, bytes) else csv,
            params=params,
            headers={"Content-Type": "text/csv", "Idempotency-Key": str(uuid4())},
        )
        return m.Job.model_validate(answer)

    async def contacts(self, *, email: str | None = None) -> list[m.Contact]:
        """All contacts, or the one with that address."""
        return [contact async for contact in self._all("/contacts", m.Contact, email=email)]

    def each_contact(self, *, filter_: str | None = None, q: str | None = None) -> AsyncIterator[m.Contact]:
        """Contacts one after the other: those that meet a filter (docs/filters.md) and a search, or all."""
        return self._all("/contacts", m.Contact, filter=filter_, q=q)

    async def count_contacts(self, *, filter_: str | None = None, q: str | None = None) -> m.ContactCount:
        """How many there are, up to 10,000."""
        wanted = {"filter": filter_, "q": q}
        params = {name: value for name, value in wanted.items() if value is not None}
        return m.ContactCount.model_validate(await self._api.call("GET", "/contacts/count", params=params))

    async def contact(self, contact_id: UUID) -> m.ContactDetail:
        """A contact with its account, what it did, and what is against its address."""
        return m.ContactDetail.model_validate(await self._api.call("GET", f"/contacts/{contact_id}"))

    async def contact_timeline(self, contact_id: UUID) -> m.Timeline:
        """What happened to a contact."""
        return m.Timeline.model_validate(await self._api.call("GET", f"/contacts/{contact_id}/timeline"))

    # Senders

    async def create_sender(self, **fields: Any) -> m.Sender:
        """Add a sender; the fields are those of POST /senders."""
        return m.Sender.model_validate(await self._api.call("POST", "/senders", json=fields))

    async def senders(self) -> list[m.Sender]:
        """All senders."""
        return [sender async for sender in self._all("/senders", m.Sender)]

    # Templates

    async def templates(self) -> list[m.TemplateSummary]:
        """All templates."""
        return [template async for template in self._all("/templates", m.TemplateSummary)]

    async def template(self, template_id: UUID) -> m.Template:
        """A template in its current version."""
        return m.Template.model_validate(await self._api.call("GET", f"/templates/{template_id}"))

    async def create_template(self, name: str, *, subject: str, html: str, text: str) -> m.Template:
        """Add a template."""
        body = {"name": name, "subject": subject, "html": html, "text": text}
        return m.Template.model_validate(await self._api.call("POST", "/templates", json=body))

    async def change_template(self, template_id: UUID, *, subject: str, html: str, text: str) -> m.Template:
        """Make the next version of a template."""
        body = {"subject": subject, "html": html, "text": text}
        return m.Template.model_validate(await self._api.call("PUT", f"/templates/{template_id}", json=body))

    # Sequences

    async def sequences(self) -> list[m.SequenceSummary]:
        """All sequences."""
        return [sequence async for sequence in self._all("/sequences", m.SequenceSummary)]

    async def find_sequence(self, name_or_id: str) -> m.SequenceSummary:
        """The sequence of that name or id; InputError that lists the names when there is none."""
        found = await self.sequences()
        for sequence in found:
            if name_or_id in {sequence.name, str(sequence.id)}:
                return sequence
        names = ", ".join(repr(sequence.name) for sequence in found) or "none yet"
        raise InputError(f"There is no sequence {name_or_id!r}. There are: {names}.")

    async def sequence(self, sequence_id: UUID) -> m.Sequence:
        """A sequence with the steps of its latest version."""
        return m.Sequence.model_validate(await self._api.call("GET", f"/sequences/{sequence_id}"))

    async def create_sequence(self, name: str, *, sender_id: UUID, steps: Sequence[Mapping[str, Any]]) -> m.Sequence:
        """Draft a sequence."""
        body = {"name": name, "sender_id": str(sender_id), "steps": list(steps)}
        return m.Sequence.model_validate(await self._api.call("POST", "/sequences", json=body))

    async def change_sequence(
        self, sequence_id: UUID, *, sender_id: UUID, steps: Sequence[Mapping[str, Any]]
    ) -> m.Sequence:
        """Write the draft of a sequence anew."""
        body = {"sender_id": str(sender_id), "steps": list(steps)}
        return m.Sequence.model_validate(await self._api.call("PUT", f"/sequences/{sequence_id}", json=body))

    async def activate_sequence(self, sequence_id: UUID) -> m.Sequence:
        """Make the draft the version that new enrollments get."""
        return m.Sequence.model_validate(await self._api.call("POST", f"/sequences/{sequence_id}/activate"))

    async def pause_sequence(self, sequence_id: UUID) -> m.Stop:
        """Send nothing more of a sequence; what was on the wire is listed."""
        answer = await self._api.call("POST", f"/sequences/{sequence_id}/pause")
        return m.Stop.model_validate(answer["stop"])

    async def resume_sequence(self, sequence_id: UUID) -> m.SequenceSummary:
        """Go on with a paused sequence."""
        return m.SequenceSummary.model_validate(await self._api.call("POST", f"/sequences/{sequence_id}/resume"))

    async def stats(self, sequence_id: UUID) -> m.SequenceStats:
        """The counts of a sequence."""
        return m.SequenceStats.model_validate(await self._api.call("GET", f"/sequences/{sequence_id}/stats"))

    # Enrollments

    async def enroll(self, sequence_id: UUID, contact_ids: Sequence[UUID]) -> m.Enrolled:
        """Enroll up to 1,000 contacts."""
        body = {"contact_ids": [str(contact_id) for contact_id in contact_ids]}
        return m.Enrolled.model_validate(
            await self._api.call("POST", f"/sequences/{sequence_id}/enrollments", json=body)
        )

    async def enroll_all(self, sequence_id: UUID) -> m.Job:
        """Enroll every contact that the tenant has now: a job, see wait_for_job."""
        path = f"/sequences/{sequence_id}/enrollments/bulk"
        headers = {"Idempotency-Key": str(uuid4())}
        return m.Job.model_validate(await self._api.call("POST", path, json={"all": True}, headers=headers))

    async def enroll_file(self, sequence_id: UUID, csv: bytes | Callable[[], AsyncIterator[bytes]]) -> m.Job:
        """Enroll whom a CSV names by email, external_id or contact_id: a job; csv as in import_contacts."""
        answer = await self._api.call(
            "POST",
            f"/sequences/{sequence_id}/enrollments/import",
            body=_parts_of(csv) if isinstance(csv, bytes) else csv,
            headers={"Content-Type": "text/csv", "Idempotency-Key": str(uuid4())},
        )
        return m.Job.model_validate(answer)

    async def enrollments(
        self, *, sequence_id: UUID | None = None, contact_id: UUID | None = None, state: str | None = None
    ) -> list[m.Enrollment]:
        """Enrollments that fit."""
        wanted = {"sequence_id": sequence_id, "contact_id": contact_id, "state": state}
        return [enrollment async for enrollment in self._all("/enrollments", m.Enrollment, **wanted)]

    async def explain(self, enrollment_id: UUID) -> m.Explanation:
        """What happens next to an enrollment, when, and why."""
        return m.Explanation.model_validate(await self._api.call("GET", f"/enrollments/{enrollment_id}/explain"))

    async def enrollment_timeline(self, enrollment_id: UUID) -> m.Timeline:
        """What happened to an enrollment."""
        return m.Timeline.model_validate(await self._api.call("GET", f"/enrollments/{enrollment_id}/timeline"))

    # Jobs

    async def jobs(self, *, kind: str | None = None, state: str | None = None) -> list[m.Job]:
        """Jobs that fit, newest first."""
        return [job async for job in self._all("/jobs", m.Job, kind=kind, state=state)]

    async def job(self, job_id: UUID) -> m.Job:
        """A job: how far it is, and what came of it so far."""
        return m.Job.model_validate(await self._api.call("GET", f"/jobs/{job_id}"))

    async def wait_for_job(
        self, job_id: UUID, *, interval: float = 0.5, on_change: Callable[[m.Job], None] = lambda _: None
    ) -> m.Job:
        """The job when it has ended, however it did; on_change is called with it at every look."""
        while True:
            job = await self.job(job_id)
            on_change(job)
            if job.ended_at is not None:
                return job
            await asyncio.sleep(interval)

    async def cancel_job(self, job_id: UUID) -> m.Job:
        """Cancel a job; what it has done stays done."""
        return m.Job.model_validate(await self._api.call("POST", f"/jobs/{job_id}/cancel"))

    async def job_report(self, job_id: UUID) -> AsyncIterator[dict[str, Any]]:
        """The rows of a job's report, such as line, result, field, reason and value of an import's."""
        path = f"/jobs/{job_id}/report"
        async with contextlib.aclosing(self._api.stream(path, accept="application/x-ndjson")) as parts:
            async for line in _lines(parts):
                yield json.loads(line)

    async def job_report_csv(self, job_id: UUID) -> AsyncIterator[bytes]:
        """A job's report as a CSV file, in parts; no cell is a formula."""
        async with contextlib.aclosing(self._api.stream(f"/jobs/{job_id}/report", accept="text/csv")) as parts:
            async for part in parts:
                yield part

    # What came of it

    async def messages(self, *, sequence_id: UUID | None = None, state: str | None = None) -> list[m.Message]:
        """Ledger rows that fit."""
        return [row async for row in self._all("/messages", m.Message, sequence_id=sequence_id, state=state)]

    async def events(self, *, sequence_id: UUID | None = None, type: str | None = None) -> list[m.Event]:  # noqa: A002 - the API's word
        """Tracking events that fit."""
        return [event async for event in self._all("/events", m.Event, sequence_id=sequence_id, type=type)]

    async def create_webhook_source(self, **fields: Any) -> m.WebhookSource:
        """Add a webhook source; the fields are those of POST /webhook-sources."""
        return m.WebhookSource.model_validate(await self._api.call("POST", "/webhook-sources", json=fields))

    async def verify(self) -> m.Verification:
        """Run the proofs on live data."""
        return m.Verification.model_validate(await self._api.call("GET", "/verify"))

    async def _all(self, path: str, model: type[M], **wanted: object) -> AsyncIterator[M]:
        """Every item of a list, page by page."""
        params = {name: str(value) for name, value in wanted.items() if value is not None} | {"limit": str(PAGE)}
        while True:
            page = await self._api.call("GET", path, params=params)
            for item in page["items"]:
                yield model.model_validate(item)
            if page["next"] is None:
                return
            params["after"] = str(page["next"])


def _parts_of(content: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def parts() -> AsyncIterator[bytes]:
        yield content

    return parts


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a text that comes in parts."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest

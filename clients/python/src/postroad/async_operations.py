"""Every operation, awaited, written from docs/openapi.json by `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from postroad import models as m
from postroad import params as p
from postroad.pages import AsyncPages, Page
from postroad.requests import UNSET, AsyncUpload, Request, Unset, as_json, given, quoted
from postroad.streams import AsyncStream
from postroad.transport import AsyncTransport


class AsyncAccounts:
    """The operations on accounts."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        domain: str | None = None,
        external_id: str | None = None,
    ) -> AsyncPages[m.Account]:
        """List accounts, oldest first. Their contacts: GET /v1/contacts?account_id=.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/accounts",
                query={"after": after, "limit": limit, "domain": domain, "external_id": external_id},
            ),
            Page[m.Account],
        )

    async def create(
        self,
        *,
        name: str,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        domain: str | Unset | None = UNSET,
        external_id: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Account:
        """Add an account.

        attributes: What templates may name beyond the fields.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/accounts",
                body=given(name=name, attributes=attributes, domain=domain, external_id=external_id),
                idempotency_key=idempotency_key,
            ),
            m.Account,
        )

    async def put(
        self,
        external_id: str,
        *,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        domain: str | Unset | None = UNSET,
        name: str | Unset = UNSET,
    ) -> m.AccountUpserted:
        """Add the account with this external id, or change it.

        attributes: What templates may name beyond the fields.
        """
        return await self._api.call(
            Request(
                "PUT",
                f"/v1/accounts/external/{quoted(external_id)}",
                body=given(attributes=attributes, domain=domain, name=name),
            ),
            m.AccountUpserted,
        )

    async def get(self, account_id: UUID | str) -> m.Account:
        """Show an account."""
        return await self._api.call(Request("GET", f"/v1/accounts/{quoted(account_id)}"), m.Account)

    async def change(
        self,
        account_id: UUID | str,
        *,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        domain: str | Unset | None = UNSET,
        external_id: str | Unset | None = UNSET,
        name: str | Unset = UNSET,
        if_match: int | None = None,
    ) -> m.Account:
        """Change an account.

        attributes: What templates may name beyond the fields.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                f"/v1/accounts/{quoted(account_id)}",
                body=given(attributes=attributes, domain=domain, external_id=external_id, name=name),
                if_match=if_match,
            ),
            m.Account,
        )

    async def delete(self, account_id: UUID | str, *, if_match: int | None = None) -> None:
        """Delete an account that has no contacts.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        await self._api.do(Request("DELETE", f"/v1/accounts/{quoted(account_id)}", if_match=if_match))


class AsyncAnalytics:
    """The operations on analytics."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    async def overview(self, *, since: datetime | None = None, until: datetime | None = None) -> m.Overview:
        """Count what all sequences sent and what came back."""
        return await self._api.call(
            Request("GET", "/v1/analytics/overview", query={"since": since, "until": until}), m.Overview
        )

    async def daily(
        self,
        sequence_id: UUID | str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> m.DailyAnalytics:
        """Count what a sequence sent each day and what came back of it.

        What comes back counts for the day on which its message was sent: the days add up to the steps.
        """
        return await self._api.call(
            Request(
                "GET",
                f"/v1/analytics/sequences/{quoted(sequence_id)}/daily",
                query={"since": since, "until": until, "version": version},
            ),
            m.DailyAnalytics,
        )

    async def steps(
        self,
        sequence_id: UUID | str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> m.StepAnalytics:
        """Count what each step of a sequence sent and what came back."""
        return await self._api.call(
            Request(
                "GET",
                f"/v1/analytics/sequences/{quoted(sequence_id)}/steps",
                query={"since": since, "until": until, "version": version},
            ),
            m.StepAnalytics,
        )


class AsyncApiKeys:
    """The operations on api keys."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(self, *, after: UUID | str | None = None, limit: int | None = None) -> AsyncPages[m.ApiKey]:
        """List the keys, ended ones included.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(Request("GET", "/v1/api-keys", query={"after": after, "limit": limit}), Page[m.ApiKey])

    async def create(
        self,
        *,
        name: str,
        role: m.ApiKeyRole,
        expires_at: datetime | Unset | None = UNSET,
        scopes: Iterable[m.ApiKeyScope] | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.ApiKeyMade:
        """Make a key; its secret is shown this once.

        role: owner: everything, keys and senders too; editor: all but those; viewer: reading.
        scopes: What the key may of that; null: all.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/api-keys",
                body=given(name=name, role=role, expires_at=expires_at, scopes=scopes),
                idempotency_key=idempotency_key,
            ),
            m.ApiKeyMade,
        )

    async def get(self, api_key_id: UUID | str) -> m.ApiKey:
        """Show a key without its secret."""
        return await self._api.call(Request("GET", f"/v1/api-keys/{quoted(api_key_id)}"), m.ApiKey)

    async def revoke(self, api_key_id: UUID | str) -> m.ApiKey:
        """End a key at once."""
        return await self._api.call(Request("DELETE", f"/v1/api-keys/{quoted(api_key_id)}"), m.ApiKey)


class AsyncAttributes:
    """The operations on attributes."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self, *, after: UUID | str | None = None, limit: int | None = None, entity: m.AttributeEntity | None = None
    ) -> AsyncPages[m.Attribute]:
        """List the custom attributes that have a type, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", "/v1/attributes", query={"after": after, "limit": limit, "entity": entity}),
            Page[m.Attribute],
        )

    async def create(
        self,
        *,
        name: str,
        type: m.AttributeType,
        description: str | Unset = UNSET,
        entity: m.AttributeEntity | Unset = UNSET,
        indexed: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Attribute:
        """Define a custom attribute: from now on its values are checked.

        entity: By default "contact".
        indexed: By default false.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/attributes",
                body=given(name=name, type=type, description=description, entity=entity, indexed=indexed),
                idempotency_key=idempotency_key,
            ),
            m.Attribute,
        )

    async def get(self, attribute_id: UUID | str) -> m.Attribute:
        """Show a custom attribute."""
        return await self._api.call(Request("GET", f"/v1/attributes/{quoted(attribute_id)}"), m.Attribute)

    async def change(
        self,
        attribute_id: UUID | str,
        *,
        archived: bool | Unset = UNSET,
        description: str | Unset = UNSET,
        indexed: bool | Unset = UNSET,
        if_match: int | None = None,
    ) -> m.Attribute:
        """Change a custom attribute: describe it, index it, archive it.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                f"/v1/attributes/{quoted(attribute_id)}",
                body=given(archived=archived, description=description, indexed=indexed),
                if_match=if_match,
            ),
            m.Attribute,
        )


class AsyncContacts:
    """The operations on contacts."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        filter: str | None = None,
        q: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        account_id: UUID | str | None = None,
        kind: m.ContactKind | None = None,
    ) -> AsyncPages[m.Contact]:
        """List contacts, oldest first: all, or those that meet a filter, a search and what else is said.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        filter: Which contacts are meant: a filter (docs/filters.md).
        q: The beginning of an address, a name or a company.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/contacts",
                query={
                    "after": after,
                    "limit": limit,
                    "filter": filter,
                    "q": q,
                    "email": email,
                    "external_id": external_id,
                    "account_id": account_id,
                    "kind": kind,
                },
            ),
            Page[m.Contact],
        )

    async def create(
        self,
        *,
        email: str,
        account_id: UUID | str | Unset | None = UNSET,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        company: str | Unset = UNSET,
        external_id: str | Unset | None = UNSET,
        first_name: str | Unset = UNSET,
        kind: m.ContactKind | Unset = UNSET,
        last_name: str | Unset = UNSET,
        timezone: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Contact:
        """Add a contact.

        attributes: What templates may name beyond the fields.
        kind: By default "lead".
        timezone: On whose clock steps come due; null: the tenant's.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/contacts",
                body=given(
                    email=email,
                    account_id=account_id,
                    attributes=attributes,
                    company=company,
                    external_id=external_id,
                    first_name=first_name,
                    kind=kind,
                    last_name=last_name,
                    timezone=timezone,
                ),
                idempotency_key=idempotency_key,
            ),
            m.Contact,
        )

    async def batch(
        self, *, contacts: Iterable[p.ContactBatchItem], idempotency_key: str | None = None
    ) -> m.ContactBatchDone:
        """Add or change up to 1,000 contacts, each with its own result."""
        return await self._api.call(
            Request("POST", "/v1/contacts/batch", body=given(contacts=contacts), idempotency_key=idempotency_key),
            m.ContactBatchDone,
        )

    async def count(
        self,
        *,
        filter: str | None = None,
        q: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        account_id: UUID | str | None = None,
        kind: m.ContactKind | None = None,
    ) -> m.ContactCount:
        """Count contacts, up to 10,000.

        filter: Which contacts are meant: a filter (docs/filters.md).
        q: The beginning of an address, a name or a company.
        """
        return await self._api.call(
            Request(
                "GET",
                "/v1/contacts/count",
                query={
                    "filter": filter,
                    "q": q,
                    "email": email,
                    "external_id": external_id,
                    "account_id": account_id,
                    "kind": kind,
                },
            ),
            m.ContactCount,
        )

    async def erase_many(self, *, contact_ids: Iterable[UUID | str], idempotency_key: str | None = None) -> m.Job:
        """Erase up to 1,000 contacts: a job, as for one.

        Its report tells of each: erased, already_erased or unknown.
        """
        return await self._api.call(
            Request("POST", "/v1/contacts/erase", body=given(contact_ids=contact_ids), idempotency_key=idempotency_key),
            m.Job,
        )

    async def export(
        self,
        *,
        columns: Iterable[m.ContactExportColumn | str] | Unset | None = UNSET,
        filter: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Job:
        """Export contacts: a job, whose report is the file.

        CSV, or NDJSON for those who accept application/x-ndjson. An import makes the same contacts of the CSV.

        columns: In this order. Without it, the fields that an import takes, and all attributes.
        filter: Those whom a filter means when their turn comes; without it, all that there are now.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/contacts/export",
                body=given(columns=columns, filter=filter) or None,
                idempotency_key=idempotency_key,
            ),
            m.Job,
        )

    async def put(
        self,
        external_id: str,
        *,
        account_id: UUID | str | Unset | None = UNSET,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        company: str | Unset = UNSET,
        email: str | Unset = UNSET,
        new_external_id: str | Unset | None = UNSET,
        first_name: str | Unset = UNSET,
        kind: m.ContactKind | Unset = UNSET,
        last_name: str | Unset = UNSET,
        timezone: str | Unset | None = UNSET,
    ) -> m.ContactUpserted:
        """Add the contact with this external id, or change it.

        attributes: What templates may name beyond the fields.
        timezone: On whose clock steps come due; null: the tenant's.
        """
        return await self._api.call(
            Request(
                "PUT",
                f"/v1/contacts/external/{quoted(external_id)}",
                body=given(
                    account_id=account_id,
                    attributes=attributes,
                    company=company,
                    email=email,
                    external_id=new_external_id,
                    first_name=first_name,
                    kind=kind,
                    last_name=last_name,
                    timezone=timezone,
                ),
            ),
            m.ContactUpserted,
        )

    async def import_(
        self,
        csv: AsyncUpload,
        *,
        delimiter: m.ContactDelimiter | None = None,
        encoding: m.ContactEncoding | None = None,
        columns: Mapping[str, m.ContactColumn | p.AttributeColumn | None] | None = None,
        dry_run: bool | None = None,
        idempotency_key: str | None = None,
    ) -> m.Job:
        """Import a CSV file: a job.

        The answer comes when the whole file is durable. Contacts are found by external_id, else by email, and
        merged; an empty cell says nothing. Rows that cannot go in are in the job's report, by line and reason.

        delimiter: Without it, the one that the header has most of.
        encoding: Without it, each line is UTF-8, or Windows-1252 where it is not (the report warns); UTF-16 is
            recognised.
        columns: What columns are, by their names: {"E-Mail": "email", "Umsatz": {"attribute": "revenue"}, "Notes":
            null}. Null is nothing. One that is not named is the field of its own name, else an attribute.
        dry_run: Write nothing, and report what would happen. By default false.
        """
        return await self._api.upload(
            Request(
                "POST",
                "/v1/contacts/import",
                query={"delimiter": delimiter, "encoding": encoding, "columns": as_json(columns), "dry_run": dry_run},
                idempotency_key=idempotency_key,
                media_type="text/csv",
            ),
            csv,
            m.Job,
        )

    async def get(self, contact_id: UUID | str) -> m.ContactDetail:
        """Show a contact with its account, what it did, and what is against its address."""
        return await self._api.call(Request("GET", f"/v1/contacts/{quoted(contact_id)}"), m.ContactDetail)

    async def change(
        self,
        contact_id: UUID | str,
        *,
        account_id: UUID | str | Unset | None = UNSET,
        attributes: Mapping[str, str | bool | int | float | None] | Unset = UNSET,
        company: str | Unset = UNSET,
        email: str | Unset = UNSET,
        external_id: str | Unset | None = UNSET,
        first_name: str | Unset = UNSET,
        kind: m.ContactKind | Unset = UNSET,
        last_name: str | Unset = UNSET,
        timezone: str | Unset | None = UNSET,
        if_match: int | None = None,
    ) -> m.Contact:
        """Change a contact.

        attributes: What templates may name beyond the fields.
        timezone: On whose clock steps come due; null: the tenant's.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                f"/v1/contacts/{quoted(contact_id)}",
                body=given(
                    account_id=account_id,
                    attributes=attributes,
                    company=company,
                    email=email,
                    external_id=external_id,
                    first_name=first_name,
                    kind=kind,
                    last_name=last_name,
                    timezone=timezone,
                ),
                if_match=if_match,
            ),
            m.Contact,
        )

    async def delete(self, contact_id: UUID | str, *, if_match: int | None = None) -> None:
        """Delete a contact that was never enrolled.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        await self._api.do(Request("DELETE", f"/v1/contacts/{quoted(contact_id)}", if_match=if_match))

    async def erase(self, contact_id: UUID | str, *, idempotency_key: str | None = None) -> m.Job:
        """Erase a contact (GDPR Art. 17): a job.

        What is sent to them is stopped, and what names them is deleted everywhere but in suppressions:
        docs/erasure.md. It cannot be undone. The job is completed when every service has done so.
        """
        return await self._api.call(
            Request("POST", f"/v1/contacts/{quoted(contact_id)}/erase", idempotency_key=idempotency_key), m.Job
        )

    async def timeline(self, contact_id: UUID | str) -> m.Timeline:
        """Tell what happened to a contact."""
        return await self._api.call(Request("GET", f"/v1/contacts/{quoted(contact_id)}/timeline"), m.Timeline)


class AsyncEnrollments:
    """The operations on enrollments."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        sequence_id: UUID | str | None = None,
        contact_id: UUID | str | None = None,
        state: m.EnrollmentState | None = None,
    ) -> AsyncPages[m.Enrollment]:
        """List enrollments, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/enrollments",
                query={
                    "after": after,
                    "limit": limit,
                    "sequence_id": sequence_id,
                    "contact_id": contact_id,
                    "state": state,
                },
            ),
            Page[m.Enrollment],
        )

    async def get(self, enrollment_id: UUID | str) -> m.Enrollment:
        """Show an enrollment."""
        return await self._api.call(Request("GET", f"/v1/enrollments/{quoted(enrollment_id)}"), m.Enrollment)

    async def explain(self, enrollment_id: UUID | str) -> m.Explanation:
        """Say what happens next to an enrollment, and why."""
        return await self._api.call(Request("GET", f"/v1/enrollments/{quoted(enrollment_id)}/explain"), m.Explanation)

    async def pause(self, enrollment_id: UUID | str, *, idempotency_key: str | None = None) -> m.EnrollmentStopped:
        """Pause an enrollment; answered when it holds."""
        return await self._api.call(
            Request("POST", f"/v1/enrollments/{quoted(enrollment_id)}/pause", idempotency_key=idempotency_key),
            m.EnrollmentStopped,
        )

    async def resume(self, enrollment_id: UUID | str, *, idempotency_key: str | None = None) -> m.Enrollment:
        """Resume an enrollment."""
        return await self._api.call(
            Request("POST", f"/v1/enrollments/{quoted(enrollment_id)}/resume", idempotency_key=idempotency_key),
            m.Enrollment,
        )

    async def stop(self, enrollment_id: UUID | str, *, idempotency_key: str | None = None) -> m.EnrollmentStopped:
        """Stop an enrollment for good; answered when it holds."""
        return await self._api.call(
            Request("POST", f"/v1/enrollments/{quoted(enrollment_id)}/stop", idempotency_key=idempotency_key),
            m.EnrollmentStopped,
        )

    async def timeline(self, enrollment_id: UUID | str) -> m.Timeline:
        """Tell what happened to an enrollment."""
        return await self._api.call(Request("GET", f"/v1/enrollments/{quoted(enrollment_id)}/timeline"), m.Timeline)

    async def create(
        self, sequence_id: UUID | str, *, contact_ids: Iterable[UUID | str], idempotency_key: str | None = None
    ) -> m.Enrolled:
        """Enroll contacts in a sequence."""
        return await self._api.call(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/enrollments",
                body=given(contact_ids=contact_ids),
                idempotency_key=idempotency_key,
            ),
            m.Enrolled,
        )

    async def bulk(
        self,
        sequence_id: UUID | str,
        *,
        all: Literal[True] | Unset = UNSET,
        contact_ids: Iterable[UUID | str] | Unset = UNSET,
        filter: str | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Job:
        """Enroll many contacts in a sequence: a job.

        All there are, those whom a filter means, or up to 10,000 by id. Its report tells of each contact: enrolled,
        already_active, suppressed or unknown.

        all: Every contact that there is now.
        contact_ids: These, up to 10,000.
        filter: Which contacts are meant: a filter (docs/filters.md).
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/enrollments/bulk",
                body=given(all=all, contact_ids=contact_ids, filter=filter),
                idempotency_key=idempotency_key,
            ),
            m.Job,
        )

    async def import_(
        self,
        sequence_id: UUID | str,
        csv: AsyncUpload,
        *,
        delimiter: m.ContactDelimiter | None = None,
        encoding: m.ContactEncoding | None = None,
        idempotency_key: str | None = None,
    ) -> m.Job:
        """Enroll the contacts of a CSV file in a sequence: a job.

        A row names a contact by contact_id, external_id or email, the first of these that it has. The report tells
        of each row: enrolled, already_active, suppressed, unknown, or invalid when it names nobody.

        delimiter: Without it, the one that the header has most of.
        encoding: Without it, each line is UTF-8, or Windows-1252 where it is not (the report warns); UTF-16 is
            recognised.
        """
        return await self._api.upload(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/enrollments/import",
                query={"delimiter": delimiter, "encoding": encoding},
                idempotency_key=idempotency_key,
                media_type="text/csv",
            ),
            csv,
            m.Job,
        )


class AsyncEvents:
    """The operations on events."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        type: m.EventType | None = None,
        sequence_id: UUID | str | None = None,
        contact_id: UUID | str | None = None,
        enrollment_id: UUID | str | None = None,
        message_id: UUID | str | None = None,
        limit: int | None = None,
    ) -> AsyncPages[m.Event]:
        """List tracking events in the order of the feed.

        To follow the feed, ask again with `after` set to the `cursor` of the last event that you have: none is
        missed, and none comes twice.

        after: The `next` of the page before.
        since: Those received at this time or later.
        until: Those received before this time.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/events",
                query={
                    "after": after,
                    "since": since,
                    "until": until,
                    "type": type,
                    "sequence_id": sequence_id,
                    "contact_id": contact_id,
                    "enrollment_id": enrollment_id,
                    "message_id": message_id,
                    "limit": limit,
                },
            ),
            Page[m.Event],
        )

    def export(
        self,
        *,
        after: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        type: m.EventType | None = None,
        sequence_id: UUID | str | None = None,
        contact_id: UUID | str | None = None,
        enrollment_id: UUID | str | None = None,
        message_id: UUID | str | None = None,
    ) -> AsyncStream[m.Event]:
        """Export tracking events as lines of JSON.

        All that are there when the request comes, as GET /v1/events shows them. If the connection breaks, go on with
        `after` set to the `cursor` of the last whole line.

        after: The `next` of the page before.
        since: Those received at this time or later.
        until: Those received before this time.
        """
        return self._api.rows(
            Request(
                "GET",
                "/v1/events/export",
                query={
                    "after": after,
                    "since": since,
                    "until": until,
                    "type": type,
                    "sequence_id": sequence_id,
                    "contact_id": contact_id,
                    "enrollment_id": enrollment_id,
                    "message_id": message_id,
                },
                accept="application/x-ndjson",
            ),
            m.Event,
            resumes=True,
        )


class AsyncIntents:
    """The operations on intents."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        sequence_id: UUID | str | None = None,
        enrollment_id: UUID | str | None = None,
        sender_id: UUID | str | None = None,
        email: str | None = None,
    ) -> AsyncPages[m.Intent]:
        """List the pauses, resumes and stops that were asked for, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/intents",
                query={
                    "after": after,
                    "limit": limit,
                    "sequence_id": sequence_id,
                    "enrollment_id": enrollment_id,
                    "sender_id": sender_id,
                    "email": email,
                },
            ),
            Page[m.Intent],
        )

    async def get(self, intent_id: UUID | str) -> m.Intent:
        """Show an intent: when it was acknowledged, and what was on the wire then."""
        return await self._api.call(Request("GET", f"/v1/intents/{quoted(intent_id)}"), m.Intent)


class AsyncJobs:
    """The operations on jobs."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        kind: m.JobKind | None = None,
        state: m.JobState | None = None,
    ) -> AsyncPages[m.Job]:
        """List jobs, newest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        kind: What they do.
        state: Where they are.
        """
        return self._api.pages(
            Request("GET", "/v1/jobs", query={"after": after, "limit": limit, "kind": kind, "state": state}),
            Page[m.Job],
        )

    async def get(self, job_id: UUID | str) -> m.Job:
        """Show a job: how far it is, and what came of it so far."""
        return await self._api.call(Request("GET", f"/v1/jobs/{quoted(job_id)}"), m.Job)

    async def cancel(self, job_id: UUID | str, *, idempotency_key: str | None = None) -> m.Job:
        """Cancel a job.

        One in hand ends after its chunk; what it has done stays done.
        """
        return await self._api.call(
            Request("POST", f"/v1/jobs/{quoted(job_id)}/cancel", idempotency_key=idempotency_key), m.Job
        )

    def events(self, job_id: UUID | str) -> AsyncStream[m.Job]:
        """Follow a job by server-sent events.

        Each has the job as its data: `progress`, and at its end `ended`, which is the last.
        """
        return self._api.events(Request("GET", f"/v1/jobs/{quoted(job_id)}/events", accept="text/event-stream"), m.Job)

    def report(self, job_id: UUID | str) -> AsyncStream[dict[str, Any]]:
        """Download what a job has to say of its rows, so far; of an export, the contacts.

        CSV, in which no cell is a formula: a text that begins like one stands behind an apostrophe, which an import
        takes back. NDJSON for those who accept application/x-ndjson. The report of an export needs the scope
        contacts:read too.
        """
        return self._api.rows(
            Request("GET", f"/v1/jobs/{quoted(job_id)}/report", accept="application/x-ndjson"), dict[str, Any]
        )

    def report_csv(self, job_id: UUID | str) -> AsyncStream[bytes]:
        """Download what a job has to say of its rows, so far; of an export, the contacts.

        CSV, in which no cell is a formula: a text that begins like one stands behind an apostrophe, which an import
        takes back. NDJSON for those who accept application/x-ndjson. The report of an export needs the scope
        contacts:read too.
        """
        return self._api.download(Request("GET", f"/v1/jobs/{quoted(job_id)}/report", accept="text/csv"))


class AsyncMessages:
    """The operations on messages."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        sequence_id: UUID | str | None = None,
        contact_id: UUID | str | None = None,
        enrollment_id: UUID | str | None = None,
        state: m.MessageState | None = None,
    ) -> AsyncPages[m.Message]:
        """List messages in the ledger's own order.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                "/v1/messages",
                query={
                    "after": after,
                    "limit": limit,
                    "sequence_id": sequence_id,
                    "contact_id": contact_id,
                    "enrollment_id": enrollment_id,
                    "state": state,
                },
            ),
            Page[m.Message],
        )

    async def get(self, message_id: UUID | str) -> m.MessageDetail:
        """Show a message with its attempts."""
        return await self._api.call(Request("GET", f"/v1/messages/{quoted(message_id)}"), m.MessageDetail)

    async def settle(
        self, message_id: UUID | str, *, outcome: m.SettlementOutcome, because: str, idempotency_key: str | None = None
    ) -> m.Settlement:
        """Settle a message whose outcome is unknown by what somebody found out.

        It becomes accepted or cancelled within moments, with who said so and why, unless the mail server or the
        provider has told by then. The sequence went on as if it was sent and stays where it is; nothing is sent
        again.

        outcome: sent: the mail server took it. not_sent: it did not, or threw it away; it is not sent again by this.
        because: Where that was seen, such as the provider's log. It is shown with the message.
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/messages/{quoted(message_id)}/settle",
                body=given(outcome=outcome, because=because),
                idempotency_key=idempotency_key,
            ),
            m.Settlement,
        )

    def source(self, message_id: UUID | str) -> AsyncStream[bytes]:
        """Download a message as it was handed to the mail server.

        Byte for byte as in RFC 5322, headers and all, of its last attempt. It holds links that act for the
        recipient, such as the one that unsubscribes: treat it as you would their mailbox. It is kept for as long as
        the sender is set to: 30 days unless somebody has changed that.
        """
        return self._api.download(Request("GET", f"/v1/messages/{quoted(message_id)}/source", accept="message/rfc822"))


class AsyncParking:
    """The operations on parking."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    async def list(self, *, limit: int | None = None) -> m.Parking:
        """Show what is parked.

        limit: By default 20.
        """
        return await self._api.call(Request("GET", "/v1/operator/parking", query={"limit": limit}), m.Parking)

    async def replay(self, *, queue: str, limit: int | Unset = UNSET, idempotency_key: str | None = None) -> m.Replayed:
        """Give parked messages back to their queue.

        limit: By default 100.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/operator/parking/replay",
                body=given(queue=queue, limit=limit),
                idempotency_key=idempotency_key,
            ),
            m.Replayed,
        )


class AsyncRestore:
    """The operations on restore."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    async def status(self) -> m.RestoreStatus:
        """Say whether the database may send."""
        return await self._api.call(Request("GET", "/v1/operator/restore"), m.RestoreStatus)

    async def evidence(self, *, message_ids: Iterable[str], idempotency_key: str | None = None) -> m.EvidenceTaken:
        """Take Message-IDs that were seen."""
        return await self._api.call(
            Request(
                "POST",
                "/v1/operator/restore/evidence",
                body=given(message_ids=message_ids),
                idempotency_key=idempotency_key,
            ),
            m.EvidenceTaken,
        )

    async def hold(self, *, because: str | Unset = UNSET, idempotency_key: str | None = None) -> m.RestoreStatus:
        """Send nothing more.

        because: By default "the operator said so".
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/operator/restore/hold",
                body=given(because=because) or None,
                idempotency_key=idempotency_key,
            ),
            m.RestoreStatus,
        )

    async def reconcile(
        self,
        *,
        since: datetime | Unset | None = UNSET,
        until: datetime | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.RestoreStatus:
        """Record what may have been sent before the restore."""
        return await self._api.call(
            Request(
                "POST",
                "/v1/operator/restore/reconcile",
                body=given(since=since, until=until) or None,
                idempotency_key=idempotency_key,
            ),
            m.RestoreStatus,
        )

    async def release(
        self, *, nothing_lost: bool | Unset = UNSET, idempotency_key: str | None = None
    ) -> m.RestoreStatus:
        """Let the database send again.

        nothing_lost: By default false.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/operator/restore/release",
                body=given(nothing_lost=nothing_lost) or None,
                idempotency_key=idempotency_key,
            ),
            m.RestoreStatus,
        )


class AsyncSenders:
    """The operations on senders."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(self, *, after: UUID | str | None = None, limit: int | None = None) -> AsyncPages[m.Sender]:
        """List senders, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(Request("GET", "/v1/senders", query={"after": after, "limit": limit}), Page[m.Sender])

    async def create(
        self,
        *,
        name: str,
        from_email: str,
        host: Any,
        port: int,
        esp: m.SenderEsp | Unset = UNSET,
        from_name: str | Unset = UNSET,
        max_connections: int | Unset = UNSET,
        password: str | Unset | None = UNSET,
        reply_to: str | Unset | None = UNSET,
        security: m.SenderSecurity | Unset = UNSET,
        username: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Sender:
        """Add a sender.

        host: A host name or an IP address.
        esp: Whose message id header and webhooks to expect; smtp: none. By default "smtp".
        from_name: As recipients see it.
        max_connections: How many connections to its server at once. By default 10.
        password: Goes with username.
        reply_to: Where answers go; null: to from_email.
        security: By default "starttls".
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/senders",
                body=given(
                    name=name,
                    from_email=from_email,
                    host=host,
                    port=port,
                    esp=esp,
                    from_name=from_name,
                    max_connections=max_connections,
                    password=password,
                    reply_to=reply_to,
                    security=security,
                    username=username,
                ),
                idempotency_key=idempotency_key,
            ),
            m.Sender,
        )

    async def get(self, sender_id: UUID | str) -> m.Sender:
        """Show a sender."""
        return await self._api.call(Request("GET", f"/v1/senders/{quoted(sender_id)}"), m.Sender)

    async def change(
        self,
        sender_id: UUID | str,
        *,
        esp: m.SenderEsp | Unset = UNSET,
        from_email: str | Unset = UNSET,
        from_name: str | Unset = UNSET,
        host: Any | Unset = UNSET,
        max_connections: int | Unset = UNSET,
        name: str | Unset = UNSET,
        password: str | Unset | None = UNSET,
        port: int | Unset = UNSET,
        reply_to: str | Unset | None = UNSET,
        security: m.SenderSecurity | Unset = UNSET,
        username: str | Unset | None = UNSET,
        if_match: int | None = None,
    ) -> m.Sender:
        """Change a sender.

        from_name: As recipients see it.
        host: A host name or an IP address.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                f"/v1/senders/{quoted(sender_id)}",
                body=given(
                    esp=esp,
                    from_email=from_email,
                    from_name=from_name,
                    host=host,
                    max_connections=max_connections,
                    name=name,
                    password=password,
                    port=port,
                    reply_to=reply_to,
                    security=security,
                    username=username,
                ),
                if_match=if_match,
            ),
            m.Sender,
        )

    async def pause(self, sender_id: UUID | str, *, idempotency_key: str | None = None) -> m.SenderPaused:
        """Pause a sender; answered when it holds."""
        return await self._api.call(
            Request("POST", f"/v1/senders/{quoted(sender_id)}/pause", idempotency_key=idempotency_key), m.SenderPaused
        )

    async def resume(self, sender_id: UUID | str, *, idempotency_key: str | None = None) -> m.Sender:
        """Resume a sender."""
        return await self._api.call(
            Request("POST", f"/v1/senders/{quoted(sender_id)}/resume", idempotency_key=idempotency_key), m.Sender
        )


class AsyncSequences:
    """The operations on sequences."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self, *, after: UUID | str | None = None, limit: int | None = None, state: m.SequenceState | None = None
    ) -> AsyncPages[m.SequenceSummary]:
        """List sequences, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", "/v1/sequences", query={"after": after, "limit": limit, "state": state}),
            Page[m.SequenceSummary],
        )

    async def create(
        self, *, name: str, sender_id: UUID | str, steps: Iterable[p.StepSpec], idempotency_key: str | None = None
    ) -> m.Sequence:
        """Draft a sequence."""
        return await self._api.call(
            Request(
                "POST",
                "/v1/sequences",
                body=given(name=name, sender_id=sender_id, steps=steps),
                idempotency_key=idempotency_key,
            ),
            m.Sequence,
        )

    async def get(self, sequence_id: UUID | str) -> m.Sequence:
        """Show a sequence."""
        return await self._api.call(Request("GET", f"/v1/sequences/{quoted(sequence_id)}"), m.Sequence)

    async def change(
        self,
        sequence_id: UUID | str,
        *,
        sender_id: UUID | str,
        steps: Iterable[p.StepSpec],
        name: str | Unset | None = UNSET,
        if_match: int | None = None,
    ) -> m.Sequence:
        """Write the draft of a sequence.

        name: Null: it keeps its name.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PUT",
                f"/v1/sequences/{quoted(sequence_id)}",
                body=given(sender_id=sender_id, steps=steps, name=name),
                if_match=if_match,
            ),
            m.Sequence,
        )

    async def activate(
        self, sequence_id: UUID | str, *, if_match: int | None = None, idempotency_key: str | None = None
    ) -> m.Sequence:
        """Activate the draft of a sequence.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/activate",
                if_match=if_match,
                idempotency_key=idempotency_key,
            ),
            m.Sequence,
        )

    async def archive(
        self, sequence_id: UUID | str, *, stop_running: bool | Unset = UNSET, idempotency_key: str | None = None
    ) -> m.SequenceArchived:
        """Archive a sequence; answered when it holds.

        stop_running: End the enrollments that still run; without it they forbid to archive. By default false.
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/archive",
                body=given(stop_running=stop_running) or None,
                idempotency_key=idempotency_key,
            ),
            m.SequenceArchived,
        )

    async def clone(
        self,
        sequence_id: UUID | str,
        *,
        name: str | Unset | None = UNSET,
        version: int | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Sequence:
        """Draft a new sequence with the steps of this one."""
        return await self._api.call(
            Request(
                "POST",
                f"/v1/sequences/{quoted(sequence_id)}/clone",
                body=given(name=name, version=version) or None,
                idempotency_key=idempotency_key,
            ),
            m.Sequence,
        )

    async def pause(self, sequence_id: UUID | str, *, idempotency_key: str | None = None) -> m.SequencePaused:
        """Pause a sequence; answered when it holds."""
        return await self._api.call(
            Request("POST", f"/v1/sequences/{quoted(sequence_id)}/pause", idempotency_key=idempotency_key),
            m.SequencePaused,
        )

    async def resume(self, sequence_id: UUID | str, *, idempotency_key: str | None = None) -> m.Sequence:
        """Resume a sequence."""
        return await self._api.call(
            Request("POST", f"/v1/sequences/{quoted(sequence_id)}/resume", idempotency_key=idempotency_key), m.Sequence
        )

    async def statistics(self, sequence_id: UUID | str) -> m.SequenceStats:
        """Count what a sequence did."""
        return await self._api.call(Request("GET", f"/v1/sequences/{quoted(sequence_id)}/stats"), m.SequenceStats)

    def versions(
        self, sequence_id: UUID | str, *, after: int | None = None, limit: int | None = None
    ) -> AsyncPages[m.VersionSummary]:
        """List the versions of a sequence, newest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", f"/v1/sequences/{quoted(sequence_id)}/versions", query={"after": after, "limit": limit}),
            Page[m.VersionSummary],
        )

    async def version(self, sequence_id: UUID | str, version: int) -> m.Version:
        """Show a version of a sequence."""
        return await self._api.call(
            Request("GET", f"/v1/sequences/{quoted(sequence_id)}/versions/{quoted(version)}"), m.Version
        )

    async def diff(self, sequence_id: UUID | str, version: int, *, against: int | None = None) -> m.VersionDiff:
        """Show what a version changes against another one."""
        return await self._api.call(
            Request(
                "GET",
                f"/v1/sequences/{quoted(sequence_id)}/versions/{quoted(version)}/diff",
                query={"against": against},
            ),
            m.VersionDiff,
        )


class AsyncSuppressions:
    """The operations on suppressions."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(
        self, *, after: str | None = None, email: str | None = None, limit: int | None = None
    ) -> AsyncPages[m.Suppression]:
        """List suppressed addresses in their order.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", "/v1/suppressions", query={"after": after, "email": email, "limit": limit}),
            Page[m.Suppression],
        )

    async def create(
        self, *, email: str, reason: str | Unset = UNSET, idempotency_key: str | None = None
    ) -> m.SuppressionMade:
        """Suppress an address; answered when it holds."""
        return await self._api.call(
            Request(
                "POST", "/v1/suppressions", body=given(email=email, reason=reason), idempotency_key=idempotency_key
            ),
            m.SuppressionMade,
        )

    async def delete(self, email: str) -> None:
        """Lift the suppression of an address that was set by hand."""
        await self._api.do(Request("DELETE", f"/v1/suppressions/{quoted(email)}"))


class AsyncTemplates:
    """The operations on templates."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(self, *, after: UUID | str | None = None, limit: int | None = None) -> AsyncPages[m.TemplateSummary]:
        """List templates, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", "/v1/templates", query={"after": after, "limit": limit}), Page[m.TemplateSummary]
        )

    async def create(
        self, *, name: str, subject: str, html: str, text: str | Unset = UNSET, idempotency_key: str | None = None
    ) -> m.Template:
        """Add a template.

        text: Empty: made from the HTML.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/templates",
                body=given(name=name, subject=subject, html=html, text=text),
                idempotency_key=idempotency_key,
            ),
            m.Template,
        )

    async def get(self, template_id: UUID | str) -> m.Template:
        """Show a template in its current version."""
        return await self._api.call(Request("GET", f"/v1/templates/{quoted(template_id)}"), m.Template)

    async def change(
        self,
        template_id: UUID | str,
        *,
        subject: str,
        html: str,
        name: str | Unset | None = UNSET,
        text: str | Unset = UNSET,
        if_match: int | None = None,
    ) -> m.Template:
        """Make the next version of a template.

        name: Null: it keeps its name.
        text: Empty: made from the HTML.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PUT",
                f"/v1/templates/{quoted(template_id)}",
                body=given(subject=subject, html=html, name=name, text=text),
                if_match=if_match,
            ),
            m.Template,
        )

    async def delete(self, template_id: UUID | str, *, if_match: int | None = None) -> None:
        """Delete a template that no step uses.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        await self._api.do(Request("DELETE", f"/v1/templates/{quoted(template_id)}", if_match=if_match))

    async def preview(
        self,
        template_id: UUID | str,
        *,
        contact_id: UUID | str,
        sender_id: UUID | str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.Preview:
        """Show a template as a contact would get it.

        sender_id: Null: a sample.
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/templates/{quoted(template_id)}/preview",
                body=given(contact_id=contact_id, sender_id=sender_id),
                idempotency_key=idempotency_key,
            ),
            m.Preview,
        )

    def versions(
        self, template_id: UUID | str, *, after: int | None = None, limit: int | None = None
    ) -> AsyncPages[m.TemplateVersionSummary]:
        """List the versions of a template, newest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", f"/v1/templates/{quoted(template_id)}/versions", query={"after": after, "limit": limit}),
            Page[m.TemplateVersionSummary],
        )

    async def version(self, template_id: UUID | str, version: int) -> m.TemplateVersion:
        """Show a version of a template, as steps may have pinned it."""
        return await self._api.call(
            Request("GET", f"/v1/templates/{quoted(template_id)}/versions/{quoted(version)}"), m.TemplateVersion
        )


class AsyncTenants:
    """The operations on tenants."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    async def me(self) -> m.Me:
        """Say whose key this is."""
        return await self._api.call(Request("GET", "/v1/me"), m.Me)

    async def get(self) -> m.Tenant:
        """Show the tenant of the key."""
        return await self._api.call(Request("GET", "/v1/tenant"), m.Tenant)

    async def change(
        self,
        *,
        name: str | Unset = UNSET,
        postal_address: str | Unset = UNSET,
        timezone: str | Unset = UNSET,
        if_match: int | None = None,
    ) -> m.Tenant:
        """Change the tenant of the key.

        postal_address: Stands in every mail's footer.
        timezone: An IANA time zone.
        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                "/v1/tenant",
                body=given(name=name, postal_address=postal_address, timezone=timezone),
                if_match=if_match,
            ),
            m.Tenant,
        )

    async def create(
        self,
        *,
        name: str,
        postal_address: str | Unset = UNSET,
        timezone: str | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> m.TenantMade:
        """Make a tenant and its first key.

        postal_address: Stands in every mail's footer.
        timezone: An IANA time zone. By default "UTC".
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/tenants",
                body=given(name=name, postal_address=postal_address, timezone=timezone),
                idempotency_key=idempotency_key,
            ),
            m.TenantMade,
        )


class AsyncWebhookDeliveries:
    """The operations on webhook deliveries."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    async def get(self, webhook_delivery_id: UUID | str) -> m.WebhookDeliveryDetail:
        """Show a webhook delivery with what is posted and what came of each attempt."""
        return await self._api.call(
            Request("GET", f"/v1/webhook-deliveries/{quoted(webhook_delivery_id)}"), m.WebhookDeliveryDetail
        )

    async def retry(
        self, webhook_delivery_id: UUID | str, *, idempotency_key: str | None = None
    ) -> m.WebhookDeliveryDetail:
        """Post a webhook delivery again now, delivered or not."""
        return await self._api.call(
            Request(
                "POST", f"/v1/webhook-deliveries/{quoted(webhook_delivery_id)}/retry", idempotency_key=idempotency_key
            ),
            m.WebhookDeliveryDetail,
        )


class AsyncWebhookSources:
    """The operations on webhook sources."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(self) -> AsyncPages[m.WebhookSource]:
        """List webhook sources."""
        return self._api.pages(Request("GET", "/v1/webhook-sources"), Page[m.WebhookSource])

    async def create(
        self,
        *,
        name: str,
        esp: m.WebhookSourceEsp,
        credentials: Iterable[p.Credentials] | Unset | None = UNSET,
        public_keys: Iterable[str] | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> m.WebhookSourceMade:
        """Add a webhook source."""
        return await self._api.call(
            Request(
                "POST",
                "/v1/webhook-sources",
                body=given(name=name, esp=esp, credentials=credentials, public_keys=public_keys),
                idempotency_key=idempotency_key,
            ),
            m.WebhookSourceMade,
        )

    async def get(self, webhook_source_id: UUID | str) -> m.WebhookSource:
        """Show a webhook source."""
        return await self._api.call(Request("GET", f"/v1/webhook-sources/{quoted(webhook_source_id)}"), m.WebhookSource)

    async def delete(self, webhook_source_id: UUID | str) -> None:
        """End a webhook source: what is posted to it from now on is refused."""
        await self._api.do(Request("DELETE", f"/v1/webhook-sources/{quoted(webhook_source_id)}"))


class AsyncWebhookSubscriptions:
    """The operations on webhook subscriptions."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api

    def list(self, *, after: UUID | str | None = None, limit: int | None = None) -> AsyncPages[m.WebhookSubscription]:
        """List webhook subscriptions, oldest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request("GET", "/v1/webhook-subscriptions", query={"after": after, "limit": limit}),
            Page[m.WebhookSubscription],
        )

    async def create(
        self,
        *,
        url: str,
        event_types: Iterable[m.WebhookSubscriptionEventType | Literal["*"]],
        description: str | Unset = UNSET,
        enabled: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> m.WebhookSubscriptionMade:
        """Subscribe a URL to events. The secret that signs them is shown this once.

        enabled: By default true.
        """
        return await self._api.call(
            Request(
                "POST",
                "/v1/webhook-subscriptions",
                body=given(url=url, event_types=event_types, description=description, enabled=enabled),
                idempotency_key=idempotency_key,
            ),
            m.WebhookSubscriptionMade,
        )

    async def get(self, webhook_subscription_id: UUID | str) -> m.WebhookSubscription:
        """Show a webhook subscription."""
        return await self._api.call(
            Request("GET", f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}"), m.WebhookSubscription
        )

    async def change(
        self,
        webhook_subscription_id: UUID | str,
        *,
        description: str | Unset = UNSET,
        enabled: bool | Unset = UNSET,
        event_types: Iterable[m.WebhookSubscriptionEventType | Literal["*"]] | Unset = UNSET,
        url: str | Unset = UNSET,
        if_match: int | None = None,
    ) -> m.WebhookSubscription:
        """Change a webhook subscription. Enabled again, it gets what waited.

        if_match: The `revision` that was read: ChangedMeanwhileError when it has another one by now.
        """
        return await self._api.call(
            Request(
                "PATCH",
                f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}",
                body=given(description=description, enabled=enabled, event_types=event_types, url=url),
                if_match=if_match,
            ),
            m.WebhookSubscription,
        )

    async def delete(self, webhook_subscription_id: UUID | str) -> None:
        """End a webhook subscription, its deliveries included."""
        await self._api.do(Request("DELETE", f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}"))

    def deliveries(
        self,
        webhook_subscription_id: UUID | str,
        *,
        after: UUID | str | None = None,
        limit: int | None = None,
        state: m.WebhookDeliveryState | None = None,
        event_type: m.WebhookSubscriptionEventType | None = None,
    ) -> AsyncPages[m.WebhookDelivery]:
        """List the deliveries of a webhook subscription, the latest first.

        after: The `next` of the page before.
        limit: How many at most. By default 50.
        """
        return self._api.pages(
            Request(
                "GET",
                f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}/deliveries",
                query={"after": after, "limit": limit, "state": state, "event_type": event_type},
            ),
            Page[m.WebhookDelivery],
        )

    async def replay(
        self, webhook_subscription_id: UUID | str, *, since: datetime, idempotency_key: str | None = None
    ) -> m.WebhookReplayed:
        """Post again what failed since a time."""
        return await self._api.call(
            Request(
                "POST",
                f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}/replay",
                body=given(since=since),
                idempotency_key=idempotency_key,
            ),
            m.WebhookReplayed,
        )

    async def rotate_secret(
        self,
        webhook_subscription_id: UUID | str,
        *,
        overlap_hours: int | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> m.WebhookSubscriptionMade:
        """Sign with a new secret, shown this once; the old one signs too until the overlap is over.

        overlap_hours: By default 24.
        """
        return await self._api.call(
            Request(
                "POST",
                f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}/rotate-secret",
                body=given(overlap_hours=overlap_hours) or None,
                idempotency_key=idempotency_key,
            ),
            m.WebhookSubscriptionMade,
        )

    async def test(
        self, webhook_subscription_id: UUID | str, *, idempotency_key: str | None = None
    ) -> m.WebhookTestResult:
        """Post a webhook.test event now, and answer with what came back."""
        return await self._api.call(
            Request(
                "POST",
                f"/v1/webhook-subscriptions/{quoted(webhook_subscription_id)}/test",
                idempotency_key=idempotency_key,
            ),
            m.WebhookTestResult,
        )


class AsyncOperations:
    """The operations by noun."""

    def __init__(self, api: AsyncTransport) -> None:
        self._api = api
        self.accounts = AsyncAccounts(api)
        self.analytics = AsyncAnalytics(api)
        self.api_keys = AsyncApiKeys(api)
        self.attributes = AsyncAttributes(api)
        self.contacts = AsyncContacts(api)
        self.enrollments = AsyncEnrollments(api)
        self.events = AsyncEvents(api)
        self.intents = AsyncIntents(api)
        self.jobs = AsyncJobs(api)
        self.messages = AsyncMessages(api)
        self.parking = AsyncParking(api)
        self.restore = AsyncRestore(api)
        self.senders = AsyncSenders(api)
        self.sequences = AsyncSequences(api)
        self.suppressions = AsyncSuppressions(api)
        self.templates = AsyncTemplates(api)
        self.tenants = AsyncTenants(api)
        self.webhook_deliveries = AsyncWebhookDeliveries(api)
        self.webhook_sources = AsyncWebhookSources(api)
        self.webhook_subscriptions = AsyncWebhookSubscriptions(api)

    async def verify(self) -> m.Verification:
        """Prove the promises on the tenant's data, or name what breaks them."""
        return await self._api.call(Request("GET", "/v1/verify"), m.Verification)

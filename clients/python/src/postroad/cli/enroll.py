"""`postroad enroll`: put contacts on their way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from postroad.cli.contacts import reader
from postroad.cli.jobs import follow, sentence
from postroad.cli.progress import bars
from postroad.cli.session import PAGE, SequenceName, as_tenant, find_sequence
from postroad.cli.words import errors, output, plain
from postroad.client import AsyncClient
from postroad.errors import InputError

CHUNK = 1000
FEW = 50
SAID = {
    "enrolled": "enrolled",
    "already_active": "already on their way",
    "suppressed": "suppressed",
    "unknown": "unknown to the API",
    "invalid": "not readable",
}


def enroll(
    sequence: SequenceName,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every contact of the tenant.")] = False,
    filter_: Annotated[str | None, typer.Option("--filter", help="Whom a filter means; see docs/filters.md.")] = None,
    contact: Annotated[list[str] | None, typer.Option(metavar="EMAIL", help="One contact; may be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", help="The contacts that a CSV names by email, external_id or contact_id.")
    ] = None,
) -> None:
    """Enroll contacts. One that is already on its way in this sequence is left alone."""

    async def work(client: AsyncClient) -> None:
        if sum((every, filter_ is not None, bool(contact), file is not None)) != 1:
            raise InputError("Say whom to enroll: --all, --filter FILTER, --contact EMAIL or --csv FILE.")
        found = await find_sequence(client, sequence)
        if contact:
            counts = await _enroll_some(client, found.id, contact)
        else:
            counts = await _enroll_many(client, found.id, file, filter_)
        said = [f"{counts[result]} {words}" for result, words in SAID.items() if counts[result] or result == "enrolled"]
        output.print(plain(f"{found.name}: {', '.join(said)}."))

    as_tenant(work)


async def _enroll_many(client: AsyncClient, sequence_id: UUID, file: Path | None, filter_: str | None) -> Counter[str]:
    with bars() as shown:
        if file is not None:
            job = await client.enrollments.import_(sequence_id, reader(file, shown))
        elif filter_ is not None:
            job = await client.enrollments.bulk(sequence_id, filter=filter_)
        else:
            job = await client.enrollments.bulk(sequence_id, all=True)
        job = await follow(client, job, shown)
    if job.state != "completed":
        raise InputError(sentence(job))
    if job.counts.get("invalid") or job.counts.get("unknown"):
        errors.print(plain(f"Each contact's result: postroad jobs report {job.id} > report.csv"), soft_wrap=True)
    return Counter(job.counts)


async def _enroll_some(client: AsyncClient, sequence_id: UUID, emails: Sequence[str]) -> Counter[str]:
    ids = await _ids(client, [email.lower() for email in emails])
    missing = [email for email in emails if email.lower() not in ids]
    if missing:
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(f"Not among the contacts: {names}. Import them first; nobody was enrolled.")
    wanted = list(ids.values())
    counts: Counter[str] = Counter()
    for start in range(0, len(wanted), CHUNK):
        answer = await client.enrollments.create(sequence_id, contact_ids=wanted[start : start + CHUNK])
        counts.update(answer.counts.model_dump())
    return counts


async def _ids(client: AsyncClient, emails: Sequence[str]) -> dict[str, UUID]:
    """The ids of those that exist, in the order asked: few are looked up one by one, many in the whole list."""
    if len(emails) <= FEW:
        found = [contact for email in emails async for contact in client.contacts.list(email=email)]
    else:
        found = [contact async for contact in client.contacts.list(limit=PAGE)]
    known = {contact.email: contact.id for contact in found}
    return {email: known[email] for email in emails if email in known}

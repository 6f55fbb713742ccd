"""`postroad enroll`: put contacts on their way."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from postroad.cli.contacts import read_file
from postroad.cli.session import SequenceName, as_tenant
from postroad.cli.words import output, plain
from postroad.client import Client
from postroad.errors import InputError

CHUNK = 1000
FEW = 50
SAID = {
    "enrolled": "enrolled",
    "already_active": "already on their way",
    "suppressed": "suppressed",
    "unknown": "unknown to the API",
}


def enroll(
    sequence: SequenceName,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every contact of the tenant.")] = False,
    contact: Annotated[list[str] | None, typer.Option(metavar="EMAIL", help="One contact; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option("--csv", help="The contacts of a CSV's email column.")] = None,
) -> None:
    """Enroll contacts. One that is already on its way in this sequence is left alone."""

    async def work(client: Client) -> None:
        if sum((every, bool(contact), file is not None)) != 1:
            raise InputError("Say whom to enroll: --all, --contact EMAIL or --csv FILE.")
        found = await client.find_sequence(sequence)
        if every:
            counts = Counter(dict((await client.enroll_all(found.id)).counts))
        else:
            emails = contact or _emails(file)
            counts = await _enroll_some(client, found.id, emails)
        said = [f"{counts[result]} {words}" for result, words in SAID.items() if counts[result] or result == "enrolled"]
        output.print(plain(f"{found.name}: {', '.join(said)}."))

    as_tenant(work)


def _emails(file: Path | None) -> list[str]:
    if file is None:
        raise AssertionError("one of the three ways was given")
    try:
        rows = list(csv.DictReader(io.StringIO(read_file(file).decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV in UTF-8: {error}.") from error
    emails = [row["email"].strip() for row in rows if row.get("email")]
    if not emails:
        raise InputError(f"{file} has no column `email` with addresses.")
    return emails


async def _enroll_some(client: Client, sequence_id: UUID, emails: Sequence[str]) -> Counter[str]:
    ids = await _ids(client, [email.lower() for email in emails])
    missing = [email for email in emails if email.lower() not in ids]
    if missing:
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(f"Not among the contacts: {names}. Import them first; nobody was enrolled.")
    wanted = list(ids.values())
    counts: Counter[str] = Counter()
    for start in range(0, len(wanted), CHUNK):
        answer = await client.enroll(sequence_id, wanted[start : start + CHUNK])
        counts.update(dict(answer.counts))
    return counts


async def _ids(client: Client, emails: Sequence[str]) -> dict[str, UUID]:
    """The ids of those that exist, in the order asked: few are looked up one by one, many in the whole list."""
    if len(emails) <= FEW:
        found = [contact for email in emails for contact in await client.contacts(email=email)]
    else:
        found = await client.contacts()
    known = {contact.email: contact.id for contact in found}
    return {email: known[email] for email in emails if email in known}

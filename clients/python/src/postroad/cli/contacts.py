"""`postroad contacts`: people from a CSV file, lists by filter, one with all there is to know."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, cast, get_args
from uuid import UUID

import typer

from postroad.cli.jobs import follow, sentence, show_import
from postroad.cli.progress import Bars, bars
from postroad.cli.session import PAGE, JsonFlag, as_tenant, print_json
from postroad.cli.words import moment, output, plain, table
from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import Contact, ContactColumn, ContactDelimiter, ContactDetail, ContactEncoding
from postroad.params import AttributeColumn

app = typer.Typer(help="The people that sequences write to.", no_args_is_help=True)

SHOWN = 50

_PART = 256 * 1024


@app.callback()
def group() -> None:
    """The people that sequences write to."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FIELD",
            help="What a column is, such as E-Mail=email, Umsatz=attribute:revenue, or Notes= to leave it out; "
            "may be repeated. A column that is not named is the field of its own name, else an attribute.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, and say what would happen.")] = False,
    delimiter: Annotated[ContactDelimiter | None, typer.Option(help="Else it is found out.")] = None,
    encoding: Annotated[ContactEncoding | None, typer.Option(help="Else it is found out.")] = None,
    wait: Annotated[bool, typer.Option(help="Follow the import to its end.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Insert or update contacts by external_id or email; each bad row is named with its line and the reason."""

    async def work(client: AsyncClient) -> None:
        with bars() as shown:
            job = await client.contacts.import_(
                reader(file, shown),
                columns=_mapping(column or ()),
                dry_run=dry_run,
                delimiter=delimiter,
                encoding=encoding,
            )
            if wait:
                job = await follow(client, job, shown)
        if as_json:
            print_json(job)
        elif wait:
            await show_import(client, job)
        else:
            output.print(plain(f"The import is job {job.id}. Follow it:\npostroad jobs watch {job.id}"))

    as_tenant(work)


@app.command("export")
def export(
    *,
    filter_: Annotated[str | None, typer.Option("--filter", help="Whom; see docs/filters.md.")] = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else standard output.")] = None,
) -> None:
    """Write contacts as CSV, which an import takes: all, or those that meet a filter."""

    async def work(client: AsyncClient) -> None:
        with bars() as shown:
            job = await follow(client, await client.contacts.export(filter=filter_), shown)
        if job.state != "completed":
            raise InputError(sentence(job))
        parts = client.jobs.report_csv(job.id)
        if file is None:
            async for part in parts:
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        else:
            await _save(parts, file)
            output.print(plain(f"{job.counts.get('contacts', 0):,} contacts in {file}."))

    as_tenant(work)


async def _save(parts: AsyncIterator[bytes], file: Path) -> None:
    """Write a file, under its name only when it is whole."""
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with unfinished.open("wb") as opened:
            async for part in parts:
                await asyncio.to_thread(opened.write, part)
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}.") from error


@app.command("list")
def list_(
    *,
    filter_: Annotated[str | None, typer.Option("--filter", help="Whom; see docs/filters.md.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="How a name, address or company begins.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = SHOWN,
    as_json: JsonFlag = False,
) -> None:
    """List contacts: all, or those that meet a filter."""

    async def work(client: AsyncClient) -> None:
        found: list[Contact] = []
        async for contact in client.contacts.list(filter=filter_, q=search, limit=min(limit, PAGE)):
            found.append(contact)
            if len(found) == limit:
                break
        if as_json:
            print_json(*found, as_list=True)
            return
        shown = table("id", "email", "name", "company")
        for contact in found:
            shown.add_row(str(contact.id), plain(contact.email), plain(_name(contact)), plain(contact.company))
        output.print(shown)
        counted = await client.contacts.count(filter=filter_, q=search)
        output.print(plain(f"{len(found)} of {counted.count:,}{'' if counted.exact else ' or more'}."))

    as_tenant(work)


@app.command()
def show(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Its id or address.", show_default=False)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show a contact: its fields, its account, what it did."""

    async def work(client: AsyncClient) -> None:
        found = await client.contacts.get(await _id_of(client, contact))
        if as_json:
            print_json(found)
        else:
            _show_contact(found)

    as_tenant(work)


async def _id_of(client: AsyncClient, contact: str) -> UUID:
    try:
        return UUID(contact)
    except ValueError:
        found = await client.contacts.list(email=contact).first()
    if found is None:
        raise InputError(f"There is no contact {contact}.")
    return found.id


def _show_contact(contact: ContactDetail) -> None:
    done = contact.engagement
    lines = {
        "id": contact.id,
        "email": contact.email,
        "external id": contact.external_id or "",
        "kind": contact.kind,
        "name": _name(contact),
        "company": contact.company,
        "account": contact.account.name if contact.account else "",
        "timezone": contact.timezone or "",
        "suppressed": ", ".join(contact.suppressed),
        "opened": f"{done.opens}  {moment(done.last_opened_at)}".strip(),
        "clicked": f"{done.clicks}  {moment(done.last_clicked_at)}".strip(),
        "replied": f"{done.replies}  {moment(done.last_replied_at)}".strip(),
        **{f"attributes.{name}": value for name, value in contact.attributes.items()},
    }
    shown = table("", "")
    for name, value in lines.items():
        if value not in {"", None}:
            shown.add_row(plain(name), plain(value))
    output.print(shown)


def _name(contact: Contact) -> str:
    return f"{contact.first_name} {contact.last_name}".strip()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}.") from error


def reader(file: Path, shown: Bars) -> Callable[[], AsyncIterator[bytes]]:
    """Reads the file part by part, as often as it is asked to, under a bar. Raises InputError when it cannot."""
    bar = shown.bar(f"{file.name} up", unit="bytes", total=_size(file))

    async def parts() -> AsyncIterator[bytes]:
        sent = 0
        try:
            with file.open("rb") as opened:
                while part := await asyncio.to_thread(opened.read, _PART):
                    yield part
                    sent += len(part)
                    bar.reach(sent)
        except OSError as error:
            raise InputError(f"{file}: {error.strerror}.") from error

    return parts


def _mapping(columns: list[str] | tuple[()]) -> dict[str, ContactColumn | AttributeColumn | None] | None:
    """The columns of the options; None without any."""
    mapping: dict[str, ContactColumn | AttributeColumn | None] = {}
    for column in columns:
        name, sign, wanted = column.rpartition("=")
        if not sign or not name:
            raise InputError(f"--column {column!r} is not NAME=FIELD, such as E-Mail=email.")
        attribute = wanted.removeprefix("attribute:")
        if attribute != wanted:
            mapping[name] = {"attribute": attribute}
        else:
            mapping[name] = _field(column, wanted) if wanted else None
    return mapping or None


def _field(column: str, wanted: str) -> ContactColumn:
    for field in get_args(ContactColumn):
        if field == wanted:
            return cast("ContactColumn", field)
    raise InputError(f"--column {column!r}: the fields are {', '.join(get_args(ContactColumn))}.")

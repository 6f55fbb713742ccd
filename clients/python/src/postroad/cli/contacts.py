"""`postroad contacts`: people from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.session import JsonFlag, as_tenant, print_json
from postroad.cli.words import output, plain, table
from postroad.client import Client
from postroad.errors import InputError
from postroad.models import ImportReport, RowNote

app = typer.Typer(help="The people that sequences write to.", no_args_is_help=True)

SHOWN = 50


@app.callback()
def group() -> None:
    """The people that sequences write to."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)], *, as_json: JsonFlag = False
) -> None:
    """Insert or update contacts by external_id or email; each bad row is named with its line and the reason."""

    async def work(client: Client) -> None:
        report = await client.import_contacts(read_file(file))
        if as_json:
            print_json(report)
        else:
            _show(report)

    as_tenant(work)


def read_file(file: Path) -> bytes:
    """The file's bytes; InputError when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}.") from error


def _show(report: ImportReport) -> None:
    output.print(
        plain(
            f"{report.rows} rows: {report.created} created, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.rejected_count} rejected."
        )
    )
    _show_notes("Rejected rows", report.rejected, report.rejected_count)
    _show_notes("Taken with a remark", report.warnings, report.warning_count)


def _show_notes(title: str, notes: Sequence[RowNote], count: int) -> None:
    if not notes:
        return
    shown = table("line", "field", "why", "value", numbers=("line",), title=title)
    for note in notes[:SHOWN]:
        shown.add_row(str(note.line), plain(note.field or ""), plain(note.reason), plain(note.value))
    output.print(shown)
    if count > SHOWN:
        output.print(plain(f"... and {count - SHOWN} more; --json has them."))

"""Imports of contacts: what a file must have, before a job does the rest."""

from collections.abc import AsyncIterable, Sequence
from typing import Any
from uuid import UUID

from postroad_sequence_api.context import Desk, Last
from postroad_sequence_api.csv_import.rows import columns_of
from postroad_sequence_api.models.jobs import ImportOptions, Job
from postroad_sequence_api.services import uploads


async def receive(desk: Desk, created_by: UUID, options: ImportOptions, body: AsyncIterable[bytes]) -> Last[Job]:
    """Store a file of contacts and queue its import. Raises InvalidFieldError for columns that make no contact."""

    def params_of(header: Sequence[str]) -> dict[str, Any]:
        columns_of(header, options.columns)
        columns = None if options.columns is None else options.model_dump(mode="json")["columns"]
        return {"columns": columns, "dry_run": options.dry_run}

    return await uploads.receive(desk, uploads.Wanted("import", created_by, params_of), options, body)

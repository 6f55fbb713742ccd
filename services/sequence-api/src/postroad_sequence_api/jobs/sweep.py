"""What ended jobs leave behind: deleted in small steps."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_sequence_api.context import Context, Desk, Work

_SQL: Final = queries("postroad_sequence_api", "jobs")
_TENANTS: Final = 20
_PIECES: Final = 50
_ROWS: Final = 5_000

PERIOD: Final = timedelta(seconds=10)


class Sweeper:
    """Deletes the files of jobs that have ended and of uploads that broke off at once, reports after their time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keep = timedelta(days=context.settings.job_report_days)

    async def sweep_some(self) -> bool:
        """One step for each of some tenants; whether there may be more."""
        found = await self._context.pool.fetch(_SQL.tenants_with_remains, self._keep, _TENANTS)
        more = False
        for row in found:
            async with Desk(self._context, row["tenant_id"]).work() as work:
                more = await self._sweep(work) or more
        return more

    async def _sweep(self, work: Work) -> bool:
        """Whether there was something to do that nobody else has in hand."""
        job = await work.find(_SQL.remains, self._keep)
        if job is None:
            return False
        job_id: UUID = job["job_id"]
        if job["state"] == "receiving" or job["has_input"]:
            for statement, step in ((_SQL.delete_input, _PIECES), (_SQL.delete_job_contacts, _ROWS)):
                if len(await work.all(statement, job_id, step)) == step:
                    return True
            await work.do(_SQL.drop_received if job["state"] == "receiving" else _SQL.input_is_deleted, job_id)
        elif len(await work.all(_SQL.delete_report, job_id, _PIECES)) < _PIECES:
            await work.do(_SQL.report_is_deleted, job_id)
        return True

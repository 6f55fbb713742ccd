"""`postroad restore`: a database that was restored is held until what may have been sent is reconciled."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.session import JsonFlag, as_operator, print_json
from postroad.cli.words import output, plain
from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import RestoreStatus

app = typer.Typer(help="After a restore (needs POSTROAD_OPERATOR_TOKEN).", no_args_is_help=True)

_MESSAGE_ID = re.compile(r"\b[0-9a-f]{32}@[A-Za-z0-9.-]+", re.ASCII)
_AT_ONCE = 5000
_LOOK_EVERY = 2.0

When = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="In UTC.")]


@app.callback()
def group() -> None:
    """After a restore (needs POSTROAD_OPERATOR_TOKEN). docs/backup.md leads through it."""


@app.command()
def status(*, as_json: JsonFlag = False) -> None:
    """Whether the database may send, and what to do next."""

    async def work(client: AsyncClient) -> None:
        _show(await client.restore.status(), as_json=as_json)

    as_operator(work)


@app.command()
def hold(because: Annotated[str, typer.Option(help="Kept with the hold.")] = "the operator said so") -> None:
    """Send nothing from now on: before a database is replaced by a copy that nothing could tell from it."""

    async def work(client: AsyncClient) -> None:
        _show(await client.restore.hold(because=because))

    as_operator(work)


@app.command()
def reconcile(since: When = None, until: When = None, *, wait: bool = True) -> None:
    """Record every step that may have been sent between the backup and the disaster as unknown: it is not sent again.

    The lost time began with the last sign of life of a sender in the backup and ended when the hold was noticed,
    unless you know better.
    """

    async def work(client: AsyncClient) -> None:
        standing = await client.restore.reconcile(since=_utc(since), until=_utc(until))
        while wait and standing.waiting + standing.transmitting:
            output.print(plain(f"{standing.waiting} steps and {standing.transmitting} messages to go"))
            await asyncio.sleep(_LOOK_EVERY)
            standing = await client.restore.status()
        _show(standing)

    as_operator(work)


@app.command()
def evidence(
    log: Annotated[Path, typer.Argument(metavar="FILE", help="A mail server's log, or a list.", show_default=False)],
) -> None:
    """Settle unknown messages whose Message-IDs a mail server's log has: they were sent."""

    async def work(client: AsyncClient) -> None:
        proving = known = not_found = 0
        ids = _message_ids(log)
        for start in range(0, len(ids), _AT_ONCE):
            taken = await client.restore.evidence(message_ids=ids[start : start + _AT_ONCE])
            proving, known, not_found = proving + taken.proving, known + taken.known, not_found + taken.not_found
        output.print(
            plain(
                f"{proving} unknown messages were sent, {known} were known already. "
                f"{not_found} are of enrollments that this database lost."
            )
        )

    as_operator(work)


@app.command()
def release(
    *,
    nothing_lost: Annotated[
        bool, typer.Option("--nothing-lost", help="The hold was a false alarm, as after a failover without loss.")
    ] = False,
) -> None:
    """Let the database send again, once everything is recorded and `verify` holds for every tenant."""

    async def work(client: AsyncClient) -> None:
        _show(await client.restore.release(nothing_lost=nothing_lost))

    as_operator(work)


def _message_ids(log: Path) -> list[str]:
    """Every Message-ID of ours in a file, once."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            return list(dict.fromkeys(found for line in lines for found in _MESSAGE_ID.findall(line)))
    except OSError as error:
        raise InputError(f"{log}: {error.strerror}") from None


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _show(standing: RestoreStatus, *, as_json: bool = False) -> None:
    if as_json:
        print_json(standing)
        return
    if standing.held:
        output.print(plain(f"Held: {standing.because or 'not noticed yet'}", style="bold red"))
        output.print(plain(f"  last sign of life before  {standing.last_beat_at or '-'}"))
        output.print(plain(f"  held since                {standing.held_at or '-'}"))
        output.print(plain(f"  steps not yet recorded    {standing.waiting}"))
        output.print(plain(f"  messages in transmission  {standing.transmitting}"))
        output.print(plain(f"  may have been sent        {standing.may_have_been_sent}"))
    output.print(plain(standing.advice), soft_wrap=True)

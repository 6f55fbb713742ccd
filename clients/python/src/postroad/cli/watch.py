"""`postroad watch` and `postroad stats`: how a sequence does, live or now."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from postroad.cli.session import JsonFlag, SequenceName, as_tenant, find_sequence, print_json
from postroad.cli.words import output, plain, table
from postroad.client import AsyncClient
from postroad.models import EnrollmentCounts, SequenceStats, SequenceSummary

#: What is counted of a step, and its heading: short, so that all fit into 80 columns.
OUTCOMES = {
    "due": "due",
    "sent": "sent",
    "refused": "refused",
    "unknown": "unknown",
    "opened": "open",
    "clicked": "click",
    "replied": "reply",
    "bounced": "bounce",
    "complained": "spam",
    "unsubscribed": "unsub",
}
STATES = ("active", "paused", "completed", "replied", "bounced", "unenrolled", "failed")


def stats(sequence: SequenceName, *, as_json: JsonFlag = False) -> None:
    """Per step what was sent and what came back, and how many enrollments are in each state."""

    async def work(client: AsyncClient) -> None:
        found = await find_sequence(client, sequence)
        counts = await client.sequences.statistics(found.id)
        if as_json:
            print_json(counts)
        else:
            output.print(picture(found, counts))

    as_tenant(work)


def watch(
    sequence: SequenceName,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it now and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Follow a sequence until every enrollment has ended."""

    async def work(client: AsyncClient) -> None:
        found = await find_sequence(client, sequence)
        if once:
            output.print(picture(found, await client.sequences.statistics(found.id)))
        elif output.is_terminal:
            await _live(client, found, interval)
        else:
            await _lines(client, found, interval)

    as_tenant(work)


async def _live(client: AsyncClient, sequence: SequenceSummary, interval: float) -> None:
    with Live(console=output, auto_refresh=False) as live:
        while True:
            counts = await client.sequences.statistics(sequence.id)
            live.update(picture(sequence, counts), refresh=True)
            if has_ended(counts.enrollments):
                return
            await asyncio.sleep(interval)


async def _lines(client: AsyncClient, sequence: SequenceSummary, interval: float) -> None:
    """For a pipe: a line whenever something has changed."""
    said = ""
    while True:
        counts = await client.sequences.statistics(sequence.id)
        if (line := sentence(counts)) != said:
            said = line
            output.print(plain(line), soft_wrap=True)
        if has_ended(counts.enrollments):
            return
        await asyncio.sleep(interval)


def has_ended(counts: EnrollmentCounts) -> bool:
    """Whether nothing of it is under way; a sequence without enrollments has nothing to wait for."""
    return counts.active + counts.paused == 0


def picture(sequence: SequenceSummary, counts: SequenceStats) -> Group:
    """The sequence as a table of steps and a line of states."""
    title = plain(f"{sequence.name} ({sequence.state})", style="bold")
    return Group(title, steps_table(counts), states_line(counts.enrollments))


def steps_table(counts: SequenceStats) -> Table:
    """A row a step."""
    headings = tuple(OUTCOMES.values())
    shown = table("step", *headings, numbers=headings)
    for step in counts.steps:
        name = step.key if step.number is None else f"{step.number} {step.key}"
        shown.add_row(plain(name), *(str(getattr(step, outcome)) for outcome in OUTCOMES))
    return shown


def states_line(counts: EnrollmentCounts) -> Text:
    """How many enrollments there are, and in which states."""
    parts = [f"{getattr(counts, state)} {state}" for state in STATES if getattr(counts, state)]
    line = plain(f"{counts.total} enrollments: {', '.join(parts) or 'none'}")
    if counts.needs_attention:
        line.append(f"; {counts.needs_attention} need attention, see `postroad explain`", style="bold red")
    return line


def sentence(counts: SequenceStats) -> str:
    """One line that changes when the funnel does."""
    steps = "; ".join(
        f"{step.key}: {step.sent} sent, {step.opened} opened, {step.clicked} clicked" for step in counts.steps
    )
    return f"{states_line(counts.enrollments).plain} | {steps}"

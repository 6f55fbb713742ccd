"""`postroad sequences apply`, `postroad pause` and `postroad resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, assert_never

import typer

from postroad.cli.session import JsonFlag, SequenceName, as_tenant, find_sequence, print_json
from postroad.cli.words import moment, output, plain
from postroad.client import AsyncClient
from postroad.plan import (
    Action,
    Activate,
    ChangeSequence,
    ChangeTemplate,
    CreateSequence,
    CreateTemplate,
    Plan,
    carry_out,
    make_plan,
    read_present,
)
from postroad.sequence_file import read_sequence_file

app = typer.Typer(help="Sequences as files.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Sequences as files."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", show_default=False)],
    *,
    activate: Annotated[bool, typer.Option("--activate", help="Let new enrollments get this version.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> None:
    """Bring the tenant's templates and sequence to what the file says; again, it changes nothing."""

    async def work(client: AsyncClient) -> None:
        source = read_sequence_file(file)
        plan = make_plan(source, await read_present(client, source), activate=activate)
        _show(plan)
        if dry_run or not plan.actions:
            return
        sequence = await carry_out(client, plan)
        output.print(plain(f"Done: {sequence.name} is {sequence.state} (version {sequence.version}, {sequence.id})."))

    as_tenant(work)


def pause(sequence: SequenceName, *, as_json: JsonFlag = False) -> None:
    """Send nothing more of a sequence until it is resumed."""

    async def work(client: AsyncClient) -> None:
        found = await find_sequence(client, sequence)
        stop = (await client.sequences.pause(found.id)).stop
        if as_json:
            print_json(stop)
            return
        output.print(plain(f"{found.name} is paused since {moment(stop.acknowledged_at)}: nothing more is sent."))
        if stop.on_the_wire:
            output.print(plain(f"On the wire at that moment, beyond recall: {len(stop.on_the_wire)} messages:"))
            output.print(plain("\n".join(str(message) for message in stop.on_the_wire)))

    as_tenant(work)


def resume(sequence: SequenceName) -> None:
    """Go on with a paused sequence: each remaining step is sent once."""

    async def work(client: AsyncClient) -> None:
        found = await client.sequences.resume((await find_sequence(client, sequence)).id)
        output.print(plain(f"{found.name} is {found.state}."))

    as_tenant(work)


def _show(plan: Plan) -> None:
    if not plan.actions:
        output.print(plain(f"Nothing to do: {plan.file.sequence} is as the file says."))
        return
    output.print(plain(f"Plan for {plan.file.sequence}, sent by {plan.sender.name}:"))
    for action in plan.actions:
        output.print(plain(f"  {_words(action)}"))


def _words(action: Action) -> str:
    match action:
        case CreateTemplate(name):
            return f"+ template {name}"
        case ChangeTemplate(template):
            return f"~ template {template.name}: version {template.version} -> {template.version + 1}"
        case CreateSequence():
            return "+ the sequence, as a draft"
        case ChangeSequence(sequence, why):
            number = sequence.draft_version or sequence.version + 1
            return f"~ the sequence: {why} (draft of version {number})"
        case Activate():
            return "> activate the draft"
        case _:
            assert_never(action)

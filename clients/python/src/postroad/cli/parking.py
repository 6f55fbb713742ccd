"""`postroad parking`: messages that are out of retries. Nothing is thrown away: they wait for a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from postroad.cli.session import JsonFlag, as_operator, print_json
from postroad.cli.words import output, plain, table
from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import ParkedMessage, ParkedQueue

app = typer.Typer(help="Messages out of retries (needs POSTROAD_OPERATOR_TOKEN).", no_args_is_help=True)

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", show_default=False)]


@app.callback()
def group() -> None:
    """Messages out of retries (needs POSTROAD_OPERATOR_TOKEN)."""


@app.command("list")
def list_(*, as_json: JsonFlag = False) -> None:
    """How many messages are parked behind each queue."""

    async def work(client: AsyncClient) -> None:
        queues = (await client.parking.list(limit=1)).items
        if as_json:
            print_json(*queues, as_list=True)
            return
        if not any(queue.depth for queue in queues):
            output.print(plain("Nothing is parked."))
            return
        shown = table("queue", "parked", "oldest because", numbers=("parked",))
        for queue in queues:
            oldest = queue.messages[0].reason if queue.messages else None
            shown.add_row(plain(queue.queue), str(queue.depth), plain(oldest or ""))
        output.print(shown)

    as_operator(work)


@app.command()
def show(
    queue: QueueName,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    *,
    as_json: JsonFlag = False,
) -> None:
    """The oldest parked messages of a queue, with the reason of each."""

    async def work(client: AsyncClient) -> None:
        parked = _named(queue, (await client.parking.list(limit=limit)).items)
        if as_json:
            print_json(parked)
            return
        output.print(plain(f"{parked.queue}: {parked.depth} parked", style="bold"))
        for message in parked.messages:
            _show(message)

    as_operator(work)


@app.command()
def replay(queue: QueueName, limit: Annotated[int, typer.Option(min=1, max=1000)] = 100) -> None:
    """Give parked messages back to their queue, oldest first: after what failed them is mended."""

    async def work(client: AsyncClient) -> None:
        replayed = (await client.parking.replay(queue=queue, limit=limit)).replayed
        output.print(plain(f"{replayed} messages are back in {queue}."))

    as_operator(work)


def _named(name: str, queues: Sequence[ParkedQueue]) -> ParkedQueue:
    for queue in queues:
        if queue.queue == name:
            return queue
    raise InputError(f"There is no queue {name!r}. There are: {', '.join(queue.queue for queue in queues)}.")


def _show(message: ParkedMessage) -> None:
    output.print(
        plain(f"{message.type or 'unreadable'} after {message.attempt} attempts, first at {message.first_death_at}")
    )
    output.print(plain(f"  {message.reason or 'no reason given'}"), soft_wrap=True)
    output.print(plain(f"  {json.dumps(message.body, ensure_ascii=False)}"), soft_wrap=True)

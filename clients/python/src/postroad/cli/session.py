"""What every command shares: who we are, one client, errors as sentences with an exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import BaseModel

from postroad.cli.words import errors, output, plain
from postroad.client import AsyncClient
from postroad.errors import ConfigurationError, InputError, PostroadError
from postroad.models import SequenceSummary

URL = "POSTROAD_URL"
API_KEY = "POSTROAD_API_KEY"
OPERATOR_TOKEN = "POSTROAD_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable

PAGE = 200
"""How much of a list is asked for at once."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
SequenceName = Annotated[str, typer.Argument(metavar="SEQUENCE", help="Its name or id.", show_default=False)]


def as_tenant(work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Run a command with the tenant's key."""
    _run(API_KEY, work)


def as_operator(work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Run a command with the operator's token."""
    _run(OPERATOR_TOKEN, work)


async def find_sequence(client: AsyncClient, name_or_id: str) -> SequenceSummary:
    """The sequence of that name or id. Raises InputError that lists the names when there is none."""
    found = [sequence async for sequence in client.sequences.list(limit=PAGE)]
    for sequence in found:
        if name_or_id in {sequence.name, str(sequence.id)}:
            return sequence
    names = ", ".join(repr(sequence.name) for sequence in found) or "none yet"
    raise InputError(f"There is no sequence {name_or_id!r}. There are: {names}.")


def print_json(*models: BaseModel, as_list: bool = False) -> None:
    """Print one model, or a list of them, as JSON."""
    texts = [model.model_dump_json(indent=2) for model in models]
    output.print("[" + ",\n".join(texts) + "]" if as_list else texts[0], markup=False, highlight=False, soft_wrap=True)


def _run(token_name: str, work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    try:
        asyncio.run(_with_client(token_name, work))
    except PostroadError as error:
        errors.print(plain(f"postroad: {error}"), soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _with_client(token_name: str, work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async with AsyncClient(_needed(URL), _needed(token_name)) as client:
        await work(client)


def _needed(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        hints = {
            URL: "the API's address, such as http://127.0.0.1:8080",
            API_KEY: "the key that `postroad tenant create` printed",
            OPERATOR_TOKEN: "the operator's token, POSTROAD_SEQUENCE_API_OPERATOR_TOKEN of the API",
        }
        raise ConfigurationError(f"Set {name} to {hints[name]}.")
    return value

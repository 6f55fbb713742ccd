"""`postroad tenant`: the operator makes tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.session import JsonFlag, as_operator, print_json
from postroad.cli.words import output, plain
from postroad.client import AsyncClient

app = typer.Typer(help="Make tenants (needs POSTROAD_OPERATOR_TOKEN).", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make tenants (needs POSTROAD_OPERATOR_TOKEN)."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(show_default=False)],
    timezone: Annotated[str, typer.Option(help="IANA zone, for contacts without one.")] = "UTC",
    postal_address: Annotated[str, typer.Option(help="Stands in the footer of every mail.")] = "",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Make a tenant and print its first API key, which is shown this once."""

    async def work(client: AsyncClient) -> None:
        made = await client.tenants.create(name=name, timezone=timezone, postal_address=postal_address)
        if as_json:
            print_json(made)
            return
        output.print(plain(f"Tenant {made.tenant.name} ({made.tenant.id}). Its key, shown this once:"))
        output.print(plain(f"export POSTROAD_API_KEY={made.api_key.key}"), soft_wrap=True)

    as_operator(work)

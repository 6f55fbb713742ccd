"""`postroad senders`: the mail servers that a tenant brings."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from postroad.cli.session import JsonFlag, as_tenant, print_json
from postroad.cli.words import output, plain
from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import SenderEsp, SenderSecurity

app = typer.Typer(help="The mail servers that mails go out by.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The mail servers that mails go out by."""


@app.command()
def create(  # noqa: PLR0913 - an option for each field of a sender
    name: Annotated[str, typer.Argument(show_default=False)],
    *,
    from_email: Annotated[str, typer.Option(show_default=False)],
    host: Annotated[str, typer.Option(show_default=False)],
    port: int = 587,
    security: SenderSecurity = "starttls",
    esp: Annotated[SenderEsp, typer.Option(help="Whose message id header and webhooks to expect.")] = "smtp",
    from_name: str = "",
    reply_to: Annotated[str | None, typer.Option(show_default=False)] = None,
    username: Annotated[
        str | None, typer.Option(help="Its password is asked for, or read from standard input.")
    ] = None,
    max_connections: int = 10,
    as_json: JsonFlag = False,
) -> None:
    """Add a sender."""

    async def work(client: AsyncClient) -> None:
        made = await client.senders.create(
            name=name,
            from_email=from_email,
            from_name=from_name,
            reply_to=reply_to,
            esp=esp,
            host=host,
            port=port,
            security=security,
            username=username,
            password=None if username is None else _password(),
            max_connections=max_connections,
        )
        if as_json:
            print_json(made)
            return
        output.print(plain(f"Sender {made.name} ({made.id}): {made.from_email} by {made.host}:{made.port}."))

    as_tenant(work)


def _password() -> str:
    """Never an argument: those can be read in the process list."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InputError("--username needs a password: on the terminal, or as a line on standard input.")
    return password

"""The stage: the four services, started here with servers of their own or found running, and the recipients' mail
server. What is started here is stopped and removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from postroad_common.migrations import migrate
from postroad_stack import start_stack
from postroad_stack.databases import create_template, drop
from postroad_stack.given import AMQP_URL
from postroad_stack.servers import RabbitServer, say
from postroad_stack.services import running_services
from postroad_stack.smtp_server import SmtpServer, running_smtp_server

#: The demo's mail server is on this machine, which the sender otherwise refuses to talk to.
SETTINGS = {"POSTROAD_SENDER_ALLOW_PRIVATE_SMTP": "true"}
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - services that run elsewhere must reach the mail server


@dataclass(frozen=True)
class Stage:
    """Where everything is that the play needs."""

    api_url: str
    operator_token: str = field(repr=False)
    smtp: SmtpServer
    mail_host: str  # by which the services reach the SMTP server
    check: Callable[[], None]  # raises StartError with the tail of its log when a service of ours has ended
    set_up_seconds: float


@contextlib.asynccontextmanager
async def raised_stage(logs: Path | None) -> AsyncIterator[Stage]:
    """Start everything; stop and remove it at the end. `logs` keeps the services' logs in that directory."""
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="postroad-demo-")))
        log_dir = logs or home
        log_dir.mkdir(parents=True, exist_ok=True)
        stack = await resources.enter_async_context(start_stack())
        database = await create_template(stack.postgres.dsn, migrate, role_password=secrets.token_urlsafe(24))
        resources.push_async_callback(drop, stack.postgres.dsn, database)
        amqp_url = await resources.enter_async_context(_vhost(stack.rabbitmq))
        smtp = await resources.enter_async_context(running_smtp_server(directory=home, store=True))
        say("services ... starting")
        services = await resources.enter_async_context(
            running_services(database=database, amqp_url=amqp_url, settings=SETTINGS, log_dir=log_dir)
        )
        resources.callback(say, "stopping ...")
        yield Stage(
            api_url=services.api_url,
            operator_token=services.operator_token,
            smtp=smtp,
            mail_host=smtp.host,
            check=services.check_running,
            set_up_seconds=time.monotonic() - began,
        )


@contextlib.asynccontextmanager
async def found_stage(api_url: str, operator_token: str, mail_host: str) -> AsyncIterator[Stage]:
    """Services that run already; they reach the recipients' mail server, which is started here, as `mail_host`."""
    began = time.monotonic()
    async with running_smtp_server(store=True, arguments=("--host", ANY_ADDRESS)) as smtp:
        yield Stage(
            api_url=api_url,
            operator_token=operator_token,
            smtp=smtp,
            mail_host=mail_host,
            check=smtp.process.check_running,
            set_up_seconds=time.monotonic() - began,
        )


@contextlib.asynccontextmanager
async def _vhost(broker: RabbitServer) -> AsyncIterator[str]:
    """The broker's address; on one that others may use too, with a vhost of our own where we can make one."""
    if AMQP_URL not in os.environ or not broker.ctl_command:
        yield broker.url
        return
    name = f"postroad-demo-{secrets.token_hex(4)}"
    url = await broker.create_vhost(name)
    try:
        yield url
    finally:
        await broker.delete_vhost(name)

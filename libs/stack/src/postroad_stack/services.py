"""The four services as real processes, for the demo, acceptance and fault tests, and benchmarks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from postroad_stack.databases import Database
from postroad_stack.listening import listening_port
from postroad_stack.ports import Ports
from postroad_stack.process import Process

#: In the order of their start, each with the module that runs it.
MODULES = {
    "tracker": "postroad_tracker",
    "sequence-api": "postroad_sequence_api",
    "scheduler": "postroad_scheduler",
    "sender": "postroad_sender",
}
#: What others find by its address: the port stays when the process is replaced.
ADDRESSED = ("tracker", "sequence-api")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the services are started with."""

    database: Database
    amqp_url: str = field(repr=False)
    settings: Mapping[str, str]
    log_dir: Path
    python_flags: Sequence[str]
    operator_token: str = field(repr=False)
    secret_keys: str = field(repr=False)
    ports: Mapping[str, int]

    def environment(self, service: str, more: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of one process: ours without POSTROAD_*, then the plan's, then what is asked for."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
        role = MODULES[service]
        own = {
            "POSTROAD_DATABASE_URL": self.database.dsn(role),
            "POSTROAD_AMQP_URL": self.amqp_url,
            "POSTROAD_SECRET_KEYS": self.secret_keys,
            "POSTROAD_HTTP_PORT": str(self.ports.get(service, 0)),
            "POSTROAD_TRACKING_URL": f"http://127.0.0.1:{self.ports['tracker']}",
            "POSTROAD_SEQUENCE_API_OPERATOR_TOKEN": self.operator_token,
        }
        return inherited | own | dict(self.settings) | dict(more)


@dataclass
class Services:
    """Running services. `processes` has those in charge now; replaced ones are gone from it."""

    plan: Plan
    processes: dict[str, list[Process]] = field(default_factory=lambda: {service: [] for service in MODULES})
    _started: int = 0

    @property
    def api_url(self) -> str:
        """Base URL of sequence-api, without /v1."""
        return f"http://127.0.0.1:{self.plan.ports['sequence-api']}"

    @property
    def operator_token(self) -> str:
        """Bearer token of the operator's endpoints."""
        return self.plan.operator_token

    @property
    def amqp_url(self) -> str:
        """The broker's address as the services have it."""
        return self.plan.amqp_url

    @property
    def amqp_address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        url = URL(self.plan.amqp_url)
        return url.host or "127.0.0.1", url.port or 5672

    def amqp_url_at(self, port: int) -> str:
        """The broker's address through a proxy on a port of 127.0.0.1."""
        return str(URL(self.plan.amqp_url).with_host("127.0.0.1").with_port(port))

    def role_dsn(self, role: str) -> str:
        """Connection of a service's login role."""
        return self.plan.database.dsn(role)

    async def start(self, service: str, *, env: Mapping[str, str] | None = None) -> Process:
        """Start one more process of a service and wait until it listens; raises StartError with its log."""
        process = self.launch(service, env=env)
        await listening_port(process)
        return process

    def launch(self, service: str, *, env: Mapping[str, str] | None = None) -> Process:
        """Start one more process of a service without waiting for it."""
        self._started += 1
        process = Process(
            [sys.executable, *self.plan.python_flags, "-m", MODULES[service]],
            log=self.plan.log_dir / f"{service}-{self._started}.log",
            env=self.plan.environment(service, env or {}),
            name=service,
        )
        self.processes[service].append(process)
        return process

    def running(self, service: str) -> list[Process]:
        """The processes of a service that have not ended."""
        return [process for process in self.processes[service] if process.returncode is None]

    def check_running(self) -> None:
        """Raise StartError with the tail of its log when a service has ended."""
        for replicas in self.processes.values():
            for process in replicas:
                process.check_running()

    async def replace(self, service: str, process: Process, *, env: Mapping[str, str] | None = None) -> Process:
        """Put a fresh process in the place of one, which is terminated if it still runs."""
        process.cont()
        await process.terminate()
        self.processes[service].remove(process)
        return await self.start(service, env=env)

    async def replace_all(self, service: str, *, env: Mapping[str, str] | None = None) -> list[Process]:
        """Put fresh processes in the place of all of a service, at once."""
        return await asyncio.gather(*(self.replace(service, old, env=env) for old in list(self.processes[service])))

    async def replace_ended(self) -> None:
        """Put fresh processes in the place of all that have ended."""
        for service, replicas in self.processes.items():
            for process in [process for process in replicas if process.returncode is not None]:
                await self.replace(service, process)

    async def aclose(self) -> None:
        """Terminate all."""
        running = [process for replicas in self.processes.values() for process in replicas]
        for process in running:
            process.cont()
        await asyncio.gather(*(process.terminate(timeout=30) for process in running))


@contextlib.asynccontextmanager
async def running_services(
    *,
    database: Database,
    amqp_url: str,
    log_dir: Path,
    settings: Mapping[str, str] | None = None,
    replicas: Mapping[str, int] | None = None,
    python_flags: Sequence[str] = (),
) -> AsyncIterator[Services]:
    """Start the services on a migrated database and wait until each listens; stop them at the end.

    `settings` are POSTROAD_* names for all of them, `replicas` how many of each (one by default; of
    sequence-api and tracker never more, as they have one address). Each process logs to a file in `log_dir`.
    """
    counts = dict.fromkeys(MODULES, 1) | dict(replicas or {})
    if any(counts[service] > 1 for service in ADDRESSED):
        raise ValueError(f"{' and '.join(ADDRESSED)} have one address: one process each")
    with contextlib.closing(Ports()) as ports:
        plan = Plan(
            database=database,
            amqp_url=amqp_url,
            settings=settings or {},
            log_dir=log_dir,
            python_flags=python_flags,
            operator_token=secrets.token_urlsafe(32),
            secret_keys=f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            ports={service: ports.take() for service in ADDRESSED},
        )
        services = Services(plan)
        try:
            started = [services.launch(service) for service in MODULES for _ in range(counts[service])]
            await asyncio.gather(*(listening_port(process) for process in started))
            yield services
        finally:
            await services.aclose()
